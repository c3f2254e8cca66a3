package cogauth

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// N5: a hundred goroutines of one program find the token expired. One of them asks the pool, and reads
// the store; the others take what it brings.
func TestN5HundredGoroutinesOneRequest(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	l.Fail("token", cognitotest.Failure{Delay: 2 * time.Second}) // until all have begun
	sent, fetched := l.Count("token"), l.Count("jwks")
	l.store.mu.Lock()
	noted := len(l.store.calls)
	l.store.mu.Unlock()
	reads := func() (n int) {
		l.store.mu.Lock()
		defer l.store.mu.Unlock()
		for _, call := range l.store.calls[noted:] {
			if call == "get "+c.credential() {
				n++
			}
		}
		return n
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		tokens []string
	)
	for range 100 {
		wg.Go(func() {
			tok, err := c.IDToken(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil || tok == "" {
				t.Errorf("got %v, want a token", err)
			} else if !slices.Contains(tokens, tok) {
				tokens = append(tokens, tok)
			}
		})
	}
	wg.Wait()
	if len(tokens) != 1 {
		t.Errorf("got %d different tokens, want one", len(tokens))
	}
	if n := l.Count("token") - sent; n != 1 {
		t.Errorf("%d requests to the token endpoint, want 1", n)
	}
	if n := l.Count("jwks") - fetched; n > 1 {
		t.Errorf("the keys were fetched %d times, want once at most", n)
	}
	if n := l.Redemptions(); n != 1 {
		t.Errorf("%d redemptions, want 1", n)
	}
	if n := reads(); n > 10 {
		t.Errorf("the record was read %d times, want a few times at most", n)
	}
}

// N5: both kinds of token are wanted at once, at every margin. They come with one answer.
func TestN5EveryKindOfTokenWithOneRedemption(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	l.Fail("token", cognitotest.Failure{Delay: time.Second})
	var wg sync.WaitGroup
	for i := range 100 {
		o := &TokenOptions{Type: TokenType(1 + i%2), MinTTL: time.Duration(1+i%5) * time.Minute}
		wg.Go(func() {
			if tok, err := c.Token(t.Context(), o); err != nil || tok.Type() != o.Type || !tok.goodFor(c.moment(), o.MinTTL) {
				t.Errorf("%v: got a token of type %v, %v", o, tok.Type(), err)
			}
		})
	}
	wg.Wait()
	if n := l.Redemptions(); n != 1 {
		t.Errorf("%d redemptions, want 1", n)
	}
}

// N5: the goroutine that asks on behalf of all loses its patience while it waits for its turn. It alone
// goes without; one of the others takes its place.
func TestN5OneWhoLeavesTakesNobodyAlong(t *testing.T) {
	l := newLab(t, rotating)
	c := l.signedIn(nil)
	l.clock.Advance(2 * time.Hour)
	release, err := c.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	left := make(chan error, 1)
	go func() {
		_, err := c.Token(ctx, nil)
		left <- err
	}()
	waiting := func(n int) {
		t.Helper()
		stacks := make([]byte, 8<<20)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*Client).refreshed(") >= n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("fewer than %d goroutines wait for a token", n)
			}
		}
	}
	waiting(1)
	var wg sync.WaitGroup
	for range 99 {
		wg.Go(func() {
			if tok, err := c.IDToken(t.Context()); err != nil || tok == "" {
				t.Errorf("got %v, want a token", err)
			}
		})
	}
	waiting(100)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: got %v, want its context's error", err)
	}
	release()
	wg.Wait()
	if n := l.Redemptions(); n != 1 {
		t.Errorf("%d redemptions, want 1", n)
	}
}
