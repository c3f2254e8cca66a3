package cognitotest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTokenErrors(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{DefaultClient(), {ID: "other"}}})
	u := p.UserAgent()
	signIn(t, p, u)
	tests := []struct {
		name  string
		code  string
		desc  string
		pairs []string
	}{
		{"no grant_type", "invalid_request", "", []string{"grant_type", "-"}},
		{"unknown grant_type", "unsupported_grant_type", "", []string{"grant_type", "password"}},
		{"client credentials", "unauthorized_client", "", []string{"grant_type", "client_credentials"}},
		{"no client_id", "invalid_request", "", []string{"client_id", "-"}},
		{"unknown client", "invalid_client", "", []string{"client_id", "x"}},
		{"a secret", "invalid_client", "", []string{"client_secret", "x"}},
		{"no code", "invalid_request", "", []string{"code", "-"}},
		{"unknown code", "invalid_grant", "", []string{"code", "x"}},
		{"another client's code", "invalid_grant", "", []string{"client_id", "other"}},
		{"no redirect URI", "invalid_request", "", []string{"redirect_uri", "-"}},
		{"another redirect URI", "unauthorized_client", "invalid_redirect", []string{"redirect_uri", callback + "/"}},
		{"no verifier", "invalid_grant", "", []string{"code_verifier", "-"}},
		{"wrong verifier", "invalid_grant", "", []string{"code_verifier", strings.ToUpper(verifier)}},
		{"no refresh token", "invalid_request", "", []string{"grant_type", "refresh_token"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code := signIn(t, p, u).Query().Get("code")
			got := redeem(t, p, code, tt.pairs...)
			if got.status != 400 || got.Error != tt.code || got.Desc != tt.desc {
				t.Errorf("got %d %q %q, want 400 %q %q", got.status, got.Error, got.Desc, tt.code, tt.desc)
			}
		})
	}
}

func TestTokenEndpointForms(t *testing.T) {
	p := start(t, Config{})
	target := p.Domain() + "/oauth2/token"
	send := func(method, contentType, body string, authorization string) tokens {
		req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := p.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, resp)
	}
	const form = "application/x-www-form-urlencoded"
	if got := send("GET", form, "", ""); got.status != 405 || got.body != "" {
		t.Errorf("GET: got %d %q, want 405 and no body", got.status, got.body)
	}
	body := "grant_type=refresh_token&client_id=" + p.Client().ID + "&refresh_token=x"
	for _, tt := range []struct{ name, contentType, body, authorization, want string }{
		{"JSON", "application/json", `{"grant_type":"refresh_token"}`, "", "invalid_request"},
		{"no content type", "", body, "", "invalid_request"},
		{"charset", form + "; charset=UTF-8", body, "", "invalid_grant"},
		{"repeated parameter", form, body + "&client_id=x", "", "invalid_request"},
		{"Basic header for a public client", form, body, "Basic eDo=", "invalid_client"},
		{"not a form", form, "a=%zz", "", "invalid_request"},
	} {
		if got := send("POST", tt.contentType, tt.body, tt.authorization); got.status != 400 || got.Error != tt.want {
			t.Errorf("%s: got %d %q, want 400 %q", tt.name, got.status, got.Error, tt.want)
		}
	}
	requests := p.Requests()
	if !requests[5].HasAuthorizationHeader || requests[4].HasAuthorizationHeader {
		t.Error("got the Authorization header wrong on record")
	}
}

func TestTokenHeaders(t *testing.T) {
	c := newClock()
	p := start(t, Config{Now: c.Now})
	got := login(t, p).header
	for name, want := range map[string]string{
		"Content-Type": "application/json;charset=UTF-8", "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
		"Pragma": "no-cache", "Expires": "0", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Access-Control-Allow-Origin": "*", "Date": "Sat, 21 Nov 2026 12:00:00 GMT", "Strict-Transport-Security": "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.Get(name), want)
		}
	}
	if len(got.Get("X-Amz-Cognito-Request-Id")) != 36 || !strings.HasPrefix(got.Get("Set-Cookie"), "XSRF-TOKEN=") {
		t.Error("got no request ID or XSRF-TOKEN cookie, want both")
	}
}

