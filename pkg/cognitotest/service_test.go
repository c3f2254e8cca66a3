package cognitotest

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	secretOne = "first_secret_first_secret_first"
	secretTwo = "second+secret+second+secret+sec"
)

// Both of a client's secrets work, by either method of RFC 6749 §2.3.1, and none goes for a public client.
func TestBothSecretsWork(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{Secrets: []string{secretOne, secretTwo}}, {ID: "public"}}})
	basic := func(id, secret string, form url.Values) tokens {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Domain()+"/oauth2/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
		resp, err := p.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, resp)
	}
	code := func() url.Values {
		t.Helper()
		c := signIn(t, p, p.UserAgent()).Query().Get("code")
		return url.Values{"grant_type": {"authorization_code"}, "code": {c}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	}
	id := p.Client().ID
	for _, secret := range []string{secretOne, secretTwo} {
		if got := redeem(t, p, code().Get("code"), "client_secret", secret); got.status != http.StatusOK {
			t.Errorf("in the body: got %d %s", got.status, got.Error)
		}
		for name, sent := range map[string]string{"as it is": secret, "form-encoded": url.QueryEscape(secret)} {
			if got := basic(id, sent, code()); got.status != http.StatusOK {
				t.Errorf("in the header, %s: got %d %s", name, got.status, got.Error)
			}
		}
	}
	// Failing to authenticate does not use up the code.
	form := code()
	for name, got := range map[string]tokens{
		"none":    redeem(t, p, form.Get("code")),
		"a wrong": redeem(t, p, form.Get("code"), "client_secret", secretOne+"x"),
		"another": basic("public", secretOne, form),
	} {
		if got.status != http.StatusBadRequest || got.Error != "invalid_client" {
			t.Errorf("%s secret: got %d %s, want 400 invalid_client", name, got.status, got.Error)
		}
	}
	form.Set("client_secret", secretOne)
	if got := basic(id, secretOne, form); got.Error != "invalid_request" {
		t.Errorf("both methods at once: got %s, want invalid_request", got.Error)
	}
	form.Del("client_secret")
	if got := basic(id, secretOne, form); got.status != http.StatusOK {
		t.Errorf("the code after all that: got %d %s, want 200", got.status, got.Error)
	}
}

// Tokens reach the sizes at which keychains, headers and AWS's own services give up.
func TestTokenSizes(t *testing.T) {
	for _, size := range []int{2559, 2560, 2561, 4096, 20000, 20001, 50000} {
		p := start(t, Config{IDTokenBytes: size, AccessTokenBytes: size, RefreshTokenBytes: size})
		got := login(t, p)
		for name, token := range map[string]string{"ID": got.ID, "access": got.Access, "refresh": got.Refresh} {
			if len(token) < size || len(token) > size+3 {
				t.Errorf("%s token: got %d bytes, want %d to %d", name, len(token), size, size+3)
			}
		}
		p.Close()
	}
}

