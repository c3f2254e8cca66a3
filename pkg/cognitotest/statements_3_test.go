package cognitotest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// The token endpoint.

func TestStatement31PostOnly(t *testing.T) {
	status, _, body := house(t).typed(t, "GET /oauth2/token?grant_type=refresh_token HTTP/1.1")
	if !strings.HasPrefix(status, "HTTP/1.1 405") || body != "" {
		t.Errorf("got %q with %d bytes of body, want 405 and none", status, len(body))
	}
}

func TestStatement31FormEncoded(t *testing.T) {
	s := house(t)
	fields := form("grant_type", "authorization_code", "client_id", "public", "code", s.code(t), "redirect_uri", home, "code_verifier", pageVerifier)
	body := fields.Encode()
	status, header, _ := s.typed(t, "POST /oauth2/token HTTP/1.1",
		"Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	if !strings.HasPrefix(status, "HTTP/1.1 200") || !strings.Contains(header, "Content-Type: application/json") {
		t.Errorf("got %q, want 200 and JSON", status)
	}
}

func TestStatement31PublicClientInBody(t *testing.T) {
	s := house(t)
	if a := s.exchange(t, s.code(t)); a.status != http.StatusOK {
		t.Errorf("got status %d, want 200", a.status)
	}
	s.exchange(t, s.code(t), "client_id", "-").refused(t, "no client_id", 400, "invalid_request")
}

func TestStatement31ConfidentialClientInHeader(t *testing.T) {
	s := house(t)
	fields := form("grant_type", "authorization_code", "client_id", "confidential", "code", s.code(t, "client_id", "confidential"),
		"redirect_uri", home, "code_verifier", pageVerifier)
	if a := s.post(t, "/oauth2/token", fields, "Authorization", basic("confidential", appSecret)); a.status != http.StatusOK {
		t.Errorf("got status %d %s, want 200", a.status, a.body)
	}
}

func TestStatement31ConfidentialClientInBody(t *testing.T) {
	s := house(t)
	code := s.code(t, "client_id", "confidential")
	if a := s.exchange(t, code, "client_id", "confidential", "client_secret", appSecret); a.status != http.StatusOK {
		t.Errorf("got status %d %s, want 200", a.status, a.body)
	}
}

func TestStatement31SameRedirectURI(t *testing.T) {
	s := house(t)
	const other = "http://127.0.0.1:8585/callback" // registered as well
	if a := s.exchange(t, s.code(t, "redirect_uri", other), "redirect_uri", other); a.status != http.StatusOK {
		t.Errorf("the same: got status %d, want 200", a.status)
	}
	s.exchange(t, s.code(t), "redirect_uri", "-").refused(t, "none", 400, "invalid_request")
}

func TestStatement31VerifierBelongsToChallenge(t *testing.T) {
	s := house(t)
	if a := s.exchange(t, s.code(t), "code_verifier", "-"); a.status != http.StatusBadRequest {
		t.Errorf("challenge and no verifier: got status %d, want 400", a.status)
	}
	code := s.code(t, "code_challenge", "-", "code_challenge_method", "-")
	if a := s.exchange(t, code, "code_verifier", "-"); a.status != http.StatusOK {
		t.Errorf("neither: got status %d, want 200", a.status)
	}
}

func TestStatement31RefreshFields(t *testing.T) {
	s := house(t)
	token := s.login(t).refresh
	if a := s.renew(t, "public", token); a.status != http.StatusOK {
		t.Errorf("got status %d, want 200", a.status)
	}
	for _, field := range []string{"refresh_token", "client_id"} {
		fields := form("grant_type", "refresh_token", "client_id", "public", "refresh_token", token)
		s.post(t, "/oauth2/token", set(fields, field, "-")).refused(t, "no "+field, 400, "invalid_request")
	}
}

func TestStatement31MachineFields(t *testing.T) {
	s := house(t)
	for what, fields := range map[string]url.Values{
		"scope":    form("grant_type", "client_credentials", "scope", "tasks/read"),
		"none":     form("grant_type", "client_credentials"),
		"metadata": form("grant_type", "client_credentials", "scope", "tasks/read", "aws_client_metadata", `{"a":"b"}`),
	} {
		a := s.post(t, "/oauth2/token", fields, "Authorization", basic("machine", machineSecret))
		if got := s.verified(t, a.tokens(t).access).claims["scope"]; got != "tasks/read" {
			t.Errorf("%s: got scope %v, want tasks/read", what, got)
		}
	}
}

