package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/rig"
)

func TestDeps(t *testing.T)  { deptest.Only(t, "github.com/pkg/browser") }
func TestQuiet(t *testing.T) { deptest.Quiet(t) }

// hang is how long a child, or the opener in it, may take before the test calls it hanging.
const hang = 20 * time.Second

const (
	childEnv = "COGAUTH_TEST_BROWSER_CHILD" // the URL that a child process opens
	noisyEnv = "COGAUTH_TEST_BROWSER_NOISY" // with Output set to its standard error
	hastyEnv = "COGAUTH_TEST_BROWSER_HASTY" // with a short Grace
)

// TestMain lets the test binary be the program that opens a browser: pkg/browser's output belongs
// to a whole process, and so does its environment.
func TestMain(m *testing.M) {
	url := os.Getenv(childEnv)
	if url == "" {
		os.Exit(m.Run())
	}
	o := Opener{Getenv: os.Getenv, Grace: hang} // so that what the opener did is done when Open returns
	if os.Getenv(noisyEnv) != "" {
		o.Output = os.Stderr
	}
	if os.Getenv(hastyEnv) != "" {
		o.Grace = 100 * time.Millisecond
	}
	err := o.Open(context.Background(), url)
	fmt.Printf("returned: %v\nno browser: %v\n", err, errors.Is(err, ErrNoBrowser))
	os.Exit(0)
}

const signInURL = "https://auth.example.com/oauth2/authorize?client_id=1h57kf5cpq&redirect_uri=http%3A%2F%2Flocalhost%3A8585%2Fcallback&scope=openid%20email&state=CANARY-state"

// shim is a folder with an opener of the given name that notes its arguments, then runs script.
type shim struct{ dir, mark string }

func newShim(t *testing.T, name, script string) shim {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows opens URLs without a program of ours to put in between")
	}
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	s := shim{dir: t.TempDir()}
	s.mark = filepath.Join(s.dir, "arguments")
	text := "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >'" + s.mark + "'\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// open runs a child that opens url with only the shim on its PATH.
func (s shim) open(t *testing.T, url string, env ...string) (stdout, stderr string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append([]string{"PATH=" + s.dir, "DISPLAY=:99", "GORACE=atexit_sleep_ms=10", childEnv + "=" + url}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("child: %v\n%s", err, errs.String())
	}
	return out.String(), errs.String()
}

// arguments are what the opener was given, or nil if it never ran.
func (s shim) arguments(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(s.mark)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	return lines[1:]
}

func TestB3OpenerThatSucceedsFailsOrIsMissing(t *testing.T) {
	tests := []struct{ name, opener, script, want string }{
		{"exit 0", "xdg-open", "exit 0", "returned: <nil>\nno browser: false\n"},
		{"exit 1", "xdg-open", "exit 1", "returned: the browser's opener failed: exit status 1\nno browser: false\n"},
		{"debian's alternative", "x-www-browser", "exit 0", "returned: <nil>\nno browser: false\n"},
	}
	if runtime.GOOS == "linux" {
		tests = append(tests, struct{ name, opener, script, want string }{"only a browser that may be a text browser", "www-browser", "exit 0",
			"returned: no graphical browser: neither xdg-open nor x-www-browser is installed\nno browser: true\n"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShim(t, tt.opener, tt.script)
			stdout, stderr := s.open(t, signInURL)
			if stdout != tt.want {
				t.Errorf("got %q, want %q", stdout, tt.want)
			}
			if strings.Contains(stdout+stderr, "CANARY") {
				t.Errorf("got the state in %q, %q", stdout, stderr)
			}
			got := s.arguments(t)
			if strings.Contains(tt.want, "no browser: true") {
				if got != nil {
					t.Errorf("opener: got run with %q, want it left alone", got)
				}
			} else if len(got) != 1 || got[0] != signInURL {
				t.Errorf("opener: got arguments %q, want exactly the URL", got)
			}
		})
	}
}

