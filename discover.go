package cogauth

import (
	"context"
	"slices"

	"github.com/cogauth/cogauth/internal/provider"
)

// discover returns the provider, fetching its discovery document once per Client. One that is known
// by its domain alone has no Issuer yet.
func (c *Client) discover(ctx context.Context) (*provider.Provider, error) {
	return c.discoverWith(ctx, true)
}

// discoverWith leaves out the client secret, which takes a look into the store, if it is known that there
// is none.
func (c *Client) discoverWith(ctx context.Context, withSecret bool) (*provider.Provider, error) {
	c.mu.Lock()
	p, done := c.provider, c.secretRead || !withSecret
	c.mu.Unlock()
	if p != nil && done {
		return p, nil
	}
	if p == nil {
		hc, err := c.httpClient()
		if err != nil {
			return nil, err
		}
		if c.cfg.Domain != "" {
			p = provider.FromDomain(hc, c.cfg.ClientID, provider.DomainHost(c.cfg.Domain, c.cfg.region()))
		} else if p, err = provider.Discover(ctx, hc, c.cfg.ClientID, c.issuers()...); err != nil {
			return nil, translate(err)
		}
		p.Now = c.now
	}
	if withSecret {
		s, err := c.clientSecret(ctx)
		if err != nil {
			return nil, err
		}
		secretive := *p
		secretive.ClientSecret = s
		p = &secretive
	}
	c.mu.Lock()
	c.provider, c.secretRead = p, withSecret
	c.mu.Unlock()
	return p, nil
}

// providerOf returns the provider of a stored session, or nil if another is configured by now, which
// must never see the session's tokens. A user pool that has changed from one form of issuer to the
// other is the same one.
func (c *Client) providerOf(ctx context.Context, r *record) (*provider.Provider, error) {
	if r.purpose.Provider != c.purpose().Provider {
		return nil, nil
	}
	p, err := c.discoverWith(ctx, !r.noSecret)
	if err != nil {
		return nil, err
	}
	if c.cfg.Domain != "" {
		p, _ = p.WithIssuer(r.issuer, c.cfg.region())
		return p, nil
	}
	if p.Issuer != r.issuer && !slices.Contains(c.issuers(), r.issuer) {
		return nil, nil
	}
	return p, nil
}

// issuers are the acceptable issuers; the first is where discovery starts.
func (c *Client) issuers() []string {
	if c.cfg.UserPoolID != "" {
		return provider.PoolIssuers(c.cfg.UserPoolID)
	}
	issuers := []string{c.cfg.Issuer}
	if pool, ok := provider.PoolOf(c.cfg.Issuer); ok {
		for _, other := range provider.PoolIssuers(pool) {
			if other != c.cfg.Issuer {
				issuers = append(issuers, other)
			}
		}
	}
	return issuers
}
