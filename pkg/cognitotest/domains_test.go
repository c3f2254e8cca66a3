package cognitotest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// starts runs f for a pool on loopback and for one under its AWS names.
func starts(t *testing.T, cfg Config, f func(t *testing.T, p *Pool)) {
	t.Run("loopback", func(t *testing.T) { f(t, start(t, cfg)) })
	t.Run("AWS", func(t *testing.T) { f(t, startAWS(t, cfg)) })
}

// document fetches the discovery document at an origin.
func document(t *testing.T, p *Pool, origin string) (out map[string]any) {
	t.Helper()
	resp, body := get(t, p, origin+"/"+p.PoolID()+"/.well-known/openid-configuration")
	if resp.StatusCode != http.StatusOK || json.Unmarshal([]byte(body), &out) != nil {
		t.Fatalf("discovery: got status %d, want 200 and JSON", resp.StatusCode)
	}
	return out
}

// Both forms of issuer answer for a pool, and name the one that its tokens have.
func TestBothIssuerHostsServe(t *testing.T) {
	starts(t, Config{UpdatedIssuer: true}, func(t *testing.T, p *Pool) {
		o := p.where()
		if o.other == "" || o.other == o.issuer || !strings.HasPrefix(p.Issuer(), o.issuer+"/") {
			t.Fatalf("got issuer %s, other host %q, want two", p.Issuer(), o.other)
		}
		for _, origin := range []string{o.issuer, o.other} {
			doc := document(t, p, origin)
			if doc["issuer"] != p.Issuer() || doc["jwks_uri"] != p.Issuer()+"/.well-known/jwks.json" {
				t.Errorf("%s: got %v and %v, want %s", origin, doc["issuer"], doc["jwks_uri"], p.Issuer())
			}
		}
		_, here := get(t, p, p.Issuer()+"/.well-known/jwks.json")
		if _, there := get(t, p, o.other+"/"+p.PoolID()+"/.well-known/jwks.json"); here != there {
			t.Error("got other keys at the other host, want the same")
		}
		if _, c, err := claims(t, p, login(t, p).ID); err != nil || c["iss"] != p.Issuer() {
			t.Errorf("got iss %v (%v), want %s", c["iss"], err, p.Issuer())
		}
	})
	starts(t, Config{}, func(t *testing.T, p *Pool) {
		if o := p.where(); o.other != "" {
			t.Errorf("got another host %s for an original issuer, want none", o.other)
		}
	})
}

// A pool to which no domain was assigned names endpoints that are not there.
func TestNoDomain(t *testing.T) {
	starts(t, Config{NoDomain: true}, func(t *testing.T, p *Pool) {
		if p.Domain() != "" || p.PrefixDomain() != "" {
			t.Errorf("got domains %q and %q, want none", p.Domain(), p.PrefixDomain())
		}
		doc := document(t, p, p.where().issuer)
		for member, path := range map[string]string{
			"authorization_endpoint": "/authorize", "token_endpoint": "/token", "revocation_endpoint": "/revoke",
			"userinfo_endpoint": "/userInfo", "end_session_endpoint": "/logout",
		} {
			at, _ := doc[member].(string)
			if at != p.Issuer()+path {
				t.Errorf("%s: got %s, want it under the issuer", member, at)
			}
			if resp, _ := get(t, p, p.Issuer()+path); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s: got status %d, want 404", path, resp.StatusCode)
			}
		}
	})
}

// Beside a custom domain the prefix domain goes on working, and leads nowhere else.
func TestPrefixDomainBesideACustomOne(t *testing.T) {
	starts(t, Config{CustomDomain: "auth.example.com"}, func(t *testing.T, p *Pool) {
		if p.PrefixDomain() == p.Domain() || p.PrefixDomain() == "" {
			t.Fatalf("got domains %s and %s, want two", p.Domain(), p.PrefixDomain())
		}
		if doc := document(t, p, p.where().issuer); doc["token_endpoint"] != p.Domain()+"/oauth2/token" {
			t.Errorf("got %v, want the custom domain", doc["token_endpoint"])
		}
		for _, domain := range []string{p.Domain(), p.PrefixDomain()} {
			for what, address := range map[string]string{"/login?": authorizeURL(p), "/error?": authorizeURL(p, "client_id", "x")} {
				resp, _ := get(t, p, domain+strings.TrimPrefix(address, p.Domain()))
				if got := resp.Header.Get("Location"); !strings.HasPrefix(got, domain+what) {
					t.Errorf("got sent to %s, want %s%s…", got, domain, what)
				}
			}
		}
	})
	starts(t, Config{}, func(t *testing.T, p *Pool) {
		if p.PrefixDomain() != p.Domain() || p.Domain() == "" {
			t.Errorf("got domains %q and %q, want one", p.Domain(), p.PrefixDomain())
		}
	})
}

// StartAWS certifies and proxies the names that a pool has, and no other.
func TestAWSNames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   Config
		hosts string
	}{
		{"original issuer", Config{}, "cognito-idp.eu-west-1.amazonaws.com cogauth-test.auth.eu-west-1.amazoncognito.com"},
		{"updated issuer", Config{UpdatedIssuer: true},
			"cognito-idp.eu-west-1.amazonaws.com cogauth-test.auth.eu-west-1.amazoncognito.com issuer-cognito-idp.eu-west-1.amazonaws.com"},
		{"custom domain", Config{CustomDomain: "auth.example.com"},
			"auth.example.com cognito-idp.eu-west-1.amazonaws.com cogauth-test.auth.eu-west-1.amazoncognito.com"},
		{"no domain", Config{NoDomain: true}, "cognito-idp.eu-west-1.amazonaws.com"},
		{"FIPS", Config{Region: "us-east-2", FIPS: true}, "cognito-idp.us-east-2.amazonaws.com cogauth-test.auth-fips.us-east-2.amazoncognito.com"},
		{"GovCloud", Config{Region: "us-gov-east-1"}, "cognito-idp.us-gov-east-1.amazonaws.com cogauth-test.auth-fips.us-gov-east-1.amazoncognito.com"},
		{"EU sovereign", Config{Region: "eusc-de-east-1"}, "cognito-idp.eusc-de-east-1.amazonaws.eu cogauth-test.auth.eusc-de-east-1.amazoncognito.eu"},
		{"identity provider", Config{IdentityProviders: []IdentityProvider{{Name: "Acme", Users: []User{{}}}}},
			"cognito-idp.eu-west-1.amazonaws.com cogauth-test.auth.eu-west-1.amazoncognito.com idp.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startAWS(t, tt.cfg)
			hosts := strings.Fields(tt.hosts)
			slices.Sort(hosts)
			if got := slices.Sorted(slices.Values(parse(t, p.CertPEM()).PermittedDNSDomains)); !slices.Equal(got, hosts) {
				t.Errorf("got the authority good for %v, want %v", got, hosts)
			}
			for _, host := range hosts {
				if resp, _ := get(t, p, "https://"+host+"/"); resp.StatusCode == http.StatusMisdirectedRequest || resp.Header.Get("X-Amz-Cognito-Request-Id") == "" {
					t.Errorf("%s: got status %d, want an answer of the pool", host, resp.StatusCode)
				}
			}
			if refused := refusals(p); refused != 0 {
				t.Errorf("got %d refusals at the proxy, want none", refused)
			}
		})
	}
}
