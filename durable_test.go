package cogauth

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// failPuts lets every Put of the named entry fail, so many times.
func failPuts(l *lab, name string, times int) {
	l.store.before = func(act, entry string, _ int) error {
		if act == "put" && entry == name && times > 0 {
			times--
			return tokenstore.ErrBroken
		}
		return nil
	}
}

// D9, C4: the store fails after the redemption, for good. The person gets the token and is told, and this
// process goes on with the refresh token that nobody else knows until it can be stored.
func TestD9StoreFailsAfterTheRedemption(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	failPuts(l, c.credential(), 1000)
	for range 2 { // the second time with the token that is in memory alone
		l.clock.Advance(2 * time.Hour)
		if tok, err := c.IDToken(t.Context()); err != nil || tok == "" {
			t.Fatalf("got %v, want the token", err)
		}
	}
	if !strings.Contains(l.log.String(), "could not be saved") {
		t.Error("the person was not told")
	}
	l.store.reset()
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Fatalf("when the store is well again: got %v, want a token", err)
	}
	l.clock.Advance(2 * time.Hour)
	if _, err := l.client(nil).IDToken(t.Context()); err != nil {
		t.Errorf("another program, afterwards: got %v, want a token by what was stored late", err)
	}
	if r := l.stored(c); r == nil || !l.Active(r.refresh.Reveal()) {
		t.Error("the stored refresh token is not alive")
	}
}

// D9: a store that fails once or twice is asked again, and nothing is lost.
func TestD9PersistingIsRetried(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	failPuts(l, c.credential(), 2)
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := l.stored(c); r == nil || !l.Active(r.refresh.Reveal()) {
		t.Error("the stored refresh token is not alive")
	}
	if log := l.log.String(); strings.Contains(log, "could not be saved") {
		t.Errorf("got the warning in %s, want none", log)
	}
}

// D9: under rotation, or where it is not known, a store that does not take anything is found out before
// the refresh token is spent. Without rotation there is nothing to test for.
func TestD9StoreIsTestedBeforeRedeeming(t *testing.T) {
	for _, rotation := range []bool{true, false} {
		l := newLab(t, func(cfg *cognitotest.Config) { cfg.Clients[0].RefreshTokenRotation = rotation })
		c := l.signedIn(nil)
		for round, known := range []bool{false, true} {
			redemptions := l.Redemptions()
			l.store.before = func(act, _ string, _ int) error {
				if act == "put" {
					return tokenstore.ErrLocked
				}
				return nil
			}
			l.clock.Advance(2 * time.Hour)
			_, err := c.IDToken(t.Context())
			l.store.reset()
			if !rotation && known {
				if err != nil {
					t.Errorf("rotation off, round %d: got %v, want a token", round, err)
				}
				continue
			}
			if !errors.Is(err, tokenstore.ErrLocked) || l.Redemptions() != redemptions {
				t.Errorf("rotation %v, round %d: got %v and %d redemptions, want ErrLocked and none", rotation, round, err, l.Redemptions()-redemptions)
			}
			if _, err := c.IDToken(t.Context()); err != nil {
				t.Errorf("rotation %v, round %d, the store being well again: got %v, want a token", rotation, round, err)
			}
		}
	}
}

// N1: rotate, crash, restart. The token source has stored the new refresh token before it answers, and
// the program was told.
func TestN1RotateCrashRestart(t *testing.T) {
	l := newLab(t, rotating)
	var kinds []ChangeKind
	var last Change
	c := l.client(nil)
	c.cfg.OnChange = func(ch Change) {
		kinds, last = append(kinds, ch.Kind), ch
		if ch.Kind == Refreshed {
			if r := l.stored(c); r == nil || !l.Active(r.refresh.Reveal()) {
				t.Error("OnChange came before the new refresh token was stored")
			}
			if _, err := c.Token(t.Context(), nil); err != nil {
				t.Errorf("a token inside OnChange: got %v", err)
			}
		}
	}
	if _, err := c.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	source := c.TokenSource(t.Context())
	for range 3 {
		l.clock.Advance(2 * time.Hour)
		tok, err := source.Token()
		if err != nil {
			t.Fatal(err)
		}
		if id, _ := tok.Extra("id_token").(string); id == "" || tok.AccessToken == "" {
			t.Error("the source's token lacks the ID token or the access token")
		}
		// The crash: a new Client knows what is stored, and nothing else.
		c2 := l.client(nil)
		if _, err := c2.IDToken(t.Context()); err != nil {
			t.Fatalf("after a restart: got %v, want a token", err)
		}
	}
	if last.Session == nil || last.Session.Username == "" {
		t.Error("OnChange was not told who is signed in")
	}
	if _, err := c.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := kinds[0]; got != SignedIn {
		t.Errorf("first change: got %v, want signed in", got)
	}
	if got := kinds[len(kinds)-1]; got != SignedOut || last.Session != nil {
		t.Errorf("last change: got %v with %v, want signed out without a session", got, last.Session)
	}
	if !slices.Contains(kinds, Refreshed) {
		t.Errorf("got %v, want a refresh among them", kinds)
	}
}

