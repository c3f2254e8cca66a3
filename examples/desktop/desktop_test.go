//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// hang is how long a test waits for what takes no time to speak of.
const hang = 30 * time.Second

// isApp makes the test's binary be the program.
const isApp = "COGAUTH_TEST_DESKTOP"

func TestMain(m *testing.M) {
	if os.Getenv(isApp) != "" {
		main()
		os.Exit(1) // systray.Run does not return
	}
	os.Exit(m.Run())
}

// The name has an underscore, which a menu takes for the mark of a shortcut.
const (
	clientID = "5desktopexampleclient"
	mona     = "mona_lisa@example.com"
)

// desk is a person's desktop: a keychain, a panel with a tray, a default browser that notes what it is
// asked to open, and the pool where the person signs in.
type desk struct {
	*rig.Session
	t     *testing.T
	pool  *cognitotest.Pool
	env   []string
	asked string   // the folder in which the browser notes addresses
	seen  []string // those that the test has read
	items chan dbus.Sender
	bus   *dbus.Conn
}

func newDesk(t *testing.T, extra ...string) *desk {
	t.Helper()
	rig.Require(t, "xdg-open")
	d := &desk{Session: rig.Keyring(t), t: t, asked: t.TempDir(), items: make(chan dbus.Sender, 8)}
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	var err error
	d.pool, err = cognitotest.New(cognitotest.Config{
		Clients: []cognitotest.AppClient{{ID: clientID, CallbackURLs: []string{callback}, RefreshTokenRotation: true}},
		Users: []cognitotest.User{{
			Username: "mona", Password: "Sfumato-1503", Groups: []string{"painters"},
			Attributes: map[string]string{"email": mona, "email_verified": "true"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.pool.Close() })

	browser := filepath.Join(t.TempDir(), "browser")
	script := fmt.Sprintf("#!/bin/sh\nprintf %%s \"$1\" >'%s'/.$$ && mv '%s'/.$$ '%s'/$$\n", d.asked, d.asked, d.asked)
	if err := os.WriteFile(browser, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kv := range d.Session.Env() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "COGAUTH_") && !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			d.env = append(d.env, kv)
		}
	}
	// No other browser is registered: the one that BROWSER names is the default.
	d.env = append(d.env, "BROWSER="+browser, "XDG_DATA_DIRS="+t.TempDir())
	d.env = append(d.env, extra...)

	d.panel()
	d.cogauth(0, "configure", "--profile", "work", "--issuer", d.pool.Issuer(), "--client-id", clientID, "--callback-url", callback)
	return d
}

// watcher is what a panel with a tray is on the bus.
type watcher chan dbus.Sender

// RegisterStatusNotifierItem is called by a program that has an icon to show.
func (w watcher) RegisterStatusNotifierItem(sender dbus.Sender, _ string) *dbus.Error {
	w <- sender
	return nil
}

func (d *desk) panel() {
	d.t.Helper()
	const name = "org.kde.StatusNotifierWatcher"
	var err error
	if d.bus, err = dbus.Connect(d.Address); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { d.bus.Close() })
	if err := d.bus.Export(watcher(d.items), "/StatusNotifierWatcher", name); err != nil {
		d.t.Fatal(err)
	}
	if reply, err := d.bus.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		d.t.Fatalf("own %s: got %v, %v", name, reply, err)
	}
}

// cogauth runs the command with the profile, expects an exit status, and returns its standard output.
func (d *desk) cogauth(status int, args ...string) string {
	d.t.Helper()
	exe := rig.Build(d.t) // may take its time
	ctx, cancel := context.WithTimeout(d.t.Context(), hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(slices.Clone(d.env), "COGAUTH_PROFILE=work")
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != status {
		d.t.Fatalf("cogauth %s: got exit status %d (%v), want %d\n%s", args[0], got, err, status, log.String())
	}
	return strings.TrimSpace(out.String())
}

// login signs in by the command.
func (d *desk) login() {
	d.t.Helper()
	cmd := exec.Command(rig.Build(d.t), "login", "--no-browser")
	cmd.Env = append(slices.Clone(d.env), "COGAUTH_PROFILE=work")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	stop := time.AfterFunc(hang, func() { cmd.Process.Kill() })
	defer stop.Stop()
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if address := lines.Text(); strings.HasPrefix(address, "http") {
			d.visit(address)
		}
	}
	if err := cmd.Wait(); err != nil {
		d.t.Fatalf("cogauth login: got %v, want exit status 0", err)
	}
}

