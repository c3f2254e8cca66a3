//go:build linux

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/cogauth/cogauth/internal/rig"
)

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
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // SIGKILL would leave its socket and lock file in /tmp
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

// desktop is a person's session: a display, a keychain, and Chromium as the default browser, which
// nobody but xdg-open starts.
type desktop struct {
	*rig.Session
	t       *testing.T
	profile string // Chromium's
	pidFile string
	log     string
}

// newDesktop has the default browser started with the further flags.
func newDesktop(t *testing.T, flags ...string) *desktop {
	t.Helper()
	rig.Require(t, "chromium")
	rig.Require(t, "xdg-open")
	s := rig.Keyring(t, "DISPLAY="+display(t))
	d := &desktop{Session: s, t: t, profile: s.Dir + "/chromium", pidFile: s.Dir + "/chromium.pid", log: s.Dir + "/chromium.log"}
	flags = append([]string{
		"--no-sandbox", // the machine's own handler lacks it, without which root cannot run Chromium
		"--user-data-dir=" + d.profile, "--remote-debugging-port=0", "--password-store=basic",
		"--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-quic", "--disable-sync",
		"--disable-background-networking", "--disable-component-update",
	}, flags...)
	script := "#!/bin/sh\nexport TMPDIR='" + s.Dir + "'\necho $$ >'" + d.pidFile + "'\nexec chromium '" + strings.Join(flags, "' '") + `' "$@" >'` + d.log + "' 2>&1\n"
	d.write("home/browser", script, 0o700)
	d.write("home/.local/share/applications/rig-browser.desktop", "[Desktop Entry]\nType=Application\nName=Rig browser\n"+
		"Exec="+s.Dir+"/home/browser %u\nMimeType=x-scheme-handler/http;x-scheme-handler/https;\n", 0o600)
	d.write("home/.config/mimeapps.list", "[Default Applications]\nx-scheme-handler/http=rig-browser.desktop\nx-scheme-handler/https=rig-browser.desktop\n", 0o600)
	t.Cleanup(d.killBrowser)
	return d
}

func (d *desktop) write(name, text string, mode os.FileMode) {
	d.t.Helper()
	path := filepath.Join(d.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		d.t.Fatal(err)
	}
}

// killBrowser ends the browser, which is no child of ours, and waits until it has left its folder.
func (d *desktop) killBrowser() {
	raw, err := os.ReadFile(d.pidFile)
	if err != nil {
		return // it was never started
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || pid < 2 {
		return
	}
	exe, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || !strings.Contains(string(exe), d.profile) {
		return // it has ended, and the number may be somebody else's by now
	}
	syscall.Kill(pid, syscall.SIGTERM)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

// attach waits until the default browser has been opened, and returns a context for its first tab.
func (d *desktop) attach() context.Context {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 3*hang)
	d.t.Cleanup(cancel)
	endpoint := d.endpoint()
	allocator, cancel := chromedp.NewRemoteAllocator(ctx, endpoint, chromedp.NoModifyURL)
	d.t.Cleanup(cancel)
	window, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // of events that are newer than chromedp
	d.t.Cleanup(cancel)
	for deadline := time.Now().Add(hang); ; time.Sleep(20 * time.Millisecond) {
		tabs, err := chromedp.Targets(window)
		if err != nil {
			d.t.Fatalf("attach to Chromium: %v", err)
		}
		for _, target := range tabs {
			if target.Type == "page" && strings.HasPrefix(target.URL, "http") {
				tab, cancel := chromedp.NewContext(window, chromedp.WithTargetID(target.TargetID))
				d.t.Cleanup(cancel)
				// A clean end, while its connection is still there.
				d.t.Cleanup(func() { chromedp.Run(tab, cdpbrowser.Close()) })
				if err := chromedp.Run(tab); err != nil { // without a deadline, which would be the tab's
					d.t.Fatalf("attach to a tab: %v", err)
				}
				return tab
			}
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("Chromium shows no page, but %d targets", len(tabs))
		}
	}
}

// endpoint is where Chromium says that it can be driven.
func (d *desktop) endpoint() string {
	d.t.Helper()
	for deadline := time.Now().Add(hang); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		raw, err := os.ReadFile(d.profile + "/DevToolsActivePort")
		if lines := strings.Split(string(raw), "\n"); err == nil && len(lines) == 2 {
			return "ws://127.0.0.1:" + lines[0] + lines[1]
		}
	}
	log, _ := os.ReadFile(d.log)
	d.t.Fatalf("Chromium has not been opened\n%s", log)
	return ""
}

// run is one run of cogauth on the desktop that may still be going on.
type run struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr strings.Builder
	ended          chan struct{}
	err            error // once it has ended
}

// start runs cogauth with env added to the session's environment.
func (d *desktop) start(env []string, args ...string) *run {
	d.t.Helper()
	r := &run{t: d.t, cmd: d.command(rig.Build(d.t), args...), ended: make(chan struct{})}
	r.cmd.Env = append(r.cmd.Env, env...)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.WaitDelay = 10 * time.Second
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.ended)
	}()
	d.t.Cleanup(func() { r.cmd.Process.Kill() })
	return r
}

// command is a command of the session. Its environment is the session's without settings of cogauth and of a proxy that are the
// machine's, and without a BROWSER, so that the desktop's choice counts.
func (d *desktop) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	for _, kv := range d.Env() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "COGAUTH_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") || name == "BROWSER" {
			continue
		}
		cmd.Env = append(cmd.Env, kv)
	}
	return cmd
}

// wait waits for the end of the run, which must be a success, and returns what it printed.
func (r *run) wait() (stdout, stderr string) {
	r.t.Helper()
	select {
	case <-r.ended:
		if r.err != nil {
			r.t.Fatalf("%s: got %v, want exit status 0\n%s%s", r, r.err, r.stdout.String(), r.stderr.String())
		}
	case <-time.After(hang):
		r.cmd.Process.Kill()
		<-r.ended
		r.t.Fatalf("%s: hangs\n%s%s", r, r.stdout.String(), r.stderr.String())
	}
	return r.stdout.String(), r.stderr.String()
}

func (r *run) String() string { return "cogauth " + strings.Join(r.cmd.Args[1:], " ") }

// do runs cogauth to its end, which must be a success, and returns its standard output.
func (d *desktop) do(env []string, args ...string) string {
	d.t.Helper()
	out, _ := d.start(env, args...).wait()
	return out
}

// lockPort waits until no other test process uses the default callback port, and keeps it from them
// until the test ends.
func lockPort(t *testing.T, port int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("cogauth-test-%d.lock", port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			t.Fatalf("lock port %d: %v", port, err)
		}
	}
}
