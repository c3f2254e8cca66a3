package cogauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
)

// flight is a refresh under way that others in this process wait for.
type flight struct {
	done  chan struct{} // closed when the rest is set
	token Token
	err   error
}

// refreshed gets a token the slow way. The goroutines that want the same share one flight, whose end all
// see but that of its context; processes share the lock within.
func (c *Client) refreshed(ctx context.Context, o TokenOptions, before []byte) (Token, error) {
	if o.Refresh { // a flight may have begun before this call, and bring what was issued before it
		t, change, err := c.refreshedAlone(ctx, o, before)
		c.changedTo(change)
		return t, err
	}
	for {
		c.mu.Lock()
		f := c.flights[o]
		if f == nil {
			f = &flight{done: make(chan struct{}), err: errors.New("cogauth: refresh: panicked")}
			if c.flights == nil {
				c.flights = make(map[TokenOptions]*flight)
			}
			c.flights[o] = f
			c.mu.Unlock()
			change := c.fly(ctx, o, f)
			c.changedTo(change) // when nobody waits any more: it may ask for a token itself
			return f.token, f.err
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return Token{}, ctx.Err()
		case <-f.done:
		}
		if !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return f.token, f.err
		}
	}
}

func (c *Client) fly(ctx context.Context, o TokenOptions, f *flight) (change Change) {
	defer func() {
		c.mu.Lock()
		delete(c.flights, o)
		c.mu.Unlock()
		close(f.done)
	}()
	f.token, change, f.err = c.refreshedAlone(ctx, o, nil)
	return change
}

// refreshedAlone takes the steps that every program takes: lock, read again, decide, redeem, persist,
// unlock. The loser of a race finds the winner's token when it reads again, and redeems nothing. A demand
// for a new token is met by any that was cached since the call began, when the cache held before.
func (c *Client) refreshedAlone(ctx context.Context, o TokenOptions, before []byte) (Token, Change, error) {
	none := Change{}
	began := c.now().Truncate(time.Second) // as coarse as the times in tokens
	// Without a session there is nothing to wait for: say so before taking the lock. A key is the smaller
	// thing to read.
	if key, err := c.readKey(ctx); err != nil {
		return Token{}, none, err
	} else if key == nil {
		if r, err := c.readRecord(ctx); err != nil || r == nil {
			return Token{}, none, errorOr(err, fail(ErrLoginRequired, "", "not signed in"))
		}
	}
	arrived := time.Now()
	release, err := c.lock(ctx)
	if err != nil {
		return Token{}, none, err
	}
	defer release()
	if !o.Refresh { // whoever had the lock before may have left what is wanted
		if t, ok, err := c.cached(ctx, o); ok || err != nil {
			return t, none, err
		}
	}
	if f, ok := c.cache.(fileCache); ok && f.failedSince(arrived) {
		// Not each of fifty programs waits for a server that does not answer, one after the other.
		t, err := c.leftover(ctx, o, fail(ErrOffline, "refresh token", "another program has just tried in vain"))
		return t, none, err
	}
	t, change, err := c.refreshedLocked(ctx, o, began, before)
	if errors.Is(err, errChanged) {
		t, change, err = c.refreshedLocked(ctx, o, began, before) // with what the other program has stored
	}
	if errors.Is(err, errChanged) {
		err = fail(ErrOffline, "refresh token", "other programs keep changing the session")
	}
	if errors.Is(err, ErrOffline) {
		if f, ok := c.cache.(fileCache); ok {
			f.noteFailure()
		}
	}
	if err != nil && !errors.Is(err, ErrLoginRequired) && ctx.Err() == nil {
		t, err = c.leftover(ctx, o, err)
	}
	return t, change, err
}

