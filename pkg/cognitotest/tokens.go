package cognitotest

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
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
	authTime  time.Time
	originJTI string
	eventID   string
	expires   time.Time // of every refresh token: rotation never extends a session
	revoked   bool      // mu
}

// refreshToken is one refresh token of a session.
type refreshToken struct {
	session *session
	rotated time.Time // mu; zero while the token has no successor
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

// attributes returns the user's attributes that the session's scopes let through: openid alone, or
// with profile, lets all of them through; email and phone by themselves limit them.
func (s *session) attributes() map[string]string {
	if !s.has("openid") {
		return nil
	}
	if s.has("profile") || !s.has("email") && !s.has("phone") {
		return s.user.Attributes
	}
	out := maps.Clone(s.user.Attributes)
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

// common holds the claims that both kinds of token have.
func (p *Pool) common(s *session, use string, now time.Time, validity time.Duration) map[string]any {
	claims := map[string]any{
		"sub":        s.user.Sub,
		"iss":        p.Issuer(),
		"token_use":  use,
		"auth_time":  s.authTime.Unix(),
		"iat":        now.Unix(),
		"exp":        now.Add(validity).Unix(),
		"jti":        newUUID(),
		"origin_jti": s.originJTI,
		"event_id":   s.eventID,
	}
	if len(s.user.Groups) > 0 {
		claims["cognito:groups"] = s.user.Groups
	}
	return claims
}

// newAccessToken has no aud: Cognito puts one in only for a resource (RFC 8707).
func (p *Pool) newAccessToken(s *session, now time.Time) string {
	claims := p.common(s, "access", now, s.client.AccessTokenValidity)
	claims["client_id"] = s.client.ID
	claims["username"] = s.user.Username
	claims["scope"] = strings.Join(s.scopes, " ")
	claims["version"] = 2
	keys, _, _ := p.signing()
	token := keys.access.jwt(map[string]any{"kid": keys.access.kid, "alg": "RS256"}, claims, SignatureValid, nil)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.access[token] = &accessToken{session: s, expires: now.Add(s.client.AccessTokenValidity)}
	p.noteSecret(token)
	return token
}

// newIDToken makes an ID token; nonce is "" on refresh.
func (p *Pool) newIDToken(s *session, now time.Time, access, nonce string) string {
	claims := p.common(s, "id", now, s.client.IDTokenValidity)
	claims["aud"] = s.client.ID
	claims["cognito:username"] = s.user.Username
	claims["at_hash"] = atHash(access)
	if nonce != "" {
		claims["nonce"] = nonce
	}
	for name, value := range s.attributes() {
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
	token := keys.id.jwt(header, claims, how, keys.foreign)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteSecret(token)
	return token
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
