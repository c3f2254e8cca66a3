package cognitotest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Revocation, sign-out, userInfo and the pages.

func TestStatement41PublicClientFields(t *testing.T) {
	s := house(t)
	token := s.login(t).refresh
	if a := s.revoke(t, token); a.status != http.StatusOK {
		t.Errorf("got status %d %s, want 200", a.status, a.body)
	}
	s.renew(t, "public", token).refused(t, "afterwards", 400, "invalid_grant")
}

func TestStatement41ConfidentialClientHeader(t *testing.T) {
	s := house(t)
	token := s.login(t, "client_id", "confidential").refresh
	if a := s.post(t, "/oauth2/revoke", form("token", token), "Authorization", basic("confidential", appSecret)); a.status != http.StatusOK {
		t.Errorf("got status %d %s, want 200", a.status, a.body)
	}
	if s.Active(token) {
		t.Error("got a token that still works, want it revoked")
	}
}

func TestStatement41DescendantsDie(t *testing.T) {
	s := house(t)
	first := s.login(t)
	second := s.renew(t, "public", first.refresh).tokens(t)
	s.revoke(t, first.refresh)
	for what, access := range map[string]string{"of the code": first.access, "of the refresh": second.access} {
		if a := s.userInfo(t, access); a.status != http.StatusUnauthorized {
			t.Errorf("access token %s: got status %d, want 401", what, a.status)
		}
	}
}

func TestStatement41OtherSessionsLive(t *testing.T) {
	s := house(t)
	one, two := s.login(t), s.login(t)
	s.revoke(t, one.refresh)
	if a := s.renew(t, "public", two.refresh); a.status != http.StatusOK {
		t.Errorf("another session: got status %d, want 200", a.status)
	}
	if a := s.userInfo(t, two.access); a.status != http.StatusOK {
		t.Errorf("its access token: got status %d, want 200", a.status)
	}
}

func TestStatement41EmptyBody(t *testing.T) {
	s := house(t)
	if a := s.revoke(t, s.login(t).refresh); a.status != http.StatusOK || a.body != "" {
		t.Errorf("got %d %q, want 200 and nothing", a.status, a.body)
	}
}

func TestStatement41AgainOrGarbage(t *testing.T) {
	s := house(t)
	token := s.login(t).refresh
	s.revoke(t, token)
	for what, value := range map[string]string{"again": token, "garbage": "garbage"} {
		if a := s.revoke(t, value); a.status != http.StatusOK || a.body != "" {
			t.Errorf("%s: got %d %q, want 200 and nothing", what, a.status, a.body)
		}
	}
}

func TestStatement41NoToken(t *testing.T) {
	house(t).post(t, "/oauth2/revoke", form("client_id", "public")).refused(t, "no token", 400, "invalid_request")
}

func TestStatement41RevocationSwitchedOff(t *testing.T) {
	s := house(t)
	token := s.login(t, "client_id", "lasting").refresh
	s.post(t, "/oauth2/revoke", form("client_id", "lasting", "token", token)).refused(t, "switched off", 400, "invalid_request")
	if a := s.renew(t, "lasting", token); a.status != http.StatusOK {
		t.Errorf("afterwards: got status %d, want 200", a.status)
	}
}

func TestStatement41OtherTokenKinds(t *testing.T) {
	s := house(t)
	got := s.login(t)
	s.revoke(t, got.id).refused(t, "ID token", 400, "unsupported_token_type")
	s.revoke(t, got.access).refused(t, "access token", 400, "unsupported_token_type")
}

func TestStatement41BadCredentials(t *testing.T) {
	s := house(t)
	s.post(t, "/oauth2/revoke", form("client_id", "nobody", "token", "x")).refused(t, "unknown client", 401, "invalid_client")
	token := s.login(t, "client_id", "confidential").refresh
	s.post(t, "/oauth2/revoke", form("token", token), "Authorization", basic("confidential", machineSecret)).refused(t, "wrong secret", 401, "invalid_client")
	s.post(t, "/oauth2/revoke", form("client_id", "confidential", "token", token)).refused(t, "no secret", 401, "invalid_client")
	if !s.Active(token) {
		t.Error("got a revoked token, want it to live")
	}
}