// leftover serves what is left of a cached token, if there is no other to be had: it is not yet of no use.
func (c *Client) leftover(ctx context.Context, o TokenOptions, err error) (Token, error) {
	if o.Refresh {
		return Token{}, err
	}
	sealed, readErr := c.cache.read()
	key, keyErr := c.readKey(ctx)
	if readErr != nil || keyErr != nil || key == nil {
		return Token{}, err
	}
	t := c.open(key, sealed).get(o.Type)
	if t.value.Empty() || !t.goodFor(c.moment(), 0) {
		return Token{}, err
	}
	what := "no new token"
	if errors.Is(err, ErrOffline) {
		what = "offline"
	}
	c.warn(fmt.Errorf("%s: %w; going on with a token that is good for %v", what, err, t.left(c.moment()).Round(time.Second)))
	return t, nil
}

// errChanged: the refresh token was refused, but by now another one is stored.
var errChanged = errors.New("another program has changed the session")

// refreshedLocked decides and redeems; the lock is held.
func (c *Client) refreshedLocked(ctx context.Context, o TokenOptions, began time.Time, before []byte) (Token, Change, error) {
	none := Change{}
	r, err := c.readRecord(ctx)
	if err != nil || r == nil {
		return Token{}, none, errorOr(err, fail(ErrLoginRequired, "", "not signed in"))
	}
	if err := r.purpose.check(c.purpose()); err != nil {
		return Token{}, none, err
	}
	if c.disowns(r.session) {
		return Token{}, none, fail(ErrLoginRequired, "", "the last sign-in could not be saved, and its token has expired")
	}
	key, err := c.readKey(ctx)
	if err != nil {
		return Token{}, none, err
	}
	var old *tokens
	if sealed, err := c.cache.read(); err == nil && key != nil && key.session == r.session {
		old = c.open(key, sealed)
		t := old.get(o.Type)
		recent := !o.Refresh || !bytes.Equal(sealed, before) && !t.issued.Before(began.Add(t.skew))
		if !t.value.Empty() && recent && t.goodFor(c.moment(), o.MinTTL) {
			return t, none, nil
		}
	}
	if r.refresh.Empty() {
		return Token{}, none, fail(ErrLoginRequired, "", "the token has expired, and the sign-in brought no refresh token")
	}
	fresh, err := c.redeem(ctx, r, old)
	if errors.Is(err, errEnded) {
		return Token{}, Change{Kind: Ended}, errors.Unwrap(err)
	}
	if err != nil {
		return Token{}, none, err
	}
	c.keep(context.WithoutCancel(ctx), r, key, old, fresh)
	s := c.describe(r, fresh)
	c.warnOfEnd(s)
	change := Change{Refreshed, s}
	t := fresh.get(o.Type)
	if t.value.Empty() {
		e := fail(ErrRefused, "refresh token", "the answer held no %s token; the session is kept", o.Type)
		if o.Type == IDToken {
			e.cause = ErrNoIDToken
		}
		return Token{}, change, e
	}
	return t, change, nil
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// redeem spends the record's refresh token. What the answer brings in its place is stored before
// anything else is verified or fetched: from then on it is the session. Until it is stored it exists
// nowhere but here, so all that can be done before the request is done before it.
func (c *Client) redeem(ctx context.Context, r *record, old *tokens) (*tokens, error) {
	p, err := c.providerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fail(ErrLoginRequired, "", "the issuer has changed since the sign-in")
	}
	stored := r.refresh
	c.mu.Lock()
	if u := c.unstored; u != nil && u.session == r.session && u.spent.Equal(stored) {
		r.refresh = u.next
	}
	c.mu.Unlock()
	if r.rotation != rotationOff {
		// Not to be found out when the only good refresh token there is has nowhere to go.
		if err := c.testStoreLocked(ctx); err != nil {
			return nil, err
		}
	}
	put, release, err := c.prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	defer release()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	// The last moment to give up. Once the request is on its way its answer may hold the only good
	// refresh token there is, so the caller's impatience no longer counts; the request's own bound does.
	held := context.WithoutCancel(ctx)
	answer, err := p.Refresh(ctx, r.refresh) // which sends under a context of its own
	if err != nil {
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Unanswered && r.rotation != rotationOff {
			// If the server has spent the token, the next try is to know why.
			r.refresh, r.unanswered = stored, true
			_ = put(held, r.encode())
		}
		release()
		return nil, c.refreshFailed(held, r, stored, translate(err))
	}
	if err := c.persist(held, r, answer.Refresh, put); err != nil {
		c.warn(&SaveError{err})
		c.mu.Lock()
		c.unstored = &replacement{r.session, stored, r.refresh, time.Now()}
		c.mu.Unlock()
	}
	release()
	want := idtoken.Expect{AccessToken: answer.Access, Subject: subjectOf(old.get(IDToken))}
	t, err := c.verify(ctx, p, answer, want)
	if err == nil {
		c.warnOfSkew(answer.Skew)
	}
	return t, err
}

