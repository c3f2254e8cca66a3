package cognitotest_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// The authorization endpoint.

func TestStatement21GetOnly(t *testing.T) {
	s := house(t)
	if a := s.post(t, "/oauth2/authorize", asked()); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: got status %d, want 405", a.status)
	}
	if a := s.authorize(t); a.status != http.StatusFound {
		t.Errorf("GET: got status %d, want 302", a.status)
	}
}

func TestStatement21SentToLoginWithSameQuery(t *testing.T) {
	query := "unknown=%2fa%20b&" + asked("login_hint", "ada+x@example.com").Encode() // not as url.Values would write it
	s := house(t)
	u := s.get(t, s.Domain()+"/oauth2/authorize?"+query).location(t)
	if u.Path != "/login" || u.RawQuery != query {
		t.Errorf("got %s?%s, want /login?%s", u.Path, u.RawQuery, query)
	}
}

// elsewhere fails the test unless u is neither on the pool's domain nor the client's.
func (s *standIn) elsewhere(t *testing.T, what string, u *url.URL) {
	t.Helper()
	if u.Host == "" || u.Host == host(t, s.Domain()) || outside(u) {
		t.Errorf("%s: got sent to %s, want the identity provider", what, place(u))
	}
}

func TestStatement21SentStraightToProvider(t *testing.T) {
	s := house(t)
	s.elsewhere(t, "identity_provider", s.authorize(t, "identity_provider", "Acme").location(t))
	s.elsewhere(t, "idp_identifier", s.authorize(t, "idp_identifier", "acme.example").location(t))
}

func TestStatement21ResponseTypes(t *testing.T) {
	s := house(t)
	if u := s.authorize(t, "response_type", "code").location(t); u.Path != "/login" {
		t.Errorf("code: got sent to %s, want the sign-in page", place(u))
	}
	// The client has no implicit grant, which is another error than not knowing the value.
	if got := s.told(t, "response_type", "token").Get("error"); got != "unauthorized_client" {
		t.Errorf("token: got %q, want unauthorized_client", got)
	}
	if got := s.told(t, "response_type", "id_token").Get("error"); got != "invalid_request" {
		t.Errorf("id_token: got %q, want invalid_request", got)
	}
}

func TestStatement21ClientIDForm(t *testing.T) {
	good := cognitotest.Config{Clients: []cognitotest.AppClient{{ID: strings.Repeat("aZ9_+", 25) + "abc"}}}
	for _, bad := range []string{strings.Repeat("a", 129), "a-b", "a b"} {
		refusesConfig(t, "client ID "+bad, cognitotest.Config{Clients: []cognitotest.AppClient{{ID: bad}}}, good)
	}
}

func TestStatement21RedirectURIMayBeOmitted(t *testing.T) {
	s := house(t)
	for client, want := range map[string]string{"single": "http://localhost:8586/only", "several": "http://localhost:8586/usual"} {
		u := s.browser().callback(t, "client_id", client, "redirect_uri", "-")
		if got := u.Scheme + "://" + u.Host + u.Path; got != want || !u.Query().Has("code") {
			t.Errorf("%s: got %s, error %q; want a code at %s", client, got, u.Query().Get("error"), want)
		}
	}
	// This one has a single callback URL, and several identity providers.
	a := s.authorize(t, "client_id", "other", "redirect_uri", "-")
	if a.status == http.StatusFound && (outside(a.location(t)) || a.location(t).Path == "/login") {
		t.Errorf("several providers: got sent to %s, want an error page", place(a.location(t)))
	}
}

func TestStatement21StateComesBack(t *testing.T) {
	const state = "q-_.~+/=&? ä%"
	if got := house(t).browser().callback(t, "state", state).Query().Get("state"); got != state {
		t.Errorf("got state %q, want %q", got, state)
	}
}

