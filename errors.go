package cogauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/provider"
)

// The answers that are not a token. Every error of this package matches exactly one of them, one of
// tokenstore's (the keychain is missing, locked or broken) or the context's error. Compare with
// errors.Is.
var (
	// ErrLoginRequired: there is no usable session, and only a person can make one.
	ErrLoginRequired = errors.New("login required")
	// ErrRefused: the server answered no, or sent something that does not verify.
	ErrRefused = errors.New("refused")
	// ErrOffline: the server could not be reached, or asked to come back later. The session is kept.
	ErrOffline = errors.New("offline")
	// ErrMisconfigured: the configuration cannot work as it stands.
	ErrMisconfigured = errors.New("misconfigured")
	// ErrLoginIncomplete: a login ended without an answer from the person, or could not begin
	// because no callback port was free.
	ErrLoginIncomplete = errors.New("login not completed")
	// ErrUntrusted comes together with ErrMisconfigured: the server's certificate is signed by an
	// authority that this machine does not know, as where a network inspects TLS.
	ErrUntrusted = errors.New("certificate authority not known")
	// ErrNoDomain comes together with ErrMisconfigured: the user pool has no domain, or not the one that
	// is configured, so there is no sign-in page.
	ErrNoDomain = errors.New("no domain")
	// ErrNoDiscovery comes together with ErrMisconfigured: what is configured as the issuer is not
	// one. The hosted UI's domain is often taken for it.
	ErrNoDiscovery = errors.New("no discovery document")
	// ErrNoLoginPages comes together with ErrMisconfigured: the pool uses managed login, and the app
	// client has no branding style.
	ErrNoLoginPages = errors.New("login pages unavailable")
	// ErrNoLogoutURL comes together with ErrMisconfigured: the sign-out URL is not set, or not registered.
	ErrNoLogoutURL = errors.New("no sign-out URL")
	// ErrNoIDToken comes together with ErrRefused: the answer held no ID token where one is required.
	ErrNoIDToken = errors.New("no ID token")
	// ErrForeignSecret comes together with ErrMisconfigured: the stored client secret was given for
	// another provider than the configured one, and is not sent there.
	ErrForeignSecret = errors.New("client secret of another provider")
	// ErrAnswerLost comes together with ErrLoginRequired: the server has spent the refresh token, but
	// the connection broke before the answer with the next one arrived.
	ErrAnswerLost = errors.New("answer lost")
	// ErrUnexpectedPerson comes together with ErrRefused: somebody else than Config.Expect has signed in.
	ErrUnexpectedPerson = errors.New("another person than expected")
	// ErrNotSaved: the tokens are good, but could not be kept. It comes with what failed in the
	// store; the token itself was still delivered.
	ErrNotSaved = errors.New("not saved")
)

// Error is a failure together with what the server said about it.
type Error struct {
	// Op is what was being done, such as "exchange code" or "refresh token".
	Op string
	// Code is the server's OAuth error code (RFC 6749 §4.1.2.1, §5.2), or "".
	Code string
	// Description is the server's text, made safe for a terminal. Quote it, never decide by it.
	Description string
	// Status is the HTTP status, or 0.
	Status int
	// CallbackURL is the redirect_uri of the login that failed, or "".
	CallbackURL string

	fact  string
	kind  error
	cause error
}

// Error states the facts; advice is left to the program.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	switch {
	case e.Code == "":
		b.WriteString(e.fact)
	case e.fact != "":
		fmt.Fprintf(&b, "%s (server answered %q)", e.fact, e.Code)
	case e.Description == "":
		fmt.Fprintf(&b, "server answered %q", e.Code)
	default:
		fmt.Fprintf(&b, "server answered %q: %q", e.Code, e.Description)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrOffline) and its like work.
func (e *Error) Is(target error) bool { return target == e.kind }

// Unwrap gives the error of another of this module's packages that explains this one, such as
// loopback.ErrPortBusy, or nil. Errors of the network are not wrapped: they repeat URLs.
func (e *Error) Unwrap() error { return e.cause }

func fail(kind error, op, format string, args ...any) *Error {
	return &Error{Op: op, fact: fmt.Sprintf(format, args...), kind: kind}
}

// translate turns the errors of internal packages into this package's.
func translate(err error) error {
	var (
		p *provider.Error
		t *idtoken.Error
	)
	switch {
	case errors.As(err, &p):
		kind := map[provider.Kind]error{
			provider.Offline:       ErrOffline,
			provider.Refused:       ErrRefused,
			provider.Misconfigured: ErrMisconfigured,
		}[p.Kind]
		e := &Error{Op: p.Op, Code: p.Code, Description: p.Description, Status: p.Status, fact: p.Fact, kind: kind}
		switch {
		case p.Untrusted:
			e.cause = ErrUntrusted
		case p.NoDomain:
			e.cause = ErrNoDomain
		case p.NoDocument:
			e.cause = ErrNoDiscovery
		case p.AnswerLost:
			e.cause = ErrAnswerLost
		}
		return e
	case errors.As(err, &t):
		return fail(ErrRefused, "", "%s", t.Error())
	}
	return err
}

// isInvalidGrant reports whether err is the one answer that ends a session (RFC 6749 §5.2).
func isInvalidGrant(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == "invalid_grant"
}

// SaveError is returned when tokens were obtained but could not be kept. It matches ErrNotSaved and
// the store's error.
type SaveError struct {
	Err error // the store's
}

func (e *SaveError) Error() string { return "the session could not be saved: " + e.Err.Error() }

// Is matches ErrNotSaved.
func (e *SaveError) Is(target error) bool { return target == ErrNotSaved }

// Unwrap gives the store's error.
func (e *SaveError) Unwrap() error { return e.Err }