// visit does what the person does in the browser.
func (d *desk) visit(address string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), hang)
	defer cancel()
	if _, err := d.pool.UserAgent().SignIn(ctx, address, "mona", "Sfumato-1503"); err != nil {
		d.t.Fatalf("sign in: %v", err)
	}
}

// opened waits until the browser is asked to open one more page, and returns its address.
func (d *desk) opened() (address string) {
	d.t.Helper()
	d.until("the browser to be opened", func() bool {
		pages, _ := filepath.Glob(d.asked + "/[0-9]*")
		pages = slices.DeleteFunc(pages, func(page string) bool { return slices.Contains(d.seen, page) })
		if len(pages) > 1 {
			d.t.Fatalf("the browser was opened %d times, want once", len(pages))
		}
		if len(pages) == 0 {
			return false
		}
		raw, err := os.ReadFile(pages[0])
		if err != nil {
			d.t.Fatal(err)
		}
		d.seen, address = append(d.seen, pages[0]), string(raw)
		return true
	})
	return address
}

// until waits for a condition.
func (d *desk) until(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(hang); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// tray is the running program, as the panel sees it.
type tray struct {
	d     *desk
	menu  dbus.BusObject
	cmd   *exec.Cmd
	log   locked
	races string // where the race detector's reports begin, if it is built in
	ended chan error
}

// locked is written by a program and read by the test.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written.
func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts the program and waits until its icon is in the tray.
func (d *desk) start(env []string, args ...string) *tray {
	d.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	callback := d.pool.Client().CallbackURLs[0]
	args = append([]string{"-profile", "work", "-issuer", d.pool.Issuer(), "-client-id", clientID, "-callback-urls", callback, "-every", "200ms"}, args...)
	p := &tray{d: d, cmd: exec.Command(exe, args...), ended: make(chan error, 1)}
	p.races = filepath.Join(d.t.TempDir(), "race")
	p.cmd.Env = append(append(slices.Clone(d.env), isApp+"=1", "GORACE=atexit_sleep_ms=10 exitcode=0 log_path="+p.races), env...)
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	d.t.Cleanup(func() { p.cmd.Process.Kill() })
	select {
	case item := <-d.items:
		p.menu = d.bus.Object(string(item), "/StatusNotifierItem/menu")
	case err := <-p.ended:
		d.t.Fatalf("the program ended: %v\n%s", err, p.log.String())
	case <-time.After(hang):
		d.t.Fatalf("no icon in the tray\n%s", p.log.String())
	}
	return p
}

// choice is a line of the menu.
type choice struct {
	id      int32
	label   string
	enabled bool
}

// lines are the lines that the menu shows.
func (p *tray) lines() (lines []choice) {
	p.d.t.Helper()
	ctx, cancel := context.WithTimeout(p.d.t.Context(), hang)
	defer cancel()
	type layout struct {
		ID         int32
		Properties map[string]dbus.Variant
		Children   []dbus.Variant
	}
	var revision uint32
	var root layout
	call := p.menu.CallWithContext(ctx, "com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{})
	if err := call.Store(&revision, &root); err != nil {
		p.d.t.Fatalf("read the menu: %v\n%s", err, p.log.String())
	}
	for _, child := range root.Children {
		var l layout
		if err := dbus.Store([]any{child.Value()}, &l); err != nil {
			p.d.t.Fatalf("read the menu: %v", err)
		}
		label, _ := l.Properties["label"].Value().(string)
		enabled, _ := l.Properties["enabled"].Value().(bool)
		if visible, ok := l.Properties["visible"].Value().(bool); label == "" || ok && !visible {
			continue
		}
		// As a panel draws it: two underscores are one, a single one marks a shortcut.
		label = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(label, "__", "\x00"), "_", ""), "\x00", "_")
		lines = append(lines, choice{l.ID, label, enabled})
	}
	return lines
}