func TestStatement41RevokedTokensStillVerify(t *testing.T) {
	s := house(t)
	got := s.login(t)
	s.revoke(t, got.refresh)
	s.verified(t, got.id)
	s.verified(t, got.access)
}

const bye = "http://localhost:8585/bye" // the public client's sign-out URL

func TestStatement42LogoutURI(t *testing.T) {
	s := house(t)
	b := s.browser()
	b.callback(t)
	a := b.get(t, s.Domain()+"/logout?"+form("client_id", "public", "logout_uri", bye, "state", "x", "scope", "openid").Encode())
	if got := a.location(t).String(); got != bye {
		t.Errorf("got sent to %s, want %s without parameters", got, bye)
	}
	if _, there := b.jars[host(t, s.Domain())]["cognito"]; there {
		t.Error("got the session cookie left behind, want it cleared")
	}
	if u := b.authorize(t).location(t); u.Path != "/login" {
		t.Errorf("afterwards: got sent to %s, want the sign-in page", place(u))
	}
}

func TestStatement42SignInAsSomeoneElse(t *testing.T) {
	s := house(t)
	b := s.browser()
	b.callback(t)
	query := asked("code_challenge", "-", "code_challenge_method", "-", "scope", "openid email")
	at := s.Domain() + "/logout?" + query.Encode()
	u := b.get(t, at).location(t)
	if u.Path != "/login" {
		t.Errorf("got sent to %s, want the sign-in page", place(u))
	}
	for name := range query {
		if got := u.Query().Get(name); got != query.Get(name) {
			t.Errorf("%s: got %q, want %q", name, got, query.Get(name))
		}
	}
	if back := b.walk(t, resolved(t, at, u.String()), "tied", password); !back.Query().Has("code") || back.Query().Get("state") != "canary-state" {
		t.Errorf("got error %q, want a code for the other person", back.Query().Get("error"))
	}
}

func TestStatement42LogoutWithoutProviders(t *testing.T) {
	s := house(t)
	b := s.browser()
	for _, pair := range [][2]string{{"identity_provider", "Acme"}, {"idp_identifier", "acme.example"}} {
		at := s.Domain() + "/logout?" + asked(pair[0], pair[1]).Encode()
		a := b.get(t, at)
		if a.status == http.StatusFound {
			a = b.get(t, resolved(t, at, a.header.Get("Location")))
		}
		a.signInPage(t, pair[0])
	}
}

func TestStatement42LogoutFillsInScopes(t *testing.T) {
	s := house(t)
	u := s.get(t, s.Domain()+"/logout?"+asked("scope", "-").Encode()).location(t)
	if got := strings.Fields(u.Query().Get("scope")); u.Path != "/login" || !sameSet(got, s.Client().Scopes) {
		t.Errorf("got sent to %s with scopes %v, want the sign-in page with every scope of the client", u.Path, got)
	}
}

func TestStatement42LogoutURIWins(t *testing.T) {
	s := house(t)
	if got := s.get(t, s.Domain()+"/logout?"+asked("logout_uri", bye).Encode()).location(t).String(); got != bye {
		t.Errorf("got sent to %s, want %s", got, bye)
	}
}

func TestStatement42ProviderStaysSignedIn(t *testing.T) {
	s := house(t)
	b := s.browser()
	s.fromProvider(t, b, "Acme")
	b.get(t, s.Domain()+"/logout?"+form("client_id", "public", "logout_uri", bye).Encode())
	target := s.Domain() + "/oauth2/authorize?" + asked("identity_provider", "Acme").Encode()
	for range 6 {
		u := b.get(t, target).location(t) // a page would ask for the password
		if outside(u) {
			return
		}
		target = resolved(t, target, u.String())
	}
	t.Error("got no callback, want one without a prompt of the provider's")
}

