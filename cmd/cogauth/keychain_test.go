package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// signedInWith is a program whose person has signed in, with a keychain of that environment.
func signedInWith(t *testing.T, extra ...string) *program {
	t.Helper()
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{CallbackURLs: []string{callback}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("[profiles.a]\nissuer = %q\nclient_id = %q\ncallback_urls = [%q]\n", pool.Issuer(), pool.Client().ID, callback)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ring := rig.Keyring(t, extra...)
	p := &program{t: t, exe: rig.Build(t), env: append(ring.Env(), "COGAUTH_CONFIG="+config), pool: pool, ring: ring, dir: dir}
	if status, _, errs := p.run("login", "--no-browser"); status != 0 {
		t.Fatalf("login: status %d\n%s", status, errs)
	}
	return p
}

// C16: a keychain that cannot be used is never "not signed in": it has its own exit status, fact and
// hint, the server is not asked anything, and no bus is started. C8: where there is none, the hint has
// the one command that helps.
func TestC16TheKeychainHasItsOwnStatus(t *testing.T) {
	bus := func(address string) func(*program) {
		return func(p *program) { p.env = append(p.env, "DBUS_SESSION_BUS_ADDRESS="+address) }
	}
	address := func(env []string) string {
		for _, kv := range slices.Backward(env) {
			if a, ok := strings.CutPrefix(kv, "DBUS_SESSION_BUS_ADDRESS="); ok {
				return a
			}
		}
		return ""
	}
	const missing, locked = "configure --store file", "unlock the keychain"
	for _, c := range []struct {
		name  string
		spoil func(*program)
		fact  string
		hint  string
	}{
		{"no bus", bus(""), "unavailable", missing},
		{"dead bus", bus("unix:path=/nonexistent/bus"), "unavailable", missing},
		{"no service", bus(address(rig.BusWithoutService(t))), "unavailable", missing},
		{"no collection yet", bus(address(rig.FreshKeyring(t).Env())), "unavailable", missing},
		{"locked", func(p *program) { p.ring.Lock() }, "locked", locked},
		{"killed", func(p *program) { p.ring.KillDaemon() }, "locked", locked},
		{"frozen", func(p *program) { p.ring.Freeze(); p.t.Cleanup(p.ring.Thaw) }, "no answer within", "restart"},
		{"bus killed", func(p *program) { p.ring.KillBus() }, "keychain", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := signedInWith(t)
			c.spoil(p)
			var launched func() bool
			p.env, launched = rig.FakeProgram(t, p.env, "dbus-launch")
			before := len(p.pool.Requests())
			commands := [][]string{{"token"}, {"login", "--no-browser"}, {"token", "--refresh"}, {"whoami"}, {"status"}, {"logout"}}
			if c.name == "frozen" {
				commands = commands[:2] // each takes as long as the keychain is given
			}
			for _, args := range commands {
				status, out, errs := p.run(args...)
				fact, hint := report(errs)
				if status != exitKeychain || out != "" || !strings.Contains(fact, c.fact) || !strings.Contains(hint, c.hint) {
					t.Errorf("%v: status %d, %d bytes on standard output\n%swant status %d, %q and the hint %q", args, status, len(out), errs, exitKeychain, c.fact, c.hint)
				}
			}
			if n := len(p.pool.Requests()) - before; n != 0 {
				t.Errorf("the pool got %d requests, want none", n)
			}
			if launched() {
				t.Error("dbus-launch was started, want it left alone")
			}
		})
	}
}

// C15: a token that is still good costs one read of the keychain, and no write.
func TestC15AWarmTokenReadsOnce(t *testing.T) {
	p := signedInWith(t)
	if status, _, errs := p.run("token"); status != 0 {
		t.Fatalf("token: status %d\n%s", status, errs)
	}
	for _, args := range [][]string{{"token"}, {"token", "--type", "access"}} {
		stop := p.ring.Calls()
		if status, out, errs := p.run(args...); status != 0 || out == "" {
			t.Fatalf("%v: status %d\n%s", args, status, errs)
		}
		count := map[string]int{}
		calls := stop()
		for _, call := range calls {
			count[call]++
		}
		if count["org.freedesktop.Secret.Collection.SearchItems"] != 1 || count["org.freedesktop.Secret.Item.GetSecret"] != 1 || count["org.freedesktop.Secret.Collection.CreateItem"] != 0 {
			t.Errorf("%v: got calls %q, want one search, one secret and nothing written", args, calls)
		}
	}
}

