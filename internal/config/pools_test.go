package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func domain(d, region string) func(*Profile) {
	return func(p *Profile) { p.Issuer, p.Domain, p.Region = "", d, region }
}

func set(change func(*Profile)) func(*Profile) { return change }

func TestValidateDomain(t *testing.T) {
	for _, tc := range []badProfile{
		{"prefix", domain("myapp", "eu-west-1"), "", ""},
		{"custom domain", domain("auth.example.com", "eu-west-1"), "", ""},
		{"host that names its Region", domain("myapp.auth.eu-west-1.amazoncognito.com", ""), "", ""},
		{"FIPS host", domain("myapp.auth-fips.us-gov-west-1.amazoncognito.com", ""), "", ""},
		{"prefix without Region", domain("myapp", ""), "region", "is not set"},
		{"custom domain without Region", domain("auth.example.com", ""), "region", "is not set"},
		{"two Regions", domain("myapp.auth.eu-west-1.amazoncognito.com", "us-east-1"), "region", "not the one"},
		{"no Region", domain("myapp", "Frankfurt"), "region", "not an AWS Region"},
		{"China's host", domain("myapp.auth.cn-north-1.amazoncognito.com.cn", ""), "", ""},
		{"Europe's host", domain("myapp.auth.eusc-de-east-1.amazoncognito.eu", ""), "", ""},
		{"host in capitals", domain("MyApp.Auth.EU-West-1.AmazonCognito.com", ""), "", ""},
		{"somebody else's host", domain("myapp.auth.eu-west-1.amazoncognito.evil.example", ""), "region", "is not set"},
		{"host with something else for a Region", domain("myapp.auth.frankfurt.amazoncognito.com", ""), "region", "is not set"},
		{"custom domain with a reserved word", domain("login.amazonas.example", "eu-west-1"), "", ""},
		{"prefix of 63", domain(strings.Repeat("a", 63), "eu-west-1"), "", ""},
		{"prefix of 64", domain(strings.Repeat("a", 64), "eu-west-1"), "domain", "neither"},
		{"prefix in capitals", domain("MyApp", "eu-west-1"), "domain", "no prefix"},
		{"prefix with aws", domain("my-aws-app", "eu-west-1"), "domain", "no prefix"},
		{"prefix with amazon", domain("amazonas", "eu-west-1"), "domain", "no prefix"},
		{"prefix with cognito", domain("cognito1", "eu-west-1"), "domain", "no prefix"},
		{"prefix that ends in a hyphen", domain("myapp-", "eu-west-1"), "domain", "neither"},
		{"Region with a dot", domain("myapp", "eu-west-1.evil.com"), "region", "not an AWS Region"},
		{"URL", domain("https://auth.example.com", "eu-west-1"), "domain", "is a URL"},
		{"path", domain("auth.example.com/login", "eu-west-1"), "domain", "is a URL"},
		{"port", domain("auth.example.com:8443", "eu-west-1"), "domain", "is a URL"},
		{"space", domain("my app", "eu-west-1"), "domain", "neither"},
		{"empty label", domain("auth..example.com", "eu-west-1"), "domain", "neither"},
		{"with a pool", func(p *Profile) { p.Issuer, p.UserPoolID, p.Domain = "", "eu-west-1_A", "myapp" }, "domain", "not known"},
		{"with an issuer", func(p *Profile) { p.Domain = "myapp" }, "domain", "not known"},
		{"Region of the pool", func(p *Profile) { p.Issuer, p.UserPoolID, p.Region = "", "eu-west-1_A", "eu-west-1" }, "", ""},
		{"another Region than the pool's", func(p *Profile) { p.Issuer, p.UserPoolID, p.Region = "", "eu-west-1_A", "us-east-1" }, "region", "not the one"},
		{"Region of an issuer", func(p *Profile) { p.Region = "eu-west-1" }, "region", "goes with domain"},
		{"the hosted UI taken for the issuer", issuer("https://myapp.auth.eu-west-1.amazoncognito.com"), "issuer", "address of a hosted UI"},
		{"offline_access", func(p *Profile) {
			domain("myapp", "eu-west-1")(p)
			p.Scopes = []string{"openid", "offline_access"}
		}, "scopes", "offline_access"},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestValidateSignIn(t *testing.T) {
	for _, tc := range []badProfile{
		{"provider", set(func(p *Profile) { p.IdP = "Login With Us" }), "", ""},
		{"two providers", set(func(p *Profile) { p.IdP, p.IdPIdentifier = "Google", "example.com" }), "idp_identifier", "exclude"},
		{"provider with an escape", set(func(p *Profile) { p.IdP = "G\x1b[2J" }), "idp", "control"},
		{"language", set(func(p *Profile) { p.Lang = "pt-BR" }), "", ""},
		{"language with a space", set(func(p *Profile) { p.Lang = "pt BR" }), "lang", "not a language tag"},
		{"language of three parts", set(func(p *Profile) { p.Lang = "zh-Hant-TW" }), "", ""},
		{"language of a hyphen", set(func(p *Profile) { p.Lang = "-" }), "lang", "not a language tag"},
		{"language without its second part", set(func(p *Profile) { p.Lang = "de-" }), "lang", "not a language tag"},
		{"language written out", set(func(p *Profile) { p.Lang = "portuguese" }), "lang", "not a language tag"},
		{"resource", set(func(p *Profile) { p.Resource = "https://api.example.com/v1" }), "", ""},
		{"resource of a scheme of one's own", set(func(p *Profile) { p.Resource = "myapi://things" }), "", ""},
		{"resource on localhost", set(func(p *Profile) { p.Resource = "http://localhost:9000" }), "", ""},
		{"resource in the clear", set(func(p *Profile) { p.Resource = "http://api.example.com" }), "resource", "plain http"},
		{"resource with a fragment", set(func(p *Profile) { p.Resource = "https://api.example.com#x" }), "resource", "fragment"},
		{"resource without a host", set(func(p *Profile) { p.Resource = "https:" }), "resource", "no host"},
		{"relative resource", set(func(p *Profile) { p.Resource = "api" }), "resource", "absolute"},
		{"sign-out URL", set(func(p *Profile) { p.LogoutURL = "https://app.example.com/bye?x=1" }), "", ""},
		{"sign-out URL on this machine", set(func(p *Profile) { p.LogoutURL = "http://localhost:3000/bye" }), "", ""},
		{"sign-out URL in the clear", set(func(p *Profile) { p.LogoutURL = "http://app.example.com/bye" }), "logout_url", "plain http"},
		{"sign-out URL that is a script", set(func(p *Profile) { p.LogoutURL = "javascript:alert(1)" }), "logout_url", "no address"},
		{"long sign-out URL", set(func(p *Profile) { p.LogoutURL = "https://x/" + strings.Repeat("y", 1024) }), "logout_url", "absolute"},
		{"expected address", set(func(p *Profile) { p.Expect = "ada@example.com" }), "", ""},
		{"expected domain", set(func(p *Profile) { p.Expect = "@example.com" }), "", ""},
		{"expected subject", set(func(p *Profile) { p.Expect = "sub:1234" }), "", ""},
		{"expected nobody", set(func(p *Profile) { p.Expect = "ada" }), "expect", "none of"},
		{"expected two", set(func(p *Profile) { p.Expect = "a@b, c@d" }), "expect", "none of"},
		{"expected empty subject", set(func(p *Profile) { p.Expect = "sub:" }), "expect", "none of"},
		{"validity in days", set(func(p *Profile) { p.RefreshTokenValidity = "30d" }), "", ""},
		{"validity in minutes", set(func(p *Profile) { p.RefreshTokenValidity = "90m" }), "", ""},
		{"validity too short", set(func(p *Profile) { p.RefreshTokenValidity = "59m" }), "refresh_token_validity", "from 1h"},
		{"validity too long", set(func(p *Profile) { p.RefreshTokenValidity = "3651d" }), "refresh_token_validity", "to 3650d"},
		{"validity without a unit", set(func(p *Profile) { p.RefreshTokenValidity = "30" }), "refresh_token_validity", "from 1h"},
		{"validity with two units", set(func(p *Profile) { p.RefreshTokenValidity = "1d12h" }), "refresh_token_validity", "from 1h"},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestFormatValidityRoundTrip(t *testing.T) {
	for _, s := range []string{"30d", "12h", "90m", "3650d", "36h"} {
		d, err := parseValidity(s)
		if err != nil || FormatValidity(d) != s {
			t.Errorf("%s: got %v (%v), then %s", s, d, err, FormatValidity(d))
		}
	}
	if got := FormatValidity(0); got != "" {
		t.Errorf("zero: got %q, want nothing", got)
	}
	if d, _ := parseValidity("30d"); d != 30*24*time.Hour {
		t.Errorf("30d: got %v", d)
	}
}

// Use, Rename and Delete change what they must and leave the person's text alone.
func TestManageGolden(t *testing.T) {
	const src = `# kept
default_profile = "one" # kept too

# about one
[profiles.one]
issuer = "https://id.example.com"
client_id = "first" # a remark

# about two
[profiles."two"]
issuer = "https://id.example.com"
client_id = "second"
`
	for _, tc := range []struct {
		name string
		do   func(*File) error
		want string
	}{
		{"use", func(f *File) error { return f.Use(t.Context(), "two") }, strings.Replace(src, `"one" # kept`, `"two" # kept`, 1)},
		{"use where none was", func(f *File) error {
			if err := f.Delete(t.Context(), "one"); err != nil {
				return err
			}
			return f.Use(t.Context(), "two")
		}, "default_profile = \"two\"\n\n# kept\n# about one\n# about two\n" + src[strings.Index(src, `[profiles."two"]`):]},
		{"use what is used", func(f *File) error { return f.Use(t.Context(), "one") }, src},
		{"rename", func(f *File) error { return f.Rename(t.Context(), "two", "three") }, strings.Replace(src, `[profiles."two"]`, `[profiles.three]`, 1)},
		{"rename the default", func(f *File) error { return f.Rename(t.Context(), "one", "four.x") },
			strings.NewReplacer(`"one" # kept`, `"four.x" # kept`, `[profiles.one]`, `[profiles."four.x"]`).Replace(src)},
		{"delete", func(f *File) error { return f.Delete(t.Context(), "two") }, src[:strings.Index(src, `[profiles."two"]`)]},
		{"delete the default", func(f *File) error { return f.Delete(t.Context(), "one") },
			"# kept\n# about one\n# about two\n" + src[strings.Index(src, `[profiles."two"]`):]},
	} {
		for _, newline := range []string{"\n", "\r\n"} {
			t.Run(tc.name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "config.toml")
				if err := os.WriteFile(path, []byte(strings.ReplaceAll(src, "\n", newline)), 0o640); err != nil {
					t.Fatal(err)
				}
				f, err := Load(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := tc.do(f); err != nil {
					t.Fatal(err)
				}
				if got, want := content(t, path), strings.ReplaceAll(tc.want, "\n", newline); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				again, err := Load(path)
				if err != nil || !reflect.DeepEqual(again.Profiles, f.Profiles) || again.DefaultProfile != f.DefaultProfile {
					t.Errorf("the File in memory is not what the file says: %v", err)
				}
				if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
					t.Errorf("the mode is %v now, want 0640", info.Mode())
				}
				alone(t, path)
			})
		}
	}
}

func TestManageRefuses(t *testing.T) {
	const inline = "profiles.one = { issuer = 'https://id.example.com', client_id = 'x' }\n"
	for _, tc := range []struct {
		name, src string
		do        func(*File) error
		is        error
	}{
		{"unknown", example, func(f *File) error { return f.Use(t.Context(), "nobody") }, ErrUnknownProfile},
		{"delete unknown", example, func(f *File) error { return f.Delete(t.Context(), "nobody") }, ErrUnknownProfile},
		{"rename unknown", example, func(f *File) error { return f.Rename(t.Context(), "nobody", "x") }, ErrUnknownProfile},
		{"rename to a name that is taken", example, func(f *File) error { return f.Rename(t.Context(), "collate", "other") }, ErrInvalid},
		{"rename to no name", example, func(f *File) error { return f.Rename(t.Context(), "collate", "a b") }, ErrInvalid},
		{"rename to the demo's", example, func(f *File) error { return f.Rename(t.Context(), "collate", Reserved) }, ErrInvalid},
		{"an inline table", inline, func(f *File) error { return f.Rename(t.Context(), "one", "two") }, ErrInvalid},
		{"delete an inline table", inline, func(f *File) error { return f.Delete(t.Context(), "one") }, ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte(tc.src), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			err = tc.do(f)
			if !errors.Is(err, tc.is) {
				t.Errorf("got %v, want %v", err, tc.is)
			}
			wellFormed(t, err)
			if got := content(t, path); got != tc.src {
				t.Errorf("the file has changed:\n%s", got)
			}
			alone(t, path)
		})
	}
	t.Run("a folder in the file's place", func(t *testing.T) {
		f := &File{Path: t.TempDir()}
		err := f.Use(t.Context(), "one")
		if !errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnknownProfile) {
			t.Errorf("got %v, want that the file cannot be read", err)
		}
	})
	t.Run("no file", func(t *testing.T) {
		f, err := Load(filepath.Join(t.TempDir(), "config.toml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Use(t.Context(), "one"); !errors.Is(err, ErrUnknownProfile) {
			t.Errorf("got %v, want ErrUnknownProfile", err)
		}
	})
}

// everything is one profile for each way to name a provider, and together they have every key.
var everything = map[string]Profile{
	"pool":   {UserPoolID: "eu-west-1_AbCdEfGhI", Region: "eu-west-1", ClientID: "one", IdPIdentifier: "example.com"},
	"issuer": {Issuer: "https://id.example.com", ClientID: "two"},
	"domain": {
		Domain: "myapp", Region: "eu-west-1", ClientID: "three",
		CallbackURLs: []string{"http://localhost:1/a"}, Scopes: []string{"openid", "https://api.example.com/read"},
		IdP: `Corp "x"`, Lang: "pt-BR", Resource: "https://api.example.com", LogoutURL: "https://app.example.com/bye",
		Expect: "@example.com", RefreshTokenValidity: "12h", CAFile: "/corp.pem", UsernameClaim: "email", Interactive: Auto,
		Store: FileStore, StoreKey: "/run/secrets/key", StoreDir: "/var/lib/me",
		Serve: []Serve{{Client: "pnpm"}, {Origin: "https://*.corp.example:8443/team", Token: AccessToken, Username: `a "b" \c`, Client: "git"}},
	},
}

// Whatever a profile says is written, read again, in force and explained, and Render shows it as Put writes it.
func TestEveryKeyArrives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	f := &File{Path: path}
	names := []string{"pool", "issuer", "domain"}
	for _, name := range names {
		if err := f.Put(t.Context(), name, everything[name], false); err != nil {
			t.Fatal(err)
		}
		if text, shown := content(t, path), everything[name].Render(name); !strings.HasSuffix(text, "\n"+shown) || strings.HasPrefix(shown, "\n") {
			t.Errorf("Render shows\n%s\nPut wrote\n%s", shown, text)
		}
	}
	again, err := Load(path)
	if err != nil || !reflect.DeepEqual(again.Profiles, everything) {
		t.Fatalf("got %+v, %v, want %+v", again, err, everything)
	}
	used := map[string]bool{}
	for _, name := range names {
		s, err := again.Resolve(Flags{Profile: name}, env("linux", "HOME=/home/ann"))
		if err != nil {
			t.Fatal(err)
		}
		explained := map[string]Value{}
		for _, v := range s.Explain() {
			explained[v.Key] = v
		}
		p := everything[name]
		for _, key := range profileKeys {
			want, v := "", explained[key]
			switch field := p.field(key).(type) {
			case *string:
				want = *field
			case *[]string:
				if *field != nil {
					want = renderList(*field)
				}
			case *[]Serve:
				if *field != nil {
					want = (*field)[len(*field)-1].String()
				}
			}
			if want == "" {
				continue
			}
			used[key] = true
			if v.Value != want || !strings.HasPrefix(v.Origin, "file ") {
				t.Errorf("%s of %s: got %+v, want %q of the file", key, name, v, want)
			}
		}
	}
	for _, key := range profileKeys {
		if !used[key] {
			t.Errorf("no profile here has %s", key)
		}
	}
	if n := reflect.TypeFor[Profile]().NumField(); n != len(profileKeys) {
		t.Errorf("Profile has %d fields and %d keys", n, len(profileKeys))
	}
}