// shows waits until the menu's first line is status.
func (p *tray) shows(status string) {
	p.d.t.Helper()
	p.until("the menu to show "+status, func(lines []choice) bool {
		return len(lines) > 0 && lines[0].label == status && !lines[0].enabled
	})
}

// tells waits until the menu's second line contains all parts.
func (p *tray) tells(parts ...string) {
	p.d.t.Helper()
	p.until("the menu to tell "+strings.Join(parts, " … "), func(lines []choice) bool {
		if len(lines) < 2 || lines[1].enabled {
			return false
		}
		for _, part := range parts {
			if !strings.Contains(lines[1].label, part) {
				return false
			}
		}
		return true
	})
}

func (p *tray) until(what string, ok func([]choice) bool) {
	p.d.t.Helper()
	for end := time.Now().Add(hang); ; time.Sleep(10 * time.Millisecond) {
		lines := p.lines()
		if ok(lines) {
			return
		}
		if time.Now().After(end) {
			p.d.t.Fatalf("waited in vain for %s; the menu is %+v\n%s", what, lines, p.log.String())
		}
	}
}

// click waits until a line can be chosen, and chooses it.
func (p *tray) click(label string) {
	p.d.t.Helper()
	var id int32
	p.until("the choice "+label, func(lines []choice) bool {
		for _, l := range lines {
			if l.label == label && l.enabled {
				id = l.id
				return true
			}
		}
		return false
	})
	p.event(id)
}

func (p *tray) event(id int32) {
	p.d.t.Helper()
	ctx, cancel := context.WithTimeout(p.d.t.Context(), hang)
	defer cancel()
	if err := p.menu.CallWithContext(ctx, "com.canonical.dbusmenu.Event", 0, id, "clicked", dbus.MakeVariant(""), uint32(0)).Err; err != nil {
		p.d.t.Fatalf("click: %v\n%s", err, p.log.String())
	}
}

// leaves waits for the end of the program, which must be a success without a data race, and returns what
// it has logged.
func (p *tray) leaves() string {
	p.d.t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			p.d.t.Fatalf("the program ended with %v, want exit status 0\n%s", err, p.log.String())
		}
	case <-time.After(hang):
		p.d.t.Fatalf("the program does not end\n%s", p.log.String())
	}
	reports, _ := filepath.Glob(p.races + ".*")
	for _, name := range reports {
		raw, err := os.ReadFile(name)
		if err != nil {
			p.d.t.Fatal(err)
		}
		for report := range strings.SplitSeq(string(raw), "WARNING: DATA RACE") {
			if ours(report) {
				p.d.t.Errorf("data race:%s", report)
			}
		}
	}
	return p.log.String()
}

// ours reports whether one of a race's two accesses is in this module's code. systray has races between
// its own goroutines (1.12.2: GetLayout and refresh), about which nothing can be done here.
func ours(report string) bool {
	access := false
	for line := range strings.Lines(report) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "Goroutine "):
			return false // how they came to be is what follows
		case strings.HasPrefix(line, "Read at "), strings.HasPrefix(line, "Write at "), strings.HasPrefix(line, "Previous "):
			access = true
		case access && strings.HasPrefix(line, "github.com/cogauth/"):
			return true
		case access && strings.HasPrefix(line, "fyne.io/"):
			access = false
		}
	}
	return false
}

