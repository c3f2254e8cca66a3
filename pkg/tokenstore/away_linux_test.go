package tokenstore

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
)

// desktop is a session with the entry "work", which is "one", on a display where the keychain's
// prompter shows its window. The collection is locked.
type desktop struct {
	*rig.Session
	t       *testing.T
	display string
}

func lockedDesktop(t *testing.T) *desktop {
	t.Helper()
	rig.Require(t, "xdotool", "xdotool")
	display := rig.XDisplay(t)
	s := rig.Keyring(t, "DISPLAY="+display)
	startChild(t, s.Env(), helper).want("ok", "put work one")
	s.Lock()
	return &desktop{s, t, display}
}

// window waits until the keychain's window is there, or gone.
func (d *desktop) window(there bool) {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); d.visible() != there; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("the keychain's window is there: %v, want %v", !there, there)
		}
	}
}

// visible: the prompter keeps its window for a while after it has gone from the screen.
func (d *desktop) visible() bool {
	cmd := exec.Command("timeout", "20", "xdotool", "search", "--onlyvisible", "--class", "gcr-prompter")
	cmd.Env = append(os.Environ(), "DISPLAY="+d.display)
	out, _ := cmd.Output() // it fails where there is none, and where one goes while it looks
	return len(out) > 0
}

// press types into the keychain's window, as xdotool names keys and text.
func (d *desktop) press(args ...string) {
	d.t.Helper()
	d.window(true)
	args = append([]string{"search", "--sync", "--onlyvisible", "--class", "gcr-prompter", "windowfocus", "--sync"}, args...)
	cmd := exec.Command("timeout", append([]string{"20", "xdotool"}, args...)...)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.display)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("xdotool: %v\n%s", err, out)
	}
}

func (d *desktop) unlock() {
	d.t.Helper()
	d.press("type", "--delay", "40", "rig\r")
}