func TestB3OpenerThatNeverReturnsDoesNotBlock(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	s := newShim(t, "xdg-open", "echo $$ >'"+pidFile+".new'; /bin/mv '"+pidFile+".new' '"+pidFile+"'; exec /bin/sleep 60")
	stdout, _ := s.open(t, signInURL, hastyEnv+"=1")
	if want := "returned: <nil>\nno browser: false\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
	// The opener outlives the program that started it, as a browser does.
	var pid int
	for deadline := time.Now().Add(hang); pid == 0; time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(pidFile); err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		if time.Now().After(deadline) {
			t.Fatal("the opener did not run")
		}
	}
	if p, err := os.FindProcess(pid); err == nil {
		p.Kill()
	}
}

func TestJ1OpenersOutputStaysOffStandardOutput(t *testing.T) {
	s := newShim(t, "xdg-open", "echo NOISE-out; echo NOISE-err >&2; exit 0")
	stdout, stderr := s.open(t, signInURL)
	if strings.Contains(stdout+stderr, "NOISE") {
		t.Errorf("no Output: got %q, %q, want the noise discarded", stdout, stderr)
	}
	stdout, stderr = s.open(t, signInURL, noisyEnv+"=1")
	if strings.Contains(stdout, "NOISE") {
		t.Errorf("Output is standard error: got %q on standard output", stdout)
	}
	if !strings.Contains(stderr, "NOISE-out") || !strings.Contains(stderr, "NOISE-err") {
		t.Errorf("Output is standard error: got %q there, want both lines", stderr)
	}
}

// The person's BROWSER is left to the real xdg-open: lists, words and %s, without a shell.
func TestB2BrowserVariable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("BROWSER is a notion of xdg-open")
	}
	rig.Require(t, "xdg-open")
	for _, tt := range []struct {
		name, browser string
		want          []string // what the shim is given; nil if it is not run
		outcome       string
	}{
		{"a name", "shim", []string{signInURL}, "returned: <nil>"},
		{"words", "shim -P work", []string{"-P", "work", signInURL}, "returned: <nil>"},
		{"words and %s", "shim --url %s --new", []string{"--url", signInURL, "--new"}, "returned: <nil>"},
		{"a list whose first is missing", "no-such-browser:shim -P x", []string{"-P", "x", signInURL}, "returned: <nil>"},
		{"echo, to get the URL", "echo", nil, "returned: <nil>"},
		{"none of the list", "no-such-browser:nor-this", nil, "returned: the browser's opener failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShim(t, "shim", "exit 0")
			home := t.TempDir()
			stdout, stderr := s.open(t, signInURL, "DISPLAY=", "PATH="+s.dir+":/usr/bin:/bin", "HOME="+home, "BROWSER="+tt.browser)
			if !strings.HasPrefix(stdout, tt.outcome) || strings.Contains(stdout+stderr, "CANARY") {
				t.Errorf("got %q, %q, want %q and nothing of the URL", stdout, stderr, tt.outcome)
			}
			if got := s.arguments(t); !slices.Equal(got, tt.want) {
				t.Errorf("browser: got arguments %q, want %q", got, tt.want)
			}
		})
	}
}

func TestB12NoDisplayNoBrowser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a display is a notion of X11 and Wayland")
	}
	s := newShim(t, "xdg-open", "exit 0")
	stdout, _ := s.open(t, signInURL, "DISPLAY=")
	if !strings.Contains(stdout, "no browser: true") {
		t.Errorf("got %q, want ErrNoBrowser", stdout)
	}
	if got := s.arguments(t); got != nil {
		t.Errorf("opener: got run with %q, want it left alone: it would pick a text browser", got)
	}
}

func TestRefusedURLReachesNoOpener(t *testing.T) {
	s := newShim(t, "xdg-open", "exit 0")
	stdout, _ := s.open(t, "file:///etc/passwd")
	if !strings.Contains(stdout, "refusing to open the URL") {
		t.Errorf("got %q, want a refusal", stdout)
	}
	if got := s.arguments(t); got != nil {
		t.Errorf("opener: got run with %q", got)
	}
}

func TestEndedContextOpensNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DISPLAY": ":99", "PATH": dir}
	o := Opener{Getenv: func(name string) string { return env[name] }, Output: io.Discard}
	if err := o.Open(ctx, signInURL); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