// N6: the app and the command line do not each make the person sign in.
func TestN6AppAndCommandLineShareOneSession(t *testing.T) {
	d := newDesk(t)
	p := d.start(nil)
	p.shows("Not signed in")

	p.click("Sign in…")
	d.visit(d.opened())
	p.shows("Signed in as " + mona)
	token := d.cogauth(0, "token", "--interactive", "never")
	if got := email(t, token); got != mona {
		t.Errorf("the command's token: got email %q, want %q", got, mona)
	}
	if n := d.pool.Count("token"); n != 1 {
		t.Errorf("the pool saw %d token requests, want the app's one", n)
	}

	d.cogauth(0, "logout")
	p.shows("Not signed in")

	d.login()
	p.shows("Signed in as " + mona)
	p.click("Who am I")
	p.tells(mona, "painters", "good until")
	if n := d.pool.Count("token"); n != 2 {
		t.Errorf("the pool saw %d token requests, want one for each sign-in", n)
	}
	second := d.cogauth(0, "token")

	p.click("Sign out")
	p.shows("Not signed in")
	d.cogauth(3, "token", "--interactive", "never")
	if n := d.pool.Count("revoke"); n != 2 {
		t.Errorf("the pool saw %d revocations, want one for each sign-out", n)
	}

	p.click("Quit")
	log := p.leaves()
	for _, secret := range []string{token, second} {
		if strings.Contains(log, secret) {
			t.Error("the app has logged a token")
		}
	}
}

// email is that of an ID token, which the command has verified.
func email(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got a token of %d parts, want 3", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Email string }
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Email
}

// N6: a refresh by one serves the other, although the pool replaces the refresh token each time.
func TestN6RefreshByOneServesTheOther(t *testing.T) {
	d := newDesk(t)
	d.login()
	p := d.start(nil)
	for range 3 {
		d.cogauth(0, "token", "--refresh")
		p.shows("Signed in as " + mona)
		p.click("Who am I")
		p.tells("good until")
	}
	if n := d.pool.Count("token"); n != 4 {
		t.Errorf("the pool saw %d token requests, want the sign-in and three refreshes", n)
	}
	p.click("Quit")
	p.leaves()
}

// With other scopes it is another session, and the menu says why.
func TestSessionOfOtherScopes(t *testing.T) {
	d := newDesk(t)
	d.login()
	p := d.start(nil, "-scopes", "openid email")
	p.shows(`Since the sign-in the scopes changed from "openid" to "email openid"`)
	p.click("Quit")
	p.leaves()
}

func TestQuitEndsASignIn(t *testing.T) {
	d := newDesk(t)
	p := d.start(nil)
	p.click("Sign in…")
	d.opened()
	p.click("Quit")
	p.leaves()
	d.cogauth(3, "token", "--interactive", "never")
}

func TestSignInCanBeCancelledAndRepeated(t *testing.T) {
	d := newDesk(t)
	p := d.start(nil)
	p.click("Sign in…")
	first := d.opened()
	p.click("Cancel sign-in")
	p.tells("Cancelled")
	p.click("Sign in…")
	second := d.opened()
	if second == first {
		t.Error("the second sign-in has the address of the first")
	}
	d.visit(second)
	p.shows("Signed in as " + mona)
	p.click("Quit")
	p.leaves()
}

// A click on a line that an old menu still shows does nothing.
func TestLinesThatCannotBeChosen(t *testing.T) {
	d := newDesk(t)
	d.login()
	p := d.start(nil)
	p.shows("Signed in as " + mona)
	before := d.pool.Count("authorize")
	for _, l := range p.lines() {
		if !l.enabled {
			p.event(l.id) // "Sign in…" among them
		}
	}
	p.click("Who am I")
	p.tells("good until")
	if n := d.pool.Count("authorize"); n != before {
		t.Errorf("the pool was asked for %d more sign-ins, want none", n-before)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.leaves()
}

// Where there is no session bus, the program says so, and has none started.
func TestNoSessionBus(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env, launched := rig.FakeProgram(t, rig.NoBus(t), "dbus-launch")
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-issuer", "http://localhost:1", "-client-id", clientID)
	cmd.Env = append(env, isApp+"=1")
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != 1 || !strings.Contains(string(out), "no session bus") {
		t.Errorf("without a session bus: got exit status %d, want 1 and the reason\n%s", got, out)
	}
	if launched() {
		t.Error("dbus-launch was run")
	}
}

// A program in the background must not put up windows in which the keychain asks for its password.
func TestLockedKeychainIsShownAndNobodyIsAsked(t *testing.T) {
	d := newDesk(t)
	d.login()
	p := d.start(nil)
	p.shows("Signed in as " + mona)
	stop := d.Calls()
	d.Lock()
	p.shows("The keychain is locked")
	for _, call := range stop() {
		if call == "org.freedesktop.Secret.Prompt.Prompt" {
			t.Error("looking at the session asked the person to unlock the keychain")
		}
	}
	p.click("Quit")
	p.leaves()
}

func TestOfflineIsToldInPlainWords(t *testing.T) {
	d := newDesk(t)
	p := d.start(nil)
	p.shows("Not signed in")
	d.pool.Close()
	p.click("Sign in…")
	p.tells("Offline: the server cannot be reached")
	p.click("Quit")
	p.leaves()
}

// display starts an X server without a screen until the test ends, and returns its name.
func display(t *testing.T) string {
	t.Helper()
	rig.Require(t, "xvfb")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "64x64x8", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // SIGKILL would leave its socket and lock file behind
		cmd.Wait()
	})
	w.Close() // so that the end of Xvfb ends the read
	r.SetReadDeadline(time.Now().Add(hang))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb names no display: %v", err)
	}
	return ":" + strings.TrimSpace(line)
}