func TestStatement42LogoutRevokesNothing(t *testing.T) {
	s := house(t)
	b := s.browser()
	got := s.redeemed(t, b.callback(t).Query().Get("code"))
	b.get(t, s.Domain()+"/logout?"+form("client_id", "public", "logout_uri", bye).Encode())
	if a := s.renew(t, "public", got.refresh); a.status != http.StatusOK {
		t.Errorf("refresh token: got status %d, want 200", a.status)
	}
	if a := s.userInfo(t, got.access); a.status != http.StatusOK {
		t.Errorf("access token: got status %d, want 200", a.status)
	}
}

func TestStatement42SignOutURLsAreTheirOwnList(t *testing.T) {
	s := house(t)
	for what, uri := range map[string]string{"a callback URL": home, "an unknown URL": bye + "/"} {
		a := s.get(t, s.Domain()+"/logout?"+form("client_id", "public", "logout_uri", uri).Encode())
		if a.status == http.StatusFound && outside(a.location(t)) {
			t.Errorf("%s: got sent there, want an error page", what)
		}
	}
}

func TestStatement43BearerToken(t *testing.T) {
	s := house(t)
	got := s.login(t)
	if a := s.userInfo(t, got.access); a.status != http.StatusOK {
		t.Errorf("access token: got status %d, want 200", a.status)
	}
	if a := s.userInfo(t, got.id); a.status == http.StatusOK {
		t.Error("ID token: got status 200, want an error")
	}
}

func TestStatement43NeedsOpenID(t *testing.T) {
	s := house(t)
	if a := s.userInfo(t, s.login(t, "scope", "tasks/read").access); a.status == http.StatusOK {
		t.Error("got status 200 without openid, want an error")
	}
}

func TestStatement43Members(t *testing.T) {
	s := house(t)
	info := s.userInfo(t, s.login(t).access).object(t)
	for name, want := range map[string]string{
		"username": "ada", "email": "ada@example.com", "phone_number": "+15550100", "custom:level": "7",
	} {
		if info[name] != want {
			t.Errorf("%s: got %v, want %s", name, info[name], want)
		}
	}
	if text, _ := info["sub"].(string); text == "" {
		t.Error("got no sub, want one")
	}
}

func TestStatement43BooleansAreStrings(t *testing.T) {
	s := house(t)
	info := s.userInfo(t, s.login(t).access).object(t)
	if info["email_verified"] != "true" || info["phone_number_verified"] != "false" {
		t.Errorf("got %#v and %#v, want strings", info["email_verified"], info["phone_number_verified"])
	}
}

func TestStatement43BadRequest(t *testing.T) {
	s := house(t)
	a := s.get(t, s.Domain()+"/oauth2/userInfo")
	const want = `error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"`
	if got := a.header.Get("WWW-Authenticate"); a.status != http.StatusBadRequest || got != want {
		t.Errorf("got %d %s, want 400 %s", a.status, got, want)
	}
}

func TestStatement43InvalidToken(t *testing.T) {
	s := house(t)
	revoked := s.login(t)
	s.revoke(t, revoked.refresh)
	expired := s.login(t)
	s.later(61 * time.Minute)
	const want = `error="invalid_token", error_description="Access token is expired, disabled, or deleted, or the user has globally signed out."`
	for what, token := range map[string]string{"revoked": revoked.access, "expired": expired.access} {
		a := s.userInfo(t, token)
		if got := a.header.Get("WWW-Authenticate"); a.status != http.StatusUnauthorized || got != want {
			t.Errorf("%s: got %d %s, want 401 %s", what, a.status, got, want)
		}
	}
}

