package cogauth

import (
	"context"
	"maps"
	"time"

	"github.com/cogauth/cogauth/internal/idtoken"
)

// Session describes who is signed in. It holds no token, so it may be printed and logged.
type Session struct {
	Profile  string
	Issuer   string
	ClientID string
	// Subject is the sub claim: the one name that never changes.
	Subject string
	// Username is what to show: the claim that Config.UsernameClaim names, or the first of email,
	// preferred_username, cognito:username and sub.
	Username string
	// Claims are those of the newest ID token, verified when it came, possibly expired since. nil if
	// the token cache is gone; the session itself may still be good.
	Claims map[string]any
	// SignedInAt is when the person signed in, by this machine's clock.
	SignedInAt time.Time
	// IDTokenExpires and AccessTokenExpires are zero if there is no such token in the cache.
	IDTokenExpires, AccessTokenExpires time.Time
	// Refreshable says whether the login brought a refresh token. Without one the session ends with
	// its tokens.
	Refreshable bool
}

// Session returns the stored session. It makes no request and changes nothing.
//
// Errors: ErrLoginRequired if there is none; tokenstore's if the keychain is missing, locked or broken.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	r, err := c.readRecord(ctx)
	if err != nil || r == nil {
		return nil, errorOr(err, fail(ErrLoginRequired, "", "not signed in"))
	}
	if r.identity != c.identity() {
		return nil, fail(ErrLoginRequired, "", "the issuer or the scopes have changed since the sign-in")
	}
	key, err := c.readKey(ctx)
	if err != nil {
		return nil, err
	}
	var t *tokens
	if sealed, err := c.cache.read(); err == nil && key != nil && key.session == r.session {
		t = c.open(key, sealed)
	}
	return c.describe(r, t), nil
}

func (c *Client) describe(r *record, t *tokens) *Session {
	s := &Session{
		Profile:            c.cfg.Profile,
		Issuer:             r.issuer,
		ClientID:           c.cfg.ClientID,
		SignedInAt:         r.signedIn,
		IDTokenExpires:     t.get(IDToken).expires,
		AccessTokenExpires: t.get(AccessToken).expires,
		Refreshable:        !r.refresh.Empty(),
	}
	if claims := peek(t.get(IDToken).value); claims != nil {
		s.Claims = maps.Clone(map[string]any(claims))
		s.Subject = claims.String("sub")
		s.Username = c.username(claims)
	}
	return s
}

func (c *Client) username(claims idtoken.Claims) string {
	for _, name := range []string{c.cfg.UsernameClaim, "email", "preferred_username", "cognito:username"} {
		if v := claims.String(name); name != "" && v != "" {
			return v
		}
	}
	return claims.String("sub")
}
