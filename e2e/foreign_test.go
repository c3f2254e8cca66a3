//go:build linux

package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Clients that nobody here wrote sign in to the stand-in pool. What they take for granted of a server
// is what cogauth, whose authors wrote the pool too, might not notice.

// The secret has the two characters that a client's Basic header may escape: RFC 6749 §2.3.1 has the
// ID and the secret form-encoded first.
const foreignSecret = "foreign_secret+0123456789abcdefghij"

// foreignPool has one app client, a confidential one if auth is not "none".
func foreignPool(t *testing.T, auth, callback string, rotate bool) *cognitotest.Pool {
	t.Helper()
	app := cognitotest.AppClient{CallbackURLs: []string{callback}, RefreshTokenRotation: rotate}
	if auth != "none" {
		app.Secrets = []string{foreignSecret}
	}
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{app}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

func start(t *testing.T, begin func() error) {
	t.Helper()
	if err := begin(); err != nil {
		t.Fatal(err)
	}
}

// onTheWire checks how the app client proved itself in the last request that the pool answered at
// endpoint.
func onTheWire(t *testing.T, pool *cognitotest.Pool, endpoint, auth string) {
	t.Helper()
	var last cognitotest.Request
	for _, r := range pool.Requests() {
		if r.Endpoint == endpoint && r.Error == "" {
			last = r
		}
	}
	if last.Endpoint == "" {
		t.Errorf("%s: got no request without an error, want one", endpoint)
		return
	}
	if want := auth == "client_secret_basic"; last.HasAuthorizationHeader != want {
		t.Errorf("%s: got an Authorization header %t, want %t", endpoint, last.HasAuthorizationHeader, want)
	}
	if got, want := slices.Contains(last.Form, "client_secret"), auth == "client_secret_post"; got != want {
		t.Errorf("%s: got client_secret in the body %t, want %t", endpoint, got, want)
	}
}

// lies are ID tokens that a client must not take (OpenID Connect Core §3.1.3.7).
var lies = []struct {
	name string
	tell func(*cognitotest.Pool)
}{
	{"another nonce", claim("nonce", "another")},
	{"another audience", claim("aud", "another")},
	{"another issuer", claim("iss", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Another01")},
	{"an end in the past", claim("exp", 1)},
	{"a key that is not published", signed(cognitotest.SignatureForeignKey)},
	{"a broken signature", signed(cognitotest.SignatureBroken)},
	{"no signature", signed(cognitotest.SignatureNone)},
	{"the public key as an HMAC key", signed(cognitotest.SignatureHS256)},
}

func claim(name string, value any) func(*cognitotest.Pool) {
	return func(p *cognitotest.Pool) { p.TamperIDToken(func(_, claims map[string]any) { claims[name] = value }) }
}

func signed(how cognitotest.Signature) func(*cognitotest.Pool) {
	return func(p *cognitotest.Pool) { p.SignIDTokens(how) }
}

// Acceptance 3: x/oauth2 and go-oidc, with each way to authenticate, and with what x/oauth2 does if it
// is told none: a Basic header first, and the body if that is refused.
func TestGoOIDC(t *testing.T) {
	for _, c := range []struct {
		name  string
		auth  string // what the pool sees in the end
		style oauth2.AuthStyle
	}{
		{"public", "none", oauth2.AuthStyleInParams},
		{"public,style=auto", "none", oauth2.AuthStyleAutoDetect},
		{"basic", "client_secret_basic", oauth2.AuthStyleInHeader},
		{"post", "client_secret_post", oauth2.AuthStyleInParams},
		{"confidential,style=auto", "client_secret_basic", oauth2.AuthStyleAutoDetect},
	} {
		for _, rotate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,rotation=%t", c.name, rotate), func(t *testing.T) {
				app := newWebApp(t)
				app.pool = foreignPool(t, c.auth, app.callbackURL(), rotate)
				start(t, app.pool.Start)
				app.discover(c.style)
				app.session(rotate)
				onTheWire(t, app.pool, "token", c.auth)
			})
		}
	}
}

// The same under the names that AWS uses, which only the pool's proxy knows.
func TestGoOIDCUnderAWSNames(t *testing.T) {
	app := newWebApp(t)
	app.pool = foreignPool(t, "none", app.callbackURL(), false)
	start(t, app.pool.StartAWS)
	app.discover(oauth2.AuthStyleInParams)
	if got := app.pool.Issuer(); !strings.HasPrefix(got, "https://cognito-idp.") {
		t.Errorf("issuer: got %s, want AWS's name", got)
	}
	app.session(false)
	tunnels := app.pool.Tunnels()
	if len(tunnels) == 0 || slices.ContainsFunc(tunnels, func(u cognitotest.Tunnel) bool { return u.Refused }) {
		t.Errorf("the proxy saw %v, want tunnels and none of them refused", tunnels)
	}
}

