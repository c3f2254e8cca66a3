package credentialhelper

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rules is what the tests have to know of a protocol.
type rules struct {
	protocol Protocol
	// parse reads an answer the way a client does, with code of its own, and compares it with what the
	// Source handed out. It is called for answers without a plain error, empty ones too.
	parse func(c *transcript) error
	// onError is what may be written before a plain error is returned; nil means nothing.
	onError func(error) string
	// dialogue says that the protocol answers line by line: what is written stands when an error follows.
	dialogue bool
}

// parsesBack has the rules of all protocols. Each protocol's own test file adds to it.
var parsesBack = map[string]rules{}

// conforms makes a protocol take part in TestJ2Golden and in the fuzz test that calls fuzzProtocol.
func conforms(p Protocol, parse func(c *transcript) error) {
	parsesBack[p.Name] = rules{protocol: p, parse: parse}
}

// fuzzProtocol is the fuzz test of a protocol; its seeds are the conformance files. A protocol has
//
//	func FuzzDocker(f *testing.F) { fuzzProtocol(f, docker) }
//
// Arguments and environment are given as strings with a NUL between them, which neither can hold.
func fuzzProtocol(f *testing.F, p Protocol) {
	files, err := filepath.Glob(filepath.Join("testdata", p.Name, "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	add := func(c *transcript) {
		var env []string
		for _, name := range slices.Sorted(maps.Keys(c.env)) {
			env = append(env, name+"="+c.env[name])
		}
		seed := c.source.other
		for _, url := range slices.Sorted(maps.Keys(c.source.answers)) {
			seed = c.source.answers[url]
		}
		reason, message := -1, ""
		if seed.err != nil {
			reason, message = int(ReasonOf(seed.err)), seed.err.Error()
		}
		origins := strings.Join(c.source.origins, "\x00")
		f.Add(strings.Join(c.args, "\x00"), strings.Join(env, "\x00"), c.stdin,
			seed.cred.Token, seed.cred.Username, seed.cred.Expires.Unix(), reason, message, origins, c.source.exchange)
	}
	for _, file := range files {
		c, _ := readGolden(f, file)
		add(c)
		for _, e := range broken(c) {
			add(e)
		}
	}
	f.Fuzz(func(t *testing.T, args, env, stdin, token, username string, expires int64, reason int, message, origins, exchange string) {
		c := &transcript{stdin: stdin, env: map[string]string{}, source: &scripted{exchange: exchange}}
		if args != "" {
			c.args = strings.Split(args, "\x00")
		}
		for _, line := range strings.Split(env, "\x00") {
			name, value, _ := strings.Cut(line, "=")
			c.env[name] = value
		}
		if origins != "" {
			c.source.origins = strings.Split(origins, "\x00")
		}
		// RFC 3339 ends with the year 9999, and so do tokens. The other end is the zero time: not known.
		end := time.Unix(min(max(expires, time.Time{}.Unix()), 253402300799), 0)
		c.source.other.cred = Credential{Token: token, Username: username, Expires: end, Type: "id"}
		if reason >= 0 {
			c.source.other.err = &Refusal{Reason: Reason(reason), Message: message, Fix: message}
		}
		c.run(p)
		if err := c.check(p); err != nil {
			t.Errorf("%v\nargs %q\nenv %q\nstdin %q\nasked %q\nout %q\nerr %v", err, c.args, c.env, c.stdin, c.source.asked, c.out, c.err)
		}
	})
}

// broken are the same requests and answers with a break where it does most harm: behind what may be a
// host name, and in the token, the user name and the message (CVE-2020-5260, CVE-2024-50338).
func broken(c *transcript) (all []*transcript) {
	vary := func(change func(e *transcript, evil string)) {
		for _, evil := range []string{"\n", "\r", "\x00", `\n`, `\r`, `\u0000`, "%0a", "\nhost=evil.example\n"} {
			e := &transcript{args: slices.Clone(c.args), env: maps.Clone(c.env), stdin: c.stdin}
			e.source = &scripted{answers: maps.Clone(c.source.answers), other: c.source.other, origins: slices.Clone(c.source.origins), exchange: c.source.exchange}
			change(e, evil)
			all = append(all, e)
		}
	}
	sub := func(s, evil string) string { return strings.ReplaceAll(s, ".example", ".example"+evil) }
	vary(func(e *transcript, evil string) {
		for i := range e.args {
			e.args[i] = sub(e.args[i], evil)
		}
	})
	vary(func(e *transcript, evil string) {
		for name := range e.env {
			e.env[name] = sub(e.env[name], evil)
		}
	})
	vary(func(e *transcript, evil string) { e.stdin = sub(e.stdin, evil) })
	said := func(change func(a *answer, evil string)) {
		vary(func(e *transcript, evil string) {
			change(&e.source.other, evil)
			for url, a := range e.source.answers {
				change(&a, evil)
				e.source.answers[url] = a
			}
		})
	}
	said(func(a *answer, evil string) { a.cred.Token += evil + "rest" })
	said(func(a *answer, evil string) { a.cred.Username = "user-name" + evil + "rest" })
	said(func(a *answer, evil string) {
		a.err = &Refusal{Reason: Failed, Message: "it is" + evil + "so", Fix: "do" + evil + "this"}
	})
	vary(func(e *transcript, evil string) {
		for i := range e.source.origins {
			e.source.origins[i] += evil
		}
	})
	vary(func(e *transcript, evil string) { e.source.exchange += evil + "rest" })
	return all
}

// TestS8NothingBreaksALine breaks all that goes into every conformance file.
func TestS8NothingBreaksALine(t *testing.T) {
	for name, rules := range parsesBack {
		files, err := filepath.Glob(filepath.Join("testdata", name, "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			c, _ := readGolden(t, file)
			for _, e := range broken(c) {
				e.run(rules.protocol)
				if err := e.check(rules.protocol); err != nil {
					t.Errorf("%s: %v\nargs %q\nenv %q\nstdin %q\nasked %q\nout %q\nerr %v", file, err, e.args, e.env, e.stdin, e.source.asked, e.out, e.err)
				}
			}
		}
	}
}

func init() {
	parsesBack["git"] = rules{protocol: git, parse: gitParses, onError: func(error) string { return "quit=1\n" }}
}

func FuzzGit(f *testing.F) { fuzzProtocol(f, git) }

// gitParses reads as credential_read of git's credential.c does.
func gitParses(c *transcript) error {
	if c.out == "" {
		return nil
	}
	if strings.HasPrefix(c.out, "version 0\n") {
		for _, line := range split(c.out)[1:] {
			if !strings.HasPrefix(line, "capability ") {
				return fmt.Errorf("git has no line %q here", line)
			}
		}
		return nil
	}
	got := map[string]string{}
	for i, line := range split(c.out) {
		if line == "" && i == len(split(c.out))-1 {
			break
		}
		key, value, ok := strings.Cut(line, "=")
		if _, twice := got[key]; !ok || twice || len(line) >= 65535 {
			return fmt.Errorf("git cannot take the line %.80q", line)
		}
		got[key] = value
	}
	if len(c.source.handed) != 1 {
		return errors.New("an answer, but no token was handed out")
	}
	cred := c.source.handed[0]
	secret, has := got["credential"]
	if !has {
		secret = got["password"]
	}
	if secret != cred.Token {
		return fmt.Errorf("git reads the token %q", secret)
	}
	if has != (got["capability[]"] == "authtype" && got["authtype"] == "Bearer") || has != strings.Contains(c.stdin, "capability[]=authtype") && has {
		return errors.New("a credential without the capability")
	}
	if !has && (got["username"] == "" || cred.Username != "" && got["username"] != cred.Username) {
		return fmt.Errorf("git reads the user name %q", got["username"])
	}
	if want := strconv.FormatInt(cred.Expires.Unix(), 10); !cred.Expires.IsZero() && got["password_expiry_utc"] != want {
		return fmt.Errorf("git reads the end %q", got["password_expiry_utc"])
	}
	return nil
}