// N1: the end of a session by the server is a change as well.
func TestN1EndIsAChange(t *testing.T) {
	l := newLab(t, nil)
	var got ChangeKind
	c := l.signedIn(func(cfg *Config) { cfg.OnChange = func(ch Change) { got = ch.Kind } })
	l.Fail("token", cognitotest.Failure{Status: 400, Body: `{"error":"invalid_grant"}`})
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrLoginRequired) {
		t.Fatalf("got %v, want ErrLoginRequired", err)
	}
	if got != Ended {
		t.Errorf("got %v, want ended", got)
	}
}

// F2: when the token is due and the server cannot be asked, what is left of it is served, and said to be
// so; when nothing is left the answer is "offline".
func TestF2OfflineServesWhatIsStillValid(t *testing.T) {
	l := newLab(t, func(cfg *cognitotest.Config) { cfg.Clients[0].IDTokenValidity = 5 * time.Minute })
	c := l.signedIn(nil)
	first, err := c.IDToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Fail("token", cognitotest.Unavailable())
	l.clock.Advance(4*time.Minute + 30*time.Second)
	tok, err := c.IDToken(t.Context())
	if err != nil || tok != first {
		t.Errorf("30 s before the end: got %v, want the token that is left", err)
	}
	if !strings.Contains(l.log.String(), "offline") {
		t.Errorf("got the log %s, want it to say offline", l.log)
	}
	if _, err := c.Token(t.Context(), &TokenOptions{Refresh: true}); !errors.Is(err, ErrOffline) {
		t.Errorf("a new token on demand: got %v, want ErrOffline", err)
	}
	l.clock.Advance(time.Minute)
	if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrOffline) {
		t.Errorf("after the end: got %v, want ErrOffline", err)
	}
	if l.stored(c) == nil {
		t.Error("the session is gone")
	}
}

