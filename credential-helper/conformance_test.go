package credentialhelper

// The conformance files are testdata/PROTOCOL/*.txtar: for each protocol and each version of a real
// client, what the client sends, what the Source says to it, and what has to come out, byte for byte. A
// file begins with a comment that says which client, which version, and whether it was recorded or made
// after that client's documentation. These parts follow, in any order; what is not there is empty:
//
//	-- args --      what follows the helper's name: one argument a line
//	-- env --       NAME=VALUE, one a line
//	-- stdin --     what the client writes
//	-- source --    what the Source has, as KEY: VALUE lines (below); without this part it serves nobody
//	-- source URL --  the same for the requests that have just this URL
//	-- exchange --  for protocols that trade the token in: a status, a line break, and the body
//	-- asked --     what has to reach the Source, a line a question (below)
//	-- stdout --    the answer
//	-- status --    the Status that Run returns; none or 0 means nil
//	-- error --     the text of the plain error that Run returns
//
// A text always ends in a line break in such a file. Where the real one does not, the part's name has
// " no eol" behind it: "-- stdin no eol --".
//
// The keys of a source: token, expires (RFC 3339), username, type; or refuse (a Reason's name), message
// and fix, which goes for Reject and Origins as well; and origins, with spaces between them.
//
// The lines of asked: "token URL", "origins", "reject URL TOKEN" and "exchange URL NAME=VALUE… BODY",
// followed by "min=5m0s", "interactive", "refresh" and "profile=P" where the request has them. An empty
// URL or token is written "-".
//
// A protocol takes part through an init function in its own test file:
//
//	func init() { conforms(docker, dockerParses) }
//
// where dockerParses reads an answer back; see rules.

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// scripted is the Source of these tests: what the translation is given to translate.
type scripted struct {
	answers  map[string]answer // by URL
	other    answer            // for all other URLs
	origins  []string
	exchange string // status, line break, body

	asked    []string
	requests []Request
	handed   []Credential
	rejected []string
}

type answer struct {
	cred Credential
	err  error
}

var errNobody = &Refusal{Reason: NotServed, Message: "no profile serves this target"}

func (s *scripted) to(r Request) answer {
	if a, ok := s.answers[r.URL]; ok {
		return a
	}
	return s.other
}

func (s *scripted) note(r Request, words ...string) {
	s.requests = append(s.requests, r)
	if r.MinTTL != 0 {
		words = append(words, "min="+r.MinTTL.String())
	}
	if r.Interactive {
		words = append(words, "interactive")
	}
	if r.Refresh {
		words = append(words, "refresh")
	}
	if r.Profile != "" {
		words = append(words, "profile="+r.Profile)
	}
	for i := range words {
		if words[i] == "" {
			words[i] = "-"
		}
	}
	s.asked = append(s.asked, strings.Join(words, " "))
}

func (s *scripted) Token(_ context.Context, r Request) (Credential, error) {
	s.note(r, "token", r.URL)
	a := s.to(r)
	if a.err != nil {
		return Credential{}, a.err
	}
	s.handed = append(s.handed, a.cred)
	return a.cred, nil
}

func (s *scripted) Origins(_ context.Context, r Request) ([]string, error) {
	s.note(r, "origins")
	if ReasonOf(s.other.err) == NotServed {
		return s.origins, nil
	}
	return s.origins, s.other.err
}

func (s *scripted) Reject(_ context.Context, r Request, token string) error {
	s.rejected = append(s.rejected, token)
	s.note(r, "reject", r.URL, token)
	return s.to(r).err
}

// Exchange makes it a Source that can trade a token in.
func (s *scripted) Exchange(_ context.Context, url string, header map[string]string, body []byte) (int, []byte, error) {
	words := []string{"exchange", url}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		words = append(words, name+"="+header[name])
	}
	s.asked = append(s.asked, strings.Join(append(words, string(body)), " "))
	status, answer, _ := strings.Cut(s.exchange, "\n")
	code, err := strconv.Atoi(status)
	if err != nil {
		return 0, nil, errNobody
	}
	return code, []byte(answer), nil
}

// transcript is one run of a protocol: what went in and what came out.
type transcript struct {
	args   []string
	env    map[string]string
	stdin  string
	source *scripted

	out    string
	pieces int // how many times something was written
	err    error
}

func (c *transcript) Write(p []byte) (int, error) {
	c.out += string(p)
	c.pieces++
	return len(p), nil
}

func (c *transcript) run(p Protocol) {
	c.err = p.Run(context.Background(), &Call{
		Args: c.args, In: strings.NewReader(c.stdin), Out: c,
		Getenv: func(name string) string { return c.env[name] }, Source: c.source,
	})
}

// plainError is the error, if there is one that the caller has to say.
func (c *transcript) plainError() error {
	var s Status
	if errors.As(c.err, &s) {
		return nil
	}
	return c.err
}

