package cognitotest

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// session is what one sign-in of one client has led to: RFC 6749 calls it a grant. The fields under
// Pool.mu are marked.
type session struct {
	client    *AppClient
	user      *User
	scopes    []string
	nonce     string
	resource  string
	authTime  time.Time
	amr       []string
	originJTI string
	eventID   string
	expires   time.Time // of every refresh token: rotation never extends a session
	revoked   bool      // mu
}

// refreshToken is one refresh token of a session.
type refreshToken struct {
	session   *session
	rotated   time.Time // mu; zero while the token has no successor
	successor string    // mu; the last one that was handed out
}

// usable reports whether a refresh with t would succeed now. The caller holds Pool.mu.
func (t *refreshToken) usable(now time.Time) bool {
	if t.session.revoked || !now.Before(t.session.expires) {
		return false
	}
	return t.rotated.IsZero() || now.Before(t.rotated.Add(t.session.client.RetryGracePeriod))
}

// accessToken is what the pool remembers of an access token.
type accessToken struct {
	session *session
	expires time.Time
}

func (s *session) has(scope string) bool { return slices.Contains(s.scopes, scope) }

// attributes returns the user's attributes that the client may read and the session's scopes let
// through: openid alone, or with profile, lets all of them through; email and phone by themselves limit them.
func (s *session) attributes(user *User) map[string]string {
	if !s.has("openid") {
		return nil
	}
	out := maps.Clone(user.Attributes)
	maps.DeleteFunc(out, func(name, _ string) bool { return !s.client.reads(name) })
	if s.has("profile") || !s.has("email") && !s.has("phone") {
		return out
	}
	maps.DeleteFunc(out, func(name, _ string) bool {
		switch name {
		case "email", "email_verified":
			return !s.has("email")
		case "phone_number", "phone_number_verified":
			return !s.has("phone")
		}
		return true
	})
	return out
}

// reads reports whether the client may read an attribute.
func (c *AppClient) reads(attribute string) bool {
	return c.ReadAttributes == nil || slices.Contains(c.ReadAttributes, attribute)
}

// readsAll reports whether the client may read every attribute that its scopes are about.
func (c *AppClient) readsAll(scopes []string) bool {
	for scope, attributes := range map[string][]string{"email": {"email", "email_verified"}, "phone": {"phone_number", "phone_number_verified"}} {
		for _, a := range attributes {
			if slices.Contains(scopes, scope) && !c.reads(a) {
				return false
			}
		}
	}
	return true
}

// common holds the claims that both kinds of token have.
func (p *Pool) common(s *session, user *User, use string, now time.Time, validity time.Duration) map[string]any {
	claims := map[string]any{
		"sub":       user.Sub,
		"iss":       p.Issuer(),
		"token_use": use,
		"auth_time": s.authTime.Unix(),
		"iat":       now.Unix(),
		"exp":       now.Add(validity).Unix(),
		"event_id":  s.eventID,
		"acr":       "urn:cognito:loa:1",
		"amr":       s.amr,
	}
	if slices.Contains(s.amr, "mfa") {
		claims["acr"] = "urn:cognito:loa:2"
	}
	if !s.client.DisableTokenRevocation || s.client.RefreshTokenRotation {
		claims["jti"], claims["origin_jti"] = newUUID(), s.originJTI
	}
	if len(user.Groups) > 0 {
		claims["cognito:groups"] = user.Groups
	}
	if p.cfg.ExtraMembers {
		claims["x_unknown_member"] = p.extra()
	}
	return claims
}

// newAccessToken has an aud only if the request named a resource (RFC 8707).
func (p *Pool) newAccessToken(s *session, now time.Time) string {
	user := p.snapshot(s.user)
	claims := p.common(s, &user, "access", now, s.client.AccessTokenValidity)
	claims["client_id"] = s.client.ID
	claims["username"] = user.Username
	claims["scope"] = strings.Join(s.scopes, " ")
	claims["version"] = 2
	if s.resource != "" {
		claims["aud"] = s.resource
	}
	return p.signAccess(s, claims, now)
}

