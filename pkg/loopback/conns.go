package loopback

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// A connTable bounds the open connections. Waiting for a free place would let a client that opens
// connections and says nothing lock out the browser; so the oldest connection on which no complete
// request has arrived makes room for the newest.
type connTable struct {
	mu   sync.Mutex
	next uint64
	open map[net.Conn]*connInfo
}

type connInfo struct {
	age    uint64 // lower is older
	pinned bool   // a request is being answered
}

type connKey struct{}

// context is http.Server.ConnContext: it lets a handler find its connection.
func (t *connTable) context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// track is http.Server.ConnState.
func (t *connTable) track(c net.Conn, state http.ConnState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch state {
	case http.StateNew:
		t.next++
		t.open[c] = &connInfo{age: t.next}
		if len(t.open) > maxConns {
			t.evict()
		}
	case http.StateClosed, http.StateHijacked:
		delete(t.open, c)
	}
}

// evict closes the oldest connection that is not pinned; mu is held.
func (t *connTable) evict() {
	var victim net.Conn
	var age uint64
	for c, info := range t.open {
		if !info.pinned && (victim == nil || info.age < age) {
			victim, age = c, info.age
		}
	}
	if victim != nil {
		delete(t.open, victim)
		victim.Close()
	}
}

// pin keeps the connection of a request from being evicted until the returned function is called.
func (t *connTable) pin(ctx context.Context) (unpin func()) {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	t.set(c, true)
	return func() { t.set(c, false) }
}

func (t *connTable) set(c net.Conn, pinned bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if info := t.open[c]; info != nil {
		info.pinned = pinned
	}
}
