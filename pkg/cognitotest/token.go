package cognitotest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// oauthError is an error response of RFC 6749 §5.2. A description of "" leaves it out, as Cognito
// mostly does.
func oauthError(rec *Request, code, description string) *reply {
	rec.Error = code
	body := map[string]string{"error": code}
	if description != "" {
		body["error_description"] = description
	}
	return jsonReply(http.StatusBadRequest, body)
}

// token answers POST /oauth2/token.
func (p *Pool) token(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	f := r.PostForm
	p.received(f.Get("client_secret"), f.Get("code"), f.Get("code_verifier"), f.Get("refresh_token"))
	a := p.grant(r, rec)
	a.set("Access-Control-Allow-Origin", "*")
	p.mu.Lock()
	defer p.mu.Unlock()
	csrf := newUUID()
	p.noteSecret(csrf)
	a.header.Add("Set-Cookie", p.cookie(csrfCookie, csrf, 0)) // as Cognito does, for no known reason
	return a
}

func (p *Pool) grant(r *http.Request, rec *Request) *reply {
	f := r.PostForm
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return oauthError(rec, "invalid_request", "")
	}
	for _, values := range f {
		if len(values) > 1 {
			return oauthError(rec, "invalid_request", "")
		}
	}
	switch g := f.Get("grant_type"); g {
	case "authorization_code", "refresh_token", "client_credentials":
		rec.Grant = g
	case "":
		return oauthError(rec, "invalid_request", "")
	default:
		return oauthError(rec, "unsupported_grant_type", "")
	}
	client, code := p.authenticateClient(r, rec)
	if client == nil {
		return oauthError(rec, code, "")
	}
	switch rec.Grant {
	case "authorization_code":
		if !slices.Contains(client.AllowedFlows, "code") {
			return oauthError(rec, "unauthorized_client", "")
		}
		return p.redeemCode(client, r, rec)
	case "refresh_token":
		return p.redeemRefresh(client, f.Get("refresh_token"), rec)
	}
	return p.machineToken(client, f.Get("scope"), rec)
}

// authenticateClient finds the client that sends r, by RFC 6749 §2.3: a public one by its ID, a
// confidential one by its secret, in a Basic header or in the body. If it returns nil, code says why.
// It comes before anything else is looked at, so that failing here does not use up a code.
func (p *Pool) authenticateClient(r *http.Request, rec *Request) (client *AppClient, code string) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	p.received(secret)
	if !rec.HasAuthorizationHeader {
		if id == "" {
			return nil, "invalid_request"
		}
		return p.checkClient(p.client(id), secret)
	}
	_, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	p.received(encoded) // as good as the secret that is in it
	name, password, ok := r.BasicAuth()
	if !ok {
		return nil, "invalid_client"
	}
	if secret != "" {
		return nil, "invalid_request" // "MUST NOT use more than one authentication method in each request"
	}
	// "encoded using the application/x-www-form-urlencoded encoding algorithm" (§2.3.1), which not
	// every program does, and AWS's documentation does not mention.
	decoded, err := url.QueryUnescape(password)
	if err != nil {
		decoded = password
	}
	p.received(password, decoded)
	if plain, err := url.QueryUnescape(name); err == nil && p.client(name) == nil {
		name = plain
	}
	if id != "" && id != name {
		return nil, "invalid_client"
	}
	client = p.client(name)
	if client == nil || len(client.Secrets) == 0 {
		return nil, "invalid_client" // a public client has nothing to say here
	}
	if c, code := p.checkClient(client, password); c != nil {
		return c, code
	}
	return p.checkClient(client, decoded)
}

func (p *Pool) checkClient(client *AppClient, secret string) (*AppClient, string) {
	if client == nil {
		return nil, "invalid_client"
	}
	if len(client.Secrets) == 0 && secret == "" {
		return client, ""
	}
	for _, s := range client.Secrets {
		if subtle.ConstantTimeCompare([]byte(s), []byte(secret)) == 1 {
			return client, ""
		}
	}
	return nil, "invalid_client"
}

// redeemCode is RFC 6749 §4.1.3.
func (p *Pool) redeemCode(client *AppClient, r *http.Request, rec *Request) *reply {
	f := r.PostForm
	if f.Get("code") == "" {
		return oauthError(rec, "invalid_request", "")
	}
	now := p.now()
	p.mu.Lock()
	code := p.codes[f.Get("code")]
	delete(p.codes, f.Get("code")) // whatever comes of this attempt, there is no second
	p.mu.Unlock()
	switch {
	case f.Get("redirect_uri") == "":
		return oauthError(rec, "invalid_request", "")
	case code == nil || !now.Before(code.expires) || code.client.ID != client.ID:
		return oauthError(rec, "invalid_grant", "")
	case f.Get("redirect_uri") != code.redirectURI:
		return oauthError(rec, "unauthorized_client", "invalid_redirect")
	case !verifies(f.Get("code_verifier"), code.challenge):
		return oauthError(rec, or(p.cfg.VerifierError, "invalid_grant"), "")
	case !client.readsAll(code.scopes), p.snapshot(code.user).Disabled:
		return oauthError(rec, "invalid_grant", "")
	}

	s := &session{
		client: client, user: code.user, scopes: code.scopes, nonce: code.nonce, resource: code.resource,
		authTime: code.authTime, amr: code.amr,
		originJTI: newUUID(), eventID: newUUID(), expires: now.Add(client.RefreshTokenValidity),
	}
	answer := p.tokens(s, now, s.nonce, s.has("openid"))
	if !p.cfg.OmitRefreshToken {
		p.mu.Lock()
		answer["refresh_token"] = p.newRefresh(s)
		p.mu.Unlock()
	}
	return jsonReply(http.StatusOK, answer)
}

