// Package loopback receives the one redirect that ends a sign-in in the browser: the authorization
// response of RFC 6749 §4.1.2, sent to a loopback redirect URI as RFC 8252 §7.3 describes.
//
// A Server lives for one login:
//
//	srv, err := loopback.Listen(ctx, []string{"http://localhost:8585/callback"})
//	if err != nil {
//		return err // errors.Is(err, loopback.ErrPortBusy): try another registered URL
//	}
//	defer srv.Close()
//	// … open the browser at the authorization endpoint, with redirect_uri = srv.CallbackURL() …
//	cb, err := srv.Await(ctx, state, loopback.Observer{})
//	if err != nil {
//		return err
//	}
//	// … exchange cb.Code, verify the ID token, store the session …
//	err = srv.Respond(ctx, loopback.Page{SignedInAs: "alice@example.com", Profile: "work"})
//
// # What it promises
//
//   - Both loopback families of "localhost" are bound before Listen returns and stay bound, by the
//     same sockets, until Close. A stranger on one of them makes the port busy: it would get the code.
//   - Nothing but a loopback address is ever bound.
//   - Nothing in a request is believed before its state was compared, in constant time. A visitor
//     with a missing or wrong state cannot end a login; only the context and Close can.
//   - The browser is answered only when the caller knows how the login ended, and its address bar
//     then holds neither code nor state.
//   - No byte of a request appears in the body of an answer; no page has a script.
//
// The two exceptions to "every answer carries our headers" are net/http's own constant answers to
// bytes that are not an HTTP request (400) and to headers beyond 64 KiB (431): they are plain text.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	readHeaderTimeout = 5 * time.Second        // a browser sends its header at once
	bodyTimeout       = 500 * time.Millisecond // for a body, which no request here should have
	writeTimeout      = 5 * time.Second        // and reads the few kilobytes of an answer at once
	closeGrace        = 500 * time.Millisecond // for telling a waiting browser that the login ended
	maxHeaderBytes    = 64 << 10               // authorization codes of some issuers take several kilobytes
	maxConns          = 64                     // open connections; beyond it the oldest silent one goes
)

// ErrClosed is returned by Await and Respond when the Server was closed.
var ErrClosed = errors.New("loopback: server closed")

// Server listens on a loopback callback URL for one login. Get one from Listen; the zero Server is
// not usable. Its methods are safe for concurrent use.
type Server struct {
	url       string // as registered
	path      string // as a browser requests it
	hosts     map[string]bool
	listeners []net.Listener
	http      *http.Server
	conns     connTable
	serving   sync.WaitGroup // one per listener
	broken    chan error     // why a listener stopped on its own; one slot
	patience  time.Duration  // how long Respond waits for the page to be fetched
	closing   chan struct{}  // closed by Close
	closeOnce sync.Once

	mu       sync.Mutex
	isClosed bool
	login    *login         // set by Await, once
	awaited  chan struct{}  // closed by Await, after that
	holding  sync.WaitGroup // browsers that wait for the outcome; Add only under mu, while not closed
	answered chan struct{}  // closed by Respond, once
	shown    chan struct{}  // closed when the page of Respond was written
	pagePath string         // where that page waits
	page     []byte         // nil before Respond, and once served
}

// Listen binds the first of urls whose port is free on every loopback family its host can mean:
// 127.0.0.1 and [::1] for localhost, a system without one of the two being fine. It keeps the port
// until Close. The urls are tried in order; each must satisfy ParseCallbackURL.
//
// If every port is taken the error is a *BusyError, which matches ErrPortBusy. The context bounds
// Listen alone, not the Server.
func Listen(ctx context.Context, urls []string) (*Server, error) {
	return listen(ctx, system, urls)
}

func listen(ctx context.Context, n network, urls []string) (*Server, error) {
	targets, err := parseTargets(urls)
	if err != nil {
		return nil, err
	}
	var busy BusyError
	for _, t := range targets {
		listeners, try, err := n.bind(ctx, t)
		switch {
		case err != nil:
			return nil, fmt.Errorf("loopback: listen for %s: %w", t.url, err)
		case try != nil:
			busy.Tries = append(busy.Tries, *try)
		default:
			return newServer(t, listeners), nil
		}
	}
	return nil, &busy
}

func newServer(t target, listeners []net.Listener) *Server {
	s := &Server{
		url: t.url, path: t.path, hosts: t.hosts(), listeners: listeners,
		conns:    connTable{open: map[net.Conn]*connInfo{}},
		patience: pageTimeout,
		broken:   make(chan error, 1),
		closing:  make(chan struct{}),
		awaited:  make(chan struct{}),
		answered: make(chan struct{}),
		shown:    make(chan struct{}),
	}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.handle),
		ReadHeaderTimeout: readHeaderTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(io.Discard, "", 0), // it would quote requests
		ConnState:         s.conns.track,
		ConnContext:       s.conns.context,
		// "OPTIONS *" goes to our handler, so that it gets our headers.
		DisableGeneralOptionsHandler: true,
		// No ReadTimeout and no WriteTimeout: the winner's request stays open while the person's
		// tokens are fetched. Every write has a deadline of its own instead.
	}
	s.http.SetKeepAlivesEnabled(false)
	for _, l := range listeners {
		s.serving.Go(func() {
			err := s.http.Serve(l)
			select {
			case <-s.closing:
			case s.broken <- err:
			default:
			}
		})
	}
	return s
}

// CallbackURL returns the URL that was bound, byte for byte as it was given to Listen: send it as
// the redirect_uri.
func (s *Server) CallbackURL() string { return s.url }

// Close frees the port. A browser that still waits is told, in constant text, that the sign-in did
// not complete. Close may be called any number of times, from any goroutine.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.isClosed = true
		s.page = nil
		s.mu.Unlock()
		close(s.closing)
		for _, l := range s.listeners { // before the browser is told, so that the port is free at once
			l.Close()
		}
		told := make(chan struct{})
		go func() {
			s.holding.Wait()
			close(told)
		}()
		select {
		case <-told:
		case <-time.After(closeGrace):
		}
		s.http.Close()
		s.serving.Wait()
	})
	return nil
}
