package config

import (
	"strings"
	"testing"
)

type badProfile struct {
	name string
	edit func(*Profile)
	key  string // "" means that the profile is good
	fact string // a part of it
}

func (tc badProfile) run(t *testing.T) {
	p := Profile{Issuer: "https://id.example.com", ClientID: "cli"}
	tc.edit(&p)
	err := p.Validate()
	if tc.key == "" {
		if err != nil {
			t.Errorf("got %v, want none", err)
		}
		return
	}
	if e := wellFormed(t, err); e.Key != tc.key || !strings.Contains(e.Fact, tc.fact) {
		t.Errorf("got key %q, fact %q, want key %q, fact with %q", e.Key, e.Fact, tc.key, tc.fact)
	}
}

func pool(id string) func(*Profile) {
	return func(p *Profile) { p.Issuer, p.UserPoolID = "", id }
}

func issuer(s string) func(*Profile) { return func(p *Profile) { p.Issuer = s } }

func client(s string) func(*Profile) { return func(p *Profile) { p.ClientID = s } }

func callbacks(urls ...string) func(*Profile) {
	return func(p *Profile) { p.CallbackURLs = append([]string{}, urls...) }
}

func scopes(s ...string) func(*Profile) {
	return func(p *Profile) { p.Scopes = append([]string{}, s...) }
}

func TestValidateProvider(t *testing.T) {
	const form = "not of the form REGION_ID"
	for _, tc := range []badProfile{
		{"pool", pool("eu-west-1_AbCdEfGhI"), "", ""},
		{"lower-case pool", pool("us-gov-west-1_abcdefghi"), "", ""},
		{"neither", pool(""), "user_pool_id", "neither"},
		{"both", func(p *Profile) { p.UserPoolID = "eu-west-1_A" }, "issuer", "exclude each other"},
		{"no underscore", pool("eu-west-1AbCdEfGhI"), "user_pool_id", form},
		{"two underscores", pool("eu-west-1_AbC_" + canary), "user_pool_id", form},
		{"no suffix", pool("eu-west-1_"), "user_pool_id", form},
		{"no region", pool("_AbCdEfGhI"), "user_pool_id", form},
		{"region without hyphen", pool("euwest1_AbC"), "user_pool_id", form},
		{"region in capitals", pool("EU-WEST-1_AbC"), "user_pool_id", form},
		{"region with a dot", pool("eu-west.evil.com_AbC"), "user_pool_id", form},
		{"region ends in a hyphen", pool("eu-west-_AbC"), "user_pool_id", form},
		{"region begins with a hyphen", pool("-eu-west_AbC"), "user_pool_id", form},
		{"region of a hyphen", pool("-_AbC"), "user_pool_id", form},
		{"slash in the suffix", pool("eu-west-1_a/../b"), "user_pool_id", form},
		{"space", pool("eu-west-1_AbC "), "user_pool_id", form},
		{"line break", pool("eu-west-1_AbC\n"), "user_pool_id", form},
		{"too long", pool("eu-west-1_" + strings.Repeat("a", 46)), "user_pool_id", form},

		{"https", issuer("https://id.example.com/realms/x"), "", ""},
		{"trailing slash", issuer("https://id.example.com/"), "", ""},
		{"port", issuer("https://id.example.com:8443"), "", ""},
		{"http on localhost", issuer("http://localhost:9000"), "", ""},
		{"http on 127.0.0.1", issuer("http://127.0.0.1:9000/x"), "", ""},
		{"http on ::1", issuer("http://[::1]:9000"), "", ""},
		{"http elsewhere", issuer("http://id.example.com"), "issuer", "plain http"},
		{"http on what looks like loopback", issuer("http://localhost.example.com"), "issuer", "plain http"},
		{"http on a private address", issuer("http://10.0.0.1"), "issuer", "plain http"},
		{"query", issuer("https://id.example.com/?x=" + canary), "issuer", "query"},
		{"empty query", issuer("https://id.example.com/?"), "issuer", "query"},
		{"fragment", issuer("https://id.example.com/#x"), "issuer", "fragment"},
		{"password", issuer("https://ann:" + canary + "@id.example.com"), "issuer", "user information"},
		{"no scheme", issuer("id.example.com"), "issuer", "not a URL"},
		{"no host", issuer("https:///x"), "issuer", "not a URL"},
		{"other scheme", issuer("ftp://id.example.com"), "issuer", "https://"},
		{"scheme in capitals", issuer("HTTPS://id.example.com"), "issuer", "https://"},
		{"bad port", issuer("https://id.example.com:99999"), "issuer", "not a URL"},
		{"empty port", issuer("https://id.example.com:"), "issuer", "not a URL"},
		{"space in the issuer", issuer("https://id.example.com/a b"), "issuer", "space"},
		{"zone", issuer("http://[::1%25lo]:1"), "issuer", "plain http"},
	} {
		t.Run(tc.name, tc.run)
	}
}