// E2: this machine's clock is wrong, and the lifetime is the shortest there is. The token is neither
// fetched each time nor served when it has expired, whichever clock one goes by.
func TestE2WrongClock(t *testing.T) {
	for _, wrong := range []time.Duration{10 * time.Second, -10 * time.Second, 4 * time.Minute, -4 * time.Minute, 20 * time.Minute, -20 * time.Minute} {
		t.Run(wrong.String(), func(t *testing.T) {
			l := newLab(t, func(cfg *cognitotest.Config) {
				cfg.Clients[0].IDTokenValidity, cfg.Clients[0].AccessTokenValidity = 5*time.Minute, 5*time.Minute
			})
			c := l.client(nil)
			c.now = func() time.Time { return l.clock.Now().Add(wrong) }
			if _, err := c.Login(t.Context(), nil); err != nil {
				t.Fatalf("login: %v", err)
			}
			for round := range 2 { // after a login and after a refresh
				before := l.Redemptions()
				for range 3 {
					tok, err := c.Token(t.Context(), nil)
					if err != nil {
						t.Fatal(err)
					}
					if left := tok.ExpiresHere().Sub(c.now()); left < time.Minute || left > 5*time.Minute+2*time.Second {
						t.Errorf("round %d: the token has %v left by this machine's clock, want up to 5 minutes", round, left)
					}
					l.clock.Advance(75 * time.Second) // three times: within the life, less the margin
				}
				if got := l.Redemptions() - before; got != 0 {
					t.Errorf("round %d: %d refreshes while the token was good", round, got)
				}
				l.clock.Advance(75 * time.Second)
				tok, err := c.Token(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if !tok.Expires().After(l.clock.Now()) {
					t.Errorf("round %d: got a token that has expired by the true time", round)
				}
				if got := l.Redemptions() - before; got != 1 {
					t.Errorf("round %d: got %d refreshes, want 1", round, got)
				}
			}
			if got, want := strings.Contains(l.log.String(), "clock is 20 min"), wrong.Abs() > 5*time.Minute; got != want {
				t.Errorf("the warning about the clock came: %v, want %v\n%s", got, want, l.log)
			}
		})
	}
}

// E5, E6: the end of the sign-in is foretold from the first login, right under rotation, and said at the
// refreshes of the last days.
func TestE6ForecastFromTheFirstLogin(t *testing.T) {
	l := newLab(t, rotating)
	began := l.clock.Now()
	c := l.signedIn(func(cfg *Config) { cfg.RefreshTokenValidity = 30 * 24 * time.Hour })
	refresh := func(after time.Duration) {
		t.Helper()
		l.clock.Advance(after)
		if _, err := c.IDToken(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := c.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if off := s.Ends.Sub(began.Add(30 * 24 * time.Hour)); off.Abs() > time.Minute {
			t.Errorf("the forecast is off by %v", off)
		}
	}
	refresh(10 * 24 * time.Hour)
	refresh(10 * 24 * time.Hour)
	if log := l.log.String(); strings.Contains(log, "this sign-in ends") {
		t.Errorf("got the warning after 20 days of 30:\n%s", log)
	}
	refresh(8 * 24 * time.Hour)
	if log := l.log.String(); !strings.Contains(log, "this sign-in ends in 47 hours") {
		t.Errorf("got no warning two days before the end:\n%s", log)
	}
}

// E1: a laptop wakes up. What counts is the wall clock, whose monotonic reading has stood still.
func TestE1WallClockCounts(t *testing.T) {
	asleep := 8 * time.Hour
	now := time.Now()
	tok := Token{issued: now, expires: now.Add(time.Hour)}
	if woken := now.Add(asleep); tok.goodFor(moment{wall: woken}, MinTTL) {
		t.Error("a token of an hour is good after eight of sleep")
	}
	// Round(0) of the token's times, as they come from the cache, against a reading that has both.
	tok = Token{issued: now.Round(0), expires: now.Round(0).Add(time.Hour)}
	if !tok.goodFor(moment{wall: time.Now()}, MinTTL) {
		t.Error("a fresh token is not good")
	}
}

// lockedStore fails the test when an entry is written while the lock of its session is not held.
type lockedStore struct {
	*faultyStore
	t    *testing.T
	held atomic.Int32
}

func (s *lockedStore) Lock(ctx context.Context, name string) (func(), error) {
	release, err := s.faultyStore.Lock(ctx, name)
	if err != nil {
		return nil, err
	}
	s.held.Add(1)
	return sync.OnceFunc(func() { s.held.Add(-1); release() }), nil
}

func (s *lockedStore) check(act, name string) {
	if s.held.Load() == 0 {
		s.t.Errorf("%s %s without the lock", act, name)
	}
}

func (s *lockedStore) Put(ctx context.Context, name string, value []byte) error {
	s.check("put", name)
	return s.faultyStore.Put(ctx, name, value)
}

func (s *lockedStore) Delete(ctx context.Context, name string) error {
	s.check("delete", name)
	return s.faultyStore.Delete(ctx, name)
}

// N2, C17: whatever is called, the store is written under the session's lock only; there is no other way
// to it through this package.
func TestN2C17StoreIsWrittenUnderItsLockOnly(t *testing.T) {
	l := newLab(t, rotating)
	store := &lockedStore{faultyStore: l.store, t: t}
	c := l.client(func(cfg *Config) { cfg.Store = store })
	other := l.client(func(cfg *Config) { cfg.Store, cfg.Profile = store, "other" })
	ctx := t.Context()
	_, login := c.Login(ctx, nil)
	l.clock.Advance(2 * time.Hour)
	_, token := c.Token(ctx, nil)
	_, again := c.Token(ctx, &TokenOptions{Refresh: true})
	_, session := c.Session(ctx)
	copied := c.MoveTo(ctx, other, nil)
	copiedBack := other.MoveTo(ctx, c, nil)
	discarded := other.Discard(ctx)
	checked := c.CheckStore(ctx)
	secretSet := other.SetClientSecret(ctx, "x")
	secretUnset := other.SetClientSecret(ctx, "")
	_, relogin := c.Login(ctx, nil)
	revoked := c.Revoke(ctx)
	_, third := c.Login(ctx, nil)
	_, logout := c.Logout(ctx)
	if err := errors.Join(login, token, again, session, copied, copiedBack, discarded, checked, secretSet, secretUnset, relogin, revoked, third, logout); err != nil {
		t.Error(err)
	}
}

// N6: without a word about it, a program has the token cache of the command line.
func TestN6DefaultCacheIsTheCommandLines(t *testing.T) {
	want, err := config.CacheDir(config.System(os.Getenv))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Issuer: "https://id.example.com", ClientID: "x"})
	if err != nil || c.cfg.CacheDir != want {
		t.Errorf("got %q, %v, want %q", c.cfg.CacheDir, err, want)
	}
}