func TestCodeIsSingleUse(t *testing.T) {
	c := newClock()
	p := start(t, Config{Now: c.Now})
	u := p.UserAgent()
	code := func() string { return signIn(t, p, u).Query().Get("code") }

	used := code()
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(used) {
		t.Error("got a code that is not shaped as a UUID, want one that is")
	}
	if got := redeem(t, p, used); got.status != 200 {
		t.Fatalf("got %d, want 200", got.status)
	}
	if got := redeem(t, p, used); got.Error != "invalid_grant" {
		t.Errorf("second use: got %q, want invalid_grant", got.Error)
	}
	failed := code()
	redeem(t, p, failed, "code_verifier", "-")
	if got := redeem(t, p, failed); got.Error != "invalid_grant" {
		t.Errorf("after a failed exchange: got %q, want invalid_grant", got.Error)
	}
	old, older := code(), code()
	c.add(5*time.Minute - time.Second)
	if got := redeem(t, p, old); got.status != 200 {
		t.Errorf("before 5 minutes: got %d, want 200", got.status)
	}
	c.add(time.Second)
	if got := redeem(t, p, older); got.Error != "invalid_grant" {
		t.Errorf("after 5 minutes: got %q, want invalid_grant", got.Error)
	}
}

// claims checks a token against the JWKS by hand and returns its claims.
func claims(t *testing.T, p *Pool, token string) (kid string, out map[string]any, err error) {
	t.Helper()
	parts := strings.Split(token, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	sig, _ := base64.RawURLEncoding.DecodeString(parts[2])
	var h struct{ Kid, Alg string }
	json.Unmarshal(header, &h)
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatal(err)
	}
	_, body := get(t, p, p.Issuer()+"/.well-known/jwks.json")
	var set struct{ Keys []jwk }
	json.Unmarshal([]byte(body), &set)
	err = rsa.ErrVerification
	for _, k := range set.Keys {
		if k.Kid == h.Kid && h.Alg == "RS256" {
			n, _ := base64.RawURLEncoding.DecodeString(k.N)
			sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
			err = rsa.VerifyPKCS1v15(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, crypto.SHA256, sum[:], sig)
		}
	}
	return h.Kid, out, err
}

func TestTokensAreCognitos(t *testing.T) {
	c := newClock()
	p := start(t, Config{Now: c.Now})
	got := login(t, p)
	if got.Type != "Bearer" || got.Expires != 3600 || len(got.Refresh) != 1850 {
		t.Errorf("got %s, %d s, a refresh token of %d characters; want Bearer, 3600 s, 1850", got.Type, got.Expires, len(got.Refresh))
	}
	if !strings.HasPrefix(got.Refresh, jweHeader+".") || strings.Count(got.Refresh, ".") != 4 {
		t.Error("got a refresh token that is not shaped as a compact JWE, want one that is")
	}
	idKid, id, err := claims(t, p, got.ID)
	if err != nil {
		t.Errorf("ID token: got %v, want a good signature", err)
	}
	accessKid, access, err := claims(t, p, got.Access)
	if err != nil {
		t.Errorf("access token: got %v, want a good signature", err)
	}
	if idKid == accessKid || len(idKid) != 44 || !strings.HasSuffix(idKid, "=") {
		t.Errorf("got kids %q and %q, want two of 44 characters ending with =", idKid, accessKid)
	}
	now := float64(c.Now().Unix())
	sum := sha256.Sum256([]byte(got.Access))
	check := func(which string, got map[string]any, want map[string]any) {
		for _, random := range []string{"jti", "origin_jti", "event_id"} {
			if s, _ := got[random].(string); len(s) != 36 {
				t.Errorf("%s: got %s %q, want a UUID", which, random, s)
			}
			delete(got, random)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v\nwant %v", which, got, want)
		}
	}
	groups := []any{"engineers"}
	check("ID token", id, map[string]any{
		"sub": p.User().Sub, "iss": p.Issuer(), "aud": p.Client().ID, "token_use": "id", "acr": "urn:cognito:loa:1", "amr": []any{"pwd"}, "auth_time": now, "iat": now, "exp": now + 3600,
		"cognito:username": "ada", "cognito:groups": groups, "nonce": "canary-nonce", "email": "ada@example.com", "email_verified": true,
		"name": "Ada Lovelace", "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	})
	check("access token", access, map[string]any{
		"sub": p.User().Sub, "iss": p.Issuer(), "client_id": p.Client().ID, "token_use": "access", "acr": "urn:cognito:loa:1", "amr": []any{"pwd"}, "auth_time": now, "iat": now,
		"exp": now + 3600, "username": "ada", "cognito:groups": groups, "scope": "openid", "version": 2.0,
	})
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(got.ID, ".")[1])
	if !strings.Contains(string(raw), `"http:\/\/127.0.0.1:`) {
		t.Errorf("got %s, want slashes escaped", raw)
	}
	header, _ := base64.RawURLEncoding.DecodeString(strings.Split(got.ID, ".")[0])
	if want := `{"kid":"` + strings.ReplaceAll(idKid, "/", `\/`) + `","alg":"RS256"}`; string(header) != want {
		t.Errorf("got header %s, want %s", header, want)
	}
}

func TestScopesSelectClaims(t *testing.T) {
	p := start(t, Config{Users: []User{{Attributes: map[string]string{
		"email": "e", "email_verified": "false", "phone_number": "+1", "phone_number_verified": "true", "name": "n", "custom:x": "y"}}}})
	all := "custom:x email email_verified name phone_number phone_number_verified"
	for scope, want := range map[string]string{
		"openid": all, "openid profile": all, "openid email profile": all,
		"openid email": "email email_verified", "openid phone": "phone_number phone_number_verified",
		"openid email phone": "email email_verified phone_number phone_number_verified",
	} {
		_, id, err := claims(t, p, login(t, p, "scope", scope).ID)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, name := range strings.Fields(all) {
			if id[name] != nil {
				have = append(have, name)
			}
		}
		if got := strings.Join(have, " "); got != want {
			t.Errorf("%s: got %q, want %q", scope, got, want)
		}
	}
}

func TestNoIDTokenWithoutOpenID(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{Scopes: []string{"openid", "aws.cognito.signin.user.admin"}}}})
	if got := login(t, p, "scope", "aws.cognito.signin.user.admin"); got.ID != "" || got.Access == "" {
		t.Error("got an ID token, or no access token; want an access token only")
	}
}

