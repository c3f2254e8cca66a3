package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// textBrowsers run in the terminal, where they would take over the screen of the program that
// waits for the login.
var textBrowsers = []string{"www-browser", "w3m", "lynx", "links", "links2", "elinks", "browsh", "carbonyl", "chawan", "cha", "retawq", "netrik", "edbrowse"}

// graphicalBrowsers is what xdg-open is left to try when no browser is registered. Its own list is
// this one (with names long gone) followed by text browsers.
var graphicalBrowsers = []string{
	"x-www-browser", "firefox", "firefox-esr", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
	"brave-browser", "microsoft-edge", "vivaldi", "opera", "epiphany", "falkon", "konqueror",
}

// openers are the programs that pkg/browser runs on Unix, without its last, www-browser: that one
// may be a text browser.
var openers = []string{"xdg-open", "x-www-browser"}

// Available returns an error that matches ErrNoBrowser if it is already plain that no graphical
// browser can be opened. Windows and macOS always have one. Elsewhere it takes an opener on PATH
// (xdg-open or x-www-browser), and DISPLAY, WAYLAND_DISPLAY or a BROWSER that is more than text
// browsers: over SSH an editor may have set BROWSER to a helper that opens the person's own.
func Available(env func(string) string) error { return available(runtime.GOOS, env) }

func available(goos string, env func(string) string) error {
	switch goos {
	case "windows", "darwin":
		return nil
	}
	chosen := env("BROWSER")
	graphical, text := split(chosen)
	switch {
	case !hasDisplay(env) && chosen == "":
		return fmt.Errorf("%w: DISPLAY, WAYLAND_DISPLAY and BROWSER are not set", ErrNoBrowser)
	case len(text) > 0 && len(graphical) == 0:
		return fmt.Errorf("%w: BROWSER names a text browser, which would take over the terminal", ErrNoBrowser)
	case !hasDisplay(env) && len(text) > 0:
		return fmt.Errorf("%w: BROWSER falls back to a text browser, which would take over the terminal", ErrNoBrowser)
	}
	for _, name := range openers {
		if onPath(env("PATH"), name) {
			return nil
		}
	}
	return fmt.Errorf("%w: neither xdg-open nor x-www-browser is installed", ErrNoBrowser)
}

// GraphicalOnly keeps xdg-open from falling back to a text browser: where there is a display, it
// takes the text browsers out of BROWSER, and if nothing is left, or BROWSER was not set, puts a
// list of graphical ones there. A browser registered with the desktop still comes first. Without
// a display BROWSER is left alone, for Available to judge. On Windows and macOS it does nothing.
//
// It changes the environment through setenv, so it is for a command, before it opens a browser.
func GraphicalOnly(getenv func(string) string, setenv func(name, value string) error) error {
	return graphicalOnly(runtime.GOOS, getenv, setenv)
}

func graphicalOnly(goos string, getenv func(string) string, setenv func(name, value string) error) error {
	if goos == "windows" || goos == "darwin" || !hasDisplay(getenv) {
		return nil
	}
	keep, text := split(getenv("BROWSER"))
	switch {
	case len(keep) == 0:
		keep = graphicalBrowsers
	case len(text) == 0:
		return nil // the person's own choice, untouched
	}
	return setenv("BROWSER", strings.Join(keep, ":"))
}

func hasDisplay(env func(string) string) bool {
	return env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != ""
}

// split sorts the entries of a BROWSER variable: a colon-separated list of commands, with arguments.
func split(list string) (graphical, text []string) {
	for entry := range strings.SplitSeq(list, ":") {
		words := strings.Fields(entry)
		switch {
		case len(words) == 0:
		case slices.Contains(textBrowsers, filepath.Base(words[0])):
			text = append(text, entry)
		default:
			graphical = append(graphical, entry)
		}
	}
	return graphical, text
}

// onPath reports whether path, a PATH variable, leads to an executable file of that name.
func onPath(path, name string) bool {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // os/exec refuses programs found in the current folder, too
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}
