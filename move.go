package cogauth

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// MoveTo moves the session and the client secret to another Client of the same app client, which has
// another Profile or another Store: to rename a profile, or to keep it elsewhere. What to had is
// overwritten. Without a session only the secret is moved.
//
// When to has everything, commit is called, to change the profile's name or store wherever that stands; nil
// does nothing. If it fails nothing has been moved, and its error is returned. No other program refreshes
// the session meanwhile, or one of the two would hold a spent refresh token. An error after commit means
// that something has been left behind with c; otherwise the errors are tokenstore's.
func (c *Client) MoveTo(ctx context.Context, to *Client, commit func() error) error {
	same := c.sameStore(to)
	if to.cfg.ClientID != c.cfg.ClientID || to.cfg.Profile == c.cfg.Profile && reflect.TypeOf(c.store).Comparable() && c.store == to.store {
		return fail(ErrMisconfigured, "move session", "the other Client must have the same ClientID, and another Profile or Store")
	}
	// One entry of one store, seen with two keys, is written anew where it is.
	inPlace := same && to.cfg.Profile == c.cfg.Profile
	release, err := c.lockWith(ctx, to, inPlace)
	if err != nil {
		return err
	}
	defer release()
	if err := c.copyTo(ctx, to, inPlace); err != nil {
		if !inPlace { // half of it is of no use there
			err = errors.Join(err, to.discard(context.WithoutCancel(ctx)))
		}
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if commit != nil {
		if err := commit(); err != nil {
			if inPlace {
				return errors.Join(err, to.copyTo(ctx, c, true))
			}
			return errors.Join(err, to.discard(ctx))
		}
	}
	if inPlace {
		return nil
	}
	return c.discard(ctx)
}

// lockWith takes both locks, in an order that is the same for everybody.
func (c *Client) lockWith(ctx context.Context, other *Client, same bool) (release func(), err error) {
	if same {
		return c.lock(ctx)
	}
	first, second := c, other
	if second.lockOrder() < first.lockOrder() {
		first, second = second, first
	}
	releaseFirst, err := first.lock(ctx)
	if err != nil {
		return nil, err
	}
	releaseSecond, err := second.lock(ctx)
	if err != nil {
		releaseFirst()
		return nil, err
	}
	return func() { releaseSecond(); releaseFirst() }, nil
}

func (c *Client) lockOrder() string {
	if path, ok := lockPathOf(c.store, c.credential()); ok {
		return path
	}
	return fmt.Sprintf("%s %p", c.credential(), c.store)
}

// lockPathOf is the file that stands for a name's lock, if the store has such files.
func lockPathOf(store tokenstore.Store, name string) (string, bool) {
	p, ok := store.(interface {
		LockPath(name string) (string, error)
	})
	if !ok {
		return "", false
	}
	path, err := p.LockPath(name)
	return path, err == nil
}

// sameStore reports whether both Clients keep their entries in one place.
func (c *Client) sameStore(other *Client) bool {
	if reflect.TypeOf(c.store).Comparable() && c.store == other.store {
		return true
	}
	a, okA := lockPathOf(c.store, c.credential())
	b, okB := lockPathOf(other.store, c.credential())
	return okA && okB && a == b
}

// copyTo copies everything; both locks are held. inPlace means that each entry overwrites itself.
func (c *Client) copyTo(ctx context.Context, to *Client, inPlace bool) error {
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
	if !inPlace {
		if err := errors.Join(to.forget(ctx), to.store.Delete(ctx, to.clientSecretEntry())); err != nil {
			return err
		}
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
	// The cache is bound to the name, so it is sealed anew.
	fresh := newKeyEntry(r.session)
	if err := to.putKey(ctx, fresh); err != nil {
		return err
	}
	if cached == nil {
		return nil // which costs a refresh
	}
	if err := to.cache.write(to.seal(fresh, cached)); err != nil {
		to.warn(&SaveError{err}) // as well
	}
	return nil
}

// Discard removes the session and the client secret from this machine, and tells the server nothing. To
// sign out, use Logout.
func (c *Client) Discard(ctx context.Context) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.discard(ctx)
}

// discard removes everything; the lock is held.
func (c *Client) discard(ctx context.Context) error {
	c.mu.Lock()
	c.unsaved, c.unstored, c.disowned = nil, nil, ""
	c.mu.Unlock()
	removeCache := c.cache.remove
	if c.cacheOfAnother(ctx) {
		removeCache = func() error { return nil }
	}
	return errors.Join(
		c.keys.Delete(ctx, c.keyName()),
		c.keys.Delete(ctx, c.testName()),
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
