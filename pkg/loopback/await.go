package loopback

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
)

// maxQuotes is how often Observer.Unconfirmed is called in one Await: a page in the person's
// browser must not be able to fill a terminal.
const maxQuotes = 4

// Observer is told of visitors that do not end the login. Either function may be nil. They are
// called from other goroutines, one call at a time, never after Await has returned; they should
// return promptly, because a visitor's answer and the end of Await wait for them.
type Observer struct {
	// Foreign is called at the first request on the callback path that is no answer to this login:
	// its state is missing or wrong, or it is malformed. Somebody else's tool may use the same
	// callback URL, or somebody may be trying to slip in a code of theirs.
	Foreign func()

	// Unconfirmed is called with the error and error_description of an error response that carries
	// no state. The server may have sent it (RFC 6749 §4.1.2.1 wants the state returned, and not
	// every server does so), or any page: quote it as unconfirmed. Both are foreign text, not yet
	// cleaned for a terminal. It is called for the first four such responses that differ from the one before.
	Unconfirmed func(code, description string)
}

// Callback is an authorization response whose state was right: it has either Code or Error.
// Formatting or logging a Callback does not show the code, and marshalling one fails.
type Callback struct {
	Code             string // secret; redeem it once (RFC 6749 §4.1.2)
	Issuer           string // iss, empty if the server did not send it (RFC 9207 §2)
	Error            string // as in RFC 6749 §4.1.2.1
	ErrorDescription string // text of the server: clean it before showing it
}

// Format implements fmt.Formatter for every verb, leaving out the code.
func (c Callback) Format(f fmt.State, _ rune) { io.WriteString(f, c.redacted()) }

// LogValue implements slog.LogValuer, leaving out the code.
func (c Callback) LogValue() slog.Value { return slog.StringValue(c.redacted()) }

// MarshalText refuses: an encoder would write the code.
func (Callback) MarshalText() ([]byte, error) {
	return nil, errors.New("loopback: refusing to marshal a Callback")
}

func (c Callback) redacted() string {
	if c.Error != "" {
		return fmt.Sprintf("{Error:%q ErrorDescription:%q Issuer:%q}", c.Error, c.ErrorDescription, c.Issuer)
	}
	return fmt.Sprintf("{Code:[secret] Issuer:%q}", c.Issuer)
}

// UnconfirmedError is what Await returns when its context ended after an error response without
// state: the likely, but unproven, reason. It unwraps to the context's error.
type UnconfirmedError struct {
	Code        string // foreign text, like Description
	Description string
	Err         error // context.DeadlineExceeded or context.Canceled
}

func (e *UnconfirmedError) Error() string {
	s := "loopback: no callback arrived: " + e.Err.Error() + "; an unconfirmed visitor reported " + quote(e.Code)
	if e.Description != "" {
		s += ": " + quote(e.Description)
	}
	return s
}

func (e *UnconfirmedError) Unwrap() error { return e.Err }

// quote makes foreign text safe and short enough for an error message.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.QuoteToASCII(s)
}

// Await waits for the callback whose state equals state, which must be unguessable and used for
// this login alone. It returns exactly one Callback, confirmed by that state: a code, or an error
// of the authorization server. Its browser is kept waiting until Respond or Close.
//
// When ctx ends first the error matches ctx.Err, and is an *UnconfirmedError if a visitor reported
// an error without state. When the Server is closed it is ErrClosed. Await may be called once.
func (s *Server) Await(ctx context.Context, state string, o Observer) (*Callback, error) {
	if state == "" {
		return nil, errors.New("loopback: empty state")
	}
	l := &login{digest: sha256.Sum256([]byte(state)), observer: o, result: make(chan *Callback, 1)}
	s.mu.Lock()
	again := s.login != nil
	if !again {
		s.login = l
		close(s.awaited)
	}
	s.mu.Unlock()
	if again {
		return nil, errors.New("loopback: Await called twice")
	}

	var err error
	select {
	case cb := <-l.result:
		return cb, l.end(nil)
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.closing:
		err = ErrClosed
	case err = <-s.broken:
		err = fmt.Errorf("loopback: listener failed: %w", err)
	}
	err = l.end(err)
	select {
	case cb := <-l.result: // it came at the same moment, and its code is spent if we drop it
		return cb, nil
	default:
		return nil, err
	}
}

// A login is the state of one Await.
type login struct {
	digest   [sha256.Size]byte
	observer Observer
	result   chan *Callback // one slot, filled at most once

	mu      sync.Mutex // also held while an observer runs
	warned  bool
	quotes  int
	last    *UnconfirmedError
	done    bool // a callback was delivered
	over    bool // Await has returned
	holding bool // a browser waits for the outcome
}

// matches compares in constant time; the digests make lengths equal.
func (l *login) matches(state string) bool {
	sum := sha256.Sum256([]byte(state))
	return subtle.ConstantTimeCompare(sum[:], l.digest[:]) == 1
}

func (l *login) foreign() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.warned {
		return
	}
	l.warned = true
	if l.observer.Foreign != nil {
		l.observer.Foreign()
	}
}

func (l *login) unconfirmed(code, description string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.last != nil && l.last.Code == code && l.last.Description == description {
		return
	}
	l.last = &UnconfirmedError{Code: code, Description: description}
	l.quotes++
	if l.observer.Unconfirmed != nil && l.quotes <= maxQuotes {
		l.observer.Unconfirmed(code, description)
	}
}

type verdict int

const (
	wait      verdict = iota // hold this browser until the outcome is known
	duplicate                // another one waits, or was answered
	tooLate                  // nobody waits for a callback any more
)

// take delivers cb if it is the first, and says what becomes of its browser.
func (l *login) take(cb *Callback) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over && !l.done:
		return tooLate
	case l.holding:
		return duplicate
	}
	// A reload drops the first request: its successor waits in its place, and delivers nothing.
	l.holding = true
	if !l.done {
		l.done = true
		l.result <- cb
	}
	return wait
}

func (l *login) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = false
}

func (l *login) isHolding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holding
}

// end silences the observer and explains err.
func (l *login) end(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	switch {
	case !ended:
		return err
	case l.last != nil:
		l.last.Err = err
		return l.last
	default:
		return fmt.Errorf("loopback: no callback arrived: %w", err)
	}
}