// The checks of go-oidc do run: a session like the ones above ends at a token that lies.
func TestGoOIDCRefusesWhatLies(t *testing.T) {
	for _, lie := range append(lies, struct {
		name string
		tell func(*cognitotest.Pool)
	}{"the hash of another access token", claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")}) {
		t.Run(lie.name, func(t *testing.T) {
			app := newWebApp(t)
			app.pool = foreignPool(t, "none", app.callbackURL(), false)
			start(t, app.pool.Start)
			app.discover(oauth2.AuthStyleInParams)
			lie.tell(app.pool)
			if _, _, err := app.signIn(); err == nil {
				t.Error("go-oidc took the ID token, want an error")
			}
		})
	}
}

// webApp is a program as one writes it with x/oauth2 and go-oidc: its callback is served by net/http.
type webApp struct {
	t      *testing.T
	server *httptest.Server
	pool   *cognitotest.Pool

	ctx      context.Context // has the HTTP client
	oauth    oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier

	verifierPKCE, state, nonce string
	back                       chan arrival
}

// arrival is what a visit to the callback led to.
type arrival struct {
	token *oauth2.Token
	id    *oidc.IDToken
	err   error
}

func newWebApp(t *testing.T) *webApp {
	t.Helper()
	rig.Ran(t, "go-oidc", required(t, "github.com/coreos/go-oidc/v3"))
	rig.Ran(t, "x/oauth2", required(t, "golang.org/x/oauth2"))
	a := &webApp{t: t, back: make(chan arrival, 1)}
	a.server = httptest.NewServer(http.HandlerFunc(a.callback))
	t.Cleanup(a.server.Close)
	return a
}

// required is the version of a module in go.mod, which is the one in use: go mod tidy sees to that. What
// runtime/debug knows of a test has no modules in it.
func required(t *testing.T, module string) (version string) {
	t.Helper()
	raw, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), "\t"+module+" ")
	version, _, _ = strings.Cut(after, "\n")
	return version
}

func (a *webApp) callbackURL() string { return a.server.URL + "/callback" }

// discover needs no oidc.InsecureIssuerURLContext: the pool's issuer is where its document is.
func (a *webApp) discover(style oauth2.AuthStyle) {
	a.t.Helper()
	a.ctx = oidc.ClientContext(a.t.Context(), a.pool.HTTPClient())
	var err error
	if a.provider, err = oidc.NewProvider(a.ctx, a.pool.Issuer()); err != nil {
		a.t.Fatal(err)
	}
	app := a.pool.Client()
	a.verifier = a.provider.VerifierContext(a.ctx, &oidc.Config{ClientID: app.ID})
	a.oauth = oauth2.Config{
		ClientID: app.ID, Endpoint: a.provider.Endpoint(), RedirectURL: a.callbackURL(),
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
	a.oauth.Endpoint.AuthStyle = style
	if len(app.Secrets) > 0 {
		a.oauth.ClientSecret = app.Secrets[0]
	}
}

// signIn has the person visit the app: the error is the app's own.
func (a *webApp) signIn() (*oauth2.Token, *oidc.IDToken, error) {
	a.t.Helper()
	a.verifierPKCE, a.state, a.nonce = oauth2.GenerateVerifier(), rand.Text(), rand.Text()
	address := a.oauth.AuthCodeURL(a.state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifierPKCE))
	if err := person(a.pool)(a.ctx, address); err != nil {
		a.t.Fatalf("the browser: %v", err)
	}
	select {
	case came := <-a.back:
		return came.token, came.id, came.err
	default:
		a.t.Fatal("the browser did not come to the callback")
		return nil, nil, nil
	}
}

func (a *webApp) callback(w http.ResponseWriter, r *http.Request) {
	var came arrival
	came.token, came.err = a.exchange(r)
	if came.err == nil {
		came.id, came.err = a.verify(came.token, a.nonce)
	}
	a.back <- came
}

func (a *webApp) exchange(r *http.Request) (*oauth2.Token, error) {
	if code := r.FormValue("error"); code != "" {
		return nil, fmt.Errorf("the pool answers %q", code)
	}
	if r.URL.Path != "/callback" || r.FormValue("state") != a.state {
		return nil, errors.New("another path or state")
	}
	return a.oauth.Exchange(a.ctx, r.FormValue("code"), oauth2.VerifierOption(a.verifierPKCE))
}

