package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// setup is a pool and a profile of it, under AWS's own names.
type setup struct {
	pool   func(*cognitotest.Config)
	client func(*cognitotest.AppClient)
	toml   string // further lines of the profile
	byIss  bool   // the profile names the issuer and not the pool's ID
	domain bool   // the profile names the domain and not the pool's ID
	secret string // given by configure --client-secret-stdin
	after  func(*cognitotest.Pool)
}

func (s setup) start(t *testing.T) *program {
	t.Helper()
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	cfg := cognitotest.Config{Clients: []cognitotest.AppClient{{
		ID: "failures" + fmt.Sprint(clients.Add(1)), CallbackURLs: []string{callback},
		Scopes: []string{"openid", "email", "phone", "profile"}, AllowedFlows: []string{"code"},
	}}}
	if s.pool != nil {
		s.pool(&cfg)
	}
	if s.client != nil {
		s.client(&cfg.Clients[0])
	}
	pool, err := cognitotest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.StartAWS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	if s.after != nil {
		s.after(pool)
	}
	ring, dir := rig.Keyring(t), t.TempDir()
	poolID := pool.Issuer()[strings.LastIndex(pool.Issuer(), "/")+1:]
	provider := fmt.Sprintf("user_pool_id = %q\n", poolID)
	switch {
	case s.byIss:
		provider = fmt.Sprintf("issuer = %q\n", pool.Issuer())
	case s.domain:
		region, _, _ := strings.Cut(poolID, "_")
		provider = fmt.Sprintf("domain = %q\nregion = %q\n", strings.TrimPrefix(pool.Domain(), "https://"), region)
	}
	if strings.Contains(s.toml, "issuer =") {
		provider = ""
	}
	text := fmt.Sprintf("[profiles.a]\n%sclient_id = %q\ncallback_urls = [%q]\nca_file = \"ca.pem\"\n%s\n",
		provider, pool.Client().ID, callback, strings.ReplaceAll(s.toml, "$DOMAIN", pool.Domain()))
	for name, b := range map[string][]byte{"ca.pem": pool.CertPEM(), "config.toml": []byte(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &program{t: t, exe: rig.Build(t), pool: pool, ring: ring, dir: dir,
		env: append(ring.Env(), "COGAUTH_CONFIG="+filepath.Join(dir, "config.toml"), "HTTPS_PROXY="+pool.ProxyURL(), "AWS_CA_BUNDLE=")}
	if s.secret != "" {
		p.stdin = s.secret + "\n"
		if status, _, errs := p.run("configure", "--client-secret-stdin"); status != 0 {
			t.Fatalf("configure --client-secret-stdin: status %d\n%s", status, errs)
		}
		p.stdin = ""
	}
	return p
}

// Section 10 of what is known of Cognito: each failure is named, with a fix and its exit status, and
// leaves nothing behind. The rows have its numbers.
func TestFailuresAreNamed(t *testing.T) {
	const clientSecret = "abcdefghijklmnopqrstuvwxyz0123456789"
	login := []string{"login", "--no-browser", "--timeout", "20s"}
	tokenFails := func(f cognitotest.Failure) func(*cognitotest.Pool) {
		return func(p *cognitotest.Pool) { p.Fail("token", f) }
	}
	oauth := func(body string) cognitotest.Failure { return cognitotest.Failure{Status: 400, Body: body} }
	otherCallback := func(c *cognitotest.AppClient) { c.CallbackURLs = []string{"https://app.example.com/callback"} }
	for _, tc := range []struct {
		row     string
		setup   setup
		args    []string
		exit    int
		message string // regexp
		hint    string // regexp, in the hint or in the command below it
		shown   bool   // whether the person was sent to the browser
	}{
		{"1 callback not registered", setup{client: otherCallback}, login, exitMisconfigured,
			`the callback URL http://localhost:\d+/callback is not registered for the app client \(server answered "redirect_mismatch"\)`,
			`(?s)register http://localhost:\d+/callback .* byte for byte.*aws cognito-idp update-user-pool-client .*--user-pool-id '?eu-west-1_CogAuth01'?`, false},
		{"1 callback not registered, pool ID unknown", setup{client: otherCallback, domain: true}, login, exitMisconfigured,
			`is not registered`, `--user-pool-id '?USER_POOL_ID`, false},
		{"1 callback not registered, seen by the browser alone", setup{client: otherCallback, after: func(p *cognitotest.Pool) {
			p.Fail("authorize", cognitotest.Failure{Times: 1, Status: 403, ContentType: "text/html", Body: "<title>no</title>"})
		}}, []string{"login", "--no-browser", "--timeout", "2s"}, exitIncomplete,
			`no answer from the browser within 2s`, `address bar .*error=.* paste`, true},
		{"2 scope not enabled, on a page", setup{pool: func(p *cognitotest.Config) { p.ScopeErrorPage = true }, toml: `scopes = ["openid", "admin"]`}, login, exitMisconfigured,
			`may not ask for all of the scopes openid admin`, `ask for fewer`, false},
		{"2 scope not enabled, to the client", setup{toml: `scopes = ["openid", "admin"]`}, login, exitMisconfigured,
			`invalid_scope`, `ask for fewer`, false},
		{"3 required parameters missing", setup{after: func(p *cognitotest.Pool) {
			p.Fail("authorize", cognitotest.Failure{Location: p.Domain() + "/error?error=Required+parameters+missing"})
		}}, login, exitMisconfigured, `no callback URL`, `register http://localhost`, false},
		{"4 login pages unavailable", setup{client: func(c *cognitotest.AppClient) { c.Unbranded = true }}, login, exitMisconfigured,
			`"Login pages unavailable"`, `aws cognito-idp create-managed-login-branding --region eu-west-1 --user-pool-id eu-west-1_CogAuth01 --client-id failures\d+ --use-cognito-provided-values`, false},
		{"5 no domain", setup{pool: func(p *cognitotest.Config) { p.NoDomain = true }}, login, exitMisconfigured,
			`the user pool has no domain`, `aws cognito-idp create-user-pool-domain --region eu-west-1 --user-pool-id eu-west-1_CogAuth01`, false},
		{"6 the domain taken for the issuer", setup{pool: func(p *cognitotest.Config) { p.CustomDomain = "auth.example.com" }, toml: `issuer = "https://auth.example.com"`}, login, exitMisconfigured,
			`no usable discovery document \(HTTP 400\)`, `set that as domain`, false},
		{"7 code grant not enabled", setup{client: func(c *cognitotest.AppClient) { c.AllowedFlows = []string{"implicit"} }}, login, exitMisconfigured,
			`unauthorized_client`, `(?s)enable the authorization code grant.*aws cognito-idp update-user-pool-client`, false},
		{"8 a secret is needed", setup{client: func(c *cognitotest.AppClient) { c.Secrets = []string{clientSecret} }}, login, exitMisconfigured,
			`invalid_client`, `--client-secret-stdin`, true},
		{"8 the secret is wrong", setup{client: func(c *cognitotest.AppClient) { c.Secrets = []string{clientSecret} }, secret: clientSecret + "x"}, login, exitMisconfigured,
			`invalid_client`, `the client secret is wrong`, true},
		{"8 a secret for a public client", setup{secret: clientSecret}, login, exitMisconfigured,
			`invalid_client`, `or the app client has none`, true},
		{"9 callback differs at the exchange", setup{after: tokenFails(oauth(`{"error":"unauthorized_client","error_description":"invalid_redirect"}`))}, login, exitMisconfigured,
			`"unauthorized_client": "invalid_redirect"`, `byte for byte`, true},
		{"10 invalid_grant after the sign-in", setup{client: func(c *cognitotest.AppClient) { c.ReadAttributes = []string{"email"} }, toml: `scopes = ["openid", "email"]`}, login, exitRefused,
			`exchange code: server answered "invalid_grant"`, `may not read every attribute`, true},
		{"11 the request is not understood", setup{after: tokenFails(oauth(`{"error":"invalid_request"}`))}, login, exitRefused,
			`"invalid_request"`, `proxy`, true},
		{"12 POST became GET", setup{after: tokenFails(cognitotest.Failure{Status: 405, ContentType: "text/plain"})}, login, exitMisconfigured,
			`HTTP 405`, `turns POST into GET`, true},
		{"15 no ID token", setup{pool: func(p *cognitotest.Config) { p.IgnoreUnknownScopes = true }, client: func(c *cognitotest.AppClient) { c.Scopes = []string{"aws.cognito.signin.user.admin"} }, toml: `scopes = ["openid", "aws.cognito.signin.user.admin"]`}, login, exitRefused,
			`no ID token`, `enable the scope openid`, true},
		{"18 a Lambda trigger refused", setup{pool: func(p *cognitotest.Config) {
			p.Users = []cognitotest.User{{TriggerError: "PreSignUp failed with error not on the list."}}
		}}, login, exitRefused,
			`"invalid_request": "PreSignUp failed with error not on the list."`, `CloudWatch`, true},
		{"19 the identity provider refused", setup{pool: func(p *cognitotest.Config) {
			p.IdentityProviders = []cognitotest.IdentityProvider{{Name: "Acme", Users: []cognitotest.User{cognitotest.DefaultUser()}, Error: "Acme Error - 401 error getting token"}}
		}, toml: `idp = "Acme"`}, login, exitRefused, `Acme Error - 401`, `identity provider`, true},
		{"20 a SAML answer was wrong", setup{pool: func(p *cognitotest.Config) {
			p.IdentityProviders = []cognitotest.IdentityProvider{{Name: "Acme", Users: []cognitotest.User{cognitotest.DefaultUser()}, Error: "Invalid SAML response received: Audience restriction was not met"}}
		}, toml: `idp = "Acme"`}, login, exitRefused, `Invalid SAML response`, `identity provider`, true},
		{"21 sign-out URL not registered", setup{toml: `logout_url = "https://app.example.com/bye"`}, []string{"logout", "--browser"}, exitMisconfigured,
			`https://app.example.com/bye is not among the app client's sign-out URLs`, `register a sign-out URL`, false},
		{"21 no sign-out URL", setup{}, []string{"logout", "--browser"}, exitMisconfigured,
			`no sign-out URL is configured`, `logout_url`, false},
		{"23 a slash too many", setup{toml: `issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_CogAuth01/"`}, login, exitMisconfigured,
			`names the issuer "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_CogAuth01", not "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_CogAuth01/"`, `config explain`, false},
		{"33 a firewall at the token endpoint", setup{after: tokenFails(cognitotest.Failure{Status: 403, ContentType: "text/html", Body: "<html>blocked CANARY</html>"})}, login, exitRefused,
			`HTTP 403`, `AWS WAF`, true},
		{"33 a firewall at discovery", setup{after: func(p *cognitotest.Pool) {
			p.Fail("discovery", cognitotest.Failure{Status: 403, ContentType: "text/html", Body: "<html>blocked CANARY</html>"})
		}}, login, exitRefused, `HTTP 403`, `AWS WAF`, false},
	} {
		t.Run(tc.row, func(t *testing.T) {
			p := tc.setup.start(t)
			status, out, errs := p.run(tc.args...)
			if status != tc.exit || out != "" {
				t.Errorf("got exit status %d and %q on standard output, want %d and nothing", status, out, tc.exit)
			}
			fact, hint := report(errs)
			if !regexp.MustCompile(tc.message).MatchString(fact) {
				t.Errorf("got the error %q, want %s", fact, tc.message)
			}
			if !regexp.MustCompile(tc.hint).MatchString(hint) {
				t.Errorf("got the hint %q, want %s", hint, tc.hint)
			}
			if shown := strings.Contains(errs, "waiting for you"); shown != tc.shown {
				t.Errorf("the person was sent to the browser: %v, want %v", shown, tc.shown)
			}
			if strings.Contains(errs, "CANARY") {
				t.Error("a response's body was repeated")
			}
			p.wantNothingStored()
		})
	}
}

// report takes the last error and everything after its line apart.
func report(stderr string) (fact, hint string) {
	_, rest, _ := strings.Cut(stderr, "cogauth: error: ")
	fact, hint, _ = strings.Cut(rest, "\n")
	return fact, hint
}

// wantNothingStored looks into the keychain itself.
func (p *program) wantNothingStored() {
	p.t.Helper()
	id := "a/" + p.pool.Client().ID
	for _, name := range []string{id, id + "~b", "key:" + id, "test:" + id} {
		if _, found := p.ring.Lookup("service", "cogauth", "username", name); found {
			p.t.Errorf("the keychain holds %s, want nothing", name)
		}
	}
}

// Rows 13 and 14: only a dead refresh token ends a session, and a living one is never lost.
func TestRefreshFailuresAreNamed(t *testing.T) {
	for _, rotate := range []bool{false, true} {
		p := setup{client: func(c *cognitotest.AppClient) { c.RefreshTokenRotation = rotate }}.start(t)
		if status, _, errs := p.run("login", "--no-browser"); status != 0 {
			t.Fatalf("login: status %d\n%s", status, errs)
		}
		for range 3 { // row 14
			if status, _, errs := p.run("token", "--refresh"); status != 0 {
				t.Fatalf("row 14, rotation %v: status %d\n%s", rotate, status, errs)
			}
		}
		p.pool.RevokeAll()
		status, out, errs := p.run("token", "--refresh")
		fact, hint := report(errs)
		if status != exitLoginRequired || out != "" || !strings.Contains(fact, "invalid_grant") || !strings.Contains(hint, "login") {
			t.Errorf("row 13: status %d, %q\n%s", status, out, errs)
		}
		p.wantNothingStored()
	}
}

// Row 23 and G5: both forms of a pool's issuer are accepted, whichever way the pool is named.
func TestBothIssuerForms(t *testing.T) {
	for _, updated := range []bool{false, true} {
		pool := func(c *cognitotest.Config) { c.UpdatedIssuer = updated }
		for name, s := range map[string]setup{
			"pool ID": {pool: pool}, "issuer": {pool: pool, byIss: true}, "domain": {pool: pool, domain: true},
			"the original issuer": {pool: pool, toml: `issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_CogAuth01"`},
		} {
			t.Run(fmt.Sprintf("%s, updated %v", name, updated), func(t *testing.T) {
				p := s.start(t)
				for _, args := range [][]string{{"login", "--no-browser"}, {"token", "--refresh"}, {"logout"}} {
					if status, _, errs := p.run(args...); status != 0 {
						t.Fatalf("%v: status %d\n%s", args, status, errs)
					}
				}
			})
		}
	}
}

// S9: what the server writes cannot drive the terminal.
func TestS9ServerTextIsHarmless(t *testing.T) {
	evil := "PreSignUp failed with error \x1b]0;title\x07\x1b[2J\u202eevil\u2066\r\nsecond line\u009b31m."
	p := setup{pool: func(c *cognitotest.Config) { c.Users = []cognitotest.User{{TriggerError: evil}} }}.start(t)
	status, _, errs := p.run("login", "--no-browser")
	if status != exitRefused {
		t.Fatalf("status %d\n%s", status, errs)
	}
	fact, _ := report(errs)
	for _, r := range errs {
		if r != '\n' && (r < ' ' || r >= 0x7f && r <= 0x9f) || r == '\u202e' || r == '\u2066' {
			t.Errorf("standard error holds %U", r)
		}
	}
	if !strings.Contains(fact, "evil") || !strings.Contains(fact, "second line") {
		t.Errorf("got %q, want the text quoted on one line", fact)
	}
}

// S9: nor can what a token says of the person, whichever claim names them.
func TestS9ClaimsAreHarmless(t *testing.T) {
	evil := "Eve\x1b]0;title\x07\u009b2J\u202etxt\x7f"
	p := setup{pool: func(c *cognitotest.Config) {
		c.Users = []cognitotest.User{{Attributes: map[string]string{"name": evil, "email": "eve@example.com"}, Groups: []string{evil}}}
	}, toml: `username_claim = "name"`}.start(t)
	for _, args := range []string{"login --no-browser", "whoami", "whoami --json", "status", "status --json", "claims", "claims --type access", "whoami --require-group x", "logout"} {
		_, out, errs := p.run(strings.Fields(args)...)
		for _, r := range out + errs {
			if r != '\n' && (r < ' ' || r >= 0x7f && r <= 0x9f) || r == '\u202e' {
				t.Errorf("%s: the output holds %U", args, r)
				break
			}
		}
		if strings.HasSuffix(args, "--json") || strings.HasPrefix(args, "claims") {
			if !json.Valid([]byte(out)) {
				t.Errorf("%s: not JSON: %q", args, out)
			}
		}
	}
}

// A17: preflight is over long before a person would wonder: checked as a hang, at ten times five seconds.
func TestA17PreflightNeverHangs(t *testing.T) {
	p := setup{after: func(p *cognitotest.Pool) { p.Fail("authorize", cognitotest.Failure{Times: 1, Hang: true}) }}.start(t)
	began := time.Now()
	if status, _, errs := p.run("login", "--no-browser"); status != 0 {
		t.Fatalf("status %d\n%s", status, errs)
	}
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("it took %v", took)
	}
}
