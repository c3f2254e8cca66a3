package cogauth

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
)

// refreshed gets a token the slow way: lock, read again, decide, redeem, persist, unlock. The
// loser of a race finds the winner's token when it reads again, and redeems nothing. A demand for a
// new token is met by any that was cached since the call began, when the cache held before.
func (c *Client) refreshed(ctx context.Context, o TokenOptions, before []byte) (Token, error) {
	began := c.now().Truncate(time.Second) // as coarse as the times in tokens
	// Without a record there is nothing to wait for: say so before taking the lock.
	if r, err := c.readRecord(ctx); err != nil || r == nil {
		return Token{}, errorOr(err, fail(ErrLoginRequired, "", "not signed in"))
	}
	release, err := c.lock(ctx)
	if err != nil {
		return Token{}, err
	}
	defer release()
	t, err := c.refreshedLocked(ctx, o, began, before)
	if errors.Is(err, errChanged) {
		t, err = c.refreshedLocked(ctx, o, began, before) // with what the other program has stored
	}
	if errors.Is(err, errChanged) {
		err = fail(ErrOffline, "refresh token", "other programs keep changing the session")
	}
	return t, err
}

// errChanged: the refresh token was refused, but by now another one is stored.
var errChanged = errors.New("another program has changed the session")

// refreshedLocked decides and redeems; the lock is held.
func (c *Client) refreshedLocked(ctx context.Context, o TokenOptions, began time.Time, before []byte) (Token, error) {
	r, err := c.readRecord(ctx)
	if err != nil || r == nil {
		return Token{}, errorOr(err, fail(ErrLoginRequired, "", "not signed in"))
	}
	if err := r.purpose.check(c.purpose()); err != nil {
		return Token{}, err
	}
	key, err := c.readKey(ctx)
	if err != nil {
		return Token{}, err
	}
	var old *tokens
	if sealed, err := c.cache.read(); err == nil && key != nil && key.session == r.session {
		old = c.open(key, sealed)
		t := old.get(o.Type)
		recent := !o.Refresh || !bytes.Equal(sealed, before) && !t.issued.Before(began)
		if !t.value.Empty() && recent && t.goodFor(c.now(), o.MinTTL) {
			return t, nil
		}
	}
	if r.refresh.Empty() {
		return Token{}, fail(ErrLoginRequired, "", "the token has expired, and the sign-in brought no refresh token")
	}
	fresh, err := c.redeem(ctx, r, old)
	if err != nil {
		return Token{}, err
	}
	c.keep(context.WithoutCancel(ctx), r, key, old, fresh)
	t := fresh.get(o.Type)
	if t.value.Empty() {
		e := fail(ErrRefused, "refresh token", "the answer held no %s token; the session is kept", o.Type)
		if o.Type == IDToken {
			e.cause = ErrNoIDToken
		}
		return Token{}, e
	}
	return t, nil
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// redeem spends the record's refresh token. What the answer brings in its place is stored before
// anything else is verified or fetched: from then on it is the session.
func (c *Client) redeem(ctx context.Context, r *record, old *tokens) (*tokens, error) {
	p, err := c.providerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fail(ErrLoginRequired, "", "the issuer has changed since the sign-in")
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	// The last moment to give up. Once the request is on its way its answer may hold the only good
	// refresh token there is, so the caller's impatience no longer counts; the request's own bound does.
	held := context.WithoutCancel(ctx)
	answer, err := p.Refresh(held, r.refresh)
	if err != nil {
		return nil, c.refreshFailed(held, r, translate(err))
	}
	if !answer.Refresh.Empty() {
		r.refresh = answer.Refresh
		if err := c.putRecord(held, r); err != nil {
			c.warn(&SaveError{err})
		}
	}
	want := idtoken.Expect{AccessToken: answer.Access, Subject: subjectOf(old.get(IDToken))}
	return c.verify(ctx, p, answer, want)
}

// refreshFailed decides what a refused refresh means. Only invalid_grant ends a session, and only
// if the refused token is still the stored one.
func (c *Client) refreshFailed(ctx context.Context, r *record, err error) error {
	if !isInvalidGrant(err) {
		return err
	}
	now, readErr := c.readRecord(ctx)
	switch {
	case readErr != nil:
		return readErr
	case now == nil:
		return fail(ErrLoginRequired, "", "another program has signed out meanwhile")
	case now.session != r.session || !now.refresh.Equal(r.refresh):
		return errChanged // by somebody who does not share our lock; their session is not ours to end
	}
	if delErr := c.forget(ctx); delErr != nil {
		c.warn(delErr)
	}
	return &Error{Op: "refresh token", Code: "invalid_grant", Description: err.(*Error).Description, Status: err.(*Error).Status, kind: ErrLoginRequired}
}

// putRecord stores r if the session it began with is still the stored one.
func (c *Client) putRecord(ctx context.Context, r *record) error {
	stored, err := c.readRecord(ctx)
	if err != nil {
		return err
	}
	if stored == nil || stored.session != r.session {
		return errors.New("the stored session has changed")
	}
	return c.store.Put(ctx, c.credential(), r.encode())
}

// keep puts fresh tokens into the cache. Failing costs the next caller a refresh, no more.
func (c *Client) keep(ctx context.Context, r *record, key *keyEntry, old, fresh *tokens) {
	if key == nil || key.session != r.session {
		key = newKeyEntry(r.session)
		if err := c.store.Put(ctx, "key:"+c.credential(), key.encode()); err != nil {
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

// verify checks an answer's tokens and dates them. An answer without an ID token is for the caller
// to judge.
func (c *Client) verify(ctx context.Context, p *provider.Provider, a *provider.Tokens, want idtoken.Expect) (*tokens, error) {
	v := &idtoken.Verifier{Issuer: p.Issuer, ClientID: c.cfg.ClientID, Keys: &idtoken.KeySet{Fetch: p.FetchKeys}, Now: c.now}
	t := &tokens{}
	cognito := provider.IsCognito(p.Issuer)
	if !a.ID.Empty() {
		claims, err := v.ID(ctx, a.ID, want)
		if err != nil {
			return nil, translate(err)
		}
		cognito = cognito || claims.Cognito()
		t.id = Token{IDToken, a.ID, claims.Time("iat"), claims.Time("exp")}
	}
	t.access = Token{AccessToken, a.Access, c.now(), a.AccessExpiry}
	if cognito && !a.Access.Empty() {
		claims, err := v.Access(ctx, a.Access)
		if err != nil {
			return nil, translate(err)
		}
		// expires_in speaks of one lifetime where Cognito has two: the token's own exp counts.
		t.access = Token{AccessToken, a.Access, claims.Time("iat"), claims.Time("exp")}
	}
	return t, nil
}

// forget removes the session from this machine: the key first, so that nobody goes on using the
// cache of a session that is about to go.
func (c *Client) forget(ctx context.Context) error {
	return errors.Join(
		c.store.Delete(ctx, "key:"+c.credential()),
		c.cache.remove(),
		c.store.Delete(ctx, c.credential()),
	)
}

func (c *Client) warn(err error) { c.cfg.Logger.Warn(err.Error()) }

func subjectOf(t Token) string { return peek(t.value).String("sub") }

// peek reads the claims of a token that was verified before it was stored.
func peek(raw secret.Secret) idtoken.Claims {
	claims, _ := idtoken.Unverified(raw)
	return claims
}