// The package comment shows every key, and can be pasted.
func TestPackageCommentIsAGoodFile(t *testing.T) {
	src := content(t, "config.go")
	var b strings.Builder
	for line := range strings.Lines(src[:strings.Index(src, "\npackage ")]) {
		if rest, ok := strings.CutPrefix(line, "//\t"); ok {
			b.WriteString(rest)
		}
	}
	f, err := parse("config.toml", b.String())
	if err != nil {
		t.Fatal(err)
	}
	for name := range f.Profiles {
		if _, err := f.Resolve(Flags{Profile: name}, env("linux", "HOME=/home/ann")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, key := range profileKeys {
		if !strings.Contains(b.String(), key+" ") && !strings.Contains(b.String(), "."+key+"]]") {
			t.Errorf("%s is not there", key)
		}
	}
}

func TestLineCountsElementsOfLists(t *testing.T) {
	const src = "[[client]]\nid = 'a'\n\n[[client]]\nid = 'b'\n[[client.user]]\nname = 'x'\n[[client.user]]\nname = 'y'\n[[client]]\n[[client.user]]\nname = 'z'\n"
	for _, tc := range []struct {
		path string
		want int
	}{
		{"client 0 id", 2}, {"client 1 id", 5}, {"client 1 user 0 name", 7}, {"client 1 user 1 name", 9},
		{"client 2 user 0 name", 12}, {"client 2", 10}, {"nothing", 0},
	} {
		if got := Line(src, strings.Fields(tc.path)...); got != tc.want {
			t.Errorf("%s: got line %d, want %d", tc.path, got, tc.want)
		}
	}
}
