package cogauth

import (
	"context"
	"errors"
	"slices"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
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
	var res LogoutResult
	release, err := c.lock(ctx)
	if err != nil {
		return res, err
	}
	defer release()
	c.mu.Lock()
	c.unsaved = nil
	c.mu.Unlock()

	r, err := c.readRecord(ctx)
	if err != nil {
		return res, err
	}
	keyErr := c.store.Delete(ctx, "key:"+c.credential())
	if r != nil {
		res.Found = true
		if !r.refresh.Empty() {
			res.RevokeErr = c.revoke(ctx, r.issuer, r.refresh)
			res.Revoked = res.RevokeErr == nil
		}
	}
	// From here on the caller's impatience would leave a record whose token is dead.
	removeErr := errors.Join(keyErr, c.cache.remove(), c.store.Delete(context.WithoutCancel(ctx), c.credential()))
	res.Removed = removeErr == nil
	return res, errors.Join(removeErr, res.RevokeErr)
}

// revoke ends the grant behind a refresh token that issuer gave.
func (c *Client) revoke(ctx context.Context, issuer string, refresh secret.Secret) error {
	if !slices.Contains(c.issuers(), issuer) {
		return fail(ErrMisconfigured, "revoke token", "the session was made by another issuer, %s", issuer)
	}
	p, err := c.discover(ctx)
	if err != nil {
		return err
	}
	err = p.Revoke(ctx, refresh)
	if errors.Is(err, provider.ErrNoRevocation) {
		return fail(ErrRefused, "revoke token", "the provider has no revocation endpoint")
	}
	return translate(err)
}
