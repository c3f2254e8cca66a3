package cogauth

import (
	"context"
	"strings"

	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/loopback"
)

// accept decides whether what an exchange brought becomes the session. The provider is the one that
// knows its issuer, or as it was.
func (c *Client) accept(ctx context.Context, p *provider.Provider, a *attempt, cb *loopback.Callback, answer *provider.Tokens, before *record) (*tokens, *provider.Provider, error) {
	if c.cfg.Domain != "" {
		known, err := c.learnIssuer(p, answer, cb, before)
		if err != nil {
			return nil, p, err
		}
		p = known
	}
	t, err := c.verify(ctx, p, answer, idtoken.Expect{Nonce: a.nonce.Reveal(), AccessToken: answer.Access})
	if err != nil {
		return nil, p, err
	}
	return t, p, c.expected(t)
}

// learnIssuer finds out which user pool is behind a domain, from an ID token that has come directly
// from its token endpoint over TLS. Nothing is believed of it yet but whose keys to check it with, and
// those can only be a user pool's of the configured Region, and the same pool's as before.
func (c *Client) learnIssuer(p *provider.Provider, answer *provider.Tokens, cb *loopback.Callback, before *record) (*provider.Provider, error) {
	claims, err := idtoken.Unverified(answer.ID)
	if err != nil {
		return nil, translate(err)
	}
	issuer := claims.String("iss")
	known, ok := p.WithIssuer(issuer, c.cfg.region())
	switch {
	case !ok && strings.HasPrefix(issuer, "https://") && otherRegion(issuer, c.cfg.region()) != "":
		return nil, fail(ErrMisconfigured, "", "the user pool behind the domain is in the Region %s, and region is %s", otherRegion(issuer, c.cfg.region()), c.cfg.region())
	case !ok:
		return nil, fail(ErrRefused, "", "the ID token does not come from a user pool in %s", c.cfg.region())
	case cb.Issuer != "" && cb.Issuer != issuer:
		return nil, fail(ErrRefused, "authorize", "the answer came from another issuer")
	case before != nil && before.purpose.Provider == c.purpose().Provider && !samePool(before.issuer, issuer):
		return nil, fail(ErrRefused, "", "the domain now belongs to another user pool than at the sign-in before (%s, not %s): if that is right, sign out first", issuer, before.issuer)
	}
	return known, nil
}

// otherRegion returns the Region of a user pool's issuer if it is another one.
func otherRegion(issuer, region string) string {
	pool, _ := provider.PoolOf(issuer)
	if of, _, ok := strings.Cut(pool, "_"); ok && of != region {
		return of
	}
	return ""
}

// samePool reports whether two issuers are one user pool's.
func samePool(a, b string) bool {
	one, ok1 := provider.PoolOf(a)
	other, ok2 := provider.PoolOf(b)
	return a == b || ok1 && ok2 && one == other
}

// expected refuses anybody but the person whom the configuration expects.
func (c *Client) expected(t *tokens) error {
	want, err := parseExpect(c.cfg.Expect)
	if err != nil {
		return err // New has refused it
	}
	claims := peek(t.get(IDToken).value)
	if want.met(claims) {
		return nil
	}
	got := claims.String(want.claim)
	if got == "" {
		got = "somebody without the claim " + want.claim
	}
	e := fail(ErrRefused, "", "signed in as %s, but this profile expects %s; nothing was stored", secret.Clean(got), c.cfg.Expect)
	e.cause = ErrUnexpectedPerson
	return e
}
