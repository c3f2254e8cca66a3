package cogauth

import (
	"context"
	"errors"
	"reflect"
)

// CopyTo copies the session and the client secret to another Client of the same app client, which has
// another Profile or another Store: to rename a profile or move it, copy, change its name or store
// wherever that stands, and Discard the old one. What to had is overwritten. Without a session only the secret is copied.
//
// Until Discard both are the same session: with refresh token rotation, whichever refreshes first
// ends the other. The errors are tokenstore's.
func (c *Client) CopyTo(ctx context.Context, to *Client) error {
	if to.cfg.ClientID != c.cfg.ClientID || to.cfg.Profile == c.cfg.Profile && c.sameStore(to) {
		return fail(ErrMisconfigured, "copy session", "the other Client must have the same ClientID, and another Profile or Store")
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
	var cached *tokens // read now: both may keep it in the same file
	if sealed, err := c.cache.read(); err == nil && r != nil && key != nil && key.session == r.session {
		cached = c.open(key, sealed)
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
	if cached == nil {
		return nil // which costs a refresh
	}
	// The cache is bound to the name, so it is sealed anew.
	fresh := newKeyEntry(r.session)
	if err := to.putKey(ctx, fresh); err != nil {
		return err
	}
	return to.cache.write(to.seal(fresh, cached))
}

// sameStore reports whether both Clients use one store: then its lock cannot be taken for each.
func (c *Client) sameStore(other *Client) bool {
	type pather interface {
		LockPath(name string) (string, error)
	}
	a, ok := c.store.(pather)
	b, ok2 := other.store.(pather)
	if ok && ok2 {
		pathA, errA := a.LockPath(c.credential())
		pathB, errB := b.LockPath(other.credential())
		return pathA == pathB || errA != nil || errB != nil
	}
	return reflect.TypeOf(c.store).Comparable() && c.store == other.store
}

// Discard removes the session and the client secret from this machine, and tells the server nothing:
// what CopyTo has copied stays good. To sign out, use Logout.
func (c *Client) Discard(ctx context.Context) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	removeCache := c.cache.remove
	if c.cacheOfAnother(ctx) {
		removeCache = func() error { return nil }
	}
	return errors.Join(
		c.keys.Delete(ctx, c.keyName()),
		removeCache(),
		c.store.Delete(ctx, c.credential()),
		c.store.Delete(ctx, c.clientSecretEntry()),
	)
}

// cacheOfAnother reports whether the cache, which has its name from the profile, was written by a Client
// that keeps its key in another store.
func (c *Client) cacheOfAnother(ctx context.Context) bool {
	key, err := c.readKey(ctx)
	if err != nil || key == nil {
		return false
	}
	sealed, err := c.cache.read()
	return err == nil && sealed != nil && *c.open(key, sealed) == tokens{}
}
