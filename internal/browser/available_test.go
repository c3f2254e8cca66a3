package browser

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// toolbox is a PATH with the named programs.
func toolbox(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestB12Available(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no executable bits to look at")
	}
	opener := toolbox(t, "xdg-open")
	plainFile := t.TempDir()
	if err := os.WriteFile(filepath.Join(plainFile, "xdg-open"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(opener)
	tests := []struct {
		name, goos string
		env        map[string]string
		want       bool
	}{
		{"X11", "linux", map[string]string{"DISPLAY": ":0", "PATH": opener}, true},
		{"Wayland alone", "linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0", "PATH": opener}, true},
		{"Debian's alternative alone", "linux", map[string]string{"DISPLAY": ":0", "PATH": toolbox(t, "x-www-browser")}, true},
		{"an editor's helper over SSH", "linux", map[string]string{"BROWSER": "/opt/editor/bin/helper.sh", "PATH": opener}, true},
		{"a browser with arguments", "linux", map[string]string{"BROWSER": "firefox -P work %s", "PATH": opener}, true},
		{"echo, to get the URL", "linux", map[string]string{"BROWSER": "echo", "PATH": opener}, true},
		{"a text browser in a window", "linux", map[string]string{"BROWSER": "xterm -e w3m", "PATH": opener}, true},
		{"a text browser as fallback on a display", "linux", map[string]string{"DISPLAY": ":0", "BROWSER": "firefox:w3m", "PATH": opener}, true},
		{"nothing set", "linux", map[string]string{"PATH": opener}, false},
		{"empty variables", "linux", map[string]string{"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "", "PATH": opener}, false},
		{"BSD without display", "freebsd", map[string]string{"PATH": opener}, false},
		{"a text browser", "linux", map[string]string{"BROWSER": "w3m", "PATH": opener}, false},
		{"text browsers by path, with arguments", "linux", map[string]string{"BROWSER": "/usr/bin/lynx -accept_all_cookies:links", "PATH": opener}, false},
		{"a text browser on a display", "linux", map[string]string{"DISPLAY": ":0", "BROWSER": "elinks", "PATH": opener}, false},
		{"a text browser as fallback, no display", "linux", map[string]string{"BROWSER": "firefox:w3m", "PATH": opener}, false},
		{"no opener", "linux", map[string]string{"DISPLAY": ":0", "PATH": t.TempDir()}, false},
		{"www-browser only", "linux", map[string]string{"DISPLAY": ":0", "PATH": toolbox(t, "www-browser")}, false},
		{"an opener that is not executable", "linux", map[string]string{"DISPLAY": ":0", "PATH": plainFile}, false},
		{"an opener in the current folder", "linux", map[string]string{"DISPLAY": ":0", "PATH": "."}, false},
		{"no PATH", "linux", map[string]string{"DISPLAY": ":0"}, false},
		{"macOS", "darwin", nil, true},
		{"Windows", "windows", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := available(tt.goos, func(name string) string { return tt.env[name] })
			if (err == nil) != tt.want {
				t.Errorf("got %v, want available: %v", err, tt.want)
			}
			if err != nil && !errors.Is(err, ErrNoBrowser) {
				t.Errorf("got %v, want ErrNoBrowser", err)
			}
		})
	}
}

func TestB12GraphicalOnly(t *testing.T) {
	all := strings.Join(graphicalBrowsers, ":")
	tests := []struct{ name, goos, display, browser, want string }{
		{"unset", "linux", ":0", "", all},
		{"text browsers only", "linux", ":0", "w3m:/usr/bin/lynx -nopause", all},
		{"text browser as fallback", "linux", ":0", "firefox -P x:w3m:chromium", "firefox -P x:chromium"},
		{"the person's own", "linux", ":0", "echo", "echo"},
		{"no display", "linux", "", "", ""},
		{"no display, text browser", "linux", "", "w3m", "w3m"},
		{"macOS", "darwin", ":0", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := map[string]string{"DISPLAY": tt.display, "BROWSER": tt.browser}
			set := func(name, value string) error { env[name] = value; return nil }
			if err := graphicalOnly(tt.goos, func(name string) string { return env[name] }, set); err != nil {
				t.Fatal(err)
			}
			if env["BROWSER"] != tt.want {
				t.Errorf("BROWSER: got %q, want %q", env["BROWSER"], tt.want)
			}
		})
	}
}

func TestB12NoTextBrowserIsEverOurs(t *testing.T) {
	for _, list := range [][]string{graphicalBrowsers, openers} {
		for _, name := range list {
			if slices.Contains(textBrowsers, name) {
				t.Errorf("got text browser %s among what we would run", name)
			}
		}
	}
	for _, name := range []string{"w3m", "lynx", "links", "links2", "elinks", "www-browser"} {
		if !slices.Contains(textBrowsers, name) { // xdg-open's own last resort
			t.Errorf("text browsers: got no %s", name)
		}
	}
}
