package cognitotest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Tokens.

// idToken signs ada in and returns the ID token, verified.
func idToken(t *testing.T, pairs ...string) jwt {
	t.Helper()
	s := house(t)
	return s.verified(t, s.login(t, pairs...).id)
}

// accessToken is idToken for the access token.
func accessToken(t *testing.T, pairs ...string) jwt {
	t.Helper()
	s := house(t)
	return s.verified(t, s.login(t, pairs...).access)
}

func TestStatement61Header(t *testing.T) {
	for what, token := range map[string]jwt{"ID token": idToken(t), "access token": accessToken(t)} {
		if names(token.header) != "alg kid" || token.header["alg"] != "RS256" {
			t.Errorf("%s: got header %s, want kid and alg RS256 only", what, token.rawHeader)
		}
	}
}

func TestStatement62AlwaysThere(t *testing.T) {
	s := house(t)
	u := s.browser().walk(t, s.Domain()+"/oauth2/authorize?"+asked().Encode(), "tied", password)
	claims := s.verified(t, s.redeemed(t, u.Query().Get("code")).id).claims
	for _, name := range strings.Fields("sub iss aud exp iat token_use") {
		if claims[name] == nil {
			t.Errorf("got no %s, want one", name)
		}
	}
}

func TestStatement62Sub(t *testing.T) {
	s := house(t)
	one, two := s.login(t), s.login(t, "client_id", "other")
	a, _ := s.verified(t, one.id).claims["sub"].(string)
	b, _ := s.verified(t, two.id).claims["sub"].(string)
	if !uuidPattern.MatchString(a) || a != b {
		t.Errorf("got %q and %q, want one UUID for one person", a, b)
	}
}

func TestStatement62AudienceIsClient(t *testing.T) {
	if got := idToken(t, "client_id", "other").claims["aud"]; got != "other" {
		t.Errorf("got %v, want the text other", got)
	}
}

func TestStatement62TokenUse(t *testing.T) {
	if got := idToken(t).claims["token_use"]; got != "id" {
		t.Errorf("got %v, want id", got)
	}
}

func TestStatement62Times(t *testing.T) {
	s := house(t)
	b := s.browser()
	b.callback(t)
	signedIn := float64(s.clock().Unix())
	s.later(10 * time.Minute)
	claims := s.verified(t, s.redeemed(t, b.authorize(t).location(t).Query().Get("code")).id).claims
	now := float64(s.clock().Unix())
	if claims["auth_time"] != signedIn || claims["iat"] != now || claims["exp"] != now+3600 {
		t.Errorf("got auth_time %v, iat %v, exp %v; want the numbers %v, %v, %v",
			claims["auth_time"], claims["iat"], claims["exp"], signedIn, now, now+3600)
	}
}

func TestStatement62JTI(t *testing.T) {
	for what, tt := range map[string]struct {
		client string
		want   bool
	}{"revocation is on": {"public", true}, "rotation is on": {"rotating", true}, "neither": {"lasting", false}} {
		claims := idToken(t, "client_id", tt.client).claims
		for _, name := range []string{"jti", "origin_jti"} {
			text, _ := claims[name].(string)
			if _, there := claims[name]; there != tt.want || there && text == "" {
				t.Errorf("%s: got %s %v, want it: %v", what, name, claims[name], tt.want)
			}
		}
	}
}

func TestStatement62EventID(t *testing.T) {
	if text, _ := idToken(t).claims["event_id"].(string); text == "" {
		t.Error("got no event_id, want a text")
	}
}

func TestStatement62NonceWithoutRequest(t *testing.T) {
	// Cognito may put in one of its own for federated people, so that only the one that was sent says anything.
	if got := idToken(t, "nonce", "canary-nonce-2").claims["nonce"]; got != "canary-nonce-2" {
		t.Errorf("got %v, want the nonce of the request", got)
	}
	if got, there := idToken(t, "nonce", "-").claims["nonce"]; there {
		t.Errorf("got %v for a local person without a nonce, want none", got)
	}
}

// federated returns grace's ID token by way of a provider.
func federated(t *testing.T, provider string) jwt {
	t.Helper()
	s := house(t)
	u := s.fromProvider(t, s.browser(), provider)
	return s.verified(t, s.redeemed(t, u.Query().Get("code")).id)
}

func TestStatement62Username(t *testing.T) {
	if got := idToken(t).claims["cognito:username"]; got != "ada" {
		t.Errorf("got %v, want ada", got)
	}
	for _, provider := range []string{"Acme", "Corp"} {
		if got := federated(t, provider).claims["cognito:username"]; got != provider+"_grace" {
			t.Errorf("got %v, want %s_grace", got, provider)
		}
	}
}

func TestStatement62Groups(t *testing.T) {
	if got := idToken(t).strings(t, "cognito:groups"); !sameSet(got, []string{"engineers", "admins"}) {
		t.Errorf("got %v, want engineers and admins", got)
	}
}

