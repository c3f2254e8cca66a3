package cogauth

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

func rotating(cfg *cognitotest.Config) { cfg.Clients[0].RefreshTokenRotation = true }

// F1: without rotation the answer holds no refresh token and the old one is kept; with rotation it
// is replaced.
func TestF1RefreshTokenIsKeptOrReplaced(t *testing.T) {
	for name, rotation := range map[string]bool{"rotation off": false, "rotation on": true} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(cfg *cognitotest.Config) { cfg.Clients[0].RefreshTokenRotation = rotation })
			c := l.signedIn(nil)
			for range 3 {
				before := l.stored(c).refresh
				l.clock.Advance(2 * time.Hour)
				if _, err := c.IDToken(t.Context()); err != nil {
					t.Fatal(err)
				}
				after := l.stored(c).refresh
				if after.Empty() || !l.Active(after.Reveal()) {
					t.Fatal("the stored refresh token is not alive")
				}
				if after.Equal(before) == rotation {
					t.Errorf("the refresh token changed: %v, want %v", !after.Equal(before), rotation)
				}
			}
		})
	}
}

// A returned refresh token is stored before anything else is verified or fetched.
func TestRotatedTokenIsStoredFirst(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	keys := l.Count("jwks")
	l.store.after = func(act, name string) {
		if act == "put" && name == c.credential() && l.Count("jwks") != keys {
			t.Error("the keys were fetched before the new refresh token was stored")
		}
	}
	l.Fail("jwks", cognitotest.Failure{Status: 503})
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrOffline) {
		t.Fatalf("got %v, want ErrOffline", err)
	}
	if r := l.stored(c); r == nil || !l.Active(r.refresh.Reveal()) {
		t.Fatal("the session was lost")
	}
	l.Fail("jwks", cognitotest.Failure{})
	l.store.reset()
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// F2: only invalid_grant ends a session. Everything else keeps it, serves what is still valid, and
// says what it is.
func TestF2OnlyInvalidGrantEndsASession(t *testing.T) {
	oauth := func(status int, body string) cognitotest.Failure {
		return cognitotest.Failure{Status: status, Body: body, ContentType: "application/json"}
	}
	for _, tc := range []struct {
		name    string
		failure cognitotest.Failure
		want    error
		ended   bool
	}{
		{"invalid_grant", oauth(400, `{"error":"invalid_grant"}`), ErrLoginRequired, true},
		{"invalid_client", oauth(400, `{"error":"invalid_client"}`), ErrMisconfigured, false},
		{"invalid_request", oauth(400, `{"error":"invalid_request"}`), ErrRefused, false},
		{"throttled", oauth(400, `{"error":"TooManyRequestsException"}`), ErrOffline, false},
		{"429", oauth(429, ``), ErrOffline, false},
		{"500", oauth(500, `oops`), ErrOffline, false},
		{"503", oauth(503, ``), ErrOffline, false},
		{"firewall page", cognitotest.Failure{Status: 403, Body: "<html>no</html>", ContentType: "text/html"}, ErrRefused, false},
		{"redirect", cognitotest.Failure{Status: 302, Location: "https://example.com/"}, ErrRefused, false},
		{"not JSON", oauth(200, `<html>`), ErrRefused, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, nil)
			c := l.signedIn(nil)
			l.Fail("token", tc.failure)
			_, err := c.Token(t.Context(), &TokenOptions{Refresh: true})
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			l.Fail("token", cognitotest.Failure{})
			if gone := l.stored(c) == nil; gone != tc.ended {
				t.Errorf("the session is gone: %v, want %v", gone, tc.ended)
			}
			if _, err := c.IDToken(t.Context()); (err != nil) != tc.ended {
				t.Errorf("the cached token afterwards: %v", err)
			}
		})
	}
	t.Run("nobody answers", func(t *testing.T) {
		l := newLab(t, nil)
		c := l.signedIn(nil)
		l.Pool.Close()
		if _, err := c.IDToken(t.Context()); err != nil {
			t.Errorf("a valid token was not served offline: %v", err)
		}
		l.clock.Advance(2 * time.Hour)
		again := l.client(func(cfg *Config) { cfg.CacheDir = c.cfg.CacheDir })
		if _, err := again.IDToken(t.Context()); !errors.Is(err, ErrOffline) || l.stored(c) == nil {
			t.Errorf("got %v, want ErrOffline and the session kept", err)
		}
	})
}