func TestStatement43ChecksRevocationOnline(t *testing.T) {
	s := house(t)
	got := s.login(t)
	if a := s.userInfo(t, got.access); a.status != http.StatusOK {
		t.Errorf("before: got status %d, want 200", a.status)
	}
	s.verified(t, got.access)
	s.revoke(t, got.refresh)
	s.verified(t, got.access) // which shows nothing
	if a := s.userInfo(t, got.access); a.status != http.StatusUnauthorized {
		t.Errorf("after: got status %d, want 401", a.status)
	}
}

func TestStatement44LoginTakesEverything(t *testing.T) {
	s := house(t)
	at := s.Domain() + "/login?" + asked("login_hint", "ada", "lang", "en", "prompt", "login", "max_age", "60",
		"resource", apiServer, "acr_values", "x").Encode()
	s.get(t, at).signInPage(t, "every parameter")
	u := s.browser().walk(t, at, "ada", password)
	got := s.redeemed(t, u.Query().Get("code"))
	if nonce := s.verified(t, got.id).claims["nonce"]; nonce != "canary-nonce" {
		t.Errorf("got nonce %v, want the request's", nonce)
	}
}

func TestStatement44FormGoesBackToLogin(t *testing.T) {
	s := house(t)
	query := asked().Encode()
	at := s.Domain() + "/login?" + query
	f := s.get(t, at).form(t)
	if got := resolved(t, at, f.action); f.method != http.MethodPost || got != at {
		t.Errorf("got %s %s, want POST to the same address", f.method, got)
	}
}

func TestStatement44FormFields(t *testing.T) {
	s := house(t)
	f := s.get(t, s.Domain()+"/login?"+asked().Encode()).form(t)
	for _, name := range []string{"username", "password", "cognitoAsfData"} {
		if !f.fields.Has(name) {
			t.Errorf("got no field %s, want one for the name, the password and the device", name)
		}
	}
}

func TestStatement44OtherPaths(t *testing.T) {
	s := house(t)
	for _, path := range []string{"/forgotPassword", "/confirmforgotPassword", "/oauth2/idpresponse", "/saml2/idpresponse"} {
		if a := s.get(t, s.Domain()+path+"?"+asked().Encode()); a.status == http.StatusNotFound {
			t.Errorf("%s: got status 404, want something there", path)
		}
	}
}

func TestStatement44BrandingKeepsEndpoints(t *testing.T) {
	s := classic(t)
	got := s.login(t)
	s.verified(t, got.id)
	if a := s.renew(t, "public", got.refresh); a.status != http.StatusOK {
		t.Errorf("refresh: got status %d, want 200", a.status)
	}
	if got, want := names(s.document(t)), names(house(t).document(t)); got != want {
		t.Errorf("got discovery members %s, want those of managed login, %s", got, want)
	}
}

func TestStatement44UnbrandedClientHasNoPages(t *testing.T) {
	at := "/login?" + asked("client_id", "unbranded").Encode()
	s := house(t)
	if a := s.get(t, s.Domain()+at); strings.Contains(a.body, `name="password"`) {
		t.Error("managed login: got a sign-in page, want none")
	}
	s = classic(t)
	s.get(t, s.Domain()+at).signInPage(t, "classic")
}

func TestStatement44CORS(t *testing.T) {
	s := house(t)
	got := s.login(t)
	for what, a := range map[string]answer{
		"token": s.renew(t, "public", got.refresh), "userInfo": s.userInfo(t, got.access), "revoke": s.revoke(t, got.refresh),
	} {
		if a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got no Access-Control-Allow-Origin: *, want one", what)
		}
	}
	for what, a := range map[string]answer{
		"authorize": s.authorize(t), "login": s.get(t, s.Domain()+"/login?"+asked().Encode()), "logout": s.get(t, s.Domain()+"/logout"),
	} {
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: got Access-Control-Allow-Origin %q, want none", what, got)
		}
	}
}