func (p *Pool) signAccess(s *session, claims map[string]any, now time.Time) string {
	keys, _, _ := p.signing()
	sign := func() string {
		return keys.access.jwt(map[string]any{"kid": keys.access.kid, "alg": "RS256"}, claims, SignatureValid, nil)
	}
	token := padded(sign, claims, "padding", p.cfg.AccessTokenBytes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.access[token] = &accessToken{session: s, expires: now.Add(s.client.AccessTokenValidity)}
	p.noteSecret(token)
	return token
}

// padded signs claims, and again with a claim of padding if the token is shorter than size: base64
// makes four characters of three bytes.
func padded(sign func() string, claims map[string]any, name string, size int) string {
	token := sign()
	for n := 0; len(token) < size; n = max(n+1, n+(size-len(token))*3/4) {
		claims[name] = strings.Repeat("x", n)
		token = sign()
	}
	return token
}

// newIDToken makes an ID token; nonce is "" on refresh.
func (p *Pool) newIDToken(s *session, now time.Time, access, nonce string) string {
	user := p.snapshot(s.user)
	claims := p.common(s, &user, "id", now, s.client.IDTokenValidity)
	claims["aud"] = s.client.ID
	claims["cognito:username"] = user.Username
	claims["at_hash"] = atHash(access)
	if nonce != "" {
		claims["nonce"] = nonce
	}
	roles, preferred := p.roles(user.Groups)
	if len(roles) > 0 {
		claims["cognito:roles"] = roles
	}
	if preferred != "" {
		claims["cognito:preferred_role"] = preferred
	}
	if user.provider != nil {
		claims["identities"] = []map[string]any{user.identity()}
	}
	for name, value := range s.attributes(&user) {
		if verifiedFlag(name) {
			claims[name] = value == "true" // a boolean here, a string at userInfo
		} else {
			claims[name] = value
		}
	}
	keys, change, how := p.signing()
	header := map[string]any{"kid": keys.id.kid, "alg": "RS256"}
	if change != nil {
		change(header, claims)
	}
	token := padded(func() string { return keys.id.jwt(maps.Clone(header), claims, how, keys.foreign) }, claims, "custom:padding", p.cfg.IDTokenBytes)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteSecret(token)
	return token
}

// roles returns the roles of groups, and the one that is preferred: that of the group with the lowest
// precedence, unless two tie with different roles.
func (p *Pool) roles(groups []string) (roles []string, preferred string) {
	best := 0
	for _, g := range p.cfg.Groups {
		if g.Role == "" || !slices.Contains(groups, g.Name) {
			continue
		}
		switch {
		case len(roles) == 0 || g.Precedence < best:
			best, preferred = g.Precedence, g.Role
		case g.Precedence == best && g.Role != preferred:
			preferred = ""
		}
		if !slices.Contains(roles, g.Role) {
			roles = append(roles, g.Role)
		}
	}
	return roles, preferred
}

// identity is the element of the claim identities: who a federated person is at the provider.
func (u *User) identity() map[string]any {
	return map[string]any{
		"userId": u.subject, "providerName": u.provider.Name, "providerType": u.provider.Type, "issuer": nil,
		"primary": "true", "dateCreated": strconv.FormatInt(u.linked.UnixMilli(), 10),
	}
}

func verifiedFlag(name string) bool {
	return name == "email_verified" || name == "phone_number_verified"
}

// atHash is "the base64url encoding of the left-most half of the hash of the octets of the ASCII
// representation of the access_token value" (OpenID Connect Core §3.1.3.6).
func atHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// newRefresh adds a refresh token to s. The caller holds p.mu.
func (p *Pool) newRefresh(s *session) string {
	token := newRefreshToken(p.cfg.RefreshTokenBytes)
	p.refresh[token] = &refreshToken{session: s}
	p.noteSecret(token)
	return token
}

// Active reports whether the pool would honour refreshToken now: it issued it, and the token is
// neither revoked, nor expired, nor rotated out and past its grace period.
func (p *Pool) Active(refreshToken string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.refresh[refreshToken]
	return t != nil && t.usable(p.now())
}

// Issued reports whether the pool ever handed out refreshToken.
func (p *Pool) Issued(refreshToken string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refresh[refreshToken] != nil
}

// RevokeAll ends every session, as an administrator's global sign-out does: each refresh token
// becomes invalid_grant, each access token invalid_token. Browsers stay signed in.
func (p *Pool) RevokeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.refresh {
		t.session.revoked = true
	}
	for _, t := range p.access {
		t.session.revoked = true
	}
}