// E2: a clock that was wrong when the token came and has been set right since. No expired token is served.
func TestE2ClockIsSetRight(t *testing.T) {
	for _, wrong := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		l := newLab(t, func(cfg *cognitotest.Config) { cfg.Clients[0].IDTokenValidity = 30 * time.Minute })
		c := l.client(nil)
		off := wrong
		c.now = func() time.Time { return l.clock.Now().Add(off) }
		started := l.clock.Now().Add(-time.Hour)
		c.uptime = func() (time.Duration, bool) { return l.clock.Now().Sub(started), true }
		if _, err := c.Login(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		off = 0
		for range 8 {
			l.clock.Advance(5 * time.Minute)
			tok, err := c.Token(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if left := tok.Expires().Sub(l.clock.Now()); left <= 0 {
				t.Errorf("off by %v and set right: got a token that expired %v ago", wrong, -left)
			}
		}
	}
}

// D9: what could not be stored is stored as soon as the store is well, not at the next refresh.
func TestD9UnstoredIsStoredSoon(t *testing.T) {
	defer func(d time.Duration) { laterPause = d }(laterPause)
	laterPause = 0
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	failPuts(l, c.credential(), 1000)
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.store.reset()
	if _, err := c.IDToken(t.Context()); err != nil { // from the cache
		t.Fatal(err)
	}
	if r := l.stored(c); r == nil || !l.Active(r.refresh.Reveal()) {
		t.Error("the stored refresh token is not alive")
	}
}

// C4: tokens that could not be saved are those of one sign-in, and go with the next.
func TestC4UnsavedTokensGoWithTheNextSignIn(t *testing.T) {
	l := newLab(t, nil)
	c := l.client(nil)
	l.store.before = func(act, name string, _ int) error {
		if act == "put" && name == c.credential() {
			return tokenstore.ErrBroken
		}
		return nil
	}
	var change ChangeKind
	c.cfg.OnChange = func(ch Change) { change = ch.Kind }
	if _, err := c.Login(t.Context(), nil); !errors.Is(err, ErrNotSaved) || change != 0 {
		t.Fatalf("got %v and the change %v, want ErrNotSaved and none", err, change)
	}
	first, err := c.IDToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.store.reset()
	if _, err := c.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if second, err := c.IDToken(t.Context()); err != nil || second == first {
		t.Errorf("got %v and the first sign-in's token: %v, want the second's", err, second == first)
	}
}

// N1: OnChange may ask for a token, also when the session has ended.
func TestN1OnChangeMayAskForAToken(t *testing.T) {
	l := newLab(t, nil)
	var c *Client
	asked := 0
	c = l.signedIn(func(cfg *Config) {
		cfg.OnChange = func(Change) {
			asked++
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if c == nil {
				return
			}
			if _, err := c.Token(ctx, nil); errors.Is(err, context.DeadlineExceeded) {
				t.Error("it waits for itself")
			}
		}
	})
	l.Fail("token", cognitotest.Failure{Status: 400, Body: `{"error":"invalid_grant"}`})
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrLoginRequired) || asked < 2 {
		t.Errorf("got %v and %d changes, want ErrLoginRequired and the end among them", err, asked)
	}
}

// F2: an answer that was lost is remembered: a later program, too, can say why its token is spent.
func TestF2ALostAnswerIsRemembered(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	l.Fail("token", cognitotest.Failure{CloseAfter: true, Times: 1})
	l.clock.Advance(time.Second)
	// The next tries of the same call are not answered either.
	go func() {
		for l.Redemptions() == 0 {
			time.Sleep(time.Millisecond)
		}
		l.Fail("token", cognitotest.Failure{CloseBefore: true})
	}()
	if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrOffline) {
		t.Fatalf("got %v, want ErrOffline", err)
	}
	l.Fail("token", cognitotest.Failure{})
	if _, err := l.client(nil).IDToken(t.Context()); !errors.Is(err, ErrAnswerLost) || !errors.Is(err, ErrLoginRequired) {
		t.Errorf("another program: got %v, want ErrAnswerLost", err)
	}
}

// D3, F2: when the server does not answer, those who wait for the lock do not each wait for it in turn.
func TestF2AHerdLearnsOfAFailureAtOnce(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	l.Fail("token", cognitotest.Failure{Status: 503, Delay: 100 * time.Millisecond})
	before := l.Count("token")
	var wg sync.WaitGroup
	for range 20 {
		other := l.client(func(cfg *Config) { cfg.CacheDir = c.cfg.CacheDir })
		wg.Go(func() {
			if _, err := other.IDToken(t.Context()); !errors.Is(err, ErrOffline) {
				t.Errorf("got %v, want ErrOffline", err)
			}
		})
	}
	wg.Wait()
	if got := l.Count("token") - before; got > 9 {
		t.Errorf("20 programs made %d requests, want those of one or two", got)
	}
	l.Fail("token", cognitotest.Failure{})
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Errorf("afterwards: got %v, want a token", err)
	}
}