// check reports what no protocol may do, whatever came in.
func (c *transcript) check(p Protocol) error {
	rules := parsesBack[p.Name]
	if i := strings.IndexAny(c.out, "\r\x00"); i >= 0 {
		return fmt.Errorf("the answer has a CR or NUL at %d: %q", i, c.out)
	}
	for _, r := range c.source.requests {
		if r.Client != p.Name {
			return fmt.Errorf("the Source was asked on behalf of %q", r.Client)
		}
		if strings.ContainsFunc(r.URL+r.Profile, isBreak) {
			return fmt.Errorf("a line break or NUL reached the Source: %+v", r)
		}
	}
	for _, token := range c.source.rejected {
		if strings.ContainsFunc(token, isBreak) {
			return fmt.Errorf("a line break or NUL reached the Source: %q", token)
		}
	}
	for _, cred := range c.source.handed {
		for _, value := range []string{cred.Token, cred.Username} {
			if i := strings.IndexFunc(value, isBreak); i >= 8 && strings.Contains(c.out, value[:i]) {
				return fmt.Errorf("%q of the Source is in the answer", value)
			}
		}
	}
	if rules.dialogue {
		return rules.parse(c)
	}
	if c.pieces > 1 {
		return fmt.Errorf("the answer came in %d pieces: %q", c.pieces, c.out)
	}
	if c.plainError() != nil {
		if c.out != "" && (rules.onError == nil || c.out != rules.onError(c.err)) {
			return fmt.Errorf("written in spite of the error %v: %q", c.err, c.out)
		}
		return nil
	}
	return rules.parse(c)
}

// TestJ2Golden runs the recorded requests of real clients through all protocols.
func TestJ2Golden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		seen[name] = true
		t.Run(name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			golden(t, file)
		})
	}
	for _, p := range Protocols() {
		if !seen[p.Name] || parsesBack[p.Name].parse == nil {
			t.Errorf("%s has no conformance file, or no parser that reads its answers back", p.Name)
		}
	}
}

func golden(t *testing.T, file string) {
	p := parsesBack[filepath.Base(filepath.Dir(file))].protocol
	if p.Run == nil {
		t.Fatal("there is no such protocol: its test file has to say conforms(…)")
	}
	c, want := readGolden(t, file)
	c.run(p)
	if c.out != want["stdout"] {
		t.Errorf("stdout\n got: %q\nwant: %q", c.out, want["stdout"])
	}
	if got := lines(c.source.asked); got != want["asked"] {
		t.Errorf("the Source was asked\n got: %q\nwant: %q", got, want["asked"])
	}
	var status Status
	errors.As(c.err, &status)
	if got := strconv.Itoa(int(status)) + "\n"; got != cmp.Or(want["status"], "0\n") {
		t.Errorf("status %q, want %q", got, want["status"])
	}
	text := ""
	if err := c.plainError(); err != nil {
		text = err.Error() + "\n"
	}
	if text != want["error"] {
		t.Errorf("error\n got: %q\nwant: %q", text, want["error"])
	}
	if err := c.check(p); err != nil {
		t.Error(err)
	}
}

// readGolden reads a conformance file. The map has the parts that say what is to come out.
func readGolden(t testing.TB, file string) (*transcript, map[string]string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The files are the same on Windows, where a checkout may have made CRLF of their line breaks.
	archive := txtar.Parse(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")))
	if len(bytes.TrimSpace(archive.Comment)) == 0 {
		t.Errorf("%s does not say which client it is of", file)
	}
	c := &transcript{env: map[string]string{}, source: &scripted{answers: map[string]answer{}, other: answer{err: errNobody}}}
	want := map[string]string{}
	for _, part := range archive.Files {
		name, text := part.Name, string(part.Data)
		if whole, ok := strings.CutSuffix(name, " no eol"); ok {
			name, text = whole, strings.TrimSuffix(text, "\n")
		}
		switch {
		case name == "args":
			c.args = split(text)
		case name == "env":
			for _, line := range split(text) {
				key, value, _ := strings.Cut(line, "=")
				c.env[key] = value
			}
		case name == "stdin":
			c.stdin = text
		case name == "source":
			c.source.other = readSource(t, text, c.source)
		case strings.HasPrefix(name, "source "):
			c.source.answers[strings.TrimPrefix(name, "source ")] = readSource(t, text, c.source)
		case name == "exchange":
			c.source.exchange = text
		case name == "asked", name == "stdout", name == "status", name == "error":
			want[name] = text
		default:
			t.Fatalf("%s: there is no part %q", file, part.Name)
		}
	}
	return c, want
}

func readSource(t testing.TB, text string, s *scripted) (a answer) {
	t.Helper()
	refusal := Refusal{Reason: -1}
	for _, line := range split(text) {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "token":
			a.cred.Token = value
		case "username":
			a.cred.Username = value
		case "type":
			a.cred.Type = value
		case "expires":
			expires, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				t.Fatal(err)
			}
			a.cred.Expires = expires
		case "refuse":
			refusal.Reason = Reason(slices.Index(reasons[:], value))
			if refusal.Reason < 0 {
				t.Fatalf("there is no reason %q", value)
			}
		case "message":
			refusal.Message = value
		case "fix":
			refusal.Fix = value
		case "origins":
			s.origins = strings.Fields(value)
		default:
			t.Fatalf("a source has no %q", line)
		}
	}
	if refusal.Reason >= 0 {
		return answer{err: &refusal}
	}
	return a
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func lines(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, "\n") + "\n"
}
