package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// env returns an Env whose variables are given as NAME=value.
func env(goos string, vars ...string) Env {
	values := map[string]string{}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		values[name] = value
	}
	return Env{GOOS: goos, Getenv: func(name string) string { return values[name] }}
}

func TestPath(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	const unixDefault = "/home/ann/.config/cogauth/config.toml"
	for _, tc := range []struct {
		name string
		env  Env
		want string // "" means an error
	}{
		{"home on Linux", env("linux", "HOME=/home/ann"), unixDefault},
		{"home on macOS", env("darwin", "HOME=/home/ann"), unixDefault},
		{"XDG on Linux", env("linux", "HOME=/home/ann", "XDG_CONFIG_HOME=/x"), "/x/cogauth/config.toml"},
		{"XDG on macOS", env("darwin", "HOME=/home/ann", "XDG_CONFIG_HOME=/x/"), "/x/cogauth/config.toml"},
		{"relative XDG is ignored", env("linux", "HOME=/home/ann", "XDG_CONFIG_HOME=x"), unixDefault},
		{"XDG without home", env("linux", "XDG_CONFIG_HOME=/x"), "/x/cogauth/config.toml"},
		{"Windows", env("windows", `AppData=C:\Users\Ann\AppData\Roaming`, `XDG_CONFIG_HOME=C:\x`), `C:\Users\Ann\AppData\Roaming\cogauth\config.toml`},
		{"COGAUTH_CONFIG", env("linux", "HOME=/home/ann", "XDG_CONFIG_HOME=/x", "COGAUTH_CONFIG=/y/c.toml"), "/y/c.toml"},
		{"COGAUTH_CONFIG with ~", env("linux", "HOME=/home/ann", "COGAUTH_CONFIG=~/c.toml"), "/home/ann/c.toml"},
		{"COGAUTH_CONFIG on Windows", env("windows", `COGAUTH_CONFIG=D:\c.toml`), `D:\c.toml`},
		{"COGAUTH_CONFIG with ~ on Windows", env("windows", `USERPROFILE=C:\Users\Ann`, `COGAUTH_CONFIG=~\c.toml`), `C:\Users\Ann\c.toml`},
		{"relative COGAUTH_CONFIG", env(runtime.GOOS, "COGAUTH_CONFIG=c.toml"), filepath.Join(here, "c.toml")},
		{"no home", env("linux"), ""},
		{"relative home", env("linux", "HOME=ann"), ""},
		{"no AppData", env("windows", "HOME=/home/ann"), ""},
		{"~ without home", env("linux", "COGAUTH_CONFIG=~/c.toml"), ""},
		{"zero Env", Env{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Path(tc.env)
			if got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
			if tc.want == "" {
				wellFormed(t, err)
			} else if err != nil {
				t.Errorf("got %v, want no error", err)
			}
		})
	}
}

func TestCacheDir(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  Env
		want string
	}{
		{"Linux", env("linux", "HOME=/home/ann"), "/home/ann/.cache/cogauth"},
		{"macOS", env("darwin", "HOME=/Users/ann"), "/Users/ann/Library/Caches/cogauth"},
		{"XDG", env("linux", "HOME=/home/ann", "XDG_CACHE_HOME=/x"), "/x/cogauth"},
		{"relative XDG is ignored", env("linux", "HOME=/home/ann", "XDG_CACHE_HOME=x"), "/home/ann/.cache/cogauth"},
		{"Windows", env("windows", `LocalAppData=C:\Users\Ann\AppData\Local`), `C:\Users\Ann\AppData\Local\cogauth\cache`},
		{"no home", env("linux"), ""},
		{"no LocalAppData", env("windows"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := CacheDir(tc.env)
			if got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
			if tc.want == "" {
				wellFormed(t, err)
			}
		})
	}
}

