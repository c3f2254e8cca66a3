package loopback

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// pageTimeout is how long a browser that was sent to the page may take to fetch it.
const pageTimeout = 2 * time.Second

// ErrPageNotFetched is returned by Respond if no browser came for the page: the person has closed
// the tab, say. The login itself is not touched by it.
var ErrPageNotFetched = errors.New("loopback: no browser fetched the page")

// Respond sends the waiting browser to a one-time random address, serves p there once, waits at
// most 2 s for that, and closes the Server. If no browser waits it closes at once. Call it when
// the outcome is final: after the session was stored, or when it is clear that it will not be.
//
// The error is ErrPageNotFetched, ErrClosed or the context's.
func (s *Server) Respond(ctx context.Context, p Page) error {
	defer s.Close()
	var body bytes.Buffer
	if err := p.Render(&body); err != nil {
		return err
	}
	waiting, err := s.offer(body.Bytes())
	switch {
	case err != nil:
		return err
	case !waiting:
		return ErrPageNotFetched
	}
	timeout := time.NewTimer(s.patience)
	defer timeout.Stop()
	select {
	case <-s.shown:
		return nil
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("loopback: show the page: %w", ctx.Err())
	case <-timeout.C:
		return ErrPageNotFetched
	}
}

// offer puts the page at its address and lets the held request go there. It reports whether a
// browser was waiting.
func (s *Server) offer(page []byte) (waiting bool, err error) {
	var token [16]byte
	rand.Read(token[:]) // never fails (crypto/rand)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return false, ErrClosed
	}
	if s.pagePath != "" {
		return false, errors.New("loopback: Respond called twice")
	}
	s.pagePath = "/" + base64.RawURLEncoding.EncodeToString(token[:])
	s.page = page
	close(s.answered)
	return s.login != nil && s.login.isHolding(), nil
}
