// Package idtoken verifies ID tokens (OpenID Connect Core §3.1.3.7) and Cognito's access tokens.
package idtoken

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cogauth/cogauth/internal/secret"
)

// Leeway is how far the clocks of this machine and the issuer may differ before a token is refused.
const Leeway = 60 * time.Second

// Error says why a token was refused. It never holds any part of the token.
type Error struct {
	Token  string // "ID token" or "access token"
	Reason string
}

func (e *Error) Error() string { return e.Token + " refused: " + e.Reason }

// Verifier checks tokens of one issuer for one app client. Safe for concurrent use.
type Verifier struct {
	Issuer   string
	ClientID string
	Keys     *KeySet
	Now      func() time.Time // nil means time.Now
}

// Claims are a verified token's claims.
type Claims map[string]any

// String returns the claim name if it is a string, else "".
func (c Claims) String(name string) string {
	s, _ := c[name].(string)
	return s
}

// Time returns a NumericDate claim in UTC, and the zero time if it is absent.
func (c Claims) Time(name string) time.Time {
	n, ok := c[name].(float64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

// Cognito reports whether the token says which of Cognito's two kinds it is.
func (c Claims) Cognito() bool {
	_, ok := c["token_use"]
	return ok
}

// Expect is what a particular ID token must match beyond issuer, audience and time.
type Expect struct {
	Nonce       string        // required claim if not ""
	Subject     string        // required value of sub if not "": a refreshed token names the same person
	AccessToken secret.Secret // checked against at_hash if the claim is there
}

// ID verifies an ID token.
func (v *Verifier) ID(ctx context.Context, raw secret.Secret, want Expect) (Claims, error) {
	const kind = "ID token"
	claims, err := v.parse(ctx, kind, raw, jwt.WithAudience(v.ClientID))
	if err != nil {
		return nil, err
	}
	refuse := func(reason string) (Claims, error) { return nil, &Error{kind, reason} }
	switch {
	case claims.String("sub") == "":
		return refuse("it names no subject")
	case claims.Cognito() && claims.String("token_use") != "id":
		return refuse("its token_use is not id")
	case !v.authorizedParty(claims):
		return refuse("its authorized party (azp) is another client")
	case want.Nonce != "" && subtle.ConstantTimeCompare([]byte(claims.String("nonce")), []byte(want.Nonce)) != 1:
		return refuse("its nonce is not the one that was sent")
	case want.Subject != "" && claims.String("sub") != want.Subject:
		return refuse("it is for another person than before")
	case !atHashMatches(claims, want.AccessToken):
		return refuse("it belongs to another access token (at_hash)")
	}
	return claims, nil
}

// Access verifies an access token that Cognito made: it has client_id in place of aud.
func (v *Verifier) Access(ctx context.Context, raw secret.Secret) (Claims, error) {
	const kind = "access token"
	claims, err := v.parse(ctx, kind, raw)
	if err != nil {
		return nil, err
	}
	switch {
	case claims.String("token_use") != "access":
		return nil, &Error{kind, "its token_use is not access"}
	case claims.String("client_id") != v.ClientID:
		return nil, &Error{kind, "it was issued to another client"}
	}
	return claims, nil
}

func (v *Verifier) parse(ctx context.Context, kind string, raw secret.Secret, extra ...jwt.ParserOption) (Claims, error) {
	now := v.Now
	if now == nil {
		now = time.Now
	}
	options := append([]jwt.ParserOption{
		jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithIssuer(v.Issuer),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(Leeway),
		jwt.WithTimeFunc(now),
	}, extra...)
	var keyErr error
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(options...).ParseWithClaims(raw.Reveal(), claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, err := v.Keys.Key(ctx, kid)
		keyErr = err
		return key, err
	})
	switch {
	case err == nil:
		return Claims(claims), nil
	case keyErr != nil && !errors.Is(keyErr, errUnknownKey):
		return nil, keyErr // the keys could not be fetched: nothing is known about the token
	default:
		return nil, &Error{kind, reason(err)}
	}
}

// reason puts golang-jwt's sentinels into words; its own text may quote what the token says.
func reason(err error) string {
	for _, r := range []struct {
		is   error
		text string
	}{
		{errUnknownKey, "it is signed with a key the issuer does not publish"},
		{jwt.ErrTokenMalformed, "it is not a JSON Web Token"},
		{jwt.ErrTokenSignatureInvalid, "its signature is wrong, or its algorithm is not RS256"},
		{jwt.ErrTokenUnverifiable, "its signature cannot be checked"},
		{jwt.ErrTokenInvalidIssuer, "it comes from another issuer"},
		{jwt.ErrTokenInvalidAudience, "it is for another client"},
		{jwt.ErrTokenExpired, "it has expired (is this machine's clock right?)"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet (is this machine's clock right?)"},
		{jwt.ErrTokenRequiredClaimMissing, "a required claim is missing"},
	} {
		if errors.Is(err, r.is) {
			return r.text
		}
	}
	return "its claims are not valid"
}

// authorizedParty applies Core §3.1.3.7 items 4 and 5: with several audiences, or with azp, the
// token must have been issued to this client.
func (v *Verifier) authorizedParty(c Claims) bool {
	if azp, ok := c["azp"]; ok {
		return azp == v.ClientID
	}
	aud, many := c["aud"].([]any)
	return !many || len(aud) == 1
}

// atHashMatches compares at_hash: "the base64url encoding of the left-most half of the hash of the
// octets of the ASCII representation of the access_token value" (Core §3.1.3.6), here of SHA-256.
func atHashMatches(c Claims, access secret.Secret) bool {
	claimed, ok := c["at_hash"]
	if !ok || access.Empty() {
		return true
	}
	sum := sha256.Sum256([]byte(access.Reveal()))
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	return subtle.ConstantTimeCompare(fmt.Append(nil, claimed), []byte(want)) == 1
}

// Unverified decodes the claims of a token that was verified earlier. It checks nothing.
func Unverified(raw secret.Secret) (Claims, error) {
	_, rest, ok1 := strings.Cut(raw.Reveal(), ".")
	payload, _, ok2 := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	var c Claims
	if !ok1 || !ok2 || err != nil || json.Unmarshal(b, &c) != nil {
		return nil, &Error{"token", "it is not a JSON Web Token"}
	}
	return c, nil
}