// The rules for this system agree with the standard library's.
func TestSystemAgreesWithPackageOS(t *testing.T) {
	sys := System(func(name string) string {
		if name == "COGAUTH_CONFIG" || strings.HasPrefix(name, "XDG_") {
			return ""
		}
		return os.Getenv(name)
	})
	t.Setenv("XDG_CACHE_HOME", "")
	want, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("this account has no cache folder: %v", err)
	}
	if got, err := CacheDir(sys); err != nil || !strings.HasPrefix(got, want+string(filepath.Separator)) {
		t.Errorf("got %q, %v, want a folder in %q", got, err, want)
	}
	if want, _ := os.UserHomeDir(); sys.home() != want {
		t.Errorf("got home %q, want %q", sys.home(), want)
	}
}

// G8: ~ and Windows paths mean the same on all systems.
func TestG8PathsInTheFile(t *testing.T) {
	linux := env("linux", "HOME=/home/ann")
	windows := env("windows", `USERPROFILE=C:\Users\Ann`)
	for _, tc := range []struct {
		name, config, caFile string
		env                  Env
		want                 string // "" means an error
	}{
		{"absolute", "/etc/cogauth/config.toml", "/etc/ssl/corp.pem", linux, "/etc/ssl/corp.pem"},
		{"relative to the file", "/etc/cogauth/config.toml", "corp.pem", linux, "/etc/cogauth/corp.pem"},
		{"relative, up", "/etc/cogauth/config.toml", "../ssl/corp.pem", linux, "/etc/ssl/corp.pem"},
		{"file in the root", "/config.toml", "corp.pem", linux, "/corp.pem"},
		{"~/", "/etc/cogauth/config.toml", "~/corp.pem", linux, "/home/ann/corp.pem"},
		{`~\`, "/etc/cogauth/config.toml", `~\ssl\corp.pem`, linux, "/home/ann/ssl/corp.pem"},
		{"~ elsewhere is a letter", "/etc/cogauth/config.toml", "a~/corp.pem", linux, "/etc/cogauth/a~/corp.pem"},
		{"Windows ~/", `C:\cfg\config.toml`, "~/corp.pem", windows, `C:\Users\Ann\corp.pem`},
		{`Windows ~\`, `C:\cfg\config.toml`, `~\corp.pem`, windows, `C:\Users\Ann\corp.pem`},
		{"drive", `C:\cfg\config.toml`, `D:\ssl\corp.pem`, windows, `D:\ssl\corp.pem`},
		{"drive with slashes", `C:\cfg\config.toml`, `D:/ssl/corp.pem`, windows, `D:/ssl/corp.pem`},
		{"share", `C:\cfg\config.toml`, `\\server\share\corp.pem`, windows, `\\server\share\corp.pem`},
		{"somebody else's ~ is a name", "/etc/cogauth/config.toml", "~bob/corp.pem", linux, "/etc/cogauth/~bob/corp.pem"},
		{"nothing but ~", "/etc/cogauth/config.toml", "~", linux, "/home/ann"},
		{"drive in lower case", `C:\cfg\config.toml`, `d:\ssl\corp.pem`, windows, `d:\ssl\corp.pem`},
		{"share with slashes", `C:\cfg\config.toml`, `//server/share/corp.pem`, windows, `//server/share/corp.pem`},
		{"Windows without home", `C:\cfg\config.toml`, `~\corp.pem`, env("windows", `HOME=C:\Users\Ann`), ""},
		{"Windows, relative", `C:\cfg\config.toml`, `ssl\corp.pem`, windows, `C:\cfg\ssl\corp.pem`},
		{"Windows, relative to the drive's folder", `C:\cfg\config.toml`, `D:corp.pem`, windows, ""},
		{"Windows, relative to the drive", `C:\cfg\config.toml`, `\ssl\corp.pem`, windows, ""},
		{"no home", "/etc/cogauth/config.toml", "~/corp.pem", env("linux"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &File{Path: tc.config, Profiles: map[string]Profile{"a": {UserPoolID: "eu-west-1_A", ClientID: "x", CAFile: tc.caFile}}}
			s, err := f.Resolve(Flags{}, tc.env)
			if tc.want == "" {
				if e := wellFormed(t, err); e.Key != keyCAFile {
					t.Errorf("got key %q, want %q", e.Key, keyCAFile)
				}
				return
			}
			if err != nil || s.CAFile != tc.want {
				t.Fatalf("got %+v, %v, want %q", s, err, tc.want)
			}
		})
	}
}