// F4: logout revokes and deletes, deletes whatever the server says, and tells what happened.
func TestF4LogoutIsHonest(t *testing.T) {
	for _, tc := range []struct {
		name    string
		failure *cognitotest.Failure
		want    error
		revoked bool
	}{
		{"200", nil, nil, true},
		{"400", &cognitotest.Failure{Status: 400, Body: `{"error":"invalid_request"}`, ContentType: "application/json"}, ErrRefused, false},
		{"503", &cognitotest.Failure{Status: 503}, ErrOffline, false},
		{"connection closed", &cognitotest.Failure{CloseBefore: true}, ErrOffline, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, nil)
			c := l.signedIn(nil)
			refresh := l.stored(c).refresh.Reveal()
			if tc.failure != nil {
				l.Fail("revoke", *tc.failure)
			}
			res, err := c.Logout(t.Context())
			if !errors.Is(err, tc.want) || (tc.want == nil) != (err == nil) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if !res.Found || !res.Removed || res.Revoked != tc.revoked || l.Active(refresh) == tc.revoked {
				t.Errorf("got %+v; alive at the pool: %v", res, l.Active(refresh))
			}
			l.store.reset()
			for _, name := range []string{c.credential(), "key:" + c.credential()} {
				if _, err := l.store.Get(t.Context(), name); !errors.Is(err, tokenstore.ErrNotFound) {
					t.Errorf("%s is still stored", name)
				}
			}
			if _, err := os.Stat(c.cache.(fileCache).path()); !errors.Is(err, os.ErrNotExist) {
				t.Error("the cache file is still there")
			}
			if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrLoginRequired) {
				t.Errorf("afterwards: got %v, want ErrLoginRequired", err)
			}
		})
	}
	t.Run("not signed in", func(t *testing.T) {
		l := newLab(t, nil)
		if res, err := l.client(nil).Logout(t.Context()); err != nil || res.Found {
			t.Errorf("got %+v and %v", res, err)
		}
	})
	t.Run("the key goes first, the record last", func(t *testing.T) {
		l := newLab(t, nil)
		c := l.signedIn(nil)
		l.store.reset()
		l.store.after = func(act, name string) {
			if act == "delete" && name == c.credential() && l.Count("revoke") != 1 {
				t.Error("the record was deleted before the server was told")
			}
		}
		if _, err := c.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		i, j := slices.Index(l.store.calls, "delete key:"+c.credential()), slices.Index(l.store.calls, "delete "+c.credential())
		if i < 0 || j < i {
			t.Errorf("got store calls %q", l.store.calls)
		}
	})
}

// F8: an answer without an ID token is an error for whoever wants one; the session is kept.
func TestF8NoIDTokenOnRefresh(t *testing.T) {
	l := newLab(t, func(cfg *cognitotest.Config) { cfg.OmitIDTokenOnRefresh = true })
	c := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no id token") {
		t.Errorf("got %v, want a typed error that says so", err)
	}
	if r := l.stored(c); r == nil || !l.Active(r.refresh.Reveal()) {
		t.Error("the session was lost")
	}
	if _, err := c.Token(t.Context(), &TokenOptions{Type: AccessToken}); err != nil {
		t.Errorf("the access token: %v", err)
	}
}