// paste is what is in the clipboard of a display.
func (d *desk) paste(display string) string {
	d.t.Helper()
	cmd := exec.Command("xclip", "-selection", "clipboard", "-out")
	cmd.Env = append(slices.Clone(d.env), "DISPLAY="+display)
	out, _ := cmd.Output() // it fails while the clipboard is empty
	return string(out)
}

// copy puts a text into the clipboard of a display.
func (d *desk) copy(display, text string) {
	d.t.Helper()
	cmd := exec.Command("xclip", "-selection", "clipboard", "-in")
	cmd.Env = append(slices.Clone(d.env), "DISPLAY="+display)
	cmd.Stdin = strings.NewReader(text)
	if err := cmd.Run(); err != nil {
		d.t.Fatal(err)
	}
}

func TestCopiedTokenLeavesTheClipboard(t *testing.T) {
	rig.Require(t, "xclip", "xclip")
	screen := display(t)
	d := newDesk(t)
	d.login()
	token := d.cogauth(0, "token")
	p := d.start([]string{"DISPLAY=" + screen})
	arguments := func() string {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		var b strings.Builder
		for _, name := range all {
			raw, _ := os.ReadFile(name) // of a process that may have ended
			b.Write(raw)
		}
		return b.String()
	}

	p.click("Copy ID token")
	p.tells("ID token copied")
	if d.paste(screen) != token {
		t.Error("what is in the clipboard is not the token that the command prints")
	}
	if strings.Contains(arguments(), token) {
		t.Error("a program has the token among its arguments")
	}
	p.click("Quit")
	if log := p.leaves(); strings.Contains(log, token) {
		t.Error("the app has logged the token")
	}
	if d.paste(screen) != "" {
		t.Error("the token is in the clipboard after the end of the program")
	}

	// What somebody has copied since is theirs.
	p = d.start([]string{"DISPLAY=" + screen})
	p.click("Copy ID token")
	p.tells("ID token copied")
	d.copy(screen, "a shopping list")
	p.click("Quit")
	p.leaves()
	if got := d.paste(screen); got != "a shopping list" {
		t.Errorf("the clipboard: got %d bytes, want what was copied last", len(got))
	}

	// The time runs out, and the program goes on.
	p = d.start([]string{"DISPLAY=" + screen}, "-keep", "1s")
	p.click("Copy ID token")
	p.tells("ID token copied")
	d.until("the clipboard to be empty", func() bool { return d.paste(screen) == "" })
	p.click("Quit")
	p.leaves()
}

func TestCopyWithoutAProgramForIt(t *testing.T) {
	d := newDesk(t)
	d.login()
	p := d.start([]string{"PATH=" + t.TempDir(), "DISPLAY=:0"})
	p.click("Copy ID token")
	p.tells("No clipboard program")
	p.click("Quit")
	p.leaves()
}
