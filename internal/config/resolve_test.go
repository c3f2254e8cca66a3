package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func parsed(t testing.TB, src string) *File {
	t.Helper()
	f, err := parse("/home/ann/.config/cogauth/config.toml", src)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func explained(t *testing.T, s *Settings, key string) Value {
	t.Helper()
	for _, v := range s.Explain() {
		if v.Key == key {
			return v
		}
	}
	t.Fatalf("Explain has no %s", key)
	return Value{}
}

const fileOrigin = "file ~/.config/cogauth/config.toml"

// G2: flag beats environment beats file beats default, in every combination of what is given.
func TestG2PrecedenceMatrix(t *testing.T) {
	const pool = "user_pool_id = 'eu-west-1_A'\nclient_id = 'x'\n"
	for bits := range 8 {
		flag, variable, file := bits&1 != 0, bits&2 != 0, bits&4 != 0
		t.Run(fmt.Sprintf("flag=%v environment=%v file=%v", flag, variable, file), func(t *testing.T) {
			var flags Flags
			vars := []string{"HOME=/home/ann"}
			src := "[profiles.inflag]\n" + pool + "[profiles.invariable]\n" + pool + "[profiles.infile]\n" + pool
			profile, interactive := Value{}, Value{"interactive", "never", "default"}
			ca := Value{"ca_file", "", "not set"}
			if file {
				all := "interactive = 'auto'\nca_file = '/file.pem'\n"
				src = "default_profile = 'infile'\n" + strings.ReplaceAll(src, pool, pool+all)
				profile, interactive = Value{"profile", "infile", fileOrigin}, Value{"interactive", "auto", fileOrigin}
				ca = Value{"ca_file", "/file.pem", fileOrigin}
			}
			if variable {
				vars = append(vars, "COGAUTH_PROFILE=invariable", "COGAUTH_INTERACTIVE=always", "COGAUTH_CA_FILE=/variable.pem")
				profile = Value{"profile", "invariable", "environment COGAUTH_PROFILE"}
				interactive = Value{"interactive", "always", "environment COGAUTH_INTERACTIVE"}
				ca = Value{"ca_file", "/variable.pem", "environment COGAUTH_CA_FILE"}
			}
			if flag {
				flags = Flags{Profile: "inflag", Interactive: "never"}
				profile, interactive = Value{"profile", "inflag", "flag --profile"}, Value{"interactive", "never", "flag --interactive"}
			}
			s, err := parsed(t, src).Resolve(flags, env("linux", vars...))
			if profile.Value == "" { // three profiles, none chosen
				if e := wellFormed(t, err); !errors.Is(err, ErrInvalid) || e.Fact != "no profile is chosen and the file has 3" {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []Value{profile, interactive, ca} {
				if got := explained(t, s, want.Key); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
			if s.Profile != profile.Value || s.Interactive != interactive.Value || s.CAFile != ca.Value {
				t.Errorf("got %+v, want the values that Explain tells", s)
			}
		})
	}
}

func TestG2ExplainTellsEveryKeyInOneOrder(t *testing.T) {
	s, err := parsed(t, strings.ReplaceAll(example, `default_profile = "collate"`, `default_profile = "other"`)).
		Resolve(Flags{Interactive: "always"}, env("linux", "HOME=/home/ann", "AWS_CA_BUNDLE=/aws.pem"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Value{
		{"profile", "other", fileOrigin},
		{"user_pool_id", "", "not set"},
		{"issuer", "https://id.example.com", fileOrigin},
		{"domain", "", "not set"},
		{"region", "", "not set"},
		{"client_id", "cli", fileOrigin},
		{"callback_urls", `["http://localhost:8585/callback", "http://localhost:8586/callback"]`, fileOrigin},
		{"scopes", `["openid", "email"]`, fileOrigin},
		{"idp", "", "not set"},
		{"idp_identifier", "", "not set"},
		{"lang", "", "not set"},
		{"resource", "", "not set"},
		{"logout_url", "", "not set"},
		{"expect", "", "not set"},
		{"refresh_token_validity", "", "not set"},
		{"ca_file", "/home/ann/.config/cogauth/corp.pem", fileOrigin},
		{"AWS_CA_BUNDLE", "/aws.pem", "environment AWS_CA_BUNDLE"},
		{"SSL_CERT_FILE", "", "not set"},
		{"username_claim", "email", fileOrigin},
		{"interactive", "always", "flag --interactive"},
		{"store", "keychain", "default"},
		{"store_key", "", "not set"},
		{"store_dir", "", "not set"},
		{"serve", "", "not set"},
	}
	if got := s.Explain(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var keys []string
	for _, v := range want {
		keys = append(keys, v.Key)
	}
	for _, key := range profileKeys {
		if !slices.Contains(keys, key) {
			t.Errorf("Explain leaves out %s", key)
		}
	}
}

func TestResolveDefaults(t *testing.T) {
	f := parsed(t, "[profiles.a]\nuser_pool_id = 'eu-west-1_A'\nclient_id = 'x'\n")
	home := env("linux", "HOME=/home/ann")
	s, err := f.Resolve(Flags{}, home)
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Profile: "a", UserPoolID: "eu-west-1_A", ClientID: "x", Interactive: Never, Store: Keychain,
		CallbackURLs: []string{"http://localhost:8585/callback"}, Scopes: []string{"openid"},
	}
	got := *s
	got.origins = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for key, origin := range map[string]string{
		"profile": "only profile in ~/.config/cogauth/config.toml", "callback_urls": "default", "scopes": "default", "interactive": "default",
	} {
		if v := explained(t, s, key); v.Origin != origin {
			t.Errorf("%s: got origin %q, want %q", key, v.Origin, origin)
		}
	}
}

func TestSettingsShareNoSlice(t *testing.T) {
	f := parsed(t, example)
	for name := range f.Profiles {
		for range 2 {
			s, err := f.Resolve(Flags{Profile: name}, Env{})
			if err != nil {
				t.Fatal(err)
			}
			if s.CallbackURLs[0] == "changed" || s.Scopes[0] == "changed" {
				t.Errorf("profile %s: got a slice that another caller has changed", name)
			}
			s.CallbackURLs[0], s.Scopes[0] = "changed", "changed"
		}
	}
}

func TestChoiceOfProfile(t *testing.T) {
	const p = "]\nuser_pool_id = 'eu-west-1_A'\nclient_id = 'x'\n"
	one, two := "[profiles.prod"+p, "[profiles.prod"+p+"[profiles.staging"+p
	for _, tc := range []struct {
		name, src string
		flag, env string
		kind      error
		line      int
		text, fix string
	}{
		{"no file", "", "", "", ErrNoProfile, 0, "no profile is configured", "run cogauth configure"},
		{"several", two, "", "", ErrInvalid, 0, "no profile is chosen and the file has 2", "choose one by --profile, COGAUTH_PROFILE or default_profile: prod, staging"},
		{"flag, near", two, "stagin", "prod", ErrUnknownProfile, 0, `--profile names the profile "stagin", which does not exist`, "did you mean staging?"},
		{"environment", one, "", "zzz", ErrUnknownProfile, 0, `COGAUTH_PROFILE names the profile "zzz", which does not exist`, "the profiles are prod; cogauth configure adds one"},
		{"default_profile", "#\ndefault_profile = 'prd'\n" + one, "", "", ErrUnknownProfile, 2, `default_profile names the profile "prd", which does not exist`, "did you mean prod?"},
		{"flag without file", "", "prod", "", ErrUnknownProfile, 0, `--profile names the profile "prod", which does not exist`, "run cogauth configure"},
		{"not a name", one, canary + " x\x1b[0m", "", ErrUnknownProfile, 0, `--profile is not a possible profile name`, "the profiles are prod"},
		{"demo", one, "demo", "", ErrUnknownProfile, 0, `--profile names the profile "demo", which does not exist`, "run cogauth demo"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := parsed(t, tc.src)
			s, err := f.Resolve(Flags{Profile: tc.flag}, env("linux", "COGAUTH_PROFILE="+tc.env))
			if s != nil {
				t.Errorf("got %+v, want none", s)
			}
			e := wellFormed(t, err)
			if !errors.Is(err, tc.kind) || e.Fact != tc.text || e.Fix != tc.fix || e.Line != tc.line {
				t.Errorf("got %v, line %d, %q, %q, want %v, line %d, %q, %q", e.kind, e.Line, e.Fact, e.Fix, tc.kind, tc.line, tc.text, tc.fix)
			}
		})
	}
	// A wrong default_profile is in nobody's way who names another one.
	if _, err := parsed(t, "default_profile = 'gone'\n"+one).Resolve(Flags{Profile: "prod"}, Env{}); err != nil {
		t.Errorf("got %v, want none", err)
	}
}

func TestAsked(t *testing.T) {
	vars := env("linux", "COGAUTH_PROFILE=b")
	for _, tc := range []struct {
		flags Flags
		env   Env
		want  string
	}{{Flags{Profile: "a"}, vars, "a"}, {Flags{}, vars, "b"}, {Flags{}, Env{}, ""}} {
		if got := tc.flags.Asked(tc.env); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestOnlyTheProfileInUseIsChecked(t *testing.T) {
	src := "[profiles.good]\nuser_pool_id = 'eu-west-1_A'\nclient_id = 'x'\n\n[profiles.half]\n# to do\nclient_id = 'a b'\nissuer = 'https://id.example.com'\n"
	f := parsed(t, src)
	if _, err := f.Resolve(Flags{Profile: "good"}, Env{}); err != nil {
		t.Errorf("got %v, want none", err)
	}
	_, err := f.Resolve(Flags{Profile: "half"}, Env{})
	want := `/home/ann/.config/cogauth/config.toml:7: client_id holds a space, a control character or a character beyond ASCII (profile "half")`
	if wellFormed(t, err); err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// A5: one source of truth. Whatever the environment and the flags hold, the redirect URIs, from
// which the listener's host, port and path derive, are those of the file; and no other key than
// callback_urls exists that could change them.
func TestA5NoSettingChangesListenerWithoutRedirectURI(t *testing.T) {
	known := []string{"AWS_CA_BUNDLE", "COGAUTH_CA_FILE", "COGAUTH_CONFIG", "COGAUTH_INTERACTIVE", "COGAUTH_PROFILE",
		"COGAUTH_STORE", "COGAUTH_STORE_DIR", "COGAUTH_STORE_KEY", "HOME", "SSL_CERT_FILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
	f := parsed(t, example)
	for name, p := range f.Profiles {
		calm, err := f.Resolve(Flags{Profile: name}, Env{})
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		hostile := Env{GOOS: "linux", Getenv: func(variable string) string {
			asked = append(asked, variable)
			switch variable {
			case "COGAUTH_PROFILE":
				return name
			case "COGAUTH_INTERACTIVE":
				return "always"
			case "COGAUTH_STORE":
				return FileStore
			}
			return "/http://0.0.0.0:1/evil"
		}}
		s, err := f.Resolve(Flags{}, hostile)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.CallbackURLs, calm.CallbackURLs) || p.CallbackURLs != nil && !slices.Equal(s.CallbackURLs, p.CallbackURLs) {
			t.Errorf("got %q, want %q", s.CallbackURLs, calm.CallbackURLs)
		}
		if s.UserPoolID != p.UserPoolID || s.Issuer != p.Issuer || s.ClientID != p.ClientID || !slices.Equal(s.Scopes, calm.Scopes) {
			t.Errorf("got %+v, want what identifies a session as in the file, %+v", s, p)
		}
		slices.Sort(asked)
		for _, variable := range slices.Compact(asked) {
			if !slices.Contains(known, variable) {
				t.Errorf("Resolve reads the variable %s, which is not on the list", variable)
			}
		}
	}
	for _, key := range []string{"port", "listen", "listen_address", "bind", "host", "callback_port", "callback_path", "redirect_uri"} {
		if _, err := Load(write(t, "[profiles.a]\n"+key+" = '0.0.0.0:1'\n")); !errors.Is(err, ErrInvalid) {
			t.Errorf("key %s: got %v, want it refused", key, err)
		}
	}
}

// H1: three settings add certificates; none replaces another.
func TestH1CAFiles(t *testing.T) {
	f := parsed(t, "[profiles.a]\nuser_pool_id = 'eu-west-1_A'\nclient_id = 'x'\nca_file = '/corp.pem'\n")
	for _, tc := range []struct {
		name string
		vars []string
		want []string
	}{
		{"file", nil, []string{"/corp.pem"}},
		{"all", []string{"AWS_CA_BUNDLE=/aws.pem", "SSL_CERT_FILE=/ssl.pem"}, []string{"/corp.pem", "/aws.pem", "/ssl.pem"}},
		{"each once", []string{"AWS_CA_BUNDLE=/corp.pem", "SSL_CERT_FILE=/corp.pem"}, []string{"/corp.pem"}},
		{"COGAUTH_CA_FILE beats ca_file", []string{"COGAUTH_CA_FILE=~/my.pem", "HOME=/home/ann", "AWS_CA_BUNDLE=/aws.pem"}, []string{"/home/ann/my.pem", "/aws.pem"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := f.Resolve(Flags{}, env("linux", tc.vars...))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.CAFiles(); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBadFlagsAndEnvironment(t *testing.T) {
	f := parsed(t, "[profiles.a]\nuser_pool_id = 'eu-west-1_A'\nclient_id = 'x'\n")
	for _, tc := range []struct {
		name  string
		flags Flags
		env   Env
		key   string
	}{
		{"--interactive", Flags{Interactive: canary}, Env{}, "--interactive"},
		{"COGAUTH_INTERACTIVE", Flags{}, env("linux", "COGAUTH_INTERACTIVE=Always"), "COGAUTH_INTERACTIVE"},
		{"AWS_CA_BUNDLE", Flags{}, env("linux", "AWS_CA_BUNDLE=/"+canary+"\x1b[31m"), "AWS_CA_BUNDLE"},
		{"COGAUTH_CA_FILE", Flags{}, env("linux", "COGAUTH_CA_FILE=~/x"), "COGAUTH_CA_FILE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := f.Resolve(tc.flags, tc.env)
			if e := wellFormed(t, err); e.Key != tc.key || e.File != "" || !errors.Is(err, ErrInvalid) {
				t.Errorf("got key %q, file %q, want key %q of no file", e.Key, e.File, tc.key)
			}
		})
	}
	// What is overridden is not in use, so it need not make sense here.
	tilde := parsed(t, "[profiles.a]\nuser_pool_id = 'eu-west-1_A'\nclient_id = 'x'\nca_file = '~/x'\n")
	if s, err := tilde.Resolve(Flags{}, env("linux", "COGAUTH_CA_FILE=/y")); err != nil || s.CAFile != "/y" {
		t.Errorf("got %+v, %v, want /y", s, err)
	}
	// A valid flag excuses a wrong variable: it is not in use.
	if _, err := f.Resolve(Flags{Interactive: "auto"}, env("linux", "COGAUTH_INTERACTIVE=x")); err != nil {
		t.Errorf("got %v, want none", err)
	}
}

func BenchmarkLoadResolve(b *testing.B) {
	path := write(b, example)
	home := env("linux", "HOME=/home/ann")
	for b.Loop() {
		f, err := Load(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Resolve(Flags{}, home); err != nil {
			b.Fatal(err)
		}
	}
}

// C5, C8: the store is an explicit choice, by the file or the environment, and its paths are full ones.
func TestC8StoreIsChosen(t *testing.T) {
	const base = "[profiles.a]\nuser_pool_id = 'eu-west-1_A'\nclient_id = 'x'\n"
	for _, tc := range []struct {
		name, file     string
		vars           []string
		store          string
		key, dir, flaw string
	}{
		{name: "default", store: Keychain},
		{name: "file", file: "store = 'file'\n", store: FileStore, key: "/home/ann/.config/cogauth/store.key", dir: "/home/ann/.local/share/cogauth/store"},
		{name: "paths of the file", file: "store = 'file'\nstore_key = '~/.ssh/id_ed25519'\nstore_dir = 'sessions'\n", store: FileStore,
			key: "/home/ann/.ssh/id_ed25519", dir: "/home/ann/.config/cogauth/sessions"},
		{name: "environment", vars: []string{"COGAUTH_STORE=file", "COGAUTH_STORE_KEY=/run/secrets/k", "XDG_DATA_HOME=/data"}, store: FileStore,
			key: "/run/secrets/k", dir: "/data/cogauth/store"},
		{name: "environment beats file", file: "store = 'file'\nstore_key = '/k'\n", vars: []string{"COGAUTH_STORE=keychain"}, store: Keychain, key: "/k"},
		{name: "unknown", file: "store = 'plain'\n", flaw: "store is neither keychain nor file"},
		{name: "unknown in the environment", vars: []string{"COGAUTH_STORE=plain"}, flaw: "COGAUTH_STORE is neither"},
		{name: "relative in the environment", vars: []string{"COGAUTH_STORE=file", "COGAUTH_STORE_KEY=k"}, flaw: "COGAUTH_STORE_KEY is not an absolute path"},
		{name: "a key for nothing", file: "store_key = '/k'\n", flaw: "store_key is set"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := parsed(t, base+tc.file).Resolve(Flags{}, env("linux", append(tc.vars, "HOME=/home/ann")...))
			if tc.flaw != "" {
				if err == nil || !strings.Contains(err.Error(), tc.flaw) {
					t.Errorf("got %v, want %q", err, tc.flaw)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Store != tc.store || s.StoreKey != tc.key || s.StoreDir != tc.dir {
				t.Errorf("got %s, key %q, folder %q, want %s, %q, %q", s.Store, s.StoreKey, s.StoreDir, tc.store, tc.key, tc.dir)
			}
		})
	}
}