func TestStatement62GroupOfProvider(t *testing.T) {
	want := poolID(house(t)) + "_Acme"
	if got := federated(t, "Acme").strings(t, "cognito:groups"); !slices.Contains(got, want) {
		t.Errorf("got %v, want %s among them", got, want)
	}
}

func TestStatement62Roles(t *testing.T) {
	if got := idToken(t).strings(t, "cognito:roles"); !sameSet(got, []string{engineerRole, adminRole}) {
		t.Errorf("got %v, want the roles of engineers and admins", got)
	}
}

func TestStatement62PreferredRole(t *testing.T) {
	if got := idToken(t).claims["cognito:preferred_role"]; got != adminRole {
		t.Errorf("got %v, want that of the group with the lower number", got)
	}
	s := house(t)
	u := s.browser().walk(t, s.Domain()+"/oauth2/authorize?"+asked().Encode(), "tied", password)
	if got, there := s.verified(t, s.redeemed(t, u.Query().Get("code")).id).claims["cognito:preferred_role"]; there {
		t.Errorf("two groups tie: got %v, want none", got)
	}
}

func TestStatement62Identities(t *testing.T) {
	list, _ := federated(t, "Acme").claims["identities"].([]any)
	if len(list) != 1 {
		t.Fatalf("got %v, want one identity", list)
	}
	got, _ := list[0].(map[string]any)
	issuer, there := got["issuer"]
	if _, isText := issuer.(string); !there || issuer != nil && !isText {
		t.Errorf("got issuer %v, want null or text", issuer)
	}
	if got["userId"] != "grace" || got["providerName"] != "Acme" || got["providerType"] != "OIDC" || got["primary"] != "true" {
		t.Errorf("got %v, want grace, Acme, OIDC and the text true", got)
	}
	if created, _ := got["dateCreated"].(string); !regexp.MustCompile(`^\d{13}$`).MatchString(created) {
		t.Errorf("got dateCreated %v, want milliseconds as text", got["dateCreated"])
	}
}

func TestStatement62VerifiedFlagsAreBooleans(t *testing.T) {
	claims := idToken(t).claims
	if claims["email_verified"] != true || claims["phone_number_verified"] != false {
		t.Errorf("got %#v and %#v, want booleans", claims["email_verified"], claims["phone_number_verified"])
	}
}

func TestStatement62CustomAttributesAreText(t *testing.T) {
	if got := idToken(t).claims["custom:level"]; got != "7" {
		t.Errorf("got %#v, want the text 7", got)
	}
}

// totpTokens signs in the person who has an authenticator app.
func totpTokens(t *testing.T) (id, access jwt) {
	t.Helper()
	s := house(t)
	s.later(time.Minute) // a one-time password is good once
	u := s.browser().walk(t, s.Domain()+"/oauth2/authorize?"+asked().Encode(), "totp", password)
	got := s.redeemed(t, u.Query().Get("code"))
	return s.verified(t, got.id), s.verified(t, got.access)
}

func TestStatement62ContextClass(t *testing.T) {
	for what, token := range map[string]jwt{"ID token": idToken(t), "access token": accessToken(t)} {
		if text, _ := token.claims["acr"].(string); !regexp.MustCompile(`^urn:cognito:loa:[1-4]$`).MatchString(text) {
			t.Errorf("%s: got acr %v, want urn:cognito:loa:1 to 4", what, token.claims["acr"])
		}
	}
}

func TestStatement62MethodReferences(t *testing.T) {
	for what, token := range map[string]jwt{"ID token": idToken(t), "access token": accessToken(t)} {
		if got := token.strings(t, "amr"); !sameSet(got, []string{"pwd"}) {
			t.Errorf("%s: got amr %v, want pwd", what, got)
		}
	}
	id, access := totpTokens(t)
	for what, token := range map[string]jwt{"ID token": id, "access token": access} {
		if got := token.strings(t, "amr"); !slices.Contains(got, "pwd") || !slices.Contains(got, "otp") || !slices.Contains(got, "mfa") {
			t.Errorf("%s, one-time password: got amr %v, want pwd, otp and mfa among them", what, got)
		}
	}
}