func TestStatement31MachineNeedsSecret(t *testing.T) {
	house(t).post(t, "/oauth2/token", form("grant_type", "client_credentials", "client_id", "machine")).refused(t, "no secret", 400, "invalid_client")
}

func TestStatement31MachineClientHasOneFlow(t *testing.T) {
	client := func(flows ...string) cognitotest.Config {
		return cognitotest.Config{
			ResourceServers: []cognitotest.ResourceServer{{Identifier: "t", Scopes: []string{"x"}}},
			Clients:         []cognitotest.AppClient{{AllowedFlows: flows, Scopes: []string{"t/x"}, Secrets: []string{machineSecret}}},
		}
	}
	refusesConfig(t, "code and client_credentials", client("code", "client_credentials"), client("client_credentials"))
}

func TestStatement31PKCEExample(t *testing.T) {
	s := house(t)
	code := s.code(t, "code_challenge", pageS256)
	if len(pageVerifier) != 128 {
		t.Fatalf("the verifier has %d characters, want 128", len(pageVerifier))
	}
	if a := s.exchange(t, code, "code_verifier", pageVerifier); a.status != http.StatusOK {
		t.Errorf("got status %d, want 200", a.status)
	}
}

func TestStatement32JSON(t *testing.T) {
	s := house(t)
	a := s.exchange(t, s.code(t))
	if got := a.header.Get("Content-Type"); a.status != http.StatusOK || got != "application/json;charset=UTF-8" {
		t.Errorf("got status %d, Content-Type %q; want 200, application/json;charset=UTF-8", a.status, got)
	}
}

func TestStatement32RequestID(t *testing.T) {
	s := house(t)
	first := s.exchange(t, s.code(t)).header.Get("X-Amz-Cognito-Request-Id")
	second := s.exchange(t, s.code(t)).header.Get("X-Amz-Cognito-Request-Id")
	if !uuidPattern.MatchString(first) || first == second {
		t.Errorf("got %q and %q, want two UUIDs", first, second)
	}
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func TestStatement32AnyOrigin(t *testing.T) {
	s := house(t)
	if got := s.exchange(t, s.code(t)).header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("got %q, want *", got)
	}
}

const withoutRefresh = "access_token expires_in id_token token_type"

func (got tokenSet) has(t *testing.T, want string) {
	t.Helper()
	if names(got.members) != want {
		t.Errorf("got members %s, want %s", names(got.members), want)
	}
}

func TestStatement32CodeAnswer(t *testing.T) {
	house(t).login(t).has(t, "access_token expires_in id_token refresh_token token_type")
}

func TestStatement32CodeAnswerWithoutOpenID(t *testing.T) {
	house(t).login(t, "scope", "tasks/read").has(t, "access_token expires_in refresh_token token_type")
}

func TestStatement32RefreshAnswer(t *testing.T) {
	s := house(t)
	s.renew(t, "public", s.login(t).refresh).tokens(t).has(t, withoutRefresh)
}

func TestStatement32RotatedRefreshAnswer(t *testing.T) {
	s := house(t)
	first := s.login(t, "client_id", "rotating")
	second := s.renew(t, "rotating", first.refresh).tokens(t)
	second.has(t, "access_token expires_in id_token refresh_token token_type")
	if second.refresh == first.refresh {
		t.Error("got the old refresh token, want a new one")
	}
}

func TestStatement32MachineAnswer(t *testing.T) {
	house(t).machine(t, "tasks/read").tokens(t).has(t, "access_token expires_in token_type")
}

func TestStatement32NoScopeMember(t *testing.T) {
	s := house(t)
	got := s.login(t, "scope", "openid email")
	for what, answer := range map[string]tokenSet{
		"code": got, "refresh": s.renew(t, "public", got.refresh).tokens(t), "client_credentials": s.machine(t, "tasks/read").tokens(t),
	} {
		if _, there := answer.members["scope"]; there {
			t.Errorf("%s: got a scope member, want none", what)
		}
	}
}