func TestSwitchesOfTheUndocumented(t *testing.T) {
	rotating := []AppClient{{RefreshTokenRotation: true}}
	t.Run("verifier error", func(t *testing.T) {
		p := start(t, Config{VerifierError: "invalid_client"})
		if got := redeem(t, p, signIn(t, p, p.UserAgent()).Query().Get("code"), "code_verifier", strings.Repeat("x", 43)); got.Error != "invalid_client" {
			t.Errorf("got %s, want invalid_client", got.Error)
		}
	})
	t.Run("reuse ends the session", func(t *testing.T) {
		for _, ends := range []bool{false, true} {
			p := start(t, Config{Clients: rotating, RevokeOnReuse: ends})
			first := login(t, p).Refresh
			second := refresh(t, p, first).Refresh
			if got := refresh(t, p, first); got.Error != "invalid_grant" {
				t.Errorf("reuse: got %s, want invalid_grant", got.Error)
			}
			if p.Active(second) == ends {
				t.Errorf("RevokeOnReuse %v: the successor is active %v", ends, p.Active(second))
			}
		}
	})
	t.Run("within the grace period", func(t *testing.T) {
		for _, same := range []bool{false, true} {
			p := start(t, Config{Clients: []AppClient{{RefreshTokenRotation: true, RetryGracePeriod: time.Minute}}, GraceRepeats: same})
			first := login(t, p).Refresh
			a, b := refresh(t, p, first).Refresh, refresh(t, p, first).Refresh
			if (a == b) != same || a == "" {
				t.Errorf("GraceRepeats %v: the successors are the same %v", same, a == b)
			}
		}
	})
	t.Run("nonce on refresh", func(t *testing.T) {
		p := start(t, Config{NonceOnRefresh: true})
		if claims := payload(t, refresh(t, p, login(t, p).Refresh).ID); claims["nonce"] != "canary-nonce" {
			t.Errorf("got the nonce %v, want that of the request", claims["nonce"])
		}
	})
	t.Run("scopes passed over", func(t *testing.T) {
		p := start(t, Config{IgnoreUnknownScopes: true})
		if claims := payload(t, login(t, p, "scope", "openid admin").Access); claims["scope"] != "openid" {
			t.Errorf("got the scopes %v, want openid", claims["scope"])
		}
	})
	t.Run("error pages in place", func(t *testing.T) {
		p := start(t, Config{ErrorPagesInPlace: true})
		resp, body := get(t, p, authorizeURL(p, "redirect_uri", "https://elsewhere.example/"))
		if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" || !strings.Contains(body, "redirect_mismatch") {
			t.Errorf("got %d to %q, want the page at once", resp.StatusCode, resp.Header.Get("Location"))
		}
	})
	t.Run("clock skew", func(t *testing.T) {
		c := newClock()
		p := start(t, Config{Now: c.Now, ClockSkew: -20 * time.Minute})
		got := login(t, p)
		want := c.Now().Add(-20 * time.Minute)
		if claims := payload(t, got.ID); claims["iat"] != float64(want.Unix()) || got.header.Get("Date") != want.Format(http.TimeFormat) {
			t.Errorf("got iat %v and Date %s, want %v", claims["iat"], got.header.Get("Date"), want)
		}
	})
	t.Run("failures from the start", func(t *testing.T) {
		throttled := Throttled()
		throttled.Times = 1
		p := start(t, Config{Failures: map[string]Failure{"token": throttled, "jwks": TooManyRequests(7 * time.Second)}})
		if got := refresh(t, p, "x"); got.Error != "TooManyRequestsException" {
			t.Errorf("got %s, want TooManyRequestsException", got.Error)
		}
		if got := refresh(t, p, "x"); got.Error != "invalid_grant" {
			t.Errorf("afterwards: got %s, want invalid_grant", got.Error)
		}
		if resp, _ := get(t, p, p.Issuer()+"/.well-known/jwks.json"); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
			t.Errorf("got %d and Retry-After %s, want 429 and 7", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	})
}

func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts, want a token", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		t.Fatalf("not a token: %v", err)
	}
	return claims
}

// An administrator changes a client while the pool runs; sessions go on.
func TestUpdateClient(t *testing.T) {
	p := start(t, Config{})
	got := login(t, p)
	const other = "http://localhost:9999/callback"
	if location, _ := p.UserAgent().Authorize(t.Context(), authorizeURL(p, "redirect_uri", other)); !strings.Contains(location, "redirect_mismatch") {
		t.Errorf("before: got %s, want redirect_mismatch", location)
	}
	if err := p.UpdateClient(p.Client().ID, func(c *AppClient) { c.CallbackURLs = append(c.CallbackURLs, other) }); err != nil {
		t.Fatal(err)
	}
	if location, _ := p.UserAgent().Authorize(t.Context(), authorizeURL(p, "redirect_uri", other)); !strings.Contains(location, "/login?") {
		t.Errorf("afterwards: got %s, want the sign-in page", location)
	}
	if again := refresh(t, p, got.Refresh); again.status != http.StatusOK {
		t.Errorf("the session before: got %d %s, want 200", again.status, again.Error)
	}
	if err := p.UpdateClient(p.Client().ID, func(c *AppClient) { c.Secrets = []string{"short"} }); err == nil || len(p.Client().Secrets) != 0 {
		t.Errorf("a bad change: got %v and %v, want an error and no change", err, p.Client().Secrets)
	}
	if err := p.UpdateClient("nobody", func(*AppClient) {}); err == nil {
		t.Error("a client that is not there: got no error")
	}
}

