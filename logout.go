package cogauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/cogauth/cogauth/internal/provider"
)

// LogoutResult says what a logout did. It is filled in even when Logout returns an error.
type LogoutResult struct {
	// Found is whether there was a session on this machine.
	Found bool
	// Removed is whether nothing of it is left here.
	Removed bool
	// Revoked is whether the server confirmed that the refresh token is dead (RFC 7009 §2.2).
	Revoked bool
	// RevokeErr is why it did not; nil if there was nothing to revoke.
	RevokeErr error
}

// Logout ends the session: it deletes the cache's key, revokes the refresh token at the server and
// deletes the record, in this order, and deletes even if revoking fails. Access and ID tokens that
// were handed out stay valid until they expire; only the server could refuse them earlier.
//
// The error is nil only if nothing is left, here or at the server; RevokeErr is part of it.
// Signing out without being signed in is no error.
func (c *Client) Logout(ctx context.Context) (LogoutResult, error) {
	res, err := c.logout(ctx)
	if res.Found && res.Removed {
		c.changed(SignedOut, nil)
	}
	return res, err
}

func (c *Client) logout(ctx context.Context) (LogoutResult, error) {
	var res LogoutResult
	release, err := c.lock(ctx)
	if err != nil {
		return res, err
	}
	defer release()
	c.mu.Lock()
	c.unsaved, c.unstored, c.disowned = nil, nil, ""
	c.mu.Unlock()

	r, err := c.readRecord(ctx)
	if err != nil {
		return res, err
	}
	keyErr := c.keys.Delete(ctx, c.keyName())
	if r != nil {
		res.Found = true
		if !r.refresh.Empty() {
			res.RevokeErr = c.revoke(ctx, r)
			res.Revoked = res.RevokeErr == nil
		}
	}
	// From here on the caller's impatience would leave a record whose token is dead.
	held := context.WithoutCancel(ctx)
	removeErr := errors.Join(keyErr, c.cache.remove(), c.keys.Delete(held, c.testName()), c.store.Delete(held, c.credential()))
	res.Removed = removeErr == nil
	return res, errors.Join(removeErr, res.RevokeErr)
}

// Revoke is a Logout that changes nothing here unless the server has confirmed that the refresh token is
// dead, so that it can be tried again. Without a session it does nothing.
func (c *Client) Revoke(ctx context.Context) error {
	removed, err := c.revokeAndForget(ctx)
	if removed {
		c.changed(SignedOut, nil)
	}
	return err
}

func (c *Client) revokeAndForget(ctx context.Context) (removed bool, err error) {
	release, err := c.lock(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	r, err := c.readRecord(ctx)
	if err != nil || r == nil {
		return false, err
	}
	if !r.refresh.Empty() {
		if err := c.revoke(ctx, r); err != nil {
			return false, err
		}
	}
	c.mu.Lock()
	c.unsaved, c.unstored, c.disowned = nil, nil, ""
	c.mu.Unlock()
	err = c.forget(context.WithoutCancel(ctx))
	return err == nil, err
}

// revoke ends the grant behind a session's refresh token.
func (c *Client) revoke(ctx context.Context, r *record) error {
	p, err := c.providerOf(ctx, r)
	if err != nil {
		return err
	}
	if p == nil {
		return fail(ErrMisconfigured, "revoke token", "the session was made by another issuer, %s", r.issuer)
	}
	err = p.Revoke(ctx, r.refresh)
	if errors.Is(err, provider.ErrNoRevocation) {
		return fail(ErrRefused, "revoke token", "the provider has no revocation endpoint")
	}
	return translate(err)
}

// SignOutURL returns the address that ends the browser's session with the provider and leads on to
// Config.LogoutURL. Logout ends the session on this machine and at the token endpoint; the browser
// has one of its own, by which the next login may pass without a question. It does not sign out of
// an identity provider behind the user pool.
//
// The hosted UI is asked once whether LogoutURL is registered. Errors: ErrMisconfigured if that is
// missing or not registered, or the provider has no such address; ErrOffline.
func (c *Client) SignOutURL(ctx context.Context) (string, error) {
	const op = "sign out"
	p, err := c.discover(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case p.EndSessionEndpoint == "":
		return "", fail(ErrMisconfigured, op, "the provider has no address for signing out in the browser")
	case !p.HostedUI():
		// OpenID Connect RP-Initiated Logout 1.0 §2, without id_token_hint: a token does not belong in
		// an address.
		q := url.Values{"client_id": {c.cfg.ClientID}}
		if c.cfg.LogoutURL != "" {
			q.Set("post_logout_redirect_uri", c.cfg.LogoutURL)
		}
		return withQuery(p.EndSessionEndpoint, q), nil
	case c.cfg.LogoutURL == "":
		e := fail(ErrMisconfigured, op, "no sign-out URL is configured, and the user pool wants one")
		e.cause = ErrNoLogoutURL
		return "", e
	}
	address := withQuery(p.EndSessionEndpoint, url.Values{"client_id": {c.cfg.ClientID}, "logout_uri": {c.cfg.LogoutURL}})
	answer, err := p.Probe(ctx, op, address)
	if err != nil {
		return "", translate(err)
	}
	onErrorPage := answer.Location != nil && answer.Location.Path == "/error"
	if onErrorPage || answer.Status == http.StatusBadRequest {
		e := fail(ErrMisconfigured, op, "%s is not among the app client's sign-out URLs", c.cfg.LogoutURL)
		e.cause = ErrNoLogoutURL
		return "", e
	}
	return address, nil
}
