package cognitotest

import (
	"fmt"
	"slices"
	"time"
)

// Request is what the pool remembers of a request. It holds no value that the request carried.
type Request struct {
	Time time.Time // by the pool's clock
	// Endpoint is "discovery", "jwks", "authorize", "login", "token", "revoke", "userInfo",
	// "logout", "error" or "signed-out"; one of the pages "mfa", "newPassword", "forgotPassword",
	// "confirmforgotPassword" and "outbox"; "idpresponse", "provider" for the identity providers' own
	// pages, or "other".
	Endpoint string
	Method   string
	Grant    string // token endpoint: "authorization_code", "refresh_token", "client_credentials" or ""
	Status   int    // 0 while it is being answered, and if the connection was dropped instead
	Error    string // OAuth error code, also one sent in a redirect; "" if there was none

	HasAuthorizationHeader bool
	Form, Query            []string // names of the parameters in the body and in the URL, sorted
}

// Requests returns what has arrived so far, in order. A request is in it, with its outcome, before
// its sender sees the answer.
func (p *Pool) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Count returns how many requests have reached endpoint, in whatever way they were answered. It
// panics if endpoint is none of the names that Request lists.
func (p *Pool) Count(endpoint string) int {
	mustKnow(endpoint)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.requests {
		if r.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// Redemptions returns how many refresh grants the pool has honoured, including those whose answer a
// Failure then dropped.
func (p *Pool) Redemptions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.redeemed
}

// Secrets returns every code, token, session cookie, password and client secret that the pool has
// handed out or received, and every verifier, state, nonce and CSRF token, oldest first: what must not turn up in a
// client's output, files or environment. Values shorter than 8 bytes are left out, since they turn
// up anywhere.
func (p *Pool) Secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.secrets)
}

const minSecret = 8

// noteSecret remembers values for Secrets. The caller holds p.mu, or is New.
func (p *Pool) noteSecret(values ...string) {
	for _, v := range values {
		if len(v) >= minSecret && !p.secretSet[v] {
			p.secretSet[v] = true
			p.secrets = append(p.secrets, v)
		}
	}
}

// received notes values that came in with a request.
func (p *Pool) received(values ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteSecret(values...)
}

func (p *Pool) arrived(r Request) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r)
	return len(p.requests) - 1
}

func (p *Pool) answered(n int, r Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests[n] = r
}

// mustKnow panics because a misspelt name would otherwise make a test pass for nothing.
func mustKnow(endpoint string) {
	if !slices.Contains(endpoints[:], endpoint) {
		panic(fmt.Sprintf("cognitotest: no endpoint is named %q", endpoint))
	}
}