// C12: an upgrade finds what the program before it has stored, without a question: another build, at
// another path.
func TestC12AnotherBuildReadsTheSession(t *testing.T) {
	p := signedInWith(t)
	other := filepath.Join(t.TempDir(), "cogauth-next")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-X main.release=v99.0.0", "-o", other, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	first := p.exe
	p.exe = other
	if _, out, _ := p.run("version"); !strings.Contains(out, "v99.0.0") {
		t.Fatalf("version: got %q, want the other build's", out)
	}
	stop := p.ring.Calls()
	for _, exe := range []string{other, first, other} {
		p.exe = exe
		if status, out, errs := p.run("token", "--refresh"); status != 0 || out == "" {
			t.Errorf("%s: status %d\n%s", filepath.Base(exe), status, errs)
		}
	}
	if calls := stop(); slices.Contains(calls, "org.freedesktop.Secret.Prompt.Prompt") {
		t.Errorf("got calls %q, want no prompt", calls)
	}
	if status, _, errs := p.run("logout"); status != 0 {
		t.Errorf("logout: status %d\n%s", status, errs)
	}
	p.wantNothingStored()
}

const waitingLine = "waiting for your keychain"

// C7: without a terminal nobody can be asked, so a locked keychain is an answer at once; on one the
// person has time to type its password, and is told what is going on.
func TestC7TimeToTypeThePassword(t *testing.T) {
	d := display(t)
	p := signedInWith(t, "DISPLAY="+d.name)
	p.ring.Lock()

	status, out, errs := p.run("token")
	if status != exitKeychain || out != "" || strings.Contains(errs, waitingLine) {
		t.Errorf("without a terminal: status %d, want %d\n%s", status, exitKeychain, errs)
	}
	if d.window() {
		t.Error("without a terminal: got a window, want none")
	}

	term := p.terminal("token")
	term.wait(waitingLine)
	d.press("type", "--delay", "40", "rig\r")
	text, status := term.end()
	if _, ok := tokenUse(lastLine(text)); status != 0 || !ok {
		t.Errorf("on a terminal: status %d, want a token after\n%s", status, text[:min(len(text), 200)])
	}
}

// The person who does not want to type it presses Ctrl-C, or declines.
func TestC7ThePersonDoesNotType(t *testing.T) {
	d := display(t)
	p := signedInWith(t, "DISPLAY="+d.name)
	p.ring.Lock()

	term := p.terminal("token")
	term.wait(waitingLine)
	d.await(true)
	term.press("\x03")
	if text, status := term.end(); status != 130 {
		t.Errorf("Ctrl-C: status %d, want 130\n%s", status, text)
	}
	d.await(false)

	term = p.terminal("token")
	d.await(true)
	d.press("keydown", "Escape")
	if text, status := term.end(); status != exitKeychain || !strings.Contains(text, "not unlocked") {
		t.Errorf("declined: status %d, want %d\n%s", status, exitKeychain, text)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// screen is an X display of its own, where the keychain's prompter shows its window.
type screen struct {
	t    *testing.T
	name string
}

func display(t *testing.T) *screen {
	t.Helper()
	rig.Require(t, "xdotool", "xdotool")
	return &screen{t, rig.XDisplay(t)}
}

func (s *screen) xdotool(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "xdotool", append([]string{"search", "--onlyvisible", "--class", "gcr-prompter"}, args...)...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.name)
	return cmd.Output()
}

// window reports whether the prompter's is up.
func (s *screen) window() bool {
	out, _ := s.xdotool() // it fails where there is none
	return len(out) > 0
}

func (s *screen) await(there bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.window() != there; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the keychain's window is there: %v, want %v", !there, there)
		}
	}
}

// press types into the window, as xdotool names keys and text.
func (s *screen) press(args ...string) {
	s.t.Helper()
	s.await(true)
	if _, err := s.xdotool(append([]string{"windowfocus", "--sync"}, args...)...); err != nil {
		s.t.Fatalf("xdotool: %v", err)
	}
}

// terminal is a run of the program on a terminal of its own.
type terminal struct {
	t     *testing.T
	cmd   *exec.Cmd
	keys  io.WriteCloser
	mu    sync.Mutex
	shown bytes.Buffer
}

func (p *program) terminal(args ...string) *terminal {
	p.t.Helper()
	rig.Require(p.t, "script", "script")
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	p.t.Cleanup(cancel)
	w := &terminal{t: p.t, cmd: exec.CommandContext(ctx, "script", "--quiet", "--return", "--command", p.exe+" "+strings.Join(args, " "), os.DevNull)}
	w.cmd.Env, w.cmd.Stdout, w.cmd.Stderr = p.env, w, w
	keys, err := w.cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	w.keys = keys
	if err := w.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	return w
}

func (w *terminal) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown.Write(b)
}

func (w *terminal) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown.String()
}

// wait waits until the terminal shows that.
func (w *terminal) wait(text string) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(w.text(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("the terminal does not show %q\n%s", text, w.text())
		}
	}
}

func (w *terminal) press(keys string) { io.WriteString(w.keys, keys) }

func (w *terminal) end() (text string, status int) {
	w.t.Helper()
	w.cmd.Wait()
	w.keys.Close()
	return w.text(), w.cmd.ProcessState.ExitCode()
}
