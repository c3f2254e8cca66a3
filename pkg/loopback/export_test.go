package loopback

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"time"
)

// ConstantPages are the pages that are the same for every visitor, by name.
func ConstantPages() map[string][]byte {
	return map[string][]byte{
		"foreign":     pageForeign.html(),
		"unconfirmed": pageUnconfirmed.html(),
		"duplicate":   pageDuplicate.html(),
		"incomplete":  pageIncomplete.html(),
		"notfound":    pageNotFound.html(),
		"method":      pageMethod.html(),
		"misdirected": pageMisdirected.html(),
	}
}

// NewUnbound returns a Server that serves no port, so that a fuzz test can call its handler.
func NewUnbound(callbackURL string) *Server {
	targets, err := parseTargets([]string{callbackURL})
	if err != nil {
		panic(err)
	}
	return newServer(targets[0], nil)
}

// Arm does what Await does before it waits.
func (s *Server) Arm(state string, o Observer) {
	s.login = &login{digest: sha256.Sum256([]byte(state)), observer: o, result: make(chan *Callback, 1)}
	close(s.awaited)
}

// Delivered returns what Await would, or nil.
func (s *Server) Delivered() *Callback {
	select {
	case cb := <-s.login.result:
		return cb
	default:
		return nil
	}
}

// Handle answers one request.
func (s *Server) Handle(w http.ResponseWriter, r *http.Request) { s.handle(w, r) }

// A ListenFunc binds one address.
type ListenFunc = func(ctx context.Context, network, addr string) (net.Listener, error)

// SystemListen is what Listen uses.
var SystemListen ListenFunc = system.listen

// ListenWith is Listen with another bind and no probe.
func ListenWith(ctx context.Context, listenFunc ListenFunc, urls []string) (*Server, error) {
	none := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no probe") }
	return listen(ctx, network{listen: listenFunc, dial: none}, urls)
}

// The errors of this system.
var (
	ErrnoReserved error = errnoReserved
	ErrnoMissing        = missingFamily
)

// MaxConns is how many connections are kept open.
const MaxConns = maxConns

// Armed reports whether Await has begun.
func (s *Server) Armed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login != nil
}

// Holding reports whether a browser waits for the outcome.
func (s *Server) Holding() bool { return s.Armed() && s.login.isHolding() }

// SetPatience replaces the 2 s that Respond waits: a loaded test machine may take longer.
func (s *Server) SetPatience(d time.Duration) { s.patience = d }

// Offer does what Respond does before it waits, and returns the page's path.
func (s *Server) Offer(page []byte) (path string) {
	s.offer(page)
	return s.pagePath
}

// OpenConns is how many connections are open.
func (s *Server) OpenConns() int {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	return len(s.conns.open)
}
