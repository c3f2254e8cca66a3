package cogauth

import (
	"context"
	"maps"
	"slices"
	"strconv"
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
	// AccessClaims are those of the newest access token, if it is a JSON Web Token. A user pool's was
	// verified when it came; another provider's is for its API to verify (RFC 9068 §4).
	AccessClaims map[string]any
	// SignedInAt is when the person signed in, by this machine's clock.
	SignedInAt time.Time
	// IDTokenExpires and AccessTokenExpires are by this machine's clock, as SignedInAt is. They are zero
	// if there is no such token in the cache.
	IDTokenExpires, AccessTokenExpires time.Time
	// Refreshable says whether the login brought a refresh token. Without one the session ends with
	// its tokens.
	Refreshable bool
	// Ends is when the refresh token expires and the person has to sign in again: SignedInAt plus
	// Config.RefreshTokenValidity. Refreshing does not move it, with rotation or without. Zero if that
	// is not configured, or there is no refresh token.
	Ends time.Time
}

// Session returns the stored session. It makes no request and changes nothing.
//
// Errors: ErrLoginRequired if there is none; tokenstore's if the keychain is missing, locked or broken.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	r, err := c.readRecord(ctx)
	if err != nil || r == nil {
		return nil, errorOr(err, fail(ErrLoginRequired, "", "not signed in"))
	}
	if err := r.purpose.check(c.purpose()); err != nil {
		return nil, err
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
		IDTokenExpires:     t.get(IDToken).ExpiresHere(),
		AccessTokenExpires: t.get(AccessToken).ExpiresHere(),
		Refreshable:        !r.refresh.Empty(),
	}
	if c.cfg.RefreshTokenValidity > 0 && s.Refreshable {
		s.Ends = r.signedIn.Add(c.cfg.RefreshTokenValidity)
	}
	if claims := peek(t.get(IDToken).value); claims != nil {
		s.Claims = maps.Clone(map[string]any(claims))
		s.Subject = claims.String("sub")
		s.Username = c.username(claims)
	}
	if claims := peek(t.get(AccessToken).value); claims != nil {
		s.AccessClaims = maps.Clone(map[string]any(claims))
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

// Groups returns the groups that the newest ID token puts the person in: cognito:groups, or groups as
// other providers call it. They are as old as the token: ask Token for a fresh one before you decide by them.
func (s *Session) Groups() []string {
	if groups := texts(s.Claims["cognito:groups"]); groups != nil {
		return groups
	}
	return texts(s.Claims["groups"])
}

// Roles returns the ARNs of the IAM roles of the person's groups, the preferred one first.
func (s *Session) Roles() []string {
	roles := texts(s.Claims["cognito:roles"])
	preferred, _ := s.Claims["cognito:preferred_role"].(string)
	if i := slices.Index(roles, preferred); i > 0 {
		roles = slices.Insert(slices.Delete(roles, i, i+1), 0, preferred)
	}
	return roles
}

// HasClaim reports whether the newest ID token's claim name is value, or a list that value is in.
// Booleans and numbers are compared as JSON writes them.
func (s *Session) HasClaim(name, value string) bool {
	claim, ok := s.Claims[name]
	if list, isList := claim.([]any); isList {
		return slices.ContainsFunc(list, func(v any) bool { return text(v) == value })
	}
	return ok && text(claim) == value
}

// texts returns a claim that is a string or a list of strings.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// text writes a claim that is no list or object.
func text(claim any) string {
	switch v := claim.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
