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
		{"resource", set(func(p *Profile) { p.Resource = "https://api.example.com/v1" }), "", ""},
		{"resource of a scheme of one's own", set(func(p *Profile) { p.Resource = "myapi://things" }), "", ""},
		{"resource on localhost", set(func(p *Profile) { p.Resource = "http://localhost:9000" }), "", ""},
		{"resource in the clear", set(func(p *Profile) { p.Resource = "http://api.example.com" }), "resource", "plain http"},
		{"resource with a fragment", set(func(p *Profile) { p.Resource = "https://api.example.com#x" }), "resource", "fragment"},
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
		{"use", func(f *File) error { return f.Use("two") }, strings.Replace(src, `"one" # kept`, `"two" # kept`, 1)},
		{"use what is used", func(f *File) error { return f.Use("one") }, src},
		{"rename", func(f *File) error { return f.Rename("two", "three") }, strings.Replace(src, `[profiles."two"]`, `[profiles.three]`, 1)},
		{"rename the default", func(f *File) error { return f.Rename("one", "four.x") },
			strings.NewReplacer(`"one" # kept`, `"four.x" # kept`, `[profiles.one]`, `[profiles."four.x"]`).Replace(src)},
		{"delete", func(f *File) error { return f.Delete("two") }, src[:strings.Index(src, `[profiles."two"]`)]},
		{"delete the default", func(f *File) error { return f.Delete("one") },
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
		{"unknown", example, func(f *File) error { return f.Use("nobody") }, ErrUnknownProfile},
		{"delete unknown", example, func(f *File) error { return f.Delete("nobody") }, ErrUnknownProfile},
		{"rename unknown", example, func(f *File) error { return f.Rename("nobody", "x") }, ErrUnknownProfile},
		{"rename to a name that is taken", example, func(f *File) error { return f.Rename("collate", "other") }, ErrInvalid},
		{"rename to no name", example, func(f *File) error { return f.Rename("collate", "a b") }, ErrInvalid},
		{"rename to the demo's", example, func(f *File) error { return f.Rename("collate", Reserved) }, ErrInvalid},
		{"an inline table", inline, func(f *File) error { return f.Rename("one", "two") }, ErrInvalid},
		{"delete an inline table", inline, func(f *File) error { return f.Delete("one") }, ErrInvalid},
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
	t.Run("no file", func(t *testing.T) {
		f, err := Load(filepath.Join(t.TempDir(), "config.toml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Use("one"); !errors.Is(err, ErrUnknownProfile) {
			t.Errorf("got %v, want ErrUnknownProfile", err)
		}
	})
}