// A4: the file takes full redirect URIs, on this machine only.
func TestA4CallbackURLs(t *testing.T) {
	for _, tc := range []badProfile{
		{"default", func(*Profile) {}, "", ""},
		{"localhost", callbacks("http://localhost:8585/callback"), "", ""},
		{"all hosts", callbacks("http://localhost:1/a", "http://127.0.0.1:65535/", "http://[::1]:8080/a/b.c-d"), "", ""},
		{"same port, other path", callbacks("http://localhost:1/a", "http://localhost:1/b"), "", ""},
		{"empty list", callbacks(), "callback_urls", "is empty"},
		{"empty string", callbacks(""), "callback_urls", "does not begin with http://"},
		{"twice", callbacks("http://localhost:1/a", "http://localhost:2/a", "http://localhost:1/a"), "callback_urls", "callback URLs 1 and 3 are the same"},
		{"https", callbacks("https://localhost:8585/callback"), "callback_urls", "http://"},
		{"bare port", callbacks("8585"), "callback_urls", "http://"},
		{"custom scheme", callbacks("cogauth://callback"), "callback_urls", "http://"},
		{"scheme in capitals", callbacks("HTTP://localhost:1/a"), "callback_urls", "http://"},
		{"another machine", callbacks("http://app.example.com:8585/callback"), "callback_urls", "not on this machine"},
		{"all interfaces", callbacks("http://0.0.0.0:8585/callback"), "callback_urls", "not on this machine"},
		{"other loopback address", callbacks("http://127.0.0.2:8585/callback"), "callback_urls", "not on this machine"},
		{"IPv6 without brackets", callbacks("http://::1:8585/callback"), "callback_urls", "not on this machine"},
		{"localhost with a domain", callbacks("http://localhost.evil.com:1/a"), "callback_urls", "not on this machine"},
		{"host in capitals", callbacks("http://LOCALHOST:1/a"), "callback_urls", "not on this machine"},
		{"user", callbacks("http://" + canary + "@localhost:1/a"), "callback_urls", "does not belong"},
		{"no port", callbacks("http://localhost/callback"), "callback_urls", "no port"},
		{"no port, IPv6", callbacks("http://[::1]/callback"), "callback_urls", "no port"},
		{"port 0", callbacks("http://localhost:0/callback"), "callback_urls", "no port"},
		{"port too large", callbacks("http://localhost:65536/callback"), "callback_urls", "no port"},
		{"leading zero", callbacks("http://localhost:08585/callback"), "callback_urls", "no port"},
		{"sign", callbacks("http://localhost:+8585/callback"), "callback_urls", "no port"},
		{"no path", callbacks("http://localhost:8585"), "callback_urls", "no path"},
		{"query", callbacks("http://localhost:8585/callback?x=1"), "callback_urls", "does not belong"},
		{"fragment", callbacks("http://localhost:8585/callback#"), "callback_urls", "does not belong"},
		{"space", callbacks("http://localhost:8585/call back"), "callback_urls", "does not belong"},
		{"half an escape", callbacks("http://localhost:8585/%4"), "callback_urls", "begins no escape"},
		{"the second is wrong", callbacks("http://localhost:1/a", "x"), "callback_urls", "callback URL 2"},
	} {
		t.Run(tc.name, tc.run)
	}
}

func TestValidateTheRest(t *testing.T) {
	for _, tc := range []badProfile{
		{"no client ID", client(""), "client_id", "not set"},
		{"client ID with a space", client(canary + " x"), "client_id", "space"},
		{"client ID with a line break", client("x\n"), "client_id", "space"},
		{"client ID beyond ASCII", client("clé"), "client_id", "beyond ASCII"},
		{"client ID of signs", client("0oa1-b.c_d~e:f/g"), "", ""},

		{"scopes", scopes("openid", "email", "https://api.example.com/read", "aws.cognito.signin.user.admin"), "", ""},
		{"no scopes", scopes(), "scopes", "lacks openid"},
		{"no openid", scopes("email"), "scopes", "lacks openid"},
		{"two in one string", scopes("openid email"), "scopes", "scope 1"},
		{"empty scope", scopes("openid", ""), "scopes", "scope 2"},
		{"quote in a scope", scopes("openid", `a"b`), "scopes", "scope 2"},
		{"backslash in a scope", scopes("openid", canary+`\`), "scopes", "scope 2"},
		{"scope twice", scopes("openid", "openid"), "scopes", "the same"},
		{"offline_access elsewhere", scopes("openid", "offline_access"), "", ""},
		{"offline_access at Cognito", func(p *Profile) { pool("eu-west-1_A")(p); scopes("openid", "offline_access")(p) }, "scopes", "offline_access"},

		{"ca_file", func(p *Profile) { p.CAFile = `~\my certs\é.pem` }, "", ""},
		{"ca_file with an escape sequence", func(p *Profile) { p.CAFile = canary + "\x1b[0m" }, "ca_file", "control"},
		{"ca_file with a bidirectional override", func(p *Profile) { p.CAFile = "a\u202eb" }, "ca_file", "control"},
		{"ca_file not UTF-8", func(p *Profile) { p.CAFile = "a\xff" }, "ca_file", "UTF-8"},
		{"claim", func(p *Profile) { p.UsernameClaim = "cognito:username" }, "", ""},
		{"claim with a space", func(p *Profile) { p.UsernameClaim = "user name" }, "username_claim", "space"},
		{"interactive", func(p *Profile) { p.Interactive = Auto }, "", ""},
		{"interactive in capitals", func(p *Profile) { p.Interactive = "AUTO" }, "interactive", "none of never, auto, always"},
		{"interactive yes", func(p *Profile) { p.Interactive = canary }, "interactive", "none of never, auto, always"},
	} {
		t.Run(tc.name, tc.run)
	}
}