// verify also does what go-oidc leaves to its caller: nonce and at_hash.
func (a *webApp) verify(token *oauth2.Token, nonce string) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := a.verifier.Verify(a.ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != nonce {
		return nil, errors.New("another nonce")
	}
	return id, id.VerifyAccessToken(token.AccessToken)
}

// session is a login and what follows, to the end of it.
func (a *webApp) session(rotate bool) {
	t := a.t
	token, id, err := a.signIn()
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Email         string
		EmailVerified bool   `json:"email_verified"`
		Username      string `json:"cognito:username"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	ada := a.pool.User()
	if id.Subject != ada.Sub || claims.Username != "ada" || claims.Email != "ada@example.com" || !claims.EmailVerified {
		t.Errorf("ID token: got %q and %+v, want ada's", id.Subject, claims)
	}
	info, err := a.provider.UserInfo(a.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	// Cognito's email_verified is a string here; go-oidc reads it all the same.
	if info.Subject != id.Subject || info.Email != "ada@example.com" || !info.EmailVerified {
		t.Errorf("userInfo: got %q, %q and verified %t, want ada's", info.Subject, info.Email, info.EmailVerified)
	}
	a.refreshes(token, id, rotate)
}

func (a *webApp) refreshes(token *oauth2.Token, id *oidc.IDToken, rotate bool) {
	t := a.t
	next := a.refresh(token, rotate)
	again, err := a.verify(next, "") // "it SHOULD NOT have a nonce Claim" (OpenID Connect Core §12.2)
	if err != nil {
		t.Fatal(err)
	}
	if again.Subject != id.Subject || again.Issuer != id.Issuer || !slices.Equal(again.Audience, id.Audience) {
		t.Errorf("refreshed ID token: got %q from %s for %v, want the first one's", again.Subject, again.Issuer, again.Audience)
	}

	// New keys: an unknown kid makes go-oidc fetch them, once. The old token ends with the old keys, for
	// whoever has just started: go-oidc may hand out new keys a moment before it forgets the old ones.
	fetched := a.pool.Count("jwks")
	a.pool.RotateKeys()
	last := a.refresh(next, rotate)
	if _, err := a.verify(last, ""); err != nil {
		t.Errorf("after the pool's keys changed: %v", err)
	}
	if got := a.pool.Count("jwks") - fetched; got != 1 {
		t.Errorf("after the pool's keys changed: got %d requests for them, want 1", got)
	}
	a.verifier = a.provider.VerifierContext(a.ctx, &oidc.Config{ClientID: a.oauth.ClientID})
	if _, err := a.verify(last, ""); err != nil {
		t.Errorf("a verifier that starts after the pool's keys changed: %v", err)
	}
	if _, err := a.verify(next, ""); err == nil {
		t.Error("a token of the old keys is still good, want an error")
	}

	a.pool.RevokeAll()
	_, err = a.oauth.TokenSource(a.ctx, &oauth2.Token{RefreshToken: last.RefreshToken}).Token()
	if refused := (*oauth2.RetrieveError)(nil); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("refresh after RevokeAll: got %v, want invalid_grant", err)
	}
	if _, err := a.provider.UserInfo(a.ctx, oauth2.StaticTokenSource(last)); err == nil {
		t.Error("userInfo after RevokeAll answered, want an error")
	}
}

// refresh uses a token source that has only a refresh token, twice: the second time costs nothing.
func (a *webApp) refresh(token *oauth2.Token, rotate bool) *oauth2.Token {
	t := a.t
	t.Helper()
	before := a.pool.Redemptions()
	source := a.oauth.TokenSource(a.ctx, &oauth2.Token{RefreshToken: token.RefreshToken})
	next, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(); err != nil {
		t.Fatal(err)
	}
	if got := a.pool.Redemptions() - before; got != 1 {
		t.Errorf("refresh: got %d redemptions, want 1", got)
	}
	if next.AccessToken == token.AccessToken {
		t.Error("refresh: got the old access token, want another one")
	}
	if got := next.RefreshToken != token.RefreshToken; got != rotate {
		t.Errorf("refresh: got another refresh token %t, want %t", got, rotate)
	}
	if !a.pool.Active(next.RefreshToken) || a.pool.Active(token.RefreshToken) == rotate {
		t.Error("refresh: the refresh token that the client is left with is not the good one")
	}
	return next
}