func TestStatement21ScopesAreSpaceSeparated(t *testing.T) {
	s := house(t)
	const scope = "openid email phone profile aws.cognito.signin.user.admin tasks/read"
	got, _ := s.verified(t, s.login(t, "scope", scope).access).claims["scope"].(string)
	if granted, want := strings.Fields(got), strings.Fields(scope); !sameSet(granted, want) {
		t.Errorf("got %v, want %v", granted, want)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func TestStatement21CustomScopeForm(t *testing.T) {
	s := house(t)
	if got := s.verified(t, s.login(t, "scope", "openid tasks/read").access).claims["scope"]; got != "openid tasks/read" {
		t.Errorf("got %v, want openid tasks/read", got)
	}
	for _, scope := range []string{"read", "tasks", "tasks:read"} {
		if got := s.told(t, "scope", "openid "+scope).Get("error"); got != "invalid_scope" {
			t.Errorf("%s: got %q, want invalid_scope", scope, got)
		}
	}
}

func TestStatement21ProfileScopesNeedOpenID(t *testing.T) {
	s := house(t)
	for _, scope := range []string{"email", "phone", "profile"} {
		if got := s.told(t, "scope", scope+" tasks/read"); got.Has("code") || got.Get("error") != "invalid_scope" {
			t.Errorf("%s: got error %q, want invalid_scope", scope, got.Get("error"))
		}
	}
}

func TestStatement21NoIDTokenWithoutOpenID(t *testing.T) {
	got := house(t).login(t, "scope", "tasks/read")
	if got.id != "" || got.access == "" {
		t.Errorf("got members %s, want an access token and no ID token", names(got.members))
	}
}

func TestStatement21NoScopeMeansAll(t *testing.T) {
	s := house(t)
	got, _ := s.verified(t, s.login(t, "scope", "-").access).claims["scope"].(string)
	if all := s.Client().Scopes; !sameSet(strings.Fields(got), all) {
		t.Errorf("got %q, want %v", got, all)
	}
}

func TestStatement21ChallengeIsS256OfVerifier(t *testing.T) {
	s := house(t)
	if a := s.exchange(t, s.code(t, "code_challenge", pageS256)); a.status != http.StatusOK {
		t.Errorf("the pair of AWS's page: got status %d, want 200", a.status)
	}
	if a := s.exchange(t, s.code(t), "code_verifier", strings.ToLower(pageVerifier)); a.status == http.StatusOK {
		t.Error("another verifier: got tokens, want none")
	}
}

func TestStatement21ChallengeIsOptional(t *testing.T) {
	got := house(t).login(t, "code_challenge", "-", "code_challenge_method", "-")
	if got.id == "" {
		t.Error("got no tokens without a challenge, want some")
	}
}

func TestStatement21NonceIsInIDToken(t *testing.T) {
	s := house(t)
	if got := s.verified(t, s.login(t, "nonce", "n-0S6_WzA2Mj").id).claims["nonce"]; got != "n-0S6_WzA2Mj" {
		t.Errorf("got nonce %v, want n-0S6_WzA2Mj", got)
	}
}

func TestStatement21ProviderNames(t *testing.T) {
	s := house(t)
	for _, name := range []string{"Facebook", "Google", "LoginWithAmazon", "SignInWithApple", "Acme", "Corp"} {
		s.elsewhere(t, name, s.authorize(t, "identity_provider", name).location(t))
	}
	if u := s.authorize(t, "identity_provider", "COGNITO").location(t); u.Path != "/login" {
		t.Errorf("COGNITO: got sent to %s, want the pool's own sign-in page", place(u))
	}
}

func TestStatement21ProviderIdentifier(t *testing.T) {
	s := house(t)
	for _, identifier := range []string{"acme.example", "corp.example"} { // OIDC and SAML
		s.elsewhere(t, identifier, s.authorize(t, "idp_identifier", identifier).location(t))
	}
	if a := s.authorize(t, "idp_identifier", "nobody.example"); a.status == http.StatusFound && a.location(t).Path == "/login" {
		t.Error("an unknown identifier: got the sign-in page, want an error")
	}
}

var htmlLang = regexp.MustCompile(`<html[^>]* lang="([^"]*)"`)

// language returns what a page says it is written in.
func (a answer) language() string {
	if m := htmlLang.FindStringSubmatch(a.body); m != nil {
		return m[1]
	}
	return ""
}

func TestStatement21LangCodes(t *testing.T) {
	s := house(t)
	for _, code := range strings.Fields("de en es fr id nl it ja ko pt-BR zh-CN zh-TW") {
		b := s.browser()
		b.get(t, s.Domain()+"/login?"+asked("lang", code).Encode())
		if got := b.jars[host(t, s.Domain())]["lang"]; got != code {
			t.Errorf("%s: got a cookie for %q, want it taken", code, got)
		}
	}
	if got := s.get(t, s.Domain()+"/login?"+asked("lang", "de").Encode()).language(); got != "de" {
		t.Errorf("got a page in %q, want de", got)
	}
}

func TestStatement21LangIsRemembered(t *testing.T) {
	s := house(t)
	b := s.browser()
	b.get(t, s.Domain()+"/login?"+asked("lang", "de").Encode())
	if got := b.get(t, s.Domain()+"/login?"+asked().Encode()).language(); got != "de" {
		t.Errorf("got a page in %q the next time, want de", got)
	}
}

func TestStatement21LangInManagedLoginOnly(t *testing.T) {
	s := classic(t)
	a := s.get(t, s.Domain()+"/login?"+asked("lang", "de").Encode())
	a.signInPage(t, "classic")
	if got := a.language(); got == "de" {
		t.Error("got a German page of the classic hosted UI, want lang ignored")
	}
}

func classic(t *testing.T) *standIn {
	t.Helper()
	return ownPool(t, func(cfg *cognitotest.Config) { cfg.ClassicUI = true })
}

func TestStatement21LoginHintFillsInUsername(t *testing.T) {
	s := house(t)
	a := s.get(t, s.Domain()+"/login?"+asked("login_hint", "ada@example.com").Encode())
	if got := a.form(t).fields.Get("username"); got != "ada@example.com" {
		t.Errorf("got username %q filled in, want the hint", got)
	}
}

func TestStatement21LoginHintForOIDCProvidersOnly(t *testing.T) {
	s := house(t)
	for name, want := range map[string]string{
		"Acme": "grace", "Corp": "", "SignInWithApple": "", "LoginWithAmazon": "", "Google": "", "Facebook": "",
	} {
		u := s.authorize(t, "identity_provider", name, "login_hint", "grace").location(t)
		s.elsewhere(t, name, u)
		if got := u.Query().Get("login_hint"); got != want {
			t.Errorf("%s: got login_hint %q, want %q", name, got, want)
		}
	}
}

func TestStatement21PromptNoneIsSilent(t *testing.T) {
	b := house(t).browser()
	b.callback(t)
	if u := b.authorize(t, "prompt", "none").location(t); !u.Query().Has("code") || !outside(u) {
		t.Errorf("got sent to %s, want a code at once", place(u))
	}
}

func TestStatement21PromptLoginForcesSignIn(t *testing.T) {
	b := house(t).browser()
	b.callback(t)
	if u := b.authorize(t, "prompt", "login").location(t); u.Path != "/login" {
		t.Errorf("got sent to %s, want the sign-in page", place(u))
	}
	if u := b.authorize(t).location(t); !u.Query().Has("code") {
		t.Errorf("without prompt: got sent to %s, want a code, since the old session survives", place(u))
	}
}

func TestStatement21PromptValuesCombine(t *testing.T) {
	s := house(t)
	if u := s.authorize(t, "prompt", "login consent").location(t); u.Path != "/login" {
		t.Errorf("got sent to %s, want the sign-in page", place(u))
	}
}

func TestStatement21PromptReachesProvider(t *testing.T) {
	s := house(t)
	for _, prompt := range []string{"login", "select_account", "consent", "login consent"} {
		u := s.authorize(t, "identity_provider", "Acme", "prompt", prompt).location(t)
		s.elsewhere(t, prompt, u)
		if got := u.Query().Get("prompt"); got != prompt {
			t.Errorf("got prompt %q at the provider, want %q", got, prompt)
		}
	}
}

func TestStatement21PromptIgnoredByClassicUI(t *testing.T) {
	s := classic(t)
	if u := s.authorize(t, "prompt", "none").location(t); u.Path != "/login" {
		t.Errorf("none, not signed in: got sent to %s, want the sign-in page", place(u))
	}
	b := s.browser()
	b.callback(t)
	if u := b.authorize(t, "prompt", "login").location(t); !u.Query().Has("code") {
		t.Errorf("login, signed in: got sent to %s, want a code", place(u))
	}
}

const apiServer = "https://api.example.com/v1"

func TestStatement21ResourceBecomesAudience(t *testing.T) {
	s := house(t)
	if got := s.verified(t, s.login(t, "resource", apiServer).access).claims["aud"]; got != apiServer {
		t.Errorf("got aud %v, want %s", got, apiServer)
	}
}

func TestStatement21ResourceForm(t *testing.T) {
	s := house(t)
	for _, good := range []string{apiServer, "http://localhost:9000/x", "myapp://api"} {
		if u := s.authorize(t, "resource", good).location(t); u.Path != "/login" {
			t.Errorf("%s: got sent to %s, want the sign-in page", good, place(u))
		}
	}
	for _, bad := range []string{"http://api.example.com", "api.example.com"} {
		if a := s.authorize(t, "resource", bad); a.status == http.StatusFound && a.location(t).Path == "/login" {
			t.Errorf("%s: got the sign-in page, want an error", bad)
		}
	}
	two := asked("resource", apiServer).Encode() + "&resource=https%3A%2F%2Fother.example"
	if a := s.get(t, s.Domain()+"/oauth2/authorize?"+two); a.status == http.StatusFound && a.location(t).Path == "/login" {
		t.Error("two of them: got the sign-in page, want an error")
	}
}

func TestStatement21ResourceSurvivesRefresh(t *testing.T) {
	s := house(t)
	got := s.renew(t, "public", s.login(t, "resource", apiServer).refresh).tokens(t)
	if aud := s.verified(t, got.access).claims["aud"]; aud != apiServer {
		t.Errorf("got aud %v, want %s", aud, apiServer)
	}
}

func TestStatement21ResourceInManagedLoginOnly(t *testing.T) {
	s := classic(t)
	if aud, there := s.verified(t, s.login(t, "resource", apiServer).access).claims["aud"]; there {
		t.Errorf("got aud %v in the classic hosted UI, want none", aud)
	}
}

func TestStatement21ResourceNotForMachines(t *testing.T) {
	s := house(t)
	a := s.post(t, "/oauth2/token", form("grant_type", "client_credentials", "scope", "tasks/read", "resource", apiServer),
		"Authorization", basic("machine", machineSecret))
	if a.status != http.StatusOK {
		return // refusing it is an answer as well
	}
	if aud, there := s.verified(t, a.tokens(t).access).claims["aud"]; there {
		t.Errorf("got aud %v, want none", aud)
	}
}

func TestStatement21ACRValuesDoNoHarm(t *testing.T) {
	if got := house(t).login(t, "acr_values", "urn:cognito:loa:1"); got.id == "" {
		t.Error("got no ID token, want one")
	}
}

func TestStatement21MaxAgeForcesSignIn(t *testing.T) {
	s := house(t)
	b := s.browser()
	b.callback(t)
	s.later(10 * time.Minute)
	if u := b.authorize(t, "max_age", "601").location(t); !u.Query().Has("code") {
		t.Errorf("601 s: got sent to %s, want a code", place(u))
	}
	if u := b.authorize(t, "max_age", "599").location(t); u.Path != "/login" {
		t.Errorf("599 s: got sent to %s, want the sign-in page", place(u))
	}
}

func TestStatement21CodeLivesFiveMinutes(t *testing.T) {
	s := house(t)
	early, late := s.code(t), s.code(t)
	s.later(5*time.Minute - time.Second)
	if a := s.exchange(t, early); a.status != http.StatusOK {
		t.Errorf("before: got status %d, want 200", a.status)
	}
	s.later(2 * time.Second)
	s.exchange(t, late).refused(t, "after", 400, "invalid_grant")
}

func TestStatement21CodeIsSingleUse(t *testing.T) {
	s := house(t)
	code := s.code(t)
	if a := s.exchange(t, code); a.status != http.StatusOK {
		t.Errorf("first use: got status %d, want 200", a.status)
	}
	s.exchange(t, code).refused(t, "second use", 400, "invalid_grant")
}

func TestStatement21CodeIsUUIDShaped(t *testing.T) {
	code := house(t).code(t)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`).MatchString(code) {
		t.Errorf("got %q, want the 36 characters of a UUID", code)
	}
}

func TestStatement21SignInLastsFiveMinutes(t *testing.T) {
	s := house(t)
	attempt := func(wait time.Duration) answer {
		b := s.browser()
		at := s.Domain() + "/login?" + asked().Encode()
		f := b.get(t, at).form(t)
		s.fill(f, "ada", password)
		s.later(wait)
		return b.do(t, http.MethodPost, resolved(t, at, f.action), f.fields)
	}
	if a := attempt(5*time.Minute - time.Second); a.status != http.StatusFound {
		t.Errorf("before: got status %d, want 302", a.status)
	}
	if a := attempt(5*time.Minute + time.Second); a.status == http.StatusFound || !strings.Contains(a.body, "Something went wrong") {
		t.Errorf("after: got status %d, want the page “Something went wrong”", a.status)
	}
}

func TestStatement21CookieLastsOneHour(t *testing.T) {
	s := house(t)
	b := s.browser()
	b.callback(t)
	if b.jars[host(t, s.Domain())]["cognito"] == "" {
		t.Error("got no cookie called cognito, want one")
	}
	s.later(30 * time.Minute)
	if u := b.authorize(t).location(t); !u.Query().Has("code") {
		t.Errorf("after 30 min: got sent to %s, want a code without a prompt", place(u))
	}
	s.later(30*time.Minute - time.Second)
	if u := b.authorize(t).location(t); !u.Query().Has("code") {
		t.Errorf("just before 1 h: got sent to %s, want a code without a prompt", place(u))
	}
	s.later(2 * time.Second)
	if u := b.authorize(t).location(t); u.Path != "/login" {
		t.Errorf("after 1 h with uses in between: got sent to %s, want the sign-in page", place(u))
	}
}

func TestStatement21XSRFCookie(t *testing.T) {
	s := house(t)
	b := s.browser()
	b.get(t, s.Domain()+"/login?"+asked().Encode())
	if b.jars[host(t, s.Domain())]["XSRF-TOKEN"] == "" {
		t.Error("got no cookie called XSRF-TOKEN, want one")
	}
}

func TestStatement21NoSignInWithoutCookies(t *testing.T) {
	s := house(t)
	at := s.Domain() + "/login?" + asked().Encode()
	f := s.get(t, at).form(t)
	s.fill(f, "ada", password)
	if a := s.send(t, http.MethodPost, at, f.fields.Encode(), "Content-Type", "application/x-www-form-urlencoded"); a.status == http.StatusFound && outside(a.location(t)) {
		t.Error("got a code in a browser that refuses cookies, want none")
	}
}

func TestStatement21ForbiddenScopeIgnoredOrRefused(t *testing.T) {
	if got := house(t).told(t, "scope", "openid tasks/write").Get("error"); got != "invalid_scope" {
		t.Errorf("got %q, want invalid_scope", got)
	}
	s := ownPool(t, func(cfg *cognitotest.Config) { cfg.IgnoreUnknownScopes = true })
	if got := s.verified(t, s.login(t, "scope", "openid tasks/write").access).claims["scope"]; got != "openid" {
		t.Errorf("switched to ignoring it: got scope %v, want openid", got)
	}
}

func TestStatement21UnassociatedCustomScopeFails(t *testing.T) {
	// tasks/write exists, and the client may not have it.
	if got := house(t).told(t, "scope", "openid tasks/write"); got.Has("code") || got.Get("error") == "" {
		t.Error("got no error, want one")
	}
}

func TestStatement21OfflineAccessHasNoEffect(t *testing.T) {
	s := ownPool(t, func(cfg *cognitotest.Config) { cfg.IgnoreUnknownScopes = true })
	got := s.login(t, "scope", "openid offline_access")
	if got.refresh == "" || s.verified(t, got.access).claims["scope"] != "openid" {
		t.Error("got something else than for openid alone, want the same")
	}
	if house(t).login(t).refresh == "" {
		t.Error("got no refresh token without offline_access, want one")
	}
}

func TestStatement22CodeInQuery(t *testing.T) {
	u := house(t).browser().callback(t)
	if u.Fragment != "" || u.Query().Get("code") == "" || u.Query().Get("state") != "canary-state" || len(u.Query()) != 2 {
		t.Errorf("got %s with parameters %v, want code and state in the query", place(u), len(u.Query()))
	}
	if got := u.Scheme + "://" + u.Host + u.Path; got != home {
		t.Errorf("got %s, want %s", got, home)
	}
}

func TestStatement22ImplicitGrant(t *testing.T) {
	u := house(t).browser().callback(t, "client_id", "implicit", "response_type", "token", "code_challenge", "-", "code_challenge_method", "-")
	if len(u.Query()) != 0 {
		t.Errorf("got %d parameters in the query, want them in the fragment", len(u.Query()))
	}
	got, err := url.ParseQuery(u.Fragment)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id_token", "access_token", "token_type", "expires_in", "state"} {
		if got.Get(name) == "" {
			t.Errorf("the fragment has no %s", name)
		}
	}
	if got.Has("refresh_token") || got.Has("code") || got.Get("state") != "canary-state" {
		t.Errorf("the fragment has a refresh token %v, a code %v, state %s", got.Has("refresh_token"), got.Has("code"), got.Get("state"))
	}
}

func TestStatement23InvalidRequest(t *testing.T) {
	s := house(t)
	for what, pairs := range map[string][]string{
		"no response_type":         {"response_type", "-"},
		"challenge without method": {"code_challenge_method", "-"},
		"method plain":             {"code_challenge_method", "plain"},
		"method s256":              {"code_challenge_method", "s256"},
	} {
		if got := s.told(t, pairs...).Get("error"); got != "invalid_request" {
			t.Errorf("%s: got %q, want invalid_request", what, got)
		}
	}
}

func TestStatement23UnauthorizedClient(t *testing.T) {
	s := house(t)
	for what, pairs := range map[string][]string{
		"code of a client without it":  {"client_id", "implicit"},
		"token of a client without it": {"response_type", "token", "code_challenge", "-", "code_challenge_method", "-"},
	} {
		if got := s.told(t, pairs...).Get("error"); got != "unauthorized_client" {
			t.Errorf("%s: got %q, want unauthorized_client", what, got)
		}
	}
}

func TestStatement23InvalidScope(t *testing.T) {
	s := house(t)
	for _, scope := range []string{"openid nosuch", "openid tasks/nosuch", `openid "quoted"`} {
		if got := s.told(t, "scope", scope).Get("error"); got != "invalid_scope" {
			t.Errorf("%s: got %q, want invalid_scope", scope, got)
		}
	}
}

func TestStatement23ServerError(t *testing.T) {
	s := house(t)
	s.Fail("authorize", cognitotest.Failure{Times: 1, Location: home + "?error=server_error"})
	if got := s.told(t).Get("error"); got != "server_error" {
		t.Errorf("got %q, want server_error", got)
	}
}

func TestStatement23LoginRequired(t *testing.T) {
	got := house(t).told(t, "prompt", "none")
	if got.Get("error") != "login_required" || got.Get("state") != "canary-state" {
		t.Errorf("got error %q, state %q; want login_required and the state", got.Get("error"), got.Get("state"))
	}
}

// fromProvider signs grace in at a provider and returns where the client is called.
func (s *standIn) fromProvider(t *testing.T, b *browser, name string) *url.URL {
	t.Helper()
	return b.walk(t, s.Domain()+"/oauth2/authorize?"+asked("identity_provider", name).Encode(), "grace", password)
}

// providerSays fails the test unless the client gets this description, form-encoded, of invalid_request.
func providerSays(t *testing.T, name, want string) {
	t.Helper()
	s := house(t)
	u := s.fromProvider(t, s.browser(), name)
	if u.Query().Get("error") != "invalid_request" || !strings.Contains(u.RawQuery, "error_description="+want) {
		t.Errorf("got %s, want invalid_request and %s", u.RawQuery, want)
	}
}

func TestStatement23ProviderTimeout(t *testing.T) {
	providerSays(t, "Slow", "Timeout+occurred+in+calling+IdP+token+endpoint")
}

func TestStatement23DoubledDescription(t *testing.T) {
	s := ownPool(t, func(cfg *cognitotest.Config) {
		cfg.DoubledDescription = true
		cfg.IdentityProviders[0].Error = "Timeout in calling jwks uri"
	})
	u := s.fromProvider(t, s.browser(), "Acme")
	if !strings.Contains(u.RawQuery, "error_description=error_description=Timeout+in+calling+jwks+uri") {
		t.Errorf("got %s, want the key twice", u.RawQuery)
	}
}

func TestStatement23ProviderError(t *testing.T) {
	providerSays(t, "Down", "Down+Error+-+401+error+getting+token")
}

func TestStatement23NetworkToProvider(t *testing.T) {
	providerSays(t, "Cut", "Connection+reset")
}

func TestStatement23DescriptionMayComeFirst(t *testing.T) {
	u := house(t).authorize(t, "response_type", "-").location(t)
	if !strings.HasPrefix(u.RawQuery, "error_description=") || !strings.Contains(u.RawQuery, "&error=invalid_request") {
		t.Errorf("got %s, want error_description before error", u.RawQuery)
	}
}

func TestStatement23StateOfErrors(t *testing.T) {
	s := ownPool(t, func(cfg *cognitotest.Config) { cfg.DropErrorState = true })
	for what, pairs := range map[string][]string{"invalid_request": {"response_type", "-"}, "invalid_scope": {"scope", "nosuch"}} {
		if got := s.told(t, pairs...); got.Get("error") != what || got.Has("state") {
			t.Errorf("got error %q, state %q; want %s and no state", got.Get("error"), got.Get("state"), what)
		}
	}
	if got := s.told(t, "prompt", "none").Get("state"); got != "canary-state" {
		t.Errorf("login_required: got state %q, want it", got)
	}
	if got := house(t).told(t, "response_type", "-").Get("state"); got != "canary-state" {
		t.Errorf("the switch is off: got state %q, want it", got)
	}
}

// seen reports the attributes that a scope lets into the ID token and the userInfo answer.
func (s *standIn) seen(t *testing.T, scope string) (id, info []string) {
	t.Helper()
	got := s.login(t, "scope", scope)
	claims, answered := s.verified(t, got.id).claims, s.userInfo(t, got.access).object(t)
	for _, name := range []string{"custom:level", "email", "email_verified", "name", "phone_number", "phone_number_verified"} {
		if claims[name] != nil {
			id = append(id, name)
		}
		if answered[name] != nil {
			info = append(info, name)
		}
	}
	return id, info
}

func (s *standIn) sees(t *testing.T, scope, want string) {
	t.Helper()
	id, info := s.seen(t, scope)
	if got := strings.Join(id, " "); got != want {
		t.Errorf("%s, ID token: got %q, want %q", scope, got, want)
	}
	if got := strings.Join(info, " "); got != want {
		t.Errorf("%s, userInfo: got %q, want %q", scope, got, want)
	}
}

const everyAttribute = "custom:level email email_verified name phone_number phone_number_verified"

func TestStatement25OpenIDAloneMeansEverything(t *testing.T) {
	house(t).sees(t, "openid", everyAttribute)
}

func TestStatement25EmailLimits(t *testing.T) {
	house(t).sees(t, "openid email", "email email_verified")
}

func TestStatement25PhoneLimits(t *testing.T) {
	house(t).sees(t, "openid phone", "phone_number phone_number_verified")
}

func TestStatement25ProfileMeansEverything(t *testing.T) {
	house(t).sees(t, "openid profile", everyAttribute)
	house(t).sees(t, "openid email profile", everyAttribute)
}

func TestStatement25AdminScopeAndUserInfo(t *testing.T) {
	s := house(t)
	s.sees(t, "openid email aws.cognito.signin.user.admin", "email email_verified")
	if a := s.userInfo(t, s.login(t, "scope", "aws.cognito.signin.user.admin").access); a.status == http.StatusOK {
		t.Error("got an answer without openid, want none")
	}
}

func TestStatement25ScopeForm(t *testing.T) {
	config := func(scopes ...string) cognitotest.Config {
		return cognitotest.Config{
			ResourceServers: []cognitotest.ResourceServer{{Identifier: "t", Scopes: []string{"x"}}},
			Clients:         []cognitotest.AppClient{{Scopes: scopes}},
		}
	}
	var many []string
	server := cognitotest.ResourceServer{Identifier: "t"}
	for i := range 51 {
		name := "s" + strings.Repeat("x", i)
		server.Scopes, many = append(server.Scopes, name), append(many, "t/"+name)
	}
	tooMany, enough := config(many...), config(many[:50]...)
	tooMany.ResourceServers[0], enough.ResourceServers[0] = server, server
	refusesConfig(t, "51 scopes", tooMany, enough)
	for _, bad := range []string{"t/x y", `t/"x"`, `t/\x`, "t/ä", "", "t/" + strings.Repeat("x", 255)} {
		cfg := config("openid", bad)
		if _, after, ok := strings.Cut(bad, "/"); ok {
			cfg.ResourceServers[0].Scopes = []string{after}
		}
		refusesConfig(t, "scope "+bad, cfg, config("openid", "t/x"))
	}
}
