package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/cogauth/cogauth/internal/deptest"
)

func TestDeps(t *testing.T) {
	deptest.Only(t, "github.com/BurntSushi/toml", "github.com/cogauth/cogauth/internal/secret",
		"github.com/cogauth/cogauth/internal/origin", "golang.org/x/net/idna",
		"github.com/cogauth/cogauth/internal/flock", "github.com/cogauth/cogauth/internal/turns", "golang.org/x/sys")
}

func TestQuiet(t *testing.T) { deptest.Quiet(t) }

const canary = "CANARY7f3a"

// write puts src into a config.toml of its own and returns the path.
func write(t testing.TB, src string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wellFormed fails t unless err is an *Error of exactly one kind, whose texts are one line each,
// safe for a terminal and free of the canary.
func wellFormed(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want an *Error", err, err)
	}
	kinds := 0
	for _, kind := range []error{ErrInvalid, ErrNoProfile, ErrUnknownProfile, ErrNotServed} {
		if errors.Is(err, kind) {
			kinds++
		}
	}
	if kinds != 1 {
		t.Errorf("got an error of %d kinds, want 1: %v", kinds, err)
	}
	for _, text := range []string{err.Error(), e.Fact, e.Fix} {
		if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("got the text %q, want one line", text)
		}
		if strings.Contains(text, canary) {
			t.Errorf("got the text %q, want one without a value of the file", text)
		}
	}
	return e
}

const example = `default_profile = "collate"

[profiles.collate]               # enough: discovery does the rest
user_pool_id = "eu-west-1_AbCdEfGhI"
client_id    = "1h57kf5cpq17m0eml12EXAMPLE"

[profiles.other]                 # any OpenID provider; plain http only on loopback
issuer        = "https://id.example.com"
client_id     = "cli"
callback_urls = ["http://localhost:8585/callback", "http://localhost:8586/callback"]
scopes        = ["openid", "email"]
ca_file       = "corp.pem"
username_claim = "email"
interactive   = "auto"
`

func TestLoad(t *testing.T) {
	path := write(t, example)
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Profile{
		"collate": {UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"},
		"other": {
			Issuer: "https://id.example.com", ClientID: "cli",
			CallbackURLs: []string{"http://localhost:8585/callback", "http://localhost:8586/callback"},
			Scopes:       []string{"openid", "email"}, CAFile: "corp.pem", UsernameClaim: "email", Interactive: "auto",
		},
	}
	if f.Path != path || f.DefaultProfile != "collate" || !reflect.DeepEqual(f.Profiles, want) {
		t.Errorf("got %+v, want %+v", f, want)
	}
}

func TestLoadMissingFileIsEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "config.toml")
	f, err := Load(path)
	if err != nil || f.Path != path || f.Profiles == nil || len(f.Profiles) != 0 {
		t.Errorf("got %+v, %v, want an empty File", f, err)
	}
}

func TestLoadUnreadable(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir)
	e := wellFormed(t, err)
	if !strings.HasPrefix(err.Error(), dir+": the configuration file cannot be read: ") || e.Unwrap() == nil {
		t.Errorf("got %q", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error other than not existing", err)
	}
	_, err = Load(write(t, "# "+strings.Repeat("x", maxSize)))
	if e := wellFormed(t, err); e.Fact != "the configuration file is larger than 1 MiB" {
		t.Errorf("got %q", e.Fact)
	}
}

type badFile struct {
	name, src string
	line      int
	fact, fix string
}

func (tc badFile) run(t *testing.T) {
	path := write(t, tc.src)
	_, err := Load(path)
	e := wellFormed(t, err)
	if e.File != path || e.Line != tc.line {
		t.Errorf("got %s line %d, want %s line %d", e.File, e.Line, path, tc.line)
	}
	if e.Fact != tc.fact {
		t.Errorf("got fact %q, want %q", e.Fact, tc.fact)
	}
	if e.Fix != tc.fix {
		t.Errorf("got fix %q, want %q", e.Fix, tc.fix)
	}
}