func userInfo(t *testing.T, p *Pool, access string) tokens {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Domain()+"/oauth2/userInfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	if access != "" {
		req.Header.Set("Authorization", "Bearer "+access)
	}
	resp, err := p.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, resp)
}

func TestUserInfo(t *testing.T) {
	c := newClock()
	p := start(t, Config{Now: c.Now, Clients: []AppClient{{Scopes: []string{"openid", "email", "admin"}}}})
	got := login(t, p, "scope", "openid email")
	want := `{"email":"ada@example.com","email_verified":"true","sub":"` + p.User().Sub + `","username":"ada"}`
	if info := userInfo(t, p, got.Access); info.body != want {
		t.Errorf("got %s, want %s", info.body, want)
	}
	if info := userInfo(t, p, ""); info.status != 400 || !strings.HasPrefix(info.header.Get("WWW-Authenticate"), `error="invalid_request"`) {
		t.Errorf("no token: got %d, want 400 invalid_request", info.status)
	}
	for name, token := range map[string]string{"ID token": got.ID, "garbage": "x", "no openid": login(t, p, "scope", "admin").Access} {
		if info := userInfo(t, p, token); info.status != 401 || !strings.HasPrefix(info.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s: got %d, want 401 invalid_token", name, info.status)
		}
	}
	c.add(time.Hour)
	if info := userInfo(t, p, got.Access); info.status != 401 {
		t.Errorf("expired: got %d, want 401", info.status)
	}
}

func TestTamperedIDTokens(t *testing.T) {
	p := start(t, Config{})
	for how, bad := range map[Signature]bool{
		SignatureValid: false, SignatureForeignKey: true, SignatureBroken: true, SignatureNone: true, SignatureHS256: true,
	} {
		p.SignIDTokens(how)
		got := login(t, p)
		if _, _, err := claims(t, p, got.ID); (err != nil) != bad {
			t.Errorf("signature %d: got %v, want an error: %v", how, err, bad)
		}
		if _, _, err := claims(t, p, got.Access); err != nil {
			t.Errorf("signature %d: got %v for the access token, want it untouched", how, err)
		}
	}
	p.SignIDTokens(SignatureValid)
	p.TamperIDToken(func(header, claims map[string]any) { header["typ"], claims["aud"] = "JWT", "someone else" })
	got := login(t, p)
	if _, c, err := claims(t, p, got.ID); err != nil || c["aud"] != "someone else" {
		t.Errorf("got aud %v (%v), want it changed and signed", c["aud"], err)
	}
	p.TamperIDToken(nil)
	if _, c, err := claims(t, p, login(t, p).ID); err != nil || c["aud"] != p.Client().ID {
		t.Errorf("got aud %v (%v), want the client again", c["aud"], err)
	}
	p.RotateKeys()
	if _, _, err := claims(t, p, got.ID); err == nil {
		t.Error("got an old token that verifies after RotateKeys, want none")
	}
	if _, _, err := claims(t, p, login(t, p).ID); err != nil {
		t.Errorf("got %v for a new token after RotateKeys, want a good signature", err)
	}
}