// New keys beside the old: tokens of both verify by the JWKS.
func TestAddKeys(t *testing.T) {
	p := start(t, Config{})
	kids := func() []string {
		var set struct{ Keys []struct{ Kid string } }
		_, body := get(t, p, p.Issuer()+"/.well-known/jwks.json")
		if err := json.Unmarshal([]byte(body), &set); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, k := range set.Keys {
			out = append(out, k.Kid)
		}
		return out
	}
	before, old := kids(), login(t, p)
	p.AddKeys()
	after, young := kids(), login(t, p)
	if len(before) != 2 || len(after) != 4 || after[2] != before[0] || after[3] != before[1] {
		t.Errorf("got the keys %v, then %v, want two more before the old ones", before, after)
	}
	for name, token := range map[string]string{"old ID": old.ID, "old access": old.Access, "ID": young.ID, "access": young.Access} {
		kid, _, err := claims(t, p, token)
		if err != nil || strings.HasPrefix(name, "old") != slices.Contains(before, kid) {
			t.Errorf("%s token: got kid %s (%v), want a good signature of the keys of its time", name, kid, err)
		}
	}
	unstarted, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	unstarted.AddKeys() // and does not panic
}

func TestServiceConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]Config{
		"three secrets":          {Clients: []AppClient{{Secrets: []string{secretOne, secretTwo, secretOne}}}},
		"secret with a space":    {Clients: []AppClient{{Secrets: []string{"a secret with spaces in it, long"}}}},
		"custom and no domain":   {CustomDomain: "auth.example.com", NoDomain: true},
		"custom domain as a URL": {CustomDomain: "https://auth.example.com"},
		"custom domain of one":   {CustomDomain: "localhost"},
		"custom domain with ..":  {CustomDomain: "auth..example.com"},
		"custom domain with -":   {CustomDomain: "auth-.example.com"},
		"negative padding":       {IDTokenBytes: -1},
		"nameless server":        {ResourceServers: []ResourceServer{{Scopes: []string{"read"}}}},
		"machine without secret": {Clients: []AppClient{{AllowedFlows: []string{"client_credentials"}}}},
		"scope with a quote":     {Clients: []AppClient{{Scopes: []string{`open"id`}}}},
		"unknown failure":        {Failures: map[string]Failure{"tokn": Throttled()}},
		"unknown flow":           {Clients: []AppClient{{AllowedFlows: []string{"password"}}}},
		"two flows":              {Clients: []AppClient{{Secrets: []string{secretOne}, AllowedFlows: []string{"code", "client_credentials"}}}},
		"unregistered default":   {Clients: []AppClient{{DefaultRedirectURI: "https://app.example.com/"}}},
		"scope of no server":     {ResourceServers: []ResourceServer{{Identifier: "api", Scopes: []string{"read"}}}, Clients: []AppClient{{Scopes: []string{"openid", "api/write"}}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: got a pool, want an error", name)
		}
	}
}

// What a person is, and may, is read again at every refresh.
func TestRefreshSeesWhatHasChanged(t *testing.T) {
	p := start(t, Config{Groups: []Group{{Name: "admins", Role: "arn:aws:iam::123456789012:role/admin"}}})
	change := func(f func(*User)) {
		p.mu.Lock()
		defer p.mu.Unlock()
		f(&p.cfg.Users[0])
	}
	got := login(t, p)
	if before := payload(t, got.ID); before["cognito:roles"] != nil {
		t.Fatalf("got roles %v of a group without one, want none", before["cognito:roles"])
	}
	change(func(u *User) {
		u.Groups, u.Attributes = []string{"admins"}, map[string]string{"email": "new@example.com"}
	})
	again := refresh(t, p, got.Refresh)
	after := payload(t, again.ID)
	if after["email"] != "new@example.com" || after["cognito:preferred_role"] != p.cfg.Groups[0].Role {
		t.Errorf("got %v, want the new address and role", after)
	}
	for name, token := range map[string]string{"ID": again.ID, "access": again.Access} {
		if groups, _ := payload(t, token)["cognito:groups"].([]any); len(groups) != 1 || groups[0] != "admins" {
			t.Errorf("%s token: got groups %v, want admins", name, groups)
		}
	}
	code := signIn(t, p, p.UserAgent()).Query().Get("code")
	change(func(u *User) { u.Disabled = true })
	if refused := refresh(t, p, got.Refresh); refused.Error != "invalid_grant" {
		t.Errorf("disabled: got %q, want invalid_grant", refused.Error)
	}
	if refused := redeem(t, p, code); refused.Error != "invalid_grant" {
		t.Errorf("disabled before the code was redeemed: got %q, want invalid_grant", refused.Error)
	}
	change(func(u *User) { u.Disabled = false })
	if honoured := refresh(t, p, got.Refresh); honoured.status != http.StatusOK {
		t.Errorf("enabled again: got %q, want tokens", honoured.Error)
	}
}

