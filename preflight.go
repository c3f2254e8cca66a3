package cogauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/loopback"
)

// preflight asks the authorization endpoint, before a person is sent there, whether the request can
// work at all. Cognito tells a wrong callback, client or domain to the browser alone, and a program
// that waits for the callback would never hear of it.
//
// It costs one request and refuses only on an answer that cannot be mistaken. What is unclear, and
// whatever the network did, is left to the browser, which may have another way out than we have.
func (c *Client) preflight(ctx context.Context, p *provider.Provider, callback string, o LoginOptions) error {
	o.SwitchUser = false
	// A state, a nonce and a verifier of its own: nobody ever waits for what comes of this one.
	a := newAttempt(p, c.cfg, callback, o)
	answer, err := p.Probe(ctx, "check sign-in page", a.url)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return c.unreachable(ctx, p, err)
	}
	switch {
	case answer.Location != nil:
		if e := pageError(p, answer.Location); e != nil {
			return c.inWords(e, callback)
		}
		if e := callbackError(answer.Location, a); e != nil {
			return c.inWords(e, callback)
		}
	case answer.Title == loginPagesUnavailable:
		e := fail(ErrMisconfigured, "authorize", "the sign-in page says %q: the app client has no branding style", answer.Title)
		e.cause = ErrNoLoginPages
		return e
	case answer.Status == http.StatusForbidden:
		c.cfg.Logger.Warn("the sign-in page does not let cogauth look at it (HTTP 403); if the browser gets the same, a firewall stands before it")
	}
	return nil
}

// loginPagesUnavailable is the title of the page that managed login shows for an app client without a
// branding style. It has no error code to go by.
const loginPagesUnavailable = "Login pages unavailable"

// unreachable judges a failed look at the sign-in page. Where the discovery document has just been
// fetched, or a proxy stands between, a name that does not exist is the only clear answer.
func (c *Client) unreachable(ctx context.Context, p *provider.Provider, err error) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		return nil
	}
	u, _ := url.Parse(p.AuthorizationEndpoint) // it was parsed when it was accepted
	switch {
	case e.NoHost && p.HostedUI():
		if c.cfg.Domain != "" {
			// Nothing has been reached so far, so a name of AWS's own must tell the two apart.
			if _, awsErr := p.Probe(ctx, "check the network", "https://cognito-idp."+c.cfg.region()+".amazonaws.com/"); awsErr != nil {
				return translate(err)
			}
		}
		no := fail(ErrMisconfigured, "authorize", "there is no hosted UI at %s", secret.Clean(u.Host))
		no.cause = ErrNoDomain
		return no
	case e.Untrusted && sameHost(u, p.TokenEndpoint):
		return translate(err) // the exchange would meet the same certificate
	}
	return nil
}

func sameHost(u *url.URL, other string) bool {
	o, err := url.Parse(other)
	return err == nil && u.Host == o.Host
}

// pageError reads the address of Cognito's error page, or returns nil, as for a code that may pass.
func pageError(p *provider.Provider, u *url.URL) *Error {
	e := errorOnPage(p, u)
	if e != nil && !provider.MeansMisconfigured(e.Code) && e.Code != "invalid_request" {
		return nil
	}
	return e
}

// errorOnPage reads the address of Cognito's error page, whatever the error, or returns nil.
func errorOnPage(p *provider.Provider, u *url.URL) *Error {
	endpoint, err := url.Parse(p.AuthorizationEndpoint)
	if err != nil || u.Scheme != endpoint.Scheme || u.Host != endpoint.Host || u.Path != "/error" {
		return nil
	}
	q := u.Query()
	code := q.Get("error")
	if code == "" {
		return nil
	}
	return &Error{Op: "authorize", Code: secret.Clean(code), Description: secret.Clean(q.Get("error_description")), kind: kindOfCode(code)}
}

// callbackError reads a redirect that went straight to the callback. One for want of a signed-in
// person is what a request without cookies gets, and no error.
func callbackError(u *url.URL, a *attempt) *Error {
	want, err := loopback.ParseCallbackURL(a.redirectURI)
	if err != nil || u.Scheme != want.Scheme || u.Host != want.Host || u.Path != want.Path {
		return nil
	}
	q := u.Query()
	code, state := q.Get("error"), q.Get("state")
	if state != "" && state != a.state.Reveal() {
		return nil
	}
	if !provider.MeansMisconfigured(code) && code != "invalid_request" {
		return nil
	}
	return &Error{Op: "authorize", Code: secret.Clean(code), Description: secret.Clean(q.Get("error_description")), kind: kindOfCode(code)}
}

// inWords says what an authorization error means where its code alone tells. Without one of those e
// stays as it is.
func (c *Client) inWords(e *Error, callback string) *Error {
	switch e.Code {
	case "redirect_mismatch":
		e.fact = "the callback URL " + callback + " is not registered for the app client"
	case "invalid_client":
		e.fact = "there is no app client " + c.cfg.ClientID + " here"
	case "invalid_scope":
		e.fact = "the app client may not ask for all of the scopes " + strings.Join(c.cfg.Scopes, " ")
	case "unauthorized_client":
		e.fact = "the authorization code grant is not enabled for the app client"
	case "Required parameters missing":
		e.fact = "the app client is not set up for signing in: it has no callback URL"
	}
	return e
}

// kindOfCode sorts an error code that did not come from the token endpoint.
func kindOfCode(code string) error {
	switch {
	case provider.MeansMisconfigured(code):
		return ErrMisconfigured
	case code == "server_error", code == "temporarily_unavailable":
		return ErrOffline
	}
	return ErrRefused
}
