package credentialhelper

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func init() {
	onError := func(err error) string { return advice(err) + "\n" }
	parsesBack["docker"] = rules{protocol: docker, parse: dockerParses, onError: onError}
}

func FuzzDocker(f *testing.F) { fuzzProtocol(f, docker) }

// dockerParses reads as client/client.go of docker-credential-helpers does.
func dockerParses(c *transcript) error {
	var status Status
	if errors.As(c.err, &status) {
		if status != 1 || strings.Count(c.out, "\n") != 1 || !strings.HasSuffix(c.out, "\n") {
			return fmt.Errorf("a failure is one line and exit status 1, not %q and %v", c.out, c.err)
		}
		return nil
	}
	if len(c.args) != 1 {
		return errors.New("no operation, and no error")
	}
	switch c.args[0] {
	case "get":
		var got struct{ ServerURL, Username, Secret string }
		if err := oneObject(c.out, &got); err != nil {
			return err
		}
		if len(c.source.handed) != 1 {
			return errors.New("an answer, but no token was handed out")
		}
		cred := c.source.handed[0]
		user := string([]rune(cred.Username)) // JSON is UTF-8
		if got.Secret != cred.Token || got.Username == "" || user != "" && got.Username != user {
			return fmt.Errorf("docker reads %+v", got)
		}
	case "list":
		var got map[string]string
		if err := oneObject(c.out, &got); err != nil {
			return err
		}
		for server, user := range got {
			if user == "" || strings.Contains(server, "://") || strings.ContainsFunc(server, isBreak) {
				return fmt.Errorf("docker reads the server %q with the user name %q", server, user)
			}
		}
	case "erase":
		if c.out != "" {
			return errors.New("an answer to erase")
		}
	}
	return nil
}

// oneObject reads an answer that is one line of JSON with nothing around it and no members but those of v.
func oneObject(out string, v any) error {
	line, ok := strings.CutSuffix(out, "\n")
	if !ok || strings.Contains(line, "\n") {
		return fmt.Errorf("not one line: %q", out)
	}
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w in %q", err, out)
	}
	if d.InputOffset() != int64(len(line)) {
		return fmt.Errorf("something follows the answer: %q", out)
	}
	return nil
}

func runOn(p Protocol, source *scripted, stdin string, args ...string) *transcript {
	c := &transcript{args: args, stdin: stdin, source: source}
	c.run(p)
	return c
}

// TestJ6DockerEraseThenGet: docker logout forgets a token and never the session, so a token comes again.
func TestJ6DockerEraseThenGet(t *testing.T) {
	source := &scripted{other: answer{cred: Credential{Token: "t"}}}
	if c := runOn(docker, source, "registry.corp.example", "erase"); c.err != nil || c.out != "" {
		t.Errorf("erase: %q, %v", c.out, c.err)
	}
	if c := runOn(docker, source, "registry.corp.example", "get"); c.err != nil || !strings.Contains(c.out, `"Secret":"t"`) {
		t.Errorf("get: %q, %v", c.out, c.err)
	}
	// Which token it was is not said: "" is the cached one.
	if want := "reject //registry.corp.example -"; source.asked[0] != want {
		t.Errorf("asked %q, want %q", source.asked[0], want)
	}
}

// TestJ6DockerStoreIsRefused: a password is neither kept nor repeated, whatever it is.
func TestJ6DockerStoreIsRefused(t *testing.T) {
	for _, in := range []string{
		`{"ServerURL":"registry.corp.example","Username":"me","Secret":"hunter2"}` + "\n",
		`{"ServerURL":"registry.corp.example","Username":"cognito","Secret":"t"}` + "\n", // what get returns
		"", "hunter2",
	} {
		source := &scripted{other: answer{cred: Credential{Token: "t"}}}
		c := runOn(docker, source, in, "store")
		if c.err != Status(1) || !strings.Contains(c.out, "cogauth login") || strings.Contains(c.out, "hunter2") || len(source.asked) > 0 {
			t.Errorf("store %q: %q, %v, asked %q", in, c.out, c.err, source.asked)
		}
	}
}

func TestDockerServers(t *testing.T) {
	for server, want := range map[string]string{
		"registry.corp.example":           "//registry.corp.example",
		"localhost:5000":                  "//localhost:5000",
		"localhost:5000/foo/bar":          "//localhost:5000/foo/bar",
		"index.docker.io/library/alpine":  "//index.docker.io/library/alpine",
		"https://index.docker.io/v1/":     "//index.docker.io/v1/",
		"HTTPS://Registry.corp.example":   "//Registry.corp.example",
		" https://registry.corp.example ": "//registry.corp.example",
		"registry.corp.example\r\n":       "//registry.corp.example",
		"http://registry.corp.example":    "http://registry.corp.example", // not as if it were https
		"ftp://registry.corp.example":     "ftp://registry.corp.example",
		"[::1]:5000":                      "//[::1]:5000",
	} {
		source := &scripted{other: answer{cred: Credential{Token: "t"}}}
		if c := runOn(docker, source, server, "get"); c.err != nil || source.requests[0].URL != want {
			t.Errorf("%q is %+v, want %q (%v)", server, source.requests, want, c.err)
		}
	}
}

// TestDockerEveryReasonIsShown: only "not served" is the text at which clients go on without credentials.
// Everything else is on standard output, which most of them show, and is returned for standard error, which
// is all that docker shows.
func TestDockerEveryReasonIsShown(t *testing.T) {
	for i := range reasons {
		reason := Reason(i)
		refusal := &Refusal{Reason: reason, Message: "it is so", Fix: "do\nthis"}
		source := &scripted{other: answer{err: refusal}}
		want, wantErr := "it is so; do this\n", error(refusal)
		if reason == NotServed {
			want, wantErr = "credentials not found in native keychain\n", Status(1)
		}
		if c := runOn(docker, source, "registry.corp.example", "get"); c.out != want || !errors.Is(c.err, wantErr) {
			t.Errorf("%v: %q, %v", reason, c.out, c.err)
		}
	}
}

func TestDockerBadInput(t *testing.T) {
	for _, in := range []string{"registry.corp.example\nx", "registry\r.corp.example", "registry\x00.corp.example", strings.Repeat("a", maxRequest+1)} {
		for _, op := range []string{"get", "erase"} {
			source := &scripted{other: answer{cred: Credential{Token: "t"}}}
			c := runOn(docker, source, in, op)
			if len(source.asked) > 0 || c.err != Status(1) || !strings.HasPrefix(c.out, "the request of docker ") {
				t.Errorf("%s %.30q: asked %q, %q, %v", op, in, source.asked, c.out, c.err)
			}
		}
	}
	for _, args := range [][]string{nil, {"get", "get"}, {""}, {"GET"}} {
		c := runOn(docker, &scripted{}, "registry.corp.example", args...)
		var malformed *MalformedError
		if c.out != "" || !errors.As(c.err, &malformed) {
			t.Errorf("%q: %q, %v", args, c.out, c.err)
		}
	}
}