func TestStatement32TokenTypeIsBearer(t *testing.T) {
	s := house(t)
	if got := s.login(t).members["token_type"]; got != "Bearer" {
		t.Errorf("got %v, want Bearer", got)
	}
}

func TestStatement32ExpiresInSeconds(t *testing.T) {
	if got := house(t).login(t, "client_id", "brief").members["expires_in"]; got != 600.0 {
		t.Errorf("got %v, want the number 600", got)
	}
}

func TestStatement33ErrorsAre400(t *testing.T) {
	s := house(t)
	for _, fields := range []url.Values{form(), form("grant_type", "x"), form("grant_type", "refresh_token", "client_id", "public", "refresh_token", "x")} {
		a := s.post(t, "/oauth2/token", fields)
		if text, _ := a.object(t)["error"].(string); a.status != 400 || text == "" {
			t.Errorf("%v: got %d %s, want 400 and an error member", fields, a.status, a.body)
		}
	}
}

func TestStatement33InvalidRequest(t *testing.T) {
	s := house(t)
	for _, field := range []string{"grant_type", "code", "redirect_uri", "client_id"} {
		s.exchange(t, s.code(t), field, "-").refused(t, "no "+field, 400, "invalid_request")
	}
	s.send(t, http.MethodPost, s.Domain()+"/oauth2/token", `{"grant_type":"refresh_token","client_id":"public","refresh_token":"x"}`,
		"Content-Type", "application/json").refused(t, "JSON", 400, "invalid_request")
}

func TestStatement33UnsupportedGrantType(t *testing.T) {
	house(t).exchange(t, "x", "grant_type", "password").refused(t, "password", 400, "unsupported_grant_type")
}

func TestStatement33InvalidClient(t *testing.T) {
	s := house(t)
	s.exchange(t, s.code(t), "client_id", "nobody").refused(t, "unknown client", 400, "invalid_client")
	confidential := func() []string { return []string{"client_id", "confidential", "client_secret"} }
	s.exchange(t, s.code(t, "client_id", "confidential"), append(confidential(), "-")...).refused(t, "no secret", 400, "invalid_client")
	s.exchange(t, s.code(t, "client_id", "confidential"), append(confidential(), machineSecret)...).refused(t, "wrong secret", 400, "invalid_client")
	fields := form("grant_type", "authorization_code", "client_id", "public", "code", s.code(t), "redirect_uri", home, "code_verifier", pageVerifier)
	for _, secret := range []string{"", appSecret} {
		s.post(t, "/oauth2/token", fields, "Authorization", basic("public", secret)).refused(t, "header of a public client", 400, "invalid_client")
	}
}

func TestStatement33InvalidGrantForCodes(t *testing.T) {
	s := house(t)
	s.exchange(t, "00000000-0000-4000-8000-000000000000").refused(t, "unknown", 400, "invalid_grant")
	used := s.code(t)
	s.exchange(t, used)
	s.exchange(t, used).refused(t, "used", 400, "invalid_grant")
	old := s.code(t)
	s.later(6 * time.Minute)
	s.exchange(t, old).refused(t, "expired", 400, "invalid_grant")
}

func TestStatement33InvalidGrantForRevokedRefreshToken(t *testing.T) {
	s := house(t)
	token := s.login(t).refresh
	s.revoke(t, token)
	s.renew(t, "public", token).refused(t, "revoked", 400, "invalid_grant")
}

// revoke revokes a token of the public client.
func (s *standIn) revoke(t *testing.T, token string) answer {
	t.Helper()
	return s.post(t, "/oauth2/revoke", form("client_id", "public", "token", token))
}

func TestStatement33UnreadableAttribute(t *testing.T) {
	s := house(t)
	code := s.code(t, "client_id", "narrow", "scope", "openid email") // the pages do not mind
	s.exchange(t, code, "client_id", "narrow").refused(t, "email without email_verified", 400, "invalid_grant")
}

func TestStatement33InvalidRedirect(t *testing.T) {
	s := house(t)
	for _, other := range []string{home + "/", "http://localhost:8586/callback", "http://127.0.0.1:8585/callback", "http://localhost:8585/%63allback"} {
		a := s.exchange(t, s.code(t), "redirect_uri", other)
		a.refused(t, other, 400, "unauthorized_client")
		if got := a.object(t)["error_description"]; got != "invalid_redirect" {
			t.Errorf("%s: got description %v, want invalid_redirect", other, got)
		}
	}
}

