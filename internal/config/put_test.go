package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// alone fails t if the folder of path holds anything but path and its lock: a temporary file left behind.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) && e.Name() != filepath.Base(path)+".lock" {
			t.Errorf("got %s beside the file, want nothing", e.Name())
		}
	}
}

var cognito = Profile{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"}

func TestPutGolden(t *testing.T) {
	other := Profile{
		Issuer: "https://id.example.com/", ClientID: "cli",
		CallbackURLs: []string{"http://localhost:8585/callback", "http://localhost:8586/callback"},
		Scopes:       []string{"openid", "email"}, CAFile: `C:\certs\"my" corp.pem`, UsernameClaim: "email", Interactive: Auto,
	}
	for _, tc := range []struct {
		name, src, profile string
		put                Profile
		makeDefault        bool
		want               string
	}{
		{"first profile", "", "collate", cognito, false,
			"default_profile = \"collate\"\n\n[profiles.collate]\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\nclient_id    = \"1h57kf5cpq17m0eml12EXAMPLE\"\n"},
		{"every key, name with a dot", "", "a.b", other, false,
			"default_profile = \"a.b\"\n\n[profiles.\"a.b\"]\nissuer         = \"https://id.example.com/\"\nclient_id      = \"cli\"\n" +
				"callback_urls  = [\"http://localhost:8585/callback\", \"http://localhost:8586/callback\"]\nscopes         = [\"openid\", \"email\"]\n" +
				"ca_file        = \"C:\\\\certs\\\\\\\"my\\\" corp.pem\"\nusername_claim = \"email\"\ninteractive    = \"auto\"\n"},
		{"only comments", "# settings of cogauth", "a", cognito, false,
			"# settings of cogauth\ndefault_profile = \"a\"\n\n[profiles.a]\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\nclient_id    = \"1h57kf5cpq17m0eml12EXAMPLE\"\n"},
		{"second profile is appended", "# mine\n\n[profiles.a] # one\nissuer = 'https://a.example' # here\nclient_id='x'", "b", cognito, false,
			"# mine\n\n[profiles.a] # one\nissuer = 'https://a.example' # here\nclient_id='x'\n\n[profiles.b]\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\nclient_id    = \"1h57kf5cpq17m0eml12EXAMPLE\"\n"},
		{"made default below the introduction", "# mine\n\n# first\n[profiles.a]\nissuer = 'https://a.example'\nclient_id='x'\n\n", "b", cognito, true,
			"# mine\n\ndefault_profile = \"b\"\n\n# first\n[profiles.a]\nissuer = 'https://a.example'\nclient_id='x'\n\n[profiles.b]\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\nclient_id    = \"1h57kf5cpq17m0eml12EXAMPLE\"\n"},
		{"another default keeps its comment", "default_profile   =   'a'   # for now\n[profiles.a]\nissuer = 'https://a.example'\nclient_id='x'\n", "a",
			Profile{Issuer: "https://a.example", ClientID: "x"}, true,
			"default_profile   =   'a'   # for now\n[profiles.a]\nissuer = 'https://a.example'\nclient_id='x'\n"},
		{"only what changes is replaced",
			"default_profile='z' # z\n[profiles.z]\nissuer='https://z.example'\nclient_id='z'\n\n# about a\n  [ profiles . 'a' ] # a\n# pool\nissuer   = 'https://a.example'   # old\n  client_id='x' # same\nscopes = [ # two\n  'openid',\n  'email' ] # done\nca_file = '''/a#b'''\n\n# about y\n[profiles.y]\nissuer='https://y.example'\nclient_id='y'\n",
			"a", Profile{Issuer: "https://b.example", ClientID: "x", Scopes: []string{"openid"}, Interactive: Never}, true,
			"default_profile=\"a\" # z\n[profiles.z]\nissuer='https://z.example'\nclient_id='z'\n\n# about a\n  [ profiles . 'a' ] # a\n# pool\nissuer   = \"https://b.example\"   # old\n  client_id='x' # same\nscopes = [\"openid\"] # done\ninteractive = \"never\"\n\n# about y\n[profiles.y]\nissuer='https://y.example'\nclient_id='y'\n"},
		{"strings that look as if they ended",
			"default_profile='a'\n[profiles.a]\nissuer='https://a.example'\nclient_id=\"x\\\"#y\" # one\nca_file=\"\"\"\n[z]\\\"\"\"\"\" # two\nusername_claim='\\'# three\n", "a",
			Profile{Issuer: "https://a.example", ClientID: "z", CAFile: "/z", UsernameClaim: "z"}, false,
			"default_profile='a'\n[profiles.a]\nissuer='https://a.example'\nclient_id=\"z\" # one\nca_file=\"/z\" # two\nusername_claim=\"z\"# three\n"},
		{"CRLF and BOM", "\ufeff[profiles.a]\r\nissuer = 'https://a.example'\r\nclient_id='x'\r\n", "b", cognito, true,
			"\ufeffdefault_profile = \"b\"\r\n\r\n[profiles.a]\r\nissuer = 'https://a.example'\r\nclient_id='x'\r\n\r\n[profiles.b]\r\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\r\nclient_id    = \"1h57kf5cpq17m0eml12EXAMPLE\"\r\n"},
		{"a header inside a string is none", "[profiles.a]\nissuer = 'https://a.example'\nclient_id='x'\nca_file = '''\n[profiles.b]'''\n", "b", cognito, false,
			"[profiles.a]\nissuer = 'https://a.example'\nclient_id='x'\nca_file = '''\n[profiles.b]'''\n\n[profiles.b]\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\nclient_id    = \"1h57kf5cpq17m0eml12EXAMPLE\"\n"},
		{"beside an inline table", "[profiles]\na = {issuer='https://a.example', client_id='x'}\n", "b", cognito, false,
			"[profiles]\na = {issuer='https://a.example', client_id='x'}\n\n[profiles.b]\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\nclient_id    = \"1h57kf5cpq17m0eml12EXAMPLE\"\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.src)
			f := &File{Path: path}
			if err := f.Put(t.Context(), tc.profile, tc.put, tc.makeDefault); err != nil {
				t.Fatal(err)
			}
			if got := content(t, path); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			again, err := Load(path)
			if err != nil || !reflect.DeepEqual(f, again) {
				t.Errorf("got %+v, %v, want what Put left behind, %+v", again, err, f)
			}
			alone(t, path)
			if err := f.Put(t.Context(), tc.profile, tc.put, tc.makeDefault); err != nil || content(t, path) != tc.want {
				t.Errorf("putting the same again: got %v and\n%s", err, content(t, path))
			}
		})
	}
}