func TestStatement63AccessTokenClaims(t *testing.T) {
	claims := accessToken(t, "scope", "openid email").claims
	for name, want := range map[string]any{
		"client_id": "public", "token_use": "access", "scope": "openid email", "username": "ada", "version": 2.0, "iss": house(t).Issuer(),
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	for _, name := range strings.Fields("sub auth_time exp iat jti origin_jti event_id cognito:groups") {
		if claims[name] == nil {
			t.Errorf("got no %s, want one", name)
		}
	}
}

func TestStatement63NoAudienceUnbound(t *testing.T) {
	if got, there := accessToken(t).claims["aud"]; there {
		t.Errorf("got aud %v, want none", got)
	}
}

func TestStatement63MachineToken(t *testing.T) {
	s := house(t)
	claims := s.verified(t, s.machine(t, "tasks/read").tokens(t).access).claims
	if claims["sub"] != "machine" || claims["client_id"] != "machine" {
		t.Errorf("got sub %v, client_id %v; want the client in both", claims["sub"], claims["client_id"])
	}
	for _, name := range []string{"username", "cognito:groups", "origin_jti"} {
		if got, there := claims[name]; there {
			t.Errorf("got %s %v, want none", name, got)
		}
	}
}

func TestStatement64TokensLastAnHour(t *testing.T) {
	for what, token := range map[string]jwt{"ID token": idToken(t), "access token": accessToken(t)} {
		exp, _ := token.claims["exp"].(float64)
		iat, _ := token.claims["iat"].(float64)
		if exp-iat != 3600 {
			t.Errorf("%s: got %v s, want 3600", what, exp-iat)
		}
	}
}

func TestStatement64RefreshTokensLastThirtyDays(t *testing.T) {
	s := house(t)
	token := s.login(t).refresh
	s.later(30*24*time.Hour - time.Second)
	if a := s.renew(t, "public", token); a.status != http.StatusOK {
		t.Errorf("before: got status %d, want 200", a.status)
	}
	s.later(2 * time.Second)
	s.renew(t, "public", token).refused(t, "after", 400, "invalid_grant")
}

func TestStatement64ChallengesLastThreeMinutes(t *testing.T) {
	s := house(t)
	attempt := func(wait time.Duration) answer {
		t.Helper()
		s.later(time.Minute) // a one-time password is good once
		b := s.browser()
		at := s.Domain() + "/login?" + asked().Encode()
		f := b.get(t, at).form(t)
		s.fill(f, "totp", password)
		at = resolved(t, at, f.action)
		a := b.do(t, http.MethodPost, at, f.fields)
		if a.status == http.StatusFound {
			at = resolved(t, at, a.header.Get("Location"))
			a = b.get(t, at)
		}
		f = a.form(t)
		s.later(wait)
		s.fill(f, "totp", password)
		return b.do(t, http.MethodPost, resolved(t, at, f.action), f.fields)
	}
	if a := attempt(3*time.Minute - time.Second); a.status != http.StatusFound || !outside(a.location(t)) {
		t.Errorf("before: got status %d, want 302 to the client", a.status)
	}
	if a := attempt(3*time.Minute + time.Second); a.status == http.StatusFound && outside(a.location(t)) {
		t.Error("after: got a code, want the challenge to be over")
	}
}

func TestStatement65RefreshTokenAlphabet(t *testing.T) {
	token := house(t).login(t).refresh
	if !regexp.MustCompile(`^[A-Za-z0-9_=.-]+$`).MatchString(token) {
		t.Error("got another character than letters, digits and -_=. in a refresh token")
	}
}

func TestStatement65RefreshTokenIsOpaque(t *testing.T) {
	parts := strings.Split(house(t).login(t).refresh, ".")
	for i, part := range parts[1:] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err == nil && json.Valid(text) {
			t.Errorf("part %d of a refresh token is JSON, want nothing that can be read", i+2)
		}
	}
}

func TestStatement65AnySize(t *testing.T) {
	s := ownPool(t, func(cfg *cognitotest.Config) {
		cfg.RefreshTokenBytes, cfg.IDTokenBytes, cfg.AccessTokenBytes = 5000, 20000, 4096
	})
	got := s.login(t)
	if len(got.refresh) != 5000 || len(got.id) < 20000 || len(got.access) < 4096 {
		t.Errorf("got %d, %d and %d bytes, want 5000, 20000 and 4096", len(got.refresh), len(got.id), len(got.access))
	}
	s.verified(t, got.id)
	s.verified(t, got.access)
	if a := s.renew(t, "public", got.refresh); a.status != http.StatusOK {
		t.Errorf("refresh: got status %d, want 200", a.status)
	}
}

func TestStatement64Ranges(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]cognitotest.AppClient{
		"ID token, least": {IDTokenValidity: 5*time.Minute - 1}, "ID token, most": {IDTokenValidity: day + 1},
		"access token, least": {AccessTokenValidity: 5*time.Minute - 1}, "access token, most": {AccessTokenValidity: day + 1},
		"refresh token, least": {RefreshTokenValidity: time.Hour - 1}, "refresh token, most": {RefreshTokenValidity: 3650*day + 1},
	} {
		if _, err := cognitotest.New(cognitotest.Config{StrictLifetimes: true, Clients: []cognitotest.AppClient{c}}); err == nil {
			t.Errorf("%s: got a pool, want an error", name)
		}
	}
	for _, c := range []cognitotest.AppClient{
		{IDTokenValidity: 5 * time.Minute, AccessTokenValidity: 5 * time.Minute, RefreshTokenValidity: time.Hour},
		{IDTokenValidity: day, AccessTokenValidity: day, RefreshTokenValidity: 3650 * day},
	} {
		if _, err := cognitotest.New(cognitotest.Config{StrictLifetimes: true, Clients: []cognitotest.AppClient{c}}); err != nil {
			t.Errorf("at the edges: got %v, want a pool", err)
		}
	}
}