func TestStatement33UnauthorizedClient(t *testing.T) {
	s := house(t)
	fields := form("grant_type", "client_credentials", "scope", "openid")
	s.post(t, "/oauth2/token", fields, "Authorization", basic("confidential", appSecret)).refused(t, "client_credentials", 400, "unauthorized_client")
	fields = form("grant_type", "authorization_code", "code", "x", "redirect_uri", home)
	s.post(t, "/oauth2/token", fields, "Authorization", basic("machine", machineSecret)).refused(t, "code", 400, "unauthorized_client")
}

func TestStatement33MachineScopes(t *testing.T) {
	s := house(t)
	s.machine(t, "tasks/write").refused(t, "not allowed", 400, "invalid_grant")
	s.machine(t, "tasks/nosuch").refused(t, "does not exist", 400, "invalid_scope")
	s.machine(t, "tasks/read tasks/write").refused(t, "one of them not allowed", 400, "invalid_grant")
	s.machine(t, "tasks/read tasks/nosuch").refused(t, "one of them does not exist", 400, "invalid_scope")
}

func TestStatement33FirewallAnswersAsItLikes(t *testing.T) {
	s := house(t)
	const page = "<html><body>blocked</body></html>"
	s.Fail("token", cognitotest.Failure{Times: 1, Status: 403, ContentType: "text/html", Body: page})
	if a := s.exchange(t, "x"); a.status != 403 || a.body != page || a.header.Get("Content-Type") != "text/html" {
		t.Errorf("got %d %q, want 403 and the page", a.status, a.body)
	}
}

func TestStatement33ThrottledAsTheAPIIs(t *testing.T) {
	s := house(t)
	f := cognitotest.Throttled()
	f.Times = 1
	s.Fail("token", f)
	if a := s.exchange(t, "x"); a.status != 400 || !strings.Contains(a.body, "TooManyRequestsException") {
		t.Errorf("got %d %s, want 400 TooManyRequestsException", a.status, a.body)
	}
}

func TestStatement34RefreshTokensFromCodeGrant(t *testing.T) {
	s := house(t)
	if s.login(t, "scope", "openid").refresh == "" {
		t.Error("code, no offline_access: got no refresh token, want one")
	}
	if s.machine(t, "tasks/read").tokens(t).refresh != "" {
		t.Error("client_credentials: got a refresh token, want none")
	}
}

func TestStatement34RefreshBySameClientOnly(t *testing.T) {
	s := house(t)
	token := s.login(t).refresh
	s.renew(t, "other", token).refused(t, "another client", 400, "invalid_grant")
	if a := s.renew(t, "public", token); a.status != http.StatusOK {
		t.Errorf("the same client: got status %d, want 200", a.status)
	}
}

func TestStatement34FederatedSessionsRefresh(t *testing.T) {
	s := house(t)
	u := s.fromProvider(t, s.browser(), "Acme")
	got := s.redeemed(t, u.Query().Get("code"))
	if a := s.renew(t, "public", got.refresh); a.status != http.StatusOK {
		t.Errorf("got status %d, want 200", a.status)
	}
}

// kept fails the test unless a claim is there and the same after a refresh, in both tokens.
func kept(t *testing.T, claim string) {
	t.Helper()
	s := house(t)
	before := s.login(t)
	s.later(20 * time.Minute)
	after := s.renew(t, "public", before.refresh).tokens(t)
	for what, pair := range map[string][2]string{"ID token": {before.id, after.id}, "access token": {before.access, after.access}} {
		old, now := s.verified(t, pair[0]).claims[claim], s.verified(t, pair[1]).claims[claim]
		if old == nil || fmt.Sprint(old) != fmt.Sprint(now) {
			t.Errorf("%s, %s: got %v, want %v", what, claim, now, old)
		}
	}
}

func TestStatement34AuthTimeIsKept(t *testing.T) { kept(t, "auth_time") }

func TestStatement34OriginIsKept(t *testing.T) { kept(t, "origin_jti") }

func TestStatement34ContextIsKept(t *testing.T) {
	kept(t, "acr")
	kept(t, "amr")
}

