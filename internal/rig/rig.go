// Package rig gives tests real parts to run on: a session bus with an unlocked gnome-keyring, buses
// that lack one, and the built command. It is for tests only.
//
// A part that a machine lacks skips the test, unless COGAUTH_REQUIRE, a comma-separated list of
// parts or "all", names it: then the test fails. With COGAUTH_RIG_LOG set to a file, each part
// appends a line "name<TAB>version<TAB>run" or "name<TAB>-<TAB>not available" to it.
package rig

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// part is something real that tests can ask for.
type part struct {
	programs []string // all of them must be on PATH; the first tells its version
	version  []string // the arguments that make it
}

var parts = map[string]part{
	"gnome-keyring": {[]string{"gnome-keyring-daemon", "dbus-daemon", "secret-tool"}, []string{"--version"}},
	"bus":           {[]string{"dbus-daemon"}, []string{"--version"}},
	"chromium":      {[]string{"chromium"}, []string{"--version"}},
	"xvfb":          {[]string{"Xvfb", "xwininfo"}, nil},
	"strace":        {[]string{"strace"}, []string{"--version"}},
	"kwallet":       {[]string{"kwalletd5", "dbus-daemon"}, []string{"--version"}},
	"keepassxc":     {[]string{"keepassxc", "keepassxc-cli", "dbus-daemon"}, nil},
	"xdg-open":      {[]string{"xdg-open"}, []string{"--version"}},
}

// Require skips the test if a program of the named part is missing, or fails it if
// COGAUTH_REQUIRE names the part. For a part that this package does not know, programs says what
// it takes; the first is asked for its version with --version.
func Require(t testing.TB, name string, programs ...string) {
	t.Helper()
	p, known := parts[name]
	if len(programs) > 0 {
		p = part{programs, []string{"--version"}}
	} else if !known {
		t.Fatalf("rig: no part is called %q", name)
	}
	for _, program := range p.programs {
		if _, err := exec.LookPath(program); err != nil {
			Missing(t, name, program+" is not installed")
		}
	}
	Ran(t, name, versionOf(p))
}

// Missing ends the test because the named part is not available: it fails if COGAUTH_REQUIRE names
// the part, and is skipped otherwise.
func Missing(t testing.TB, name, why string) {
	t.Helper()
	record(t, name+"\t-\tnot available\n")
	if Required(name) {
		t.Fatalf("COGAUTH_REQUIRE names %s, but %s", name, why)
	}
	t.Skipf("%s: %s", name, why)
}

// Required reports whether COGAUTH_REQUIRE names the part.
func Required(name string) bool {
	list := strings.FieldsFunc(os.Getenv("COGAUTH_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' })
	return slices.Contains(list, name) || slices.Contains(list, "all")
}

// Ran records that the named part ran.
func Ran(t testing.TB, name, version string) {
	t.Helper()
	if version == "" {
		version = "installed"
	}
	record(t, name+"\t"+version+"\trun\n")
}

var recorded sync.Map // lines that are in the log already

func record(t testing.TB, line string) {
	t.Helper()
	path := os.Getenv("COGAUTH_RIG_LOG")
	if path == "" {
		return
	}
	if _, again := recorded.LoadOrStore(line, true); again {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("COGAUTH_RIG_LOG: %v", err)
	}
	defer f.Close()
	if _, err := f.WriteString(line); err != nil { // one write: several test processes append
		t.Fatalf("COGAUTH_RIG_LOG: %v", err)
	}
}

// versionOf is the first word of a program's own account of itself that has a digit in it.
func versionOf(p part) string {
	if p.version == nil {
		return ""
	}
	out, err := exec.Command(p.programs[0], p.version...).Output()
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(string(out)) {
		if strings.ContainsAny(word, "0123456789") {
			return strings.Trim(word, ",;()")
		}
	}
	return ""
}

// Environ is this process's environment without what ties it to a desktop session, plus extra.
// Where extra names a variable twice, the last one counts.
func Environ(extra ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "DBUS_"), strings.HasPrefix(name, "XDG_"), strings.HasPrefix(name, "GNOME_"),
			name == "DISPLAY", name == "WAYLAND_DISPLAY", name == "XAUTHORITY", name == "SSH_AUTH_SOCK":
			continue
		}
		env = append(env, kv)
	}
	if raceEnabled {
		env = append(env, "GORACE=atexit_sleep_ms=10") // or each program that the race detector is in takes a second to end
	}
	return append(env, extra...)
}

// home makes a private home and runtime folder, and returns the variables that name them. Their
// paths are short: Unix sockets go below them.
func home(t testing.TB) (dir string, env []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rig")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, sub := range []string{"/run", "/home/.config", "/home/.cache", "/home/.local/share"} {
		if err := os.MkdirAll(dir+sub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir, []string{
		"HOME=" + dir + "/home",
		"XDG_RUNTIME_DIR=" + dir + "/run",
		"XDG_CONFIG_HOME=" + dir + "/home/.config",
		"XDG_CACHE_HOME=" + dir + "/home/.cache",
		"XDG_DATA_HOME=" + dir + "/home/.local/share",
	}
}

// tail is the end of a program's output, for messages.
func tail(b []byte) string {
	const most = 2000
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return string(b)
}