// verifies is the check of RFC 7636 §4.6 for S256. A code that was asked for without a challenge
// goes with no verifier.
func verifies(verifier, challenge string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 || !only(verifier, lower+upper+digits+"-._~") {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}

// redeemRefresh is RFC 6749 §6, with Cognito's refresh token rotation.
func (p *Pool) redeemRefresh(client *AppClient, token string, rec *Request) *reply {
	if token == "" {
		return oauthError(rec, "invalid_request", "")
	}
	now := p.now()
	s, successor := p.redeem(client, token, now)
	if s == nil {
		return oauthError(rec, "invalid_grant", "")
	}
	nonce := ""
	if p.cfg.NonceOnRefresh {
		nonce = s.nonce
	}
	answer := p.tokens(s, now, nonce, s.has("openid") && !p.cfg.OmitIDTokenOnRefresh)
	if successor != "" {
		answer["refresh_token"] = successor
	}
	return jsonReply(http.StatusOK, answer)
}

// redeem decides under one lock, so that of any number of requests with one token that rotates
// without grace a single one succeeds. The session is nil if the token is refused; successor is "" if
// the client keeps the token it has.
func (p *Pool) redeem(client *AppClient, token string, now time.Time) (s *session, successor string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.refresh[token]
	if t == nil || t.session.client.ID != client.ID || t.session.user.Disabled {
		return nil, ""
	}
	if !t.usable(now) {
		if p.cfg.RevokeOnReuse && !t.rotated.IsZero() {
			t.session.revoked = true
		}
		return nil, ""
	}
	p.redeemed++
	if !t.session.client.RefreshTokenRotation {
		return t.session, ""
	}
	if t.rotated.IsZero() {
		t.rotated = now
	}
	if t.successor == "" || !p.cfg.GraceRepeats {
		t.successor = p.newRefresh(t.session)
	}
	successor = t.successor
	if p.cfg.OmitRefreshToken {
		successor = ""
	}
	return t.session, successor
}

// tokens makes the members that both grants of a person return. There is no scope member: Cognito sends none.
func (p *Pool) tokens(s *session, now time.Time, nonce string, withID bool) map[string]any {
	access := p.newAccessToken(s, now)
	answer := p.accessAnswer(s.client, access)
	if withID {
		answer["id_token"] = p.newIDToken(s, now, access, nonce)
	}
	return answer
}

// accessAnswer holds the members that every grant returns.
func (p *Pool) accessAnswer(client *AppClient, access string) map[string]any {
	answer := map[string]any{
		"access_token": access,
		"expires_in":   int(client.AccessTokenValidity / time.Second),
		"token_type":   "Bearer",
	}
	if p.cfg.ExtraMembers {
		answer["x_unknown_member"] = p.extra()
	}
	return answer
}

// revoke answers POST /oauth2/revoke (RFC 7009). It takes refresh tokens only, and ends the session
// with everything that came of it.
func (p *Pool) revoke(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	a := p.revokeToken(r, rec)
	return a.set("Access-Control-Allow-Origin", "*")
}

func (p *Pool) revokeToken(r *http.Request, rec *Request) *reply {
	token := r.PostForm.Get("token")
	p.received(token)
	if token == "" {
		return oauthError(rec, "invalid_request", "")
	}
	client, code := p.authenticateClient(r, rec)
	if client == nil {
		a := oauthError(rec, code, "")
		if code == "invalid_client" || r.PostForm.Get("client_id") == "" {
			a = oauthError(rec, "invalid_client", "")
			a.status = http.StatusUnauthorized
		}
		return a
	}
	if client.DisableTokenRevocation {
		return oauthError(rec, "invalid_request", "")
	}
	if strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2 {
		return oauthError(rec, "unsupported_token_type", "") // a JWT: an ID or access token
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.refresh[token]
	if t != nil && t.session.client.ID != client.ID {
		// RFC 7009 §2.1: "the request is refused and the client is informed of the error".
		return oauthError(rec, "invalid_request", "")
	}
	if t != nil {
		t.session.revoked = true
	}
	// "invalid tokens do not cause an error response" (RFC 7009 §2.2).
	return newReply(http.StatusOK)
}

// userInfo answers GET /oauth2/userInfo.
func (p *Pool) userInfo(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return methodNotAllowed("GET, POST")
	}
	a := p.claimsOf(r, rec)
	return a.set("Access-Control-Allow-Origin", "*")
}

func (p *Pool) claimsOf(r *http.Request, rec *Request) *reply {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return bearerError(rec, http.StatusBadRequest, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint")
	}
	p.received(token)
	now := p.now()
	p.mu.Lock()
	t := p.access[token]
	valid := t != nil && !t.session.revoked && now.Before(t.expires)
	p.mu.Unlock()
	if !valid {
		return bearerError(rec, http.StatusUnauthorized, "invalid_token",
			"Access token is expired, disabled, or deleted, or the user has globally signed out.")
	}
	if !t.session.has("openid") {
		return bearerError(rec, http.StatusUnauthorized, "invalid_token", "Access token does not contain openid scope")
	}
	user := p.snapshot(t.session.user)
	claims := map[string]string{"sub": user.Sub, "username": user.Username}
	maps.Copy(claims, t.session.attributes(&user))
	return jsonReply(http.StatusOK, claims)
}

// bearerError puts the error where RFC 6750 §3 wants it.
func bearerError(rec *Request, status int, code, description string) *reply {
	a := oauthError(rec, code, description)
	a.status = status
	return a.set("WWW-Authenticate", `error="`+code+`", error_description="`+description+`"`)
}
