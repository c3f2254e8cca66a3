package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	credentialhelper "github.com/cogauth/cogauth/credential-helper"
	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/origin"
	"github.com/cogauth/cogauth/internal/rig"
)

// Whoever tests a helper of his own should not have to fetch anything.
func TestDeps(t *testing.T) { deptest.Only(t) }

const (
	servedURL  = "https://git.corp.example"
	foreignURL = "https://elsewhere.example:8443"
	limit      = 2 * time.Minute // of one answer
)

// TestMain makes this test binary a helper when it is told to: the one of this module, on a Source whose
// tokens are numbered and whose state is a file.
func TestMain(m *testing.M) {
	if dir := os.Getenv("COGAUTH_TEST_HELPER"); dir != "" {
		p, _ := credentialhelper.Find("native")
		err := p.Run(context.Background(), &credentialhelper.Call{
			Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Getenv: os.Getenv,
			Source: &numbered{filepath.Join(dir, "n"), os.Getenv("COGAUTH_TEST_ORIGIN")},
		})
		var status credentialhelper.Status
		switch {
		case errors.As(err, &status):
			os.Exit(int(status))
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// numbered has the tokens t.1, t.2 and so on: the next one when one was rejected.
type numbered struct{ file, origin string }

func (s *numbered) current() string {
	n, _ := os.ReadFile(s.file)
	return fmt.Sprintf("t.%d", len(n)+1)
}

func (s *numbered) serves(r credentialhelper.Request) error {
	pattern, err := origin.Parse(s.origin)
	if err != nil {
		return err
	}
	if _, ok := pattern.Match(r.URL); !ok {
		return &credentialhelper.Refusal{Reason: credentialhelper.NotServed, Message: "no profile serves this target"}
	}
	if r.Profile != "" {
		return &credentialhelper.Refusal{Reason: credentialhelper.Misconfigured, Message: "there is no profile " + r.Profile, Fix: "make it\nwith\x1b[1m cogauth login"}
	}
	return nil
}

func (s *numbered) Token(_ context.Context, r credentialhelper.Request) (credentialhelper.Credential, error) {
	if err := s.serves(r); err != nil {
		return credentialhelper.Credential{}, err
	}
	return credentialhelper.Credential{Token: s.current(), Type: "id", Expires: time.Now().Add(time.Hour), Username: "oauth2"}, nil
}

func (*numbered) Origins(context.Context, credentialhelper.Request) ([]string, error) {
	return nil, errors.New("the native protocol has no use for this")
}

func (s *numbered) Reject(_ context.Context, r credentialhelper.Request, token string) error {
	if err := s.serves(r); err != nil {
		return err
	}
	if token != "" && token != s.current() {
		return nil
	}
	f, err := os.OpenFile(s.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("x")
	return errors.Join(err, f.Close())
}

// goHelper is the command line of this test binary as a helper for origin.
func goHelper(t *testing.T, origin string) []string {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("COGAUTH_TEST_HELPER", t.TempDir())
	t.Setenv("COGAUTH_TEST_ORIGIN", origin)
	return []string{exe}
}

// examples are the programs in PROTOCOL.md, word for word, by the name in their second line.
var examples = sync.OnceValues(func() (map[string]string, error) {
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	for _, m := range regexp.MustCompile("(?s)```[a-z]+\n(#!/[^\n]+\n# ([a-z.]+) .*?)```").FindAllSubmatch(text, -1) {
		found[string(m[2])] = string(m[1])
	}
	return found, nil
})

// example writes a program of PROTOCOL.md, changed by edit if that is not nil, and returns its command line.
func example(t *testing.T, name string, edit func(string) string) []string {
	t.Helper()
	all, err := examples()
	if err != nil {
		t.Fatal(err)
	}
	text, ok := all[name]
	if !ok {
		t.Fatalf("PROTOCOL.md has no program %s", name)
	}
	if edit != nil {
		changed := edit(text)
		if changed == text {
			t.Fatal("the program was not changed")
		}
		text = changed
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == ".py" {
		return []string{python(t), "-I", "-S", file} // it starts in half the time
	}
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh")
	}
	rig.Require(t, "jq", "jq")
	return []string{"sh", file}
}

// python is the interpreter itself: what is on PATH may be a script that looks for it each time.
func python(t *testing.T) string {
	rig.Require(t, "python3", "python3")
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// pyHelper and shHelper are the helpers of PROTOCOL.md with a token for origin.
func pyHelper(t *testing.T, origin string, edit func(string) string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens.json")
	tokens := fmt.Sprintf(`{%q: {"token": "eyJ.py.token", "token_type": "access", "expires_at": %d}}`, origin, time.Now().Add(time.Hour).Unix())
	if err := os.WriteFile(file, []byte(tokens), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(example(t, "helper.py", edit), file)
}

func shHelper(t *testing.T, origin string, edit func(string) string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("eyJ.sh.token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(example(t, "helper.sh", edit), origin, file)
}

// verdict runs the whole program.
func verdict(t *testing.T, served string, helper []string) (int, string) {
	t.Helper()
	var out, stderr bytes.Buffer
	args := append([]string{"-served", served, "-foreign", foreignURL, "-timeout", limit.String(), "--"}, helper...)
	status := run(t.Context(), args, &out, &stderr)
	if stderr.Len() > 0 {
		t.Errorf("on standard error: %s", &stderr)
	}
	return status, out.String()
}

// J2: three helpers that have nothing in common but PROTOCOL.md.
func TestJ2NativeHelpersConform(t *testing.T) {
	for name, helper := range map[string]func(*testing.T, string) []string{
		"go":     goHelper,
		"python": func(t *testing.T, o string) []string { return pyHelper(t, o, nil) },
		"shell":  func(t *testing.T, o string) []string { return shHelper(t, o, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			status, out := verdict(t, servedURL, helper(t, servedURL))
			if status != 0 || strings.Contains(out, "not ok") || strings.Count(out, "\nok ") != len(tests) {
				t.Errorf("exit status %d\n%s", status, out)
			}
		})
	}
	for _, served := range []string{"https://git.corp.example:8443/team/a", "http://[::1]:8080"} {
		t.Run("go/"+strings.ReplaceAll(served, "/", "_"), func(t *testing.T) {
			if status, out := verdict(t, served, goHelper(t, served)); status != 0 {
				t.Errorf("exit status %d\n%s", status, out)
			}
		})
	}
}

// The clients of PROTOCOL.md with helpers of all three kinds, against a server that wants the token.
func TestJ2NativeClients(t *testing.T) {
	for _, client := range []string{"client.py", "client.sh"} {
		for name, helper := range map[string]func(*testing.T, string) []string{
			"go":     goHelper,
			"python": func(t *testing.T, o string) []string { return pyHelper(t, o, nil) },
			"shell":  func(t *testing.T, o string) []string { return shHelper(t, o, nil) },
		} {
			t.Run(client+"/"+name, func(t *testing.T) { fetches(t, client, name, helper) })
		}
	}
}

func fetches(t *testing.T, client, name string, helper func(*testing.T, string) []string) {
	if client == "client.sh" {
		rig.Require(t, "curl", "curl")
	}
	first := map[string]string{"go": "t.1", "python": "eyJ.py.token", "shell": "eyJ.sh.token"}[name]
	var mu sync.Mutex
	good, asked := first, 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if r.Header.Get("Authorization") != "Bearer "+good {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "the page\n")
	})
	// take makes the server take another token from now on, and forget how often it was asked.
	take := func(token string) {
		mu.Lock()
		defer mu.Unlock()
		good, asked = token, 0
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
	server, stranger := httptest.NewServer(handler), httptest.NewServer(handler)
	defer server.Close()
	defer stranger.Close()
	command := helper(t, server.URL)
	fetch := func(url string) (page, said string, err error) {
		line := append(example(t, client, nil), url)
		file := filepath.Join(t.TempDir(), "page")
		if client == "client.sh" {
			line = append(line, file)
		}
		cmd := exec.CommandContext(t.Context(), line[0], append(line[1:], command...)...)
		cmd.Env = append(os.Environ(), "no_proxy=*")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err = cmd.Run()
		if client == "client.sh" {
			b, _ := os.ReadFile(file)
			stdout.Write(b)
		}
		return stdout.String(), stderr.String(), err
	}

	if page, said, err := fetch(server.URL + "/a?b=c"); err != nil || page != "the page\n" || said != "" {
		t.Errorf("%v: page %q, said %q", err, page, said)
	}
	take(first)
	if _, said, err := fetch(stranger.URL); err == nil || count() != 0 || !strings.Contains(said, "this target") {
		t.Errorf("a stranger was asked %d times: %v, said %q", count(), err, said)
	}
	// The server takes the token no more. Who can have another one goes on; who cannot says so.
	take("t.2")
	page, said, err := fetch(server.URL)
	if name == "go" && (err != nil || page != "the page\n" || count() != 2) {
		t.Errorf("after a 401: %v, page %q, said %q, asked %d times", err, page, said, count())
	}
	if name != "go" && (err == nil || count() != 1 || !strings.Contains(said, "token")) {
		t.Errorf("after a 401: %v, said %q, asked %d times", err, said, count())
	}
	// And if it takes none, it is asked twice and not for ever.
	take("none")
	if _, said, err = fetch(server.URL); name == "go" && (err == nil || count() != 2 || !strings.Contains(said, "401")) {
		t.Errorf("without a good token: %v, said %q, asked %d times", err, said, count())
	}
}