// asked is a child that is in the middle of a command while the window is up.
func (d *desktop) asked(options, command string) (answer func() string) {
	d.t.Helper()
	c := startChild(d.t, d.Env(), options)
	answers := make(chan string, 1)
	go func() {
		kind, detail := c.ask("%s", command)
		answers <- kind + " " + detail
	}()
	for !d.visible() {
		select {
		case answer := <-answers:
			d.t.Fatalf("%s: answered before there was a window: %q", command, answer)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return func() string { return <-answers }
}

func (d *desktop) wantKind(kind, answer string) {
	d.t.Helper()
	if !strings.HasPrefix(answer, kind+" ") {
		d.t.Errorf("got %q, want %s", answer, kind)
	}
}

func TestC7ThePersonTypesThePassword(t *testing.T) {
	d := lockedDesktop(t)
	answers := []func() string{d.asked(patient, "get work"), d.asked(patient, "get work"), d.asked(patient, "put other two")}
	d.unlock()
	for i, want := range []string{"ok one", "ok one", "ok "} {
		if got := answers[i](); got != want {
			t.Errorf("process %d: got %q, want %q", i, got, want)
		}
	}
	d.window(false)
	startChild(t, d.Env(), helper).want("ok", "get other")
}

func TestC6ThePersonDeclines(t *testing.T) {
	d := lockedDesktop(t)
	answer := d.asked(patient, "get work")
	d.press("keydown", "Escape") // the window goes at once, and takes no more keys
	d.wantKind("locked", answer())
	d.window(false)
}

func TestC6NobodyAnswers(t *testing.T) {
	d := lockedDesktop(t)
	stop := d.Calls()
	c := startChild(t, d.Env(), "2s true")
	for i, command := range []string{"get work", "put work two", "delete work"} {
		c.want("locked", "%s", command)
		if got := c.want("ok", "waiting"); got != "1" {
			t.Errorf("%s: got %s calls of Waiting, want 1", command, got)
		}
		d.window(false) // nobody waits for the answer any more
		if t.Failed() {
			t.Fatalf("command %d", i)
		}
	}
	if calls := stop(); times(calls, promptPrompt) != 3 || times(calls, createItem) != 0 {
		t.Errorf("got calls %q, want three prompts and nothing written", calls)
	}
	// What was given up changes nothing when the keychain is unlocked at last.
	answer := d.asked(patient, "get work")
	d.unlock()
	if got := answer(); got != "ok one" {
		t.Errorf("got %q, want %q", got, "ok one")
	}
}

// The caller loses interest, such as by Ctrl-C, and ends: so does the window.
func TestC6TheWindowGoesWithItsCaller(t *testing.T) {
	d := lockedDesktop(t)
	c := startChild(t, d.Env(), patient)
	done := make(chan string, 1)
	go func() {
		kind, _ := c.ask("getuntil work %s/stop", d.Dir)
		done <- kind
	}()
	d.window(true)
	if err := os.WriteFile(d.Dir+"/stop", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got != "canceled" {
		t.Errorf("got %s, want canceled", got)
	}
	c.cmd.Process.Kill()
	d.window(false)
}

func TestC6DaemonKilledWhileItAsks(t *testing.T) {
	for _, command := range []string{"get work", "put work two", "delete work"} {
		t.Run(command, func(t *testing.T) {
			d := lockedDesktop(t)
			answer := d.asked(patient, command)
			d.KillDaemon()
			d.wantKind("broken", answer())
			startChild(t, d.Env(), helper).want("locked", "get work")
		})
	}
}

func TestC6BusKilledWhileItAsks(t *testing.T) {
	for _, command := range []string{"get work", "put work two", "delete work"} {
		t.Run(command, func(t *testing.T) {
			d := lockedDesktop(t)
			c := startChild(t, d.Env(), patient)
			answer := make(chan string, 1)
			go func() {
				kind, detail := c.ask("%s", command)
				answer <- kind + " " + detail
			}()
			d.window(true)
			d.KillBus()
			d.wantKind("broken", <-answer)
			c.wantSoonUnavailable()
		})
	}
}

func TestC6DaemonFrozenWhileItAsks(t *testing.T) {
	d := lockedDesktop(t)
	answer := d.asked("3s true", "get work")
	d.Freeze()
	d.wantKind("locked", answer())
	d.Thaw()
	d.window(false) // it was told to close meanwhile
}

// No display: nothing can show a window, so there is nothing to wait for.
func TestC6LockedAndNoWayToAsk(t *testing.T) {
	s := rig.Keyring(t)
	c := startChild(t, s.Env(), patient)
	c.want("ok", "put work one")
	s.Lock()
	for _, command := range []string{"get work", "put work two", "delete work"} {
		c.want("locked", "%s", command)
	}
}

// A bus that takes the connection and says nothing.
func TestC6SilentBus(t *testing.T) {
	env := rig.NoBus(t)
	path := t.TempDir() + "/bus"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, options := range []string{"500ms false", "500ms true"} {
		c := startChild(t, append(env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+path), options)
		for _, command := range []string{"get work", "get work", "put work one", "delete work"} {
			c.want("broken", "%s", command)
		}
	}
}

// A read whose keychain dies under it is answered by the next one, which the bus starts.
func TestC6DaemonKilledDuringAGet(t *testing.T) {
	t.Run("without an answer", func(t *testing.T) {
		s := rig.Keyring(t)
		c := startChild(t, s.Env(), "20s false")
		c.want("ok", "put work one")
		s.Freeze()
		stop := s.Calls()
		answer := make(chan string, 1)
		go func() {
			kind, detail := c.ask("get work")
			answer <- kind + " " + detail
		}()
		time.Sleep(200 * time.Millisecond)
		s.KillDaemon()
		if got := <-answer; !strings.HasPrefix(got, "locked ") {
			t.Errorf("got %q, want locked", got)
		}
		if calls := stop(); times(calls, promptPrompt) != 0 {
			t.Errorf("got calls %q, want no prompt", calls)
		}
	})
	for _, member := range []string{"OpenSession", "GetSecret"} {
		t.Run("before "+member, func(t *testing.T) {
			s := rig.FreshKeyring(t)
			noPassword(t, s, "login")
			startChild(t, s.Env(), helper).want("ok", "put work one")
			env, reached, goOn := stall(t, s, member)
			c := startChild(t, env, "20s false")
			answer := make(chan string, 1)
			go func() {
				kind, detail := c.ask("get work")
				answer <- kind + " " + detail
			}()
			<-reached
			s.KillDaemon()
			goOn()
			if got := <-answer; got != "ok one" {
				t.Errorf("got %q, want %q", got, "ok one")
			}
		})
	}
}

// A collection without a password, as automatic login has, is locked until somebody unlocks it, which
// asks nobody anything: so a program without a person does it too.
func TestC16NoPasswordIsNotLocked(t *testing.T) {
	display := rig.XDisplay(t)
	s := rig.FreshKeyring(t, "DISPLAY="+display)
	noPassword(t, s, "login")
	stop := s.Calls()
	startChild(t, s.Env(), helper).want("notfound", "get work")
	startChild(t, s.Env(), helper).want("ok", "put work one")
	for _, options := range []string{helper, patient} {
		s.KillDaemon()
		if got := startChild(t, s.Env(), options).want("ok", "get work"); got != "one" {
			t.Errorf("%s: got %q, want %q", options, got, "one")
		}
	}
	if calls := stop(); times(calls, promptPrompt) != 0 {
		t.Errorf("got calls %q, want no prompt", calls)
	}
	if windows(t, display) {
		t.Error("got a window, want none")
	}
}

// gnome-keyring writes such a collection to its file without escaping anything, and cannot read it again
// if there is a newline in one secret: all that the person keeps there would be lost.
func TestC3NoEntryHarmsItsNeighbours(t *testing.T) {
	s := rig.FreshKeyring(t)
	noPassword(t, s, "login")
	c := startChild(t, s.Env(), helper)
	c.want("ok", "put neighbour one")
	c.want("ok", "putbytes work 1000")
	s.KillDaemon()
	if got := c.want("ok", "get neighbour"); got != "one" {
		t.Errorf("the neighbour: got %q, want %q", got, "one")
	}
	if got := c.want("ok", "getbytes work 1000"); got != "true" {
		t.Error("every byte: came back changed")
	}
}

// Nor does it keep a backslash, or a space at the beginning.
func TestC3EntriesAreHarmlessLines(t *testing.T) {
	for _, value := range []string{"", " ", "one", "one\ntwo", `{"a":"\u003c"}`, strings.Repeat(" x", 400), strings.Repeat(" ", 1000), "\x00", "\u00e9", "\x7f"} {
		for _, limit := range []int{0, 128, 131, 2560} {
			for _, piece := range (&Split{Limit: limit}).cut(1, []byte(value)) {
				text := string(piece)
				if text == "" || text[0] == ' ' || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
					t.Errorf("value %q in entries of %d bytes: got %q, want a line of ASCII without a backslash", value, limit, text)
				}
			}
		}
	}
}

// A session bus that only XDG_RUNTIME_DIR tells of cannot be used, but is named.
func TestC8BusInTheRuntimeFolder(t *testing.T) {
	s := rig.Keyring(t)
	path, _, _ := strings.Cut(strings.TrimPrefix(s.Address, "unix:path="), ",")
	runtime := t.TempDir() + "/run, with; odd=letters"
	if err := os.Mkdir(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, runtime+"/bus"); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"", "autolaunch:"} {
		env, launched := rig.FakeProgram(t, append(s.Env(), "DBUS_SESSION_BUS_ADDRESS="+address, "XDG_RUNTIME_DIR="+runtime), "dbus-launch")
		detail := startChild(t, env, helper).want("unavailable", "get work")
		if _, advised, _ := strings.Cut(detail, "seems to be "); advised == "" {
			t.Errorf("address %q: got %q, want the address that works", address, detail)
		} else {
			startChild(t, append(s.Env(), "DBUS_SESSION_BUS_ADDRESS="+advised), helper).want("notfound", "get work")
		}
		if launched() {
			t.Error("dbus-launch was started, want it left alone")
		}
	}
}

func TestC8RuntimeFolderWithoutABus(t *testing.T) {
	for name, prepare := range map[string]func(path string) error{
		"a file":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a folder":        func(path string) error { return os.Mkdir(path, 0o700) },
		"a dangling link": func(path string) error { return os.Symlink(path+"-gone", path) },
		"a socket that nobody listens on": func(path string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err == nil {
				l.SetUnlinkOnClose(false)
				err = l.Close()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			runtime := t.TempDir()
			if err := prepare(runtime + "/bus"); err != nil {
				t.Fatal(err)
			}
			env, launched := rig.FakeProgram(t, append(rig.NoBus(t), "XDG_RUNTIME_DIR="+runtime), "dbus-launch")
			startChild(t, env, helper).want("unavailable", "get work")
			if launched() {
				t.Error("dbus-launch was started, want it left alone")
			}
		})
	}
}

// No call leaves a bus or a keychain behind: with dbus-launch at hand, which would start both, the
// processes of the session are the same afterwards.
func TestC8NothingIsLeftBehind(t *testing.T) {
	for name, env := range map[string][]string{
		"no bus":                       rig.NoBus(t),
		"dead bus":                     rig.DeadBus(t),
		"bus without a Secret Service": rig.BusWithoutService(t),
		"unlocked":                     rig.Keyring(t).Env(),
	} {
		t.Run(name, func(t *testing.T) {
			env := launcher(t, env)
			before := processes(t, env)
			for _, options := range []string{helper, person} {
				c := startChild(t, env, options)
				for _, command := range []string{"get work", "put work one", "delete work"} {
					c.ask("%s", command)
				}
				c.in.Close()
				c.cmd.Wait()
			}
			if after := processes(t, env); !slices.Equal(after, before) {
				t.Errorf("got processes %q, want %q", after, before)
			}
		})
	}
}

// launcher puts a dbus-launch first on the PATH that does what the real one does: it starts a bus
// that outlives it.
func launcher(t *testing.T, env []string) []string {
	t.Helper()
	dir := t.TempDir()
	script := `#!/bin/sh
exec dbus-daemon --session --fork --print-address=1 | sed 's/^/DBUS_SESSION_BUS_ADDRESS=/'
`
	if err := os.WriteFile(dir+"/dbus-launch", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	env = append(slices.Clip(env), "PATH="+dir+":"+os.Getenv("PATH"))
	t.Cleanup(func() {
		for _, p := range processes(t, env) {
			if strings.HasSuffix(p, " dbus-daemon --session --fork") {
				pid, _ := strconv.Atoi(strings.Fields(p)[0])
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return env
}

// processes are those of the session that env is of, in order, each "PID COMMAND" with three words of it.
func processes(t *testing.T, env []string) (list []string) {
	t.Helper()
	var runtime string
	for _, kv := range env {
		if strings.HasPrefix(kv, "XDG_RUNTIME_DIR=") {
			runtime = kv
		}
	}
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || runtime == "" {
		t.Fatal(err, runtime)
	}
	for _, folder := range folders {
		environ, _ := os.ReadFile(folder + "/environ") // of a process that has ended: nothing
		if !strings.Contains("\x00"+string(environ), "\x00"+runtime+"\x00") {
			continue
		}
		cmdline, _ := os.ReadFile(folder + "/cmdline")
		words := strings.Split(string(cmdline), "\x00")
		list = append(list, strings.Join(append([]string{filepath.Base(folder)}, words[:min(3, len(words))]...), " "))
	}
	return list
}