const profileKeyList = "the keys here are user_pool_id, issuer, domain, region, client_id, callback_urls, scopes, idp, idp_identifier, lang, resource, logout_url, expect, refresh_token_validity, ca_file, username_claim, interactive, store, store_key, store_dir, serve"

// G3: unknown keys are refused, at every level, with the nearest one that exists.
func TestG3UnknownKeysAreRefused(t *testing.T) {
	for _, tc := range []badFile{
		{"in a profile", "[profiles.collate]\nuser_pool_id = 'eu-west-1_A'\nclient_idd = 'x'\n", 3,
			`unknown key "client_idd" in profile "collate"`, "did you mean client_id?"},
		{"swapped letters", "[profiles.a]\nisseur = 'x'\n", 2, `unknown key "isseur" in profile "a"`, "did you mean issuer?"},
		{"other case", "[profiles.a]\nClient_ID = 'x'\n", 2, `unknown key "Client_ID" in profile "a"`, "did you mean client_id?"},
		{"hyphen", "[profiles.a]\nclient-id = 'x'\n", 2, `unknown key "client-id" in profile "a"`, "did you mean client_id?"},
		{"singular", "[profiles.a]\ncallback_url = 'x'\n", 2, `unknown key "callback_url" in profile "a"`, "did you mean callback_urls?"},
		{"part of a name", "[profiles.a]\npool_id = 'x'\n", 2, `unknown key "pool_id" in profile "a"`, "did you mean user_pool_id?"},
		{"another program's name", "[profiles.a]\nredirect_uri = 'x'\n", 2, `unknown key "redirect_uri" in profile "a"`, "did you mean callback_urls?"},
		{"nothing near", "[profiles.a]\ncolour = 'x'\n", 2, `unknown key "colour" in profile "a"`, profileKeyList},
		{"at the top", "# hello\n\ndefault_profil = 'x'\n", 3, `unknown key "default_profil"`, "did you mean default_profile?"},
		{"at the top, nothing near", "x = 1\n", 1, `unknown key "x"`, "the keys here are default_profile, profiles"},
		{"table at the top", "[profile.a]\nclient_id = 'x'\n", 1, `unknown key "profile"`, "did you mean profiles?"},
		{"profile without its prefix", "[collate]\nclient_id = 'x'\n", 1, `unknown table "collate"`, "did you mean [profiles.collate]?"},
		{"profile key at the top", "client_id = 'x'\n", 1, `"client_id" stands outside any profile`, "put it under a table [profiles.NAME]"},
		{"profile key in [profiles]", "[profiles]\nclient_id = 'x'\n", 2, `"client_id" stands directly in [profiles]`, "put it under a table [profiles.NAME]"},
		{"table in a profile", "[profiles.a]\nclient_id = 'x'\n[profiles.a.http]\nx = 1\n", 3, `unknown key "http" in profile "a"`, profileKeyList},
		{"inline table", "profiles = { a = { client_idd = 'x' } }\n", 1, `unknown key "client_idd" in profile "a"`, "did you mean client_id?"},
		{"dotted keys", "\nprofiles.a.client_id = 'x'\nprofiles.a.scope = ['openid']\n", 3, `unknown key "scope" in profile "a"`, "did you mean scopes?"},
		{"the first of several", "[profiles.a]\nzz = 1\n[profiles.b]\nyy = 1\n", 2, `unknown key "zz" in profile "a"`, profileKeyList},
		{"after strings of several lines", "[profiles.a]\nclient_id = '''\n[profiles.b]\nbad = 1\n'''\nscopes = [\n  'openid', # ]\n]\nbad = 1\n", 9,
			`unknown key "bad" in profile "a"`, profileKeyList},
		{"escape sequence in a key", "[profiles.a]\n\"x\\u001b[31m\" = 1\n", 2, `unknown key "x [31m" in profile "a"`, profileKeyList},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestWrongTypesAreRefused(t *testing.T) {
	const stringFix = "write it in double quotes"
	for _, tc := range []badFile{
		{"integer for a string", "[profiles.a]\n\nclient_id = 1234\n", 3, `client_id in profile "a" must be a string, but it is an integer`, stringFix},
		{"float", "[profiles.a]\nissuer = 1.5\n", 2, `issuer in profile "a" must be a string, but it is a float`, stringFix},
		{"boolean", "[profiles.a]\ninteractive = true\n", 2, `interactive in profile "a" must be a string, but it is a boolean`, stringFix},
		{"date", "[profiles.a]\nca_file = 2026-01-01\n", 2, `ca_file in profile "a" must be a string, but it is a date or time`, stringFix},
		{"list", "[profiles.a]\nclient_id = ['x']\n", 2, `client_id in profile "a" must be a string, but it is a list`, stringFix},
		{"table", "[profiles.a]\nclient_id.x = 1\n", 2, `client_id in profile "a" must be a string, but it is a table`, stringFix},
		{"string for a list", "[profiles.a]\nscopes = 'openid'\n", 2, `scopes in profile "a" must be a list of strings, but it is a string`, `write it as scopes = ["…"]`},
		{"list of integers", "[profiles.a]\nscopes = ['openid', 2]\n", 2, `scopes in profile "a" must be a list of strings, but element 2 is an integer`, "write each element in double quotes"},
		{"list of tables", "[[profiles.a.scopes]]\nx = 1\n", 1, `scopes in profile "a" must be a list of strings, but element 1 is a table`, "write each element in double quotes"},
		{"default_profile", "default_profile = ['a']\n", 1, "default_profile must be a string, but it is a list", stringFix},
		{"profiles", "profiles = ['a']\n", 1, "profiles must be tables, but it is a list", "write each profile as a table [profiles.NAME]"},
		{"profiles as a list of tables", "[[profiles]]\nclient_id = 'x'\n", 1, "profiles must be tables, but it is a list of tables", "write each profile as a table [profiles.NAME]"},
		{"profile", "[profiles]\na = 'x'\n", 2, `profile "a" must be a table, but it is a string`, "write it as a table [profiles.a]"},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestProfileNames(t *testing.T) {
	const fix = "use 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first"
	for _, tc := range []badFile{
		{"demo is reserved", "[profiles.demo]\nclient_id = 'x'\n", 1, `the profile name "demo" is reserved for cogauth's own demo`, "choose another name"},
		{"space", "\n[profiles.\"my prod\"]\nclient_id = 'x'\n", 2, `"my prod" is not a possible profile name`, fix},
		{"slash", "[profiles.'a/b']\n", 1, `"a/b" is not a possible profile name`, fix},
		{"dots first", "[profiles.'..']\n", 1, `".." is not a possible profile name`, fix},
		{"empty", "[profiles.'']\n", 1, `"" is not a possible profile name`, fix},
		{"too long", "[profiles." + strings.Repeat("a", 65) + "]\n", 1, `"` + strings.Repeat("a", 65) + `" is not a possible profile name`, fix},
	} {
		t.Run(tc.name, tc.run)
	}
	for _, name := range []string{"a", "0", "a.b-c_D", strings.Repeat("a", 64)} {
		if _, err := Load(write(t, "[profiles.\""+name+"\"]\nclient_id = 'x'\n")); err != nil {
			t.Errorf("name %s: got %v, want none", name, err)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, tc := range []struct {
		name, src    string
		line, column int
		fact         string
	}{
		{"string not closed", "[profiles.a]\nclient_id = \"" + canary + "\nx = 1\n", 2, 24, "a string is not closed on its line"},
		{"string not quoted", "[profiles.a]\nclient_id = " + canary + "\n", 2, 13, "a value is missing or a string is not in quotes"},
		{"value missing", "[profiles.a]\nclient_id =\n", 2, 12, "a value is missing or a string is not in quotes"},
		{"no equals sign", "[profiles.a]\nclient_id " + canary + "\n", 2, 11, "a key is not followed by ="},
		{"key twice", "[profiles.a]\nclient_id = 'a'\nclient_id = '" + canary + "'\n", 3, 1, "a key or table is defined twice"},
		{"table twice", "[profiles.a]\n[profiles.a]\n", 2, 2, "a key or table is defined twice"},
		{"list not closed", "[profiles.a]\nscopes = ['" + canary + "'\nx = 1\n", 3, 1, "a comma or closing bracket is missing"},
		{"Windows path", "[profiles.a]\nca_file = \"C:\\" + canary + "\"\n", 2, 12, "a backslash in a string is not part of a known escape"},
		{"two values on a line", "[profiles.a]\nclient_id = 'a' '" + canary + "'\n", 2, 16, "something follows the value on its line"},
		{"number of sorts", "[profiles.a]\nclient_id = 1" + canary + "\n", 2, 14, "something follows the value on its line"},
		{"header not closed", "[profiles.a\nx = 1\n", 1, 12, "a table header is not closed or has no name"},
		{"not UTF-8", "# \xff\xfe\n", 1, 2, "the file is not UTF-8 text"},
		{"UTF-16", "a\x00=\x00", 1, 2, "the file is not UTF-8 text"},
		{"text of another kind", "{\n  \"client_secret\": \"" + canary + "\"\n}\n", 1, 1, "a key is not followed by ="},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(write(t, tc.src))
			e := wellFormed(t, err)
			if want := "not valid TOML: " + tc.fact; e.Fact != want {
				t.Errorf("got fact %q, want %q", e.Fact, want)
			}
			if e.Line != tc.line || e.Column != tc.column {
				t.Errorf("got line %d column %d, want line %d column %d", e.Line, e.Column, tc.line, tc.column)
			}
		})
	}
}

// S-rows: a secret in the file is refused in any spelling and place, and never quoted.
func TestClientSecretIsRefusedAndNotEchoed(t *testing.T) {
	for _, src := range []string{
		"[profiles.a]\nclient_secret = '" + canary + "'\n",
		"[profiles.a]\nCLIENT_SECRET = '" + canary + "'\n",
		"[profiles.a]\nclientSecret = '" + canary + "'\n",
		"[profiles.a]\n\"Client-Secret\" = '" + canary + "'\n",
		"# one\nclient_secret = '" + canary + "'\n",
		"[profiles]\nclient_secret = '" + canary + "'\n",
		"[profiles.a]\nclient_secret = ['" + canary + "']\n",
		"profiles.a = { client_id = 'x',\n client_secret = '" + canary + "' }\n",
	} {
		_, err := Load(write(t, src))
		e := wellFormed(t, err)
		if want := "client_secret does not belong in a file"; e.Fact != want {
			t.Errorf("got %q, want %q for %q", e.Fact, want, src)
		}
		if e.Line == 0 {
			t.Errorf("got no line for %q", src)
		}
		command := "cogauth configure --client-secret-stdin"
		if strings.Contains(src, "profiles.a") {
			command += " --profile a"
		}
		if !strings.Contains(e.Fix, command+",") {
			t.Errorf("got %q, want it to name %q", e.Fix, command)
		}
	}
}

func TestLoadAcceptsTheSameTOMLInOtherWords(t *testing.T) {
	want := map[string]Profile{"a.b": {Issuer: "https://id.example.com/", ClientID: "cli", Scopes: []string{"openid", "x"}}}
	for name, src := range map[string]string{
		"table":        "[profiles.'a.b']\nissuer = 'https://id.example.com/'\nclient_id = 'cli'\nscopes = ['openid', 'x']\n",
		"inline":       "profiles = {\"a.b\" = {issuer = 'https://id.example.com/', client_id = 'cli', scopes = ['openid', 'x']}}",
		"dotted":       "profiles.\"a.b\".issuer = 'https://id.example.com/'\nprofiles.\"a.b\".client_id = 'cli'\nprofiles.\"a.b\".scopes = ['openid', 'x']",
		"CRLF and BOM": "\ufeff[profiles.'a.b']\r\nissuer = 'https://id.example.com/'\r\nclient_id = 'cli'\r\nscopes = [\r\n'openid',\r\n'x',\r\n]\r\n",
	} {
		f, err := Load(write(t, src))
		if err != nil || !reflect.DeepEqual(f.Profiles, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, f, err, want)
		}
	}
}
