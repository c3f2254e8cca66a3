package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
)

// tokenFileVariable names a file with an ID token that is handed out in place of a session's: pipelines
// have one from elsewhere, and neither browser nor keychain.
const tokenFileVariable = "COGAUTH_ID_TOKEN_FILE"

// given is a token to hand out.
type given struct {
	value   string
	typ     cogauth.TokenType
	expires time.Time // by this machine's clock
	issued  time.Time
}

// tokenFromFile reads the token, and refuses one that its consumer would refuse: of another issuer or
// client, or kind, or expired. Its signature is for the consumer to verify: the file is trusted as a
// keychain is.
func (a *app) tokenFromFile(ctx context.Context, path string, s *config.Settings, typ cogauth.TokenType) (given, error) {
	bad := func(hint, format string, args ...any) (given, error) {
		return given{}, &hintError{fmt.Errorf(tokenFileVariable+": "+format, args...), hint}
	}
	if typ != cogauth.IDToken {
		return bad("unset it, or serve the ID token here", "there is no access token in it: %w", cogauth.ErrMisconfigured)
	}
	text, err := a.readTokenFile(ctx, path)
	switch {
	case ctx.Err() != nil:
		return given{}, ctx.Err()
	case err != nil:
		return bad("see that the file is there and yours to read", "%w: %w", cogauth.ErrMisconfigured, err)
	}
	token := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) // some editors begin a file with it
	claims, err := idtoken.Unverified(secret.New(token))
	if err != nil || strings.ContainsFunc(token, notBearer) {
		return bad("put an ID token into the file, and nothing else", "the file holds no JSON Web Token: %w", cogauth.ErrMisconfigured)
	}
	issuer, expires := claims.String("iss"), claims.Time("exp")
	same := s.Issuer != "" && issuer == s.Issuer
	if pool, ok := provider.PoolOf(issuer); ok { // a pool's issuer has several forms
		of, _ := provider.PoolOf(s.Issuer)
		same = pool == s.UserPoolID || pool == of
	}
	const other = "get the token from the user pool and app client that the profile names"
	switch {
	case s.UserPoolID == "" && s.Issuer == "":
		return bad("set user_pool_id in the profile", "the profile does not say whose tokens are good: it has a domain only: %w", cogauth.ErrMisconfigured)
	case !same:
		return bad(other, "the token is of another issuer than profile %s: %w", s.Profile, cogauth.ErrRefused)
	case !isFor(claims, s.ClientID):
		return bad(other, "the token is for another app client than profile %s: %w", s.Profile, cogauth.ErrRefused)
	case claims.Cognito() && claims.String("token_use") != "id":
		return bad("put an ID token into the file", "its token_use says that the token is no ID token: %w", cogauth.ErrRefused)
	case time.Now().Add(idtoken.Leeway).Before(claims.Time("nbf")):
		return bad("wait, or put another token into the file; see that this machine's clock is right", "the token is not good yet: %w", cogauth.ErrRefused)
	case !time.Now().Before(expires):
		return bad("put a fresh token into the file", "the token has expired: %w", cogauth.ErrLoginRequired)
	}
	return given{token, cogauth.IDToken, expires, claims.Time("iat")}, nil
}

// readTokenFile reads what is in the file, once: it may be a pipe, as from process substitution, and one
// call may ask for several tokens. A pipe that nobody writes to is waited for until ctx ends.
func (a *app) readTokenFile(ctx context.Context, path string) (string, error) {
	if a.tokenFile != nil {
		return *a.tokenFile, nil
	}
	b, err := await(ctx, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, 1<<20))
	})
	if err != nil {
		return "", err
	}
	text := string(b)
	a.tokenFile = &text
	return text, nil
}

// notBearer is what no token has that goes into a header (RFC 6750 §2.1 allows even less).
func notBearer(r rune) bool { return r <= ' ' || r >= 0x7f }

// isFor reports whether a token's audience is the app client (OpenID Connect Core §2).
func isFor(claims idtoken.Claims, clientID string) bool {
	switch aud := claims["aud"].(type) {
	case string:
		return aud == clientID
	case []any:
		return slices.Contains(aud, any(clientID))
	}
	return false
}