func TestPutRefusesWithoutWriting(t *testing.T) {
	const good = "[profiles.a]\nissuer = 'https://a.example'\nclient_id='x'\n"
	for _, tc := range []struct {
		name, src, profile string
		put                Profile
		fact               string
	}{
		{"demo", good, "demo", cognito, "reserved"},
		{"bad name", good, "a b", cognito, "not a possible profile name"},
		{"bad profile", good, "b", Profile{ClientID: canary}, "neither user_pool_id nor issuer"},
		{"file with an unknown key", good + "zz = '" + canary + "'\n", "b", cognito, "unknown key"},
		{"file that is not TOML", good + "zz = " + canary + "\n", "b", cognito, "not valid TOML"},
		{"inline table", "profiles = {a = {issuer='https://a.example', client_id='x'}}\n", "b", cognito, "cannot be changed without touching the rest"},
		{"dotted keys", "profiles.a.issuer='https://a.example'\nprofiles.a.client_id='x'\n", "a", cognito, "cannot be changed without touching the rest"},
		{"inline table in [profiles]", "[profiles]\na = {issuer='https://a.example', client_id='x'}\n", "a", cognito, "cannot be changed without touching the rest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.src)
			f := &File{Path: path, DefaultProfile: "untouched"}
			err := f.Put(t.Context(), tc.profile, tc.put, true)
			if e := wellFormed(t, err); !strings.Contains(e.Fact, tc.fact) {
				t.Errorf("got %q, want %q in it", e.Fact, tc.fact)
			}
			if got := content(t, path); got != tc.src {
				t.Errorf("got\n%s\nwant the file untouched", got)
			}
			if f.DefaultProfile != "untouched" {
				t.Error("Put failed and changed f")
			}
			alone(t, path)
		})
	}
}

func TestPutCreatesFolderAndFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "cogauth", "config.toml")
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), "a", cognito, false); err != nil {
		t.Fatal(err)
	}
	alone(t, path)
	if f.DefaultProfile != "a" || !reflect.DeepEqual(f.Profiles["a"], cognito) {
		t.Errorf("got %+v", f)
	}
	if runtime.GOOS == "windows" {
		return // which has no mode bits
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestPutKeepsTheMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits")
	}
	path := write(t, example)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (&File{Path: path}).Put(t.Context(), "a", cognito, true); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("got %v, %v, want 0644", info.Mode().Perm(), err)
	}
}

// People keep config.toml in a folder of dotfiles and link to it, with links to links, relative
// ones and ones whose target is yet to come.
func TestPutFollowsLinks(t *testing.T) {
	for _, exists := range []bool{true, false} {
		dir := t.TempDir()
		link, target := filepath.Join(dir, "cogauth", "config.toml"), filepath.Join(dir, "dotfiles", "cogauth.toml")
		for _, d := range []string{filepath.Dir(link), filepath.Dir(target)} {
			if err := os.Mkdir(d, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		middle := filepath.Join(dir, "middle.toml")
		if err := os.Symlink(filepath.Join("dotfiles", "cogauth.toml"), middle); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
		if err := os.Symlink(filepath.Join("..", "middle.toml"), link); err != nil {
			t.Fatal(err)
		}
		if exists {
			if err := os.WriteFile(target, []byte(example), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := (&File{Path: link}).Put(t.Context(), "new", cognito, true); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{link, middle} {
			if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("%s: got %v, %v, want a symbolic link", name, info.Mode(), err)
			}
		}
		if info, err := os.Lstat(target); err != nil || !info.Mode().IsRegular() || !strings.Contains(content(t, target), "[profiles.new]") {
			t.Errorf("got %v, %v, want the target to be replaced", info, err)
		}
		alone(t, link)
		alone(t, target)
	}
}

func TestPutLinkLoopEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.Symlink("config.toml", path); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := (&File{Path: path}).Put(t.Context(), "a", cognito, true); err == nil {
		t.Error("got none, want an error")
	}
	if _, err := followLinks(path); err == nil {
		t.Error("got none, want an error")
	}
}

// G4: where nothing can be written, Load still works and Put says why it did not.
func TestG4UnwritableFolder(t *testing.T) {
	blocker := write(t, "")
	path := filepath.Join(blocker, "config.toml") // below a file: nobody, not even root, can write there
	if err := (&File{Path: path}).Put(t.Context(), "a", cognito, true); err == nil {
		t.Error("got none, want an error")
	}
	if err := replaceFile(path, "x"); err == nil || !strings.HasPrefix(err.Error(), "write configuration: ") {
		t.Errorf("got %v, want an error about writing", err)
	}

	dir := t.TempDir() // a folder where the file should be: the rename fails, nothing stays behind
	path = filepath.Join(dir, "config.toml")
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, "x"); err == nil {
		t.Error("got none, want an error")
	}
	alone(t, path)
}

// Put reads the file again: what another process or the person wrote meanwhile is kept.
func TestPutKeepsWhatWasWrittenMeanwhile(t *testing.T) {
	path := write(t, "")
	first, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Put(t.Context(), "a", cognito, false), second.Put(t.Context(), "b", cognito, false)); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path)
	if err != nil || len(f.Profiles) != 2 || f.DefaultProfile != "a" {
		t.Errorf("got %+v, %v, want both profiles and the first as default", f, err)
	}
}
