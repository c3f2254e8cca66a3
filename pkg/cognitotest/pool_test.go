package cognitotest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestConfigNamesEveryInvalidField(t *testing.T) {
	_, err := New(Config{
		Region: "EU west", PoolID: "us-east-1_x", DomainPrefix: "my-cognito", RefreshTokenBytes: 10, CodeLifetime: -1,
		Clients: []AppClient{
			{ID: "a b", RetryGracePeriod: 2 * time.Minute, IDTokenValidity: -1, CallbackURLs: []string{"/x", "http://example.com/", "https://a/#f"}},
			{ID: "a b"},
		},
		Users: []User{{Username: "Bob"}, {Username: "bob"}},
	})
	if err == nil {
		t.Fatal("got no error, want one")
	}
	for _, want := range []string{
		`Region "EU west"`, `PoolID`, `DomainPrefix`, `RefreshTokenBytes 10`, `CodeLifetime`, `client ID "a b" is not`,
		`client ID "a b" is there twice`, `RetryGracePeriod`, `token validity`, `"/x" is not an absolute URL`,
		`"http://example.com/" cannot use the HTTP protocol`, `"https://a/#f" has a fragment`, `user "bob" is there twice`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to contain %q", err, want)
		}
	}
}

func TestConfigIsCopied(t *testing.T) {
	cfg := Config{Clients: []AppClient{{CallbackURLs: []string{callback}}}, Users: []User{{Attributes: map[string]string{"email": "a"}}}}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Clients[0].CallbackURLs[0], cfg.Users[0].Attributes["email"] = "changed", "changed"
	if got := p.Client().CallbackURLs[0]; got != callback {
		t.Errorf("got callback URL %q, want %q", got, callback)
	}
	if got := p.User().Attributes["email"]; got != "a" {
		t.Errorf("got email %q, want %q", got, "a")
	}
}

func TestPoolIDGivesTheRegion(t *testing.T) {
	p, err := New(Config{PoolID: "eusc-de-east-1_AbCdEfGhI"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.cfg.Region; got != "eusc-de-east-1" {
		t.Errorf("got region %q, want eusc-de-east-1", got)
	}
}

func TestAPoolStartsOnce(t *testing.T) {
	p := start(t, Config{})
	if err := p.Start(); err == nil {
		t.Error("got no error from a second Start, want one")
	}
	if err := p.StartAWS(); err == nil {
		t.Error("got no error from StartAWS after Start, want one")
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("got %v from Close, want nil", err)
		}
	}
	if err := p.Start(); err == nil {
		t.Error("got no error from Start after Close, want one")
	}
	resp, err := p.HTTPClient().Get(p.Issuer())
	if err == nil {
		resp.Body.Close()
		t.Error("got an answer from a closed pool, want none")
	}
}

func TestIssuerAndDomainAreDifferentOrigins(t *testing.T) {
	p := start(t, Config{})
	if strings.HasPrefix(p.Issuer(), p.Domain()) {
		t.Errorf("got issuer %s on the origin of domain %s, want two origins", p.Issuer(), p.Domain())
	}
	if !strings.HasSuffix(p.Issuer(), "/eu-west-1_CogAuth01") {
		t.Errorf("got issuer %s, want it to end with the pool ID", p.Issuer())
	}
}

func TestDiscoveryDocumentIsCognitos(t *testing.T) {
	p := start(t, Config{})
	resp, body := get(t, p, p.Issuer()+"/.well-known/openid-configuration")
	i, d := p.Issuer(), p.Domain()
	want := `{"authorization_endpoint":"` + d + `/oauth2/authorize","end_session_endpoint":"` + d +
		`/logout","id_token_signing_alg_values_supported":["RS256"],"issuer":"` + i + `","jwks_uri":"` + i +
		`/.well-known/jwks.json","response_types_supported":["code","token"],"revocation_endpoint":"` + d +
		`/oauth2/revoke","scopes_supported":["openid","email","phone","profile"],"subject_types_supported":["public"],` +
		`"token_endpoint":"` + d + `/oauth2/token","token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post"],` +
		`"userinfo_endpoint":"` + d + `/oauth2/userInfo"}`
	if body != want {
		t.Errorf("got %s\nwant %s", body, want)
	}
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("got content type %q, want application/json", got)
	}
	if resp, body := get(t, p, d+"/.well-known/openid-configuration"); resp.StatusCode != 400 || !strings.HasPrefix(body, "<!DOCTYPE html>") {
		t.Errorf("got status %d from the domain, want 400 and a page", resp.StatusCode)
	}
}

func TestForeignHostIsRefused(t *testing.T) {
	p := start(t, Config{})
	for _, base := range []string{p.Issuer() + "/.well-known/jwks.json", authorizeURL(p)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "attacker.example"
		resp, err := p.HTTPClient().Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("got status %d, want 421", resp.StatusCode)
		}
	}
}

func TestRequestsAndSecrets(t *testing.T) {
	p := start(t, Config{})
	u := p.UserAgent()
	code := signIn(t, p, u).Query().Get("code")
	got := redeem(t, p, code)
	refresh(t, p, "no-such-token")
	post(t, p, "/oauth2/revoke", "client_id", p.Client().ID, "token", got.Refresh)

	want := []Request{
		{Endpoint: "authorize", Method: "GET", Status: 302},
		{Endpoint: "login", Method: "GET", Status: 200},
		{Endpoint: "login", Method: "POST", Status: 302},
		{Endpoint: "token", Method: "POST", Status: 200, Grant: "authorization_code"},
		{Endpoint: "token", Method: "POST", Status: 400, Grant: "refresh_token", Error: "invalid_grant"},
		{Endpoint: "revoke", Method: "POST", Status: 200},
	}
	requests := p.Requests()
	if len(requests) != len(want) {
		t.Fatalf("got %d requests, want %d", len(requests), len(want))
	}
	for i, w := range want {
		g := requests[i]
		if g.Endpoint != w.Endpoint || g.Method != w.Method || g.Status != w.Status || g.Grant != w.Grant || g.Error != w.Error {
			t.Errorf("request %d: got %+v, want %+v", i, g, w)
		}
	}
	if got, want := strings.Join(requests[3].Form, " "), "client_id code code_verifier grant_type redirect_uri"; got != want {
		t.Errorf("got form %q, want %q", got, want)
	}
	if got := p.Count("token"); got != 2 {
		t.Errorf("got %d token requests, want 2", got)
	}

	known := map[string]bool{}
	for _, s := range p.Secrets() {
		known[s] = true
	}
	cookies := u.client.Jar.Cookies(&url.URL{Scheme: "http", Host: "127.0.0.1", Path: "/"})
	for _, c := range cookies {
		if !known[c.Value] {
			t.Errorf("got no secret for cookie %s, want it listed", c.Name)
		}
	}
	for name, s := range map[string]string{
		"code": code, "access": got.Access, "id": got.ID, "refresh": got.Refresh, "password": p.User().Password,
		"verifier": verifier, "state": "canary-state", "nonce": "canary-nonce", "received": "no-such-token",
	} {
		if !known[s] {
			t.Errorf("got no secret for %s, want it listed", name)
		}
	}
}

func TestMisspeltEndpointPanics(t *testing.T) {
	p := start(t, Config{})
	for name, f := range map[string]func(){"Count": func() { p.Count("tokens") }, "Fail": func() { p.Fail("tokens", Failure{}) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("got no panic from %s, want one", name)
				}
			}()
			f()
		}()
	}
}
