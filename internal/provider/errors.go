package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/cogauth/cogauth/internal/secret"
)

// Kind says which of the caller's answers an Error is.
type Kind int

const (
	// Offline: the provider could not be asked, or said to come back later.
	Offline Kind = iota + 1
	// Refused: the provider answered and the answer was no.
	Refused
	// Misconfigured: what was configured cannot work, whoever asks and whenever.
	Misconfigured
)

// Error is a failed request to the provider. It never holds a URL's query, a request body or a
// response body. Description is the server's text, already safe for a terminal: quote it, never
// decide by it.
type Error struct {
	Kind        Kind
	Op          string // what was being done: "discovery", "exchange code", "refresh token", "revoke token", "fetch keys"
	Code        string // OAuth error code (RFC 6749 §5.2), or ""
	Description string
	Status      int    // HTTP status, or 0 if there was no answer
	Fact        string // used where there is no Code
	Untrusted   bool   // the server's certificate is signed by an unknown authority
	NoHost      bool   // the name does not exist
	NoDomain    bool   // the user pool has no domain
	NoDocument  bool   // something answers there, but not with a discovery document
	stalled     bool   // it ran into this package's own bound
	undialled   bool   // there was no connection
	Unanswered  bool   // it was sent, and whether it was served is not known
	AnswerLost  bool   // an earlier try was sent, its answer never came, and now the token counts as spent
}

func (e *Error) Error() string {
	switch {
	case e.Code != "" && e.Description != "":
		return fmt.Sprintf("%s: server answered %q: %q", e.Op, e.Code, e.Description)
	case e.Code != "":
		return fmt.Sprintf("%s: server answered %q", e.Op, e.Code)
	default:
		return e.Op + ": " + e.Fact
	}
}

// transient reports whether an answer with this status or code asks to come back later.
func transient(status int, code string) bool {
	switch code {
	case "temporarily_unavailable", "server_error", "slow_down", "TooManyRequestsException":
		return true
	}
	return status == 429 || status >= 500
}

// judge sorts a refusal. Codes that no repetition and no person at the browser can mend are about
// the configuration, here or at the provider.
func judge(status int, code string) Kind {
	switch {
	case transient(status, code):
		return Offline
	case MeansMisconfigured(code), status == http.StatusMethodNotAllowed:
		return Misconfigured
	}
	return Refused
}

// MeansMisconfigured reports whether an OAuth error code (RFC 6749 §4.1.2.1 and §5.2, or one of
// Cognito's error page) can only be mended by changing the app client or the profile.
func MeansMisconfigured(code string) bool {
	switch code {
	case "invalid_client", "unauthorized_client", "invalid_scope", "unsupported_response_type", "unsupported_grant_type",
		"invalid_target", "redirect_mismatch", "Required parameters missing":
		return true
	}
	return false
}

// netError describes a request that brought no usable answer. Errors of net/http are not wrapped:
// their text repeats the URL, and what they wrap may hold the request.
func netError(ctx context.Context, op, host string, err error) error {
	if cause := context.Cause(ctx); ctx.Err() != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return ctx.Err()
	}
	var (
		oerr     *oauth2.RetrieveError
		uerr     *url.Error
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		dns      *net.DNSError
		refusal  *insecureError
	)
	switch {
	case errors.As(err, &oerr):
		return retrieveError(op, host, oerr)
	case errors.As(err, &refusal):
		return &Error{Kind: Misconfigured, Op: op, Fact: refusal.Error()}
	case errors.As(err, &unknown):
		return &Error{Kind: Misconfigured, Op: op, Fact: "the certificate of " + host + " is signed by an authority this machine does not know", Untrusted: true}
	case errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &record):
		return &Error{Kind: Misconfigured, Op: op, Fact: "the certificate of " + host + " is not valid for it"}
	case errors.As(err, &dns):
		return &Error{Kind: Offline, Op: op, undialled: true, NoHost: dns.IsNotFound && strings.EqualFold(strings.TrimSuffix(dns.Name, "."), host), Fact: "cannot find the host " + secret.Clean(dns.Name)}
	case isTimeout(err):
		return &Error{Kind: Offline, Op: op, Fact: host + " did not answer in time", stalled: true}
	case errors.As(err, &uerr):
		dial, ok := errors.AsType[*net.OpError](err)
		return &Error{Kind: Offline, Op: op, Fact: "cannot reach " + host + ": " + rootCause(uerr.Err), undialled: ok && dial.Op == "dial"}
	default:
		return &Error{Kind: Refused, Op: op, Fact: host + " gave an answer that is not OAuth: " + secret.Clean(err.Error())}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// rootCause is the innermost text of a network error: "connection refused" rather than the chain
// of dial, address and system call around it.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return "it closed the connection"
		}
		if inner == nil {
			return secret.Clean(strings.TrimPrefix(err.Error(), "proxyconnect tcp: "))
		}
		err = inner
	}
}

// retrieveError translates x/oauth2's error, whose own text holds the whole response body.
func retrieveError(op, host string, err *oauth2.RetrieveError) error {
	status := 0
	if err.Response != nil {
		status = err.Response.StatusCode
	}
	e := &Error{Kind: Refused, Op: op, Code: secret.Clean(err.ErrorCode), Description: secret.Clean(err.ErrorDescription), Status: status}
	e.Kind = judge(status, err.ErrorCode)
	if err.ErrorCode == "" {
		e.Fact = statusFact(host, status)
	}
	return e
}

func statusFact(host string, status int) string {
	switch {
	case status >= 300 && status < 400:
		return fmt.Sprintf("%s answered with a redirect (HTTP %d), which is never followed", host, status)
	case status == 429:
		return fmt.Sprintf("%s asks to come back later (HTTP 429)", host)
	case status == http.StatusMethodNotAllowed:
		return fmt.Sprintf("%s did not get the POST that was sent (HTTP 405)", host)
	case status == http.StatusForbidden:
		return fmt.Sprintf("%s does not let this request through (HTTP 403)", host)
	default:
		return fmt.Sprintf("%s answered HTTP %d", host, status)
	}
}