func TestStatement34BoundAudienceIsKept(t *testing.T) {
	s := house(t)
	token := s.login(t, "resource", apiServer).refresh
	for range 2 {
		got := s.renew(t, "public", token).tokens(t)
		if aud := s.verified(t, got.access).claims["aud"]; aud != apiServer {
			t.Errorf("got aud %v, want %s", aud, apiServer)
		}
	}
}

func TestStatement34RefreshLeavesBrowserAlone(t *testing.T) {
	s := house(t)
	b := s.browser()
	code := b.callback(t).Query().Get("code")
	token := s.redeemed(t, code).refresh
	s.later(59 * time.Minute)
	a := s.renew(t, "public", token)
	if strings.Contains(strings.Join(a.header.Values("Set-Cookie"), " "), "cognito=") {
		t.Error("got a session cookie, want none")
	}
	s.later(2 * time.Minute)
	if u := b.authorize(t).location(t); u.Path != "/login" {
		t.Errorf("got sent to %s 61 min after the sign-in, want the sign-in page", place(u))
	}
}

func TestStatement35RotationReplaces(t *testing.T) {
	s := house(t)
	token := s.login(t, "client_id", "rotating").refresh
	seen := map[string]bool{token: true}
	for range 3 {
		token = s.renew(t, "rotating", token).tokens(t).refresh
		if token == "" || seen[token] {
			t.Error("got no new refresh token, want one every time")
		}
		seen[token] = true
	}
}

func TestStatement35NoGrace(t *testing.T) {
	s := house(t)
	token := s.login(t, "client_id", "rotating").refresh
	if a := s.renew(t, "rotating", token); a.status != http.StatusOK {
		t.Errorf("first use: got status %d, want 200", a.status)
	}
	if a := s.renew(t, "rotating", token); a.status != http.StatusBadRequest {
		t.Errorf("second use at once: got status %d, want 400", a.status)
	}
}

func TestStatement35Grace(t *testing.T) {
	s := house(t)
	token := s.login(t, "client_id", "graceful").refresh
	s.renew(t, "graceful", token)
	s.later(59 * time.Second)
	if a := s.renew(t, "graceful", token); a.status != http.StatusOK {
		t.Errorf("within 60 s: got status %d, want 200", a.status)
	}
	s.later(2 * time.Second)
	if a := s.renew(t, "graceful", token); a.status != http.StatusBadRequest {
		t.Errorf("after 60 s: got status %d, want 400", a.status)
	}
}

func TestStatement35GraceRange(t *testing.T) {
	client := func(grace time.Duration) cognitotest.Config {
		return cognitotest.Config{Clients: []cognitotest.AppClient{{RefreshTokenRotation: true, RetryGracePeriod: grace}}}
	}
	refusesConfig(t, "61 s", client(61*time.Second), client(60*time.Second))
	refusesConfig(t, "-1 s", client(-time.Second), client(0))
}

func TestStatement35RotationNeverExtends(t *testing.T) {
	s := house(t)
	token := s.login(t, "client_id", "rotating").refresh
	for range 2 {
		s.later(14 * 24 * time.Hour)
		token = s.renew(t, "rotating", token).tokens(t).refresh
	}
	s.later(48*time.Hour + time.Second)
	s.renew(t, "rotating", token).refused(t, "30 days after the sign-in", 400, "invalid_grant")
}

func TestStatement36Headers(t *testing.T) {
	s := house(t)
	a := s.userInfo(t, s.login(t).access)
	for name, want := range map[string]string{
		"Cache-Control": "no-cache, no-store, max-age=0, must-revalidate", "Pragma": "no-cache", "Expires": "0",
		"X-Content-Type-Options": "nosniff", "X-XSS-Protection": "1; mode=block", "X-Frame-Options": "DENY",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if a.header.Get("X-Amz-Cognito-Request-Id") == "" {
		t.Error("got no request ID, want one")
	}
}

func TestStatement36StrictTransport(t *testing.T) {
	s := awsPool(t, cognitotest.Config{})
	if got := s.get(t, s.Domain()+"/oauth2/userInfo").header.Get("Strict-Transport-Security"); got != "max-age=31536000 ; includeSubDomains" {
		t.Errorf("got %q, want a year with subdomains", got)
	}
}