// refreshFailed decides what a refused refresh means. Only invalid_grant ends a session, and only
// if the refused token is still the stored one.
func (c *Client) refreshFailed(ctx context.Context, r *record, stored secret.Secret, err error) error {
	if !isInvalidGrant(err) {
		return err
	}
	now, readErr := c.readRecord(ctx)
	switch {
	case readErr != nil:
		return readErr
	case now == nil:
		return fail(ErrLoginRequired, "", "another program has signed out meanwhile")
	case now.session != r.session || !now.refresh.Equal(stored):
		return errChanged // by somebody who does not share our lock; their session is not ours to end
	}
	if delErr := c.forget(ctx); delErr != nil {
		c.warn(delErr)
	}
	e := *err.(*Error)
	e.kind = ErrLoginRequired
	if r.unanswered {
		e.cause = ErrAnswerLost
	}
	if e.cause == ErrAnswerLost {
		e.fact = "the refresh token is spent, and the answer with the next one was lost on the way"
	}
	return &endedError{&e}
}

// errEnded matches the error of a session that the server has ended.
var errEnded = errors.New("session ended")

type endedError struct{ err error }

func (e *endedError) Error() string        { return e.err.Error() }
func (e *endedError) Unwrap() error        { return e.err }
func (e *endedError) Is(target error) bool { return target == errEnded }

// verify checks an answer's tokens and dates them. An answer without an ID token is for the caller
// to judge.
func (c *Client) verify(ctx context.Context, p *provider.Provider, a *provider.Tokens, want idtoken.Expect) (*tokens, error) {
	// The server's clock made the tokens' times, so it is the one to judge them by.
	now := func() time.Time { return c.now().Add(a.Skew) }
	boot := c.moment().boot
	v := &idtoken.Verifier{Issuer: p.Issuer, ClientID: c.cfg.ClientID, Keys: &idtoken.KeySet{Fetch: p.FetchKeys}, Now: now}
	t := &tokens{}
	cognito := provider.IsCognito(p.Issuer)
	if !a.ID.Empty() {
		claims, err := v.ID(ctx, a.ID, want)
		if err != nil {
			return nil, translate(err)
		}
		cognito = cognito || claims.Cognito()
		t.id = Token{IDToken, a.ID, claims.Time("iat"), claims.Time("exp"), a.Skew, boot}
	}
	t.access = Token{AccessToken, a.Access, now(), a.AccessExpiry, a.Skew, boot}
	if !a.AccessExpiry.IsZero() {
		t.access.expires = a.AccessExpiry.Add(a.Skew)
	}
	if cognito && !a.Access.Empty() {
		claims, err := v.Access(ctx, a.Access)
		if err != nil {
			return nil, translate(err)
		}
		// expires_in speaks of one lifetime where Cognito has two: the token's own exp counts.
		t.access = Token{AccessToken, a.Access, claims.Time("iat"), claims.Time("exp"), a.Skew, boot}
	}
	return t, nil
}

// forget removes the session from this machine: the key first, so that nobody goes on using the
// cache of a session that is about to go.
func (c *Client) forget(ctx context.Context) error {
	return errors.Join(
		c.keys.Delete(ctx, c.keyName()),
		c.keys.Delete(ctx, c.testName()),
		c.cache.remove(),
		c.store.Delete(ctx, c.credential()),
	)
}

func subjectOf(t Token) string { return peek(t.value).String("sub") }

// peek reads the claims of a token that was verified before it was stored.
func peek(raw secret.Secret) idtoken.Claims {
	claims, _ := idtoken.Unverified(raw)
	return claims
}
