package cognitotest

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Failure is a way for an endpoint to misbehave. The zero Failure is none. With only Delay set, the
// endpoint answers as usual, but late.
type Failure struct {
	Times int // how many requests it meets; zero means all until Fail is called again

	Delay time.Duration // before anything else
	Hang  bool          // no answer until the client goes away or the pool is closed

	CloseBefore bool // drop the connection and do nothing
	CloseAfter  bool // do what was asked, then drop the connection without an answer

	Status      int    // answer with this HTTP status; zero means 302 with Location, else 200 with Body
	ContentType string // "" means JSON, as the token endpoint sends
	Body        string
	Location    string // answer with a redirect to this URL
	RetryAfter  string // value of the header Retry-After, or ""
}

// Throttled answers as AWS's API does when a quota is used up.
func Throttled() Failure {
	return Failure{Status: http.StatusBadRequest, Body: `{"error":"TooManyRequestsException","error_description":"Rate exceeded"}`}
}

// TooManyRequests answers as HTTP has it (RFC 6585 §4), with Retry-After in whole seconds, rounded up;
// zero leaves it out.
func TooManyRequests(retryAfter time.Duration) Failure {
	f := Failure{Status: http.StatusTooManyRequests, Body: `{"message":"Too Many Requests"}`}
	if retryAfter > 0 {
		f.RetryAfter = strconv.Itoa(int((retryAfter + time.Second - 1) / time.Second))
	}
	return f
}

// Unavailable answers as a load balancer does for a service that is down.
func Unavailable() Failure {
	return Failure{Status: http.StatusServiceUnavailable, ContentType: "text/html", Body: "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"}
}

// Blocked answers as AWS WAF does to whom it does not let through.
func Blocked() Failure {
	return Failure{Status: http.StatusForbidden, ContentType: "text/html", Body: "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"}
}

// Slow answers as usual, but so much later.
func Slow(delay time.Duration) Failure { return Failure{Delay: delay} }

// idle reports whether f does nothing.
func (f Failure) idle() bool {
	f.Times = 0
	return f == Failure{}
}

// Fail makes endpoint misbehave, in place of an earlier failure; Failure{} ends it. It panics if
// endpoint is none of the names that Request lists.
func (p *Pool) Fail(endpoint string, f Failure) {
	mustKnow(endpoint)
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.idle() {
		delete(p.failures, endpoint)
		return
	}
	p.failures[endpoint] = &f
}

// nextFailure takes one use of the endpoint's failure and returns a copy, or nil.
func (p *Pool) nextFailure(endpoint string) *Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.failures[endpoint]
	if f == nil {
		return nil
	}
	taken := *f
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			delete(p.failures, endpoint)
		}
	}
	return &taken
}

// pause waits as f says and reports whether the client is still there to be answered. The body has
// been read by now: net/http notices that a client has gone, or that Close has been called, only after that.
func (f *Failure) pause(ctx context.Context) bool {
	var late <-chan time.Time
	if !f.Hang {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-late:
		return true
	case <-ctx.Done():
	}
	return false
}

// reply returns the answer that f puts in place of the endpoint's, or nil.
func (f *Failure) reply() *reply {
	if f.Status == 0 && f.Body == "" && f.Location == "" {
		return nil
	}
	a := newReply(f.Status)
	if f.Location != "" {
		a.set("Location", f.Location)
		a.status = or(a.status, http.StatusFound)
	}
	a.status = or(a.status, http.StatusOK)
	a.set("Content-Type", or(f.ContentType, jsonType))
	if f.RetryAfter != "" {
		a.set("Retry-After", f.RetryAfter)
	}
	a.body = f.Body
	return a
}
