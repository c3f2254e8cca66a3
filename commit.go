package cogauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// commit stores a new session: delete the old key, write the record, write the new key, write the
// cache. Until the record is written the session before is whole.
func (c *Client) commit(ctx context.Context, p *provider.Provider, r *record, t *tokens, before *record) (superseded *record, err error) {
	notSaved := func(err error) (*record, error) {
		c.mu.Lock()
		c.unsaved = t
		if before != nil {
			c.disowned = before.session // somebody else may have signed in now
		}
		c.mu.Unlock()
		return nil, &SaveError{err}
	}
	release, err := c.lock(ctx)
	if err != nil {
		return notSaved(err)
	}
	defer release()
	ctx = context.WithoutCancel(ctx)
	old, err := c.readRecord(ctx)
	if err != nil {
		return notSaved(err)
	}
	if old != nil && (before == nil || before.session != old.session) {
		if !r.refresh.Empty() {
			_ = p.Revoke(ctx, r.refresh) // ours was never stored; leaving it alive would serve nobody
		}
		return nil, fail(ErrLoginIncomplete, "", "another sign-in to this profile was finished first; it was kept")
	}
	if old == nil && before != nil {
		if !r.refresh.Empty() {
			_ = p.Revoke(ctx, r.refresh)
		}
		return nil, fail(ErrLoginIncomplete, "", "the session was signed out or moved elsewhere while this sign-in was open; nothing was stored")
	}
	if err := c.keys.Delete(ctx, c.keyName()); err != nil {
		return notSaved(err)
	}
	if err := c.store.Put(ctx, c.credential(), r.encode()); err != nil {
		return notSaved(err)
	}
	c.mu.Lock()
	c.unsaved, c.unstored, c.disowned = nil, nil, "" // they are of the session before
	c.mu.Unlock()
	key := newKeyEntry(r.session)
	if err := c.keys.Put(ctx, c.keyName(), key.encode()); err != nil {
		return old, c.tokensLost(r, t, err)
	}
	if err := c.cache.write(c.seal(key, t)); err != nil {
		return old, c.tokensLost(r, t, err)
	}
	return old, nil
}

// tokensLost: the record is safe, its tokens are not. With a refresh token that costs one refresh.
func (c *Client) tokensLost(r *record, t *tokens, err error) error {
	if !r.refresh.Empty() {
		c.warn(&SaveError{err})
		return nil
	}
	c.mu.Lock()
	c.unsaved = t
	c.mu.Unlock()
	return &SaveError{err}
}

// CheckStore finds out whether the Store keeps what it is given, by an entry of its own that it removes
// again. Errors: tokenstore's.
func (c *Client) CheckStore(ctx context.Context) error { return c.testStore(ctx) }

// testStore finds out whether the store keeps what it is given, before there is something to lose.
func (c *Client) testStore(ctx context.Context) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.testStoreLocked(ctx)
}

// testStoreLocked writes, reads and removes an entry of its own.
func (c *Client) testStoreLocked(ctx context.Context) error {
	name, want := c.testName(), []byte("cogauth tests whether it can store a session")
	if err := c.keys.Put(ctx, name, want); err != nil {
		return err
	}
	got, err := c.keys.Get(ctx, name)
	if errors.Is(err, tokenstore.ErrNotFound) || err == nil && !bytes.Equal(got, want) {
		return fmt.Errorf("%w: it did not keep what was stored", tokenstore.ErrBroken)
	}
	if err != nil {
		return err
	}
	return c.keys.Delete(ctx, name)
}
