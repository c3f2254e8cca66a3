package config

import (
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// Env is what the package may know about the machine. The zero Getenv knows no variable.
type Env struct {
	GOOS   string                   // as runtime.GOOS
	Getenv func(name string) string // as os.Getenv: "" means not set
}

// System returns the Env of this machine with the caller's environment.
func System(getenv func(string) string) Env { return Env{GOOS: runtime.GOOS, Getenv: getenv} }

func (e Env) get(name string) string {
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv(name)
}

func (e Env) windows() bool { return e.GOOS == "windows" }

// home returns the person's home folder by the rule of os.UserHomeDir, or "".
func (e Env) home() string {
	if e.windows() {
		return e.get("USERPROFILE")
	}
	return e.get("HOME")
}

// Path returns where config.toml is: COGAUTH_CONFIG if set (a leading ~ is expanded, a relative
// path is made absolute), else %AppData%\cogauth\config.toml on Windows, else
// $XDG_CONFIG_HOME/cogauth/config.toml, else ~/.config/cogauth/config.toml, on macOS too. As the
// XDG Base Directory Specification asks, a relative XDG_CONFIG_HOME is ignored. The error, an
// *Error, says which variable is missing.
func Path(env Env) (string, error) {
	if p := env.get("COGAUTH_CONFIG"); p != "" {
		p, err := env.expand(p, "COGAUTH_CONFIG")
		if err != nil {
			return "", err
		}
		if env.abs(p) {
			return p, nil
		}
		full, absErr := filepath.Abs(p)
		if absErr != nil {
			return "", &Error{Key: "COGAUTH_CONFIG", Fact: "COGAUTH_CONFIG is a relative path and the working directory is not known",
				Fix: "set it to an absolute path", err: absErr}
		}
		return full, nil
	}
	if env.windows() {
		return env.below("AppData", "cogauth", "config.toml")
	}
	if dir := env.get("XDG_CONFIG_HOME"); env.abs(dir) {
		return env.join(dir, "cogauth", "config.toml"), nil
	}
	return env.below("HOME", ".config", "cogauth", "config.toml")
}

// CacheDir returns the folder for files that may be deleted at any time: %LocalAppData%\cogauth\cache
// on Windows, else $XDG_CACHE_HOME/cogauth if that is absolute, else ~/Library/Caches/cogauth on
// macOS and ~/.cache/cogauth elsewhere. It need not exist. The error, an *Error, says which
// variable is missing.
func CacheDir(env Env) (string, error) {
	if env.windows() {
		return env.below("LocalAppData", "cogauth", "cache")
	}
	if dir := env.get("XDG_CACHE_HOME"); env.abs(dir) {
		return env.join(dir, "cogauth"), nil
	}
	if env.GOOS == "darwin" {
		return env.below("HOME", "Library", "Caches", "cogauth")
	}
	return env.below("HOME", ".cache", "cogauth")
}

// defaultStoreDir is the folder of the file store: %LocalAppData%\cogauth\store on Windows, else
// $XDG_DATA_HOME/cogauth/store if that is absolute, else ~/Library/Application Support/cogauth/store on
// macOS and ~/.local/share/cogauth/store elsewhere.
func defaultStoreDir(env Env) (string, error) {
	if env.windows() {
		return env.below("LocalAppData", "cogauth", "store")
	}
	if dir := env.get("XDG_DATA_HOME"); env.abs(dir) {
		return env.join(dir, "cogauth", "store"), nil
	}
	if env.GOOS == "darwin" {
		return env.below("HOME", "Library", "Application Support", "cogauth", "store")
	}
	return env.below("HOME", ".local", "share", "cogauth", "store")
}

// DefaultStoreKey is the file store's key where none is named: store.key beside config.toml.
func DefaultStoreKey(env Env) (string, error) {
	path, err := Path(env)
	if err != nil {
		return "", err
	}
	return env.join(env.dir(path), "store.key"), nil
}

// below joins elem to the folder that a variable names.
func (e Env) below(variable string, elem ...string) (string, error) {
	dir := e.get(variable)
	if dir == "" {
		return "", &Error{Key: variable, Fact: variable + " is not set", Fix: "set " + variable + " to a folder of your own"}
	}
	if !e.abs(dir) {
		return "", &Error{Key: variable, Fact: variable + " is not an absolute path", Fix: "set " + variable + " to a folder of your own"}
	}
	return e.join(dir, elem...), nil
}

// The helpers below know Windows paths on every system: path/filepath knows only those of the
// system it was built for, and then the rules could be tested on Windows only.

func (e Env) separator() string {
	if e.windows() {
		return `\`
	}
	return "/"
}

func (e Env) isSeparator(c byte) bool { return c == '/' || c == '\\' && e.windows() }

// abs reports whether p does not depend on a working directory or drive.
func (e Env) abs(p string) bool {
	if !e.windows() {
		return strings.HasPrefix(p, "/")
	}
	if hasDrive(p) {
		return len(p) > 2 && e.isSeparator(p[2])
	}
	return len(p) > 1 && e.isSeparator(p[0]) && e.isSeparator(p[1]) // \\server\share
}

func hasDrive(p string) bool {
	return len(p) > 1 && p[1] == ':' && ('a' <= p[0]|0x20 && p[0]|0x20 <= 'z')
}

// join joins by the rules of e.GOOS. Windows paths are joined but not cleaned: the system itself
// understands what is left.
func (e Env) join(dir string, elem ...string) string {
	if !e.windows() {
		return path.Join(append([]string{dir}, elem...)...)
	}
	return strings.Join(append([]string{strings.TrimRight(dir, `\/`)}, elem...), `\`)
}

// dir returns the folder of p.
func (e Env) dir(p string) string {
	for i := len(p) - 1; i >= 0; i-- {
		if e.isSeparator(p[i]) {
			return p[:max(i, 1)]
		}
	}
	return "."
}

// expand replaces a leading ~, ~/ or ~\ by the home folder, on every system: no shell has seen what
// stands in a file, and cmd.exe does not know ~ at all. The key is for the error.
func (e Env) expand(p, key string) (string, *Error) {
	if p != "~" && !strings.HasPrefix(p, "~/") && !strings.HasPrefix(p, `~\`) {
		return p, nil
	}
	home := e.home()
	if home == "" {
		return "", &Error{Key: key, Fact: key + " begins with ~, but the home folder is not known", Fix: "write the full path"}
	}
	if p == "~" {
		return home, nil
	}
	rest := p[2:]
	if p[1] == '\\' && !e.windows() {
		rest = strings.ReplaceAll(rest, `\`, "/") // a file shared with a Windows machine
	}
	return e.join(home, rest), nil
}

// short writes the home folder as ~, for people to read.
func (e Env) short(p string) string {
	home := e.home()
	if home == "" || e.windows() {
		return p
	}
	if rest, ok := strings.CutPrefix(p, strings.TrimRight(home, "/")+"/"); ok {
		return "~/" + rest
	}
	return p
}
