package cogauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// lab is a pool, a store and a clock, with everything that was logged, searched for secrets at the end.
type lab struct {
	*cognitotest.Pool
	t        *testing.T
	clock    *clock
	store    *faultyStore
	callback string
	log      *lockedBuffer
	opened   chan string // every URL that a browser was asked to open
	browser  func(ctx context.Context, url string)
}

// clock can be moved by hand; both sides use it.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newLab(t *testing.T, edit func(*cognitotest.Config)) *lab {
	t.Helper()
	return startLab(t, edit, (*cognitotest.Pool).Start)
}

// awsLab is a lab whose pool answers under AWS's names.
func awsLab(t *testing.T, edit func(*cognitotest.Config)) *lab {
	t.Helper()
	return startLab(t, edit, (*cognitotest.Pool).StartAWS)
}

func startLab(t *testing.T, edit func(*cognitotest.Config), start func(*cognitotest.Pool) error) *lab {
	t.Helper()
	l := &lab{t: t, clock: &clock{}, store: &faultyStore{}, log: &lockedBuffer{}, opened: make(chan string, 100)}
	l.callback = fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	cfg := cognitotest.Config{Now: l.clock.Now, Clients: []cognitotest.AppClient{cognitotest.DefaultClient()}}
	if edit != nil {
		edit(&cfg)
	}
	if cfg.Clients[0].CallbackURLs == nil || cfg.Clients[0].CallbackURLs[0] == cognitotest.DefaultClient().CallbackURLs[0] {
		cfg.Clients[0].CallbackURLs = []string{l.callback}
	}
	pool, err := cognitotest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := start(pool); err != nil {
		t.Fatal(err)
	}
	l.Pool = pool
	l.browser = func(ctx context.Context, url string) {
		if _, err := pool.UserAgent().SignIn(ctx, url, pool.User().Username, pool.User().Password); err != nil && ctx.Err() == nil {
			l.log.Write([]byte("browser: " + strings.ReplaceAll(err.Error(), "CANARY", "") + "\n"))
		}
	}
	t.Cleanup(func() {
		pool.Close()
		// S11: whatever a test does, nothing of it is a secret.
		for _, s := range pool.Secrets() {
			if len(s) > 7 && s != pool.User().Password && strings.Contains(l.log.String(), s) {
				t.Errorf("the log holds a secret:\n%s", l.log)
			}
		}
	})
	return l
}

// client returns a new Client of the lab's profile, as another program would have it.
func (l *lab) client(edit func(*Config)) *Client {
	l.t.Helper()
	cfg := Config{
		Issuer: l.Issuer(), ClientID: l.Client().ID, CallbackURLs: []string{l.callback}, Scopes: []string{"openid", "email"},
		Store: l.store, CacheDir: l.t.TempDir(), HTTPClient: l.HTTPClient(),
		Logger: slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OpenURL: func(ctx context.Context, url string) error {
			l.opened <- url
			go l.browser(ctx, url)
			return nil
		},
	}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	c.now = l.clock.Now
	c.uptime = nil // time passes by the lab's clock, which nobody sets
	return c
}

// signedIn returns a Client that has just signed in.
func (l *lab) signedIn(edit func(*Config)) *Client {
	l.t.Helper()
	c := l.client(edit)
	if _, err := c.Login(l.t.Context(), nil); err != nil {
		l.t.Fatalf("login: %v\n%s", err, l.log)
	}
	return c
}

// stored returns the record as it is in the store, nil if there is none.
func (l *lab) stored(c *Client) *record {
	l.t.Helper()
	r, err := c.readRecord(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// wantNothingStored looks at every entry that was ever written but client secrets.
func (l *lab) wantNothingStored() {
	l.t.Helper()
	l.store.mu.Lock()
	calls := slices.Clone(l.store.calls)
	l.store.mu.Unlock()
	for _, call := range calls {
		name, put := strings.CutPrefix(call, "put ")
		if !put || strings.HasPrefix(name, "secret:") {
			continue
		}
		if _, err := l.store.Memory.Get(l.t.Context(), name); !errors.Is(err, tokenstore.ErrNotFound) {
			l.t.Errorf("the entry %s is in the store (%v), want nothing", name, err)
		}
	}
}

// faultyStore is a real store in memory whose calls can be watched and made to fail. It is not a
// *tokenstore.Memory, so Clients on it use a cache file as with a keychain.
type faultyStore struct {
	tokenstore.Memory

	mu     sync.Mutex
	calls  []string                            // "put NAME", "get NAME", …
	before func(act, name string, n int) error // asked before the nth call, counted from 1
	after  func(act, name string)
}

func (s *faultyStore) note(act, name string) error {
	s.mu.Lock()
	s.calls = append(s.calls, act+" "+name)
	before, n := s.before, len(s.calls)
	s.mu.Unlock()
	if before != nil {
		return before(act, name, n)
	}
	return nil
}

func (s *faultyStore) done(act, name string) {
	if s.after != nil {
		s.after(act, name)
	}
}

func (s *faultyStore) Get(ctx context.Context, name string) ([]byte, error) {
	if err := s.note("get", name); err != nil {
		return nil, err
	}
	defer s.done("get", name)
	return s.Memory.Get(ctx, name)
}

func (s *faultyStore) Put(ctx context.Context, name string, value []byte) error {
	if err := s.note("put", name); err != nil {
		return err
	}
	defer s.done("put", name)
	return s.Memory.Put(ctx, name, value)
}

func (s *faultyStore) Delete(ctx context.Context, name string) error {
	if err := s.note("delete", name); err != nil {
		return err
	}
	defer s.done("delete", name)
	return s.Memory.Delete(ctx, name)
}

// reset forgets the calls and the faults.
func (s *faultyStore) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.before, s.after = nil, nil, nil
}

func listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