// "Sessions that exist go on with the settings they began with."
func TestSessionKeepsItsClientsSettings(t *testing.T) {
	p := start(t, Config{})
	old := login(t, p).Refresh
	if err := p.UpdateClient(p.Client().ID, func(c *AppClient) { c.RefreshTokenRotation = true; c.AccessTokenValidity = time.Minute }); err != nil {
		t.Fatal(err)
	}
	if got := refresh(t, p, old); got.Refresh != "" || got.Expires != 3600 {
		t.Errorf("the session before: got a refresh token %v, %d s; want none, 3600 s", got.Refresh != "", got.Expires)
	}
	if got := refresh(t, p, login(t, p).Refresh); got.Refresh == "" || got.Expires != 60 {
		t.Errorf("the session since: got a refresh token %v, %d s; want one, 60 s", got.Refresh != "", got.Expires)
	}
}

// What a client may not read is in no token and no answer.
func TestReadAttributes(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{ReadAttributes: []string{"email", "email_verified"}}}})
	got := login(t, p, "scope", "openid email profile")
	if id := payload(t, got.ID); id["email"] != "ada@example.com" || id["email_verified"] != true || id["name"] != nil {
		t.Errorf("ID token: got %v, want email and no name", id)
	}
	if info := userInfo(t, p, got.Access).body; !strings.Contains(info, "ada@example.com") || strings.Contains(info, "Lovelace") {
		t.Errorf("userInfo: got %s, want email and no name", info)
	}
	// Without a scope all of the client's are asked for, phone among them.
	if got := redeem(t, p, signIn(t, p, p.UserAgent(), "scope", "-").Query().Get("code")); got.Error != "invalid_grant" {
		t.Errorf("no scope: got %d %s, want invalid_grant", got.status, got.Error)
	}
}

// A provider that is not there, or not the client's, is nobody the client can be told of.
func TestUnknownProvider(t *testing.T) {
	p := start(t, Config{
		IdentityProviders: []IdentityProvider{{Name: "Acme", Identifiers: []string{"acme.example"}, Users: []User{{}}}},
		Clients:           []AppClient{{IdentityProviders: []string{"COGNITO"}}},
	})
	for _, pair := range [][2]string{{"identity_provider", "Acme"}, {"identity_provider", "Nobody"}, {"idp_identifier", "acme.example"}, {"idp_identifier", "x"}} {
		location, err := p.UserAgent().Authorize(t.Context(), authorizeURL(p, pair[:]...))
		if err != nil || !strings.HasPrefix(location, p.Domain()+"/error?error=invalid_request") {
			t.Errorf("%s=%s: got %s (%v), want the error page", pair[0], pair[1], location, err)
		}
	}
	if location, _ := p.UserAgent().Authorize(t.Context(), authorizeURL(p, "identity_provider", "COGNITO")); !strings.HasPrefix(location, p.Domain()+"/login?") {
		t.Errorf("COGNITO: got %s, want the sign-in page", location)
	}
}

// Whatever can stand for a client is among the secrets.
func TestClientSecretsAreSecrets(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{Secrets: []string{secretOne}}}})
	id := p.Client().ID
	if err := p.UpdateClient(id, func(c *AppClient) { c.Secrets = append(c.Secrets, secretTwo) }); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Domain()+"/oauth2/token", strings.NewReader("grant_type=refresh_token"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, "a_wrong_secret")
	resp, err := p.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, resp); got.Error != "invalid_client" {
		t.Errorf("got %s, want invalid_client", got.Error)
	}
	for name, want := range map[string]string{
		"first": secretOne, "second": secretTwo, "sent": "a_wrong_secret",
		"sent, as it was": base64.StdEncoding.EncodeToString([]byte(id + ":a_wrong_secret")),
	} {
		if !slices.Contains(p.Secrets(), want) {
			t.Errorf("got Secrets without the %s one, want it there", name)
		}
	}
}

// A program under development finds the pool at the same address every day; a port that is taken is said.
func TestPortsOfOnesOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	taken, err := New(Config{DomainPort: port})
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Start(); err == nil {
		t.Error("on a port that is taken: got no error")
	}
	l.Close()
	p := start(t, Config{DomainPort: port})
	if want := "http://" + l.Addr().String(); p.Domain() != want {
		t.Errorf("got %s, want %s", p.Domain(), want)
	}
}
