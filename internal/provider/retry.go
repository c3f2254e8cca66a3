package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

// What is tried again, and how often. A caller is a program that somebody waits for: it would rather hear
// "offline" after some seconds than wait for a server that has trouble of its own.
const (
	maxTries   = 3
	firstPause = 400 * time.Millisecond // doubled each time, of which a random part is waited
	lastStart  = 8 * time.Second        // no try begins later than this after the first
	longestAsk = 5 * time.Second        // of Retry-After (RFC 9110 §10.2.3); who asks for more is obeyed by giving up
)

// exchange is what one try of a request shows besides its answer.
type exchange struct {
	now        func() time.Time
	sent       atomic.Bool // the request has left, at least in part
	date       time.Time   // of the answer, by the server; zero if it does not say
	received   time.Time   // when the answer's header came, by this machine's clock
	retryAfter time.Duration
	bodyErr    error // the answer broke off
}

type exchangeKey struct{}

func observed(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// observe makes one try of a request visible.
func observe(ctx context.Context, now func() time.Time) (context.Context, *exchange) {
	if now == nil {
		now = time.Now
	}
	x := &exchange{now: now}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaderField: func(string, []string) { x.sent.Store(true) }})
	return context.WithValue(ctx, exchangeKey{}, x), x
}

// note is called with each answer.
func (x *exchange) note(resp *http.Response) {
	x.received = x.now()
	x.date, _ = http.ParseTime(resp.Header.Get("Date"))
	after := resp.Header.Get("Retry-After") // seconds, or a date
	if seconds, err := strconv.Atoi(after); err == nil {
		x.retryAfter = time.Duration(max(0, min(seconds, 1e6))) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		x.retryAfter = max(0, at.Sub(x.received.Add(x.skew())))
	}
	resp.Body = &watchedBody{resp.Body, x}
}

// skew is the server's clock minus this machine's. Date has whole seconds, so its middle is taken, and
// up to 2 s there is none.
func (x *exchange) skew() time.Duration {
	if x.date.IsZero() {
		return 0
	}
	skew := x.date.Add(500 * time.Millisecond).Sub(x.received.Round(0))
	if skew.Abs() <= 2*time.Second {
		return 0
	}
	return skew
}

type watchedBody struct {
	io.ReadCloser
	x *exchange
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.x.bodyErr = err
	}
	return n, err
}

// repeat makes up to maxTries tries, the first at once, while the server answers that it is to come back
// later, or the connection breaks, and may agrees. Where nobody answers at all, and where somebody takes all
// the time there is, one try says it. ctx ends the waiting in between. now is for what the server says of
// time; nil means time.Now.
func repeat(ctx context.Context, now func() time.Time, may func(*Error, *exchange) bool, try func(context.Context) error) error {
	lost := false // an answer to a request that may have been served
	began := time.Now()
	for n := 1; ; n++ {
		inner, x := observe(ctx, now)
		err := try(inner)
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return err
		}
		if lost && e.Code == "invalid_grant" {
			e.AnswerLost = true
		}
		// A server that answers 5xx may have served the request before something behind it broke.
		lost = lost || x.sent.Load() && (e.Status == 0 || e.Status >= 500 && e.Status != http.StatusServiceUnavailable)
		e.Unanswered = lost && e.Kind == Offline
		if n == maxTries || e.Kind != Offline || e.stalled || e.undialled || !may(e, x) {
			return err
		}
		pause := firstPause << (n - 1)
		pause = pause/4 + rand.N(pause*3/4)
		if x.retryAfter > 0 {
			if x.retryAfter > longestAsk {
				e.Fact = fmt.Sprintf("%s, in %v", e.Fact, x.retryAfter.Round(time.Second))
				return err
			}
			pause += x.retryAfter
		}
		if time.Since(began)+pause > lastStart {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// always is for requests that may be served twice.
func always(*Error, *exchange) bool { return true }

// unserved is for requests that must not: only if the server said that it did not.
func unserved(e *Error, x *exchange) bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable ||
		e.Code == "TooManyRequestsException" || !x.sent.Load()
}
