package cogauth

import (
	"context"
	"errors"
)

// CopyTo copies the session and the client secret to another Client of the same app client, which has
// another Profile: to rename a profile, copy, change its name wherever that stands, and Discard the
// old one. What to had is overwritten. Without a session only the secret is copied.
//
// Until Discard both are the same session: with refresh token rotation, whichever refreshes first
// ends the other. The errors are tokenstore's.
func (c *Client) CopyTo(ctx context.Context, to *Client) error {
	if to.cfg.ClientID != c.cfg.ClientID || to.cfg.Profile == c.cfg.Profile {
		return fail(ErrMisconfigured, "copy session", "the other Client must have the same ClientID and another Profile")
	}
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	releaseTo, err := to.lock(ctx)
	if err != nil {
		return err
	}
	defer releaseTo()

	s, err := c.get(ctx, c.clientSecretEntry())
	if err != nil {
		return err
	}
	r, err := c.readRecord(ctx)
	if err != nil {
		return err
	}
	key, err := c.readKey(ctx)
	if err != nil {
		return err
	}
	to.mu.Lock()
	to.provider = nil // it holds the secret before
	to.mu.Unlock()
	if err := errors.Join(to.forget(ctx), to.store.Delete(ctx, to.clientSecretEntry())); err != nil {
		return err
	}
	if s != nil {
		if err := to.store.Put(ctx, to.clientSecretEntry(), s); err != nil {
			return err
		}
	}
	if r == nil {
		return nil
	}
	if err := to.store.Put(ctx, to.credential(), r.encode()); err != nil {
		return err
	}
	sealed, err := c.cache.read()
	if err != nil || key == nil || key.session != r.session {
		return nil // a cache that cannot be read costs a refresh
	}
	// The cache is bound to the name, so it is sealed anew.
	fresh := newKeyEntry(r.session)
	if err := to.putKey(ctx, fresh); err != nil {
		return err
	}
	return to.cache.write(to.seal(fresh, c.open(key, sealed)))
}

// Discard removes the session and the client secret from this machine, and tells the server nothing:
// what CopyTo has copied stays good. To sign out, use Logout.
func (c *Client) Discard(ctx context.Context) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return errors.Join(c.forget(ctx), c.store.Delete(ctx, c.clientSecretEntry()))
}
