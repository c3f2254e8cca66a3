package cogauth

import (
	"context"
	"time"

	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// replacement is a refresh token that the server has given in place of another, and that could not be
// stored. Whoever else reads the store finds the spent one; this process knows better.
type replacement struct {
	session     string
	spent, next secret.Secret
	tried       time.Time // to store it, last
}

// prepare readies the store for the record, if that is likely to change.
func (c *Client) prepare(ctx context.Context, r *record) (put func(context.Context, []byte) error, release func(), err error) {
	if p, ok := c.store.(tokenstore.Preparer); ok && r.rotation != rotationOff {
		return p.Prepare(ctx, c.credential())
	}
	return func(ctx context.Context, value []byte) error { return c.store.Put(ctx, c.credential(), value) }, func() {}, nil
}

// persistPauses are the waits between tries to store what exists nowhere else.
var persistPauses = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond}

// persist stores what the answer has changed about the record, next being the new refresh token, if
// any. The error is of a new one that could not be stored.
func (c *Client) persist(ctx context.Context, r *record, next secret.Secret, put func(context.Context, []byte) error) error {
	if next.Empty() {
		if r.rotation == rotationUnknown || r.unanswered {
			r.unanswered = false
			if r.rotation == rotationUnknown {
				r.rotation = rotationOff
			}
			_ = put(ctx, r.encode()) // worth one test of the store at the next refresh
		}
		return nil
	}
	r.refresh, r.rotation, r.unanswered = next, rotationOn, false
	err := put(ctx, r.encode())
	for _, pause := range persistPauses {
		if err == nil {
			break
		}
		time.Sleep(pause)
		err = put(ctx, r.encode())
	}
	return err
}

// keep puts fresh tokens into the cache. Failing costs the next caller a refresh, no more.
func (c *Client) keep(ctx context.Context, r *record, key *keyEntry, old, fresh *tokens) {
	c.mu.Lock()
	c.unsaved = nil // fresh is newer
	c.mu.Unlock()
	if key == nil || key.session != r.session {
		key = newKeyEntry(r.session)
		if err := c.putKey(ctx, key); err != nil {
			c.warn(&SaveError{err})
			return
		}
	}
	keep := *fresh
	if keep.id.value.Empty() && old != nil {
		keep.id = old.id
	}
	if err := c.cache.write(c.seal(key, &keep)); err != nil {
		c.warn(&SaveError{err})
	}
}

// laterPause is between tries to store late what could not be stored.
var laterPause = 10 * time.Second

// persistLate stores a refresh token that could not be stored when it came, if the store is well by now:
// the program may end at any time, and with it the only copy.
func (c *Client) persistLate(ctx context.Context) {
	c.mu.Lock()
	u := c.unstored
	due := u != nil && time.Since(u.tried) > laterPause
	if due {
		u.tried = time.Now()
	}
	c.mu.Unlock()
	if !due {
		return
	}
	// A good token is not kept waiting for it (D5).
	soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	release, err := c.lock(soon)
	if err != nil {
		return
	}
	defer release()
	ctx = context.WithoutCancel(ctx)
	r, err := c.readRecord(ctx)
	if err != nil {
		return
	}
	if r != nil && r.session == u.session && r.refresh.Equal(u.spent) {
		r.refresh, r.rotation = u.next, rotationOn
		if c.store.Put(ctx, c.credential(), r.encode()) != nil {
			return
		}
	}
	c.mu.Lock()
	if c.unstored == u {
		c.unstored = nil
	}
	c.mu.Unlock()
}