// G9: asked for one token, never the other.
func TestG9TokenTypes(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	for typ, use := range map[TokenType]string{IDToken: "id", AccessToken: "access"} {
		for _, refresh := range []bool{false, true} {
			tok, err := c.Token(t.Context(), &TokenOptions{Type: typ, Refresh: refresh})
			if err != nil {
				t.Fatal(err)
			}
			claims, err := idtoken.Unverified(secret.New(tok.Reveal()))
			if err != nil || claims.String("token_use") != use || tok.Type() != typ {
				t.Errorf("asked for %v, got token_use %q", typ, claims.String("token_use"))
			}
		}
	}
	// A server that sends an access token as the ID token is refused.
	l.TamperIDToken(func(_, claims map[string]any) { claims["token_use"] = "access" })
	if _, err := c.Token(t.Context(), &TokenOptions{Refresh: true}); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

// D1 within one process: many callers of an expired, rotating session cause one redemption.
func TestD1ManyGoroutinesOneRedemption(t *testing.T) {
	l := newLab(t, rotating)
	first := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			c := l.client(func(cfg *Config) { cfg.CacheDir = first.cfg.CacheDir })
			if tok, err := c.IDToken(context.Background()); err != nil || tok == "" {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n := l.Redemptions(); n != 1 {
		t.Errorf("%d redemptions, want 1", n)
	}
}

// A forced refresh is satisfied by a token that was issued after the call began.
func TestForcedRefreshesAreShared(t *testing.T) {
	l := newLab(t, nil)
	first := l.signedIn(nil)
	l.clock.Advance(time.Minute)
	l.Fail("token", cognitotest.Failure{Delay: time.Second}) // so that all have begun before it answers
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			c := l.client(func(cfg *Config) { cfg.CacheDir = first.cfg.CacheDir })
			if _, err := c.Token(context.Background(), &TokenOptions{Refresh: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := l.Redemptions(); n != 1 {
		t.Errorf("%d redemptions for 20 callers at once, want 1", n)
	}
}

// D5: a valid token takes no lock: a login or refresh that holds it blocks nobody.
func TestD5ValidTokenTakesNoLock(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	release, err := c.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Error(err)
	}
	// Whoever needs the lock ends at once when told to.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Token(ctx, &TokenOptions{Refresh: true}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// D8: the loser of a race that our lock did not prevent never deletes the winner's token.
func TestD8LoserNeverDeletesTheWinnersToken(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	// The winner, who shares no lock with us, redeems between our read and our request.
	p, err := c.discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	once := sync.Once{}
	l.store.before = func(act, name string, _ int) error {
		if act != "get" || name != "key:"+c.credential() {
			return nil
		}
		once.Do(func() {
			l.store.before = nil
			r, err := decodeRecord(must(l.store.Memory.Get(context.Background(), c.credential())))
			if err != nil {
				t.Error(err)
				return
			}
			answer, err := p.Refresh(context.Background(), r.refresh)
			if err != nil {
				t.Error(err)
				return
			}
			r.refresh = answer.Refresh
			l.store.Memory.Put(context.Background(), c.credential(), r.encode())
		})
		return nil
	}
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Errorf("the loser got %v, want a token by the winner's session", err)
	}
	if r := l.stored(c); r == nil || !l.Active(r.refresh.Reveal()) {
		t.Fatal("the winner's token is gone")
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// The cache, opened with its key, holds the ID and the access token and nothing of the refresh token.
func TestDecryptedCacheHoldsNoRefreshToken(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	if _, err := c.Token(t.Context(), &TokenOptions{Refresh: true}); err != nil {
		t.Fatal(err)
	}
	key, err := c.readKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := c.cache.read()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	aead := newAEAD(key)
	eachSealed(sealed, func(_ Token, head, body []byte) {
		plain, err := aead.Open(nil, body[:aead.NonceSize()], body[aead.NonceSize():], c.additionalData(key, head))
		if err != nil {
			t.Fatal(err)
		}
		seen += len(plain)
		for _, secret := range l.Secrets() {
			if l.Issued(secret) && strings.Contains(string(plain), secret) {
				t.Error("the cache holds a refresh token")
			}
		}
	})
	if seen < 1000 {
		t.Errorf("only %d bytes were searched", seen)
	}
}

// A damaged, lost or foreign cache costs a refresh, never a login.
func TestLostCacheCostsARefresh(t *testing.T) {
	for name, spoil := range map[string]func(*lab, *Client){
		"deleted":    func(_ *lab, c *Client) { c.cache.remove() },
		"emptied":    func(_ *lab, c *Client) { c.cache.write(nil) },
		"garbled":    func(_ *lab, c *Client) { c.cache.write([]byte(cacheMagic + strings.Repeat("x", 500))) },
		"key lost":   func(l *lab, c *Client) { l.store.Delete(context.Background(), "key:"+c.credential()) },
		"key spoilt": func(l *lab, c *Client) { l.store.Put(context.Background(), "key:"+c.credential(), []byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			c := l.signedIn(nil)
			spoil(l, c)
			if _, err := c.IDToken(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := l.Redemptions(); n != 1 {
				t.Errorf("%d redemptions, want 1", n)
			}
			if _, err := c.IDToken(t.Context()); err != nil || l.Redemptions() != 1 {
				t.Errorf("the cache did not recover: %v, %d redemptions", err, l.Redemptions())
			}
		})
	}
}

// The session is not used for another issuer or other scopes than it was made for.
func TestChangedConfigurationNeedsALogin(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	other := l.client(func(cfg *Config) {
		cfg.CacheDir = c.cfg.CacheDir
		cfg.Scopes = []string{"openid", "profile"}
	})
	if _, err := other.IDToken(t.Context()); !errors.Is(err, ErrLoginRequired) {
		t.Errorf("got %v, want ErrLoginRequired", err)
	}
	same := l.client(func(cfg *Config) {
		cfg.CacheDir = c.cfg.CacheDir
		cfg.Scopes = []string{"email", "openid", "email"} // order and repeats mean nothing
	})
	if _, err := same.IDToken(t.Context()); err != nil {
		t.Errorf("the same scopes in another order: %v", err)
	}
}

// The refreshed token must name the same person.
func TestRefreshForAnotherPersonIsRefused(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	l.TamperIDToken(func(_, claims map[string]any) { claims["sub"] = "somebody-else" })
	if _, err := c.Token(t.Context(), &TokenOptions{Refresh: true}); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

// C16: an unreadable keychain is never reported as "not signed in".
func TestC16StoreErrorsKeepTheirKind(t *testing.T) {
	for _, kind := range []error{tokenstore.ErrLocked, tokenstore.ErrUnavailable, tokenstore.ErrBroken} {
		l := newLab(t, nil)
		c := l.signedIn(nil)
		l.store.before = func(string, string, int) error { return kind }
		_, errToken := c.IDToken(t.Context())
		_, errSession := c.Session(t.Context())
		_, errLogin := c.Login(t.Context(), nil)
		_, errLogout := c.Logout(t.Context())
		for what, err := range map[string]error{"Token": errToken, "Session": errSession, "Login": errLogin, "Logout": errLogout} {
			if !errors.Is(err, kind) || errors.Is(err, ErrLoginRequired) {
				t.Errorf("%s: got %v, want %v", what, err, kind)
			}
		}
		if len(l.opened) != 1 {
			t.Error("a browser was opened although nothing could be stored")
		}
	}
}

// Memory keeps everything in the process: no file, no keychain.
func TestMemoryStoreWritesNoFile(t *testing.T) {
	l := newLab(t, nil)
	dir := t.TempDir()
	c := l.client(func(cfg *Config) { cfg.Store, cfg.CacheDir = &tokenstore.Memory{}, dir })
	if _, err := c.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("%d files were written", len(entries))
	}
	if n := l.Redemptions(); n != 0 {
		t.Errorf("%d redemptions, want 0", n)
	}
}
