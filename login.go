package cogauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/loopback"
	"github.com/cogauth/cogauth/pkg/pkce"
)

// DefaultLoginTimeout bounds a login that nobody finishes. Cognito cancels a sign-in page after 5
// minutes; the rest is slack for starting again.
const DefaultLoginTimeout = 10 * time.Minute

// LoginOptions refine one login. nil means all defaults.
type LoginOptions struct {
	// Prompt is OpenID Connect's prompt, such as "login" to be asked even with a browser session.
	Prompt string
	// LoginHint is the user name to offer.
	LoginHint string
	// IdentityProvider and Lang, if not "", replace those of Config for this login.
	IdentityProvider, Lang string
	// SwitchUser ends the browser's session with the user pool on the way to the sign-in page, which
	// Prompt cannot do in the classic hosted UI. With another provider it is Prompt "login".
	SwitchUser bool
	// Timeout bounds the wait for the person. Zero means DefaultLoginTimeout.
	Timeout time.Duration
	// NoBrowser leaves opening the URL to whoever ShowURL tells.
	NoBrowser bool
	// ShowURL is given the authorization URL once the callback is listened for, before a browser
	// opens: an opener can report success and open nothing, so the person should see the URL anyway.
	ShowURL func(url string)
	// Pasted waits for the person to paste what the browser's address bar shows, where the browser
	// cannot reach this machine or shows an error that only it was told. It is called again after each
	// answer until it returns an error; ctx ends with the login. nil means that nobody can paste.
	// A login that joins another one takes nothing: the other one does.
	Pasted func(ctx context.Context) (string, error)
	// Joined is called if a login that is already running serves this call too, with the authorization
	// URL of that one, or "" if it cannot be had. nil means that ShowURL is called with the URL.
	Joined func(url string)
	// For says that this login is on behalf of a program that wants the token described, and not of a
	// person who has asked to sign in. Such a login opens no browser if the token can be had by the time
	// it is its turn; nor, with ErrLoginRequired, within 10 minutes of one that nobody completed or that
	// was refused, or of one for a program that was ended. A login that nobody completes is
	// ErrLoginRequired too.
	For *TokenOptions
}

// Login signs the person in through a browser and stores the session, replacing and then revoking
// the one before. Nothing of that changes until the new session is stored.
//
// There is one login to a profile at a time among all who share the Store: if one is running, Login
// waits for it and returns its session, or its error. If it ends without either, because its program
// was ended, Login takes its place. Stores that do not have the method LockPath(name string) (string,
// error), as *tokenstore.Keyring does, are taken for this process's own.
//
// Errors: ErrLoginIncomplete if nobody answered in time or no callback port is free; ErrRefused if
// the server or the person declined or the answer does not verify; ErrOffline, ErrMisconfigured,
// tokenstore's errors. A SaveError comes together with a Session: the person is signed in, Token
// answers as long as this Client lives, but nothing is stored.
func (c *Client) Login(ctx context.Context, opts *LoginOptions) (*Session, error) {
	return c.loginTogether(ctx, c.withDefaults(opts))
}

// loginAlone is a login when no other one is running; l is told how it goes.
func (c *Client) loginAlone(ctx context.Context, o LoginOptions, before *record, l *leading) (*Session, error) {
	// Better to learn now than after the person has typed a password and a second factor.
	if err := c.testStore(ctx); err != nil {
		return nil, err
	}
	srv, err := loopback.Listen(ctx, c.cfg.CallbackURLs)
	if errors.Is(err, loopback.ErrPortBusy) {
		return nil, &Error{fact: err.Error(), kind: ErrLoginIncomplete, cause: err}
	}
	if err != nil {
		return nil, err
	}
	defer srv.Close()
	session, err := c.signIn(ctx, srv, o, before, l)
	if e, ok := errors.AsType[*Error](err); ok {
		e.CallbackURL = srv.CallbackURL()
	}
	return session, err
}

func (c *Client) withDefaults(opts *LoginOptions) LoginOptions {
	var o LoginOptions
	if opts != nil {
		o = *opts
	}
	if o.IdentityProvider == "" {
		o.IdentityProvider = c.cfg.IdentityProvider
	}
	if o.Lang == "" {
		o.Lang = c.cfg.Lang
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultLoginTimeout
	}
	return o
}

// signIn is the part of a login for which the callback port is held.
func (c *Client) signIn(ctx context.Context, srv *loopback.Server, o LoginOptions, before *record, l *leading) (*Session, error) {
	p, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.preflight(ctx, p, srv.CallbackURL(), o); err != nil {
		return nil, err
	}
	a := newAttempt(p, c.cfg, srv.CallbackURL(), o)
	l.opens(a.url, !o.NoBrowser)
	if o.ShowURL != nil {
		o.ShowURL(a.url)
	}
	if !o.NoBrowser {
		go func() {
			if !c.openBrowser(ctx, a.url) {
				l.opens(a.url, false)
			}
		}()
	}
	cb, err := c.await(ctx, srv, p, a, o)
	if err != nil {
		return nil, err
	}
	session, superseded, err := c.complete(ctx, p, a, cb, before)
	if err == nil {
		l.succeeded(ctx) // nobody who waits for a token waits for the browser, or for the revocation
	}
	// The browser is answered only now, when what the page says is true.
	if respondErr := srv.Respond(context.WithoutCancel(ctx), c.page(session, err)); respondErr != nil {
		c.cfg.Logger.Debug("the browser did not fetch the last page")
	}
	if superseded != nil && !superseded.refresh.Empty() {
		if err := c.revoke(ctx, superseded); err != nil {
			c.cfg.Logger.Warn("the previous sign-in could not be revoked: " + err.Error())
		}
	}
	return session, err
}

// attempt is what one login must remember between the request and the answer. It stays in memory.
type attempt struct {
	verifier    pkce.Verifier
	state       secret.Secret
	nonce       secret.Secret
	redirectURI string
	url         string
}

// newAttempt builds the authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, Core §3.1.2.1).
func newAttempt(p *provider.Provider, cfg Config, redirectURI string, o LoginOptions) *attempt {
	a := &attempt{verifier: pkce.New(), state: random(), nonce: random(), redirectURI: redirectURI}
	scopes, prompt := slices.Clone(cfg.Scopes), strings.Fields(o.Prompt)
	switches := o.SwitchUser && p.HostedUI() && p.EndSessionEndpoint != ""
	if o.SwitchUser && !switches && !slices.Contains(prompt, "login") {
		prompt = append(prompt, "login")
	}
	if p.OffersOfflineAccess() {
		if !slices.Contains(scopes, "offline_access") {
			scopes = append(scopes, "offline_access")
		}
		// "a prompt parameter value of consent MUST be used" for it (Core §11).
		if !slices.Contains(prompt, "consent") && !slices.Contains(prompt, "none") {
			prompt = append(prompt, "consent")
		}
	}
	q := url.Values{
		"response_type":         {"code"},
		"client_id":             {cfg.ClientID},
		"redirect_uri":          {redirectURI},
		"scope":                 {strings.Join(scopes, " ")},
		"state":                 {a.state.Reveal()},
		"nonce":                 {a.nonce.Reveal()},
		"code_challenge":        {a.verifier.Challenge()},
		"code_challenge_method": {pkce.Method},
	}
	if len(prompt) > 0 {
		q.Set("prompt", strings.Join(prompt, " "))
	}
	for name, value := range map[string]string{
		"login_hint":        o.LoginHint,
		"identity_provider": o.IdentityProvider,
		"idp_identifier":    cfg.IdPIdentifier,
		"lang":              o.Lang,
		"resource":          cfg.Resource,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.IdentityProvider != "" {
		q.Del("idp_identifier") // chosen for this login
	}
	endpoint := p.AuthorizationEndpoint
	if switches {
		// Cognito's logout, in the form that goes on to the sign-in page, takes these same parameters.
		endpoint = p.EndSessionEndpoint
	}
	a.url = withQuery(endpoint, q)
	return a
}

// withQuery adds parameters to an endpoint, which may have some of its own (RFC 6749 §3.1).
func withQuery(endpoint string, q url.Values) string {
	separator := "?"
	if strings.Contains(endpoint, "?") {
		separator = "&"
	}
	// url.Values writes a space as "+", which some providers take for a plus.
	return endpoint + separator + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// random is 256 bits, base64url: short, opaque, and never a URL-encoded JSON string.
func random() secret.Secret {
	var b [32]byte
	rand.Read(b[:])
	return secret.New(base64.RawURLEncoding.EncodeToString(b[:]))
}

// await waits for the callback that carries this attempt's state, or for the person to paste it.
func (c *Client) await(ctx context.Context, srv *loopback.Server, p *provider.Provider, a *attempt, o LoginOptions) (*loopback.Callback, error) {
	waiting, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	waiting, failed := context.WithCancelCause(waiting)
	defer failed(nil)
	if o.Pasted != nil {
		go c.paste(waiting, srv, p, o.Pasted, failed)
	}
	cb, err := srv.Await(waiting, a.state.Reveal(), loopback.Observer{
		Foreign: func() {
			c.cfg.Logger.Warn("ignored an answer that belongs to another sign-in")
		},
		Unconfirmed: func(code, description string) {
			c.cfg.Logger.Warn("still waiting; the browser brought an unconfirmed error: " + quoteError(code, description))
		},
	})
	if err == nil {
		return cb, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if e, ok := errors.AsType[*Error](context.Cause(waiting)); ok {
		return nil, e
	}
	if u, ok := errors.AsType[*loopback.UnconfirmedError](err); ok {
		return nil, fail(ErrLoginIncomplete, "", "no answer within %v; the last thing the browser brought was the unconfirmed error %s", o.Timeout, quoteError(u.Code, u.Description))
	}
	return nil, fail(ErrLoginIncomplete, "", "no answer from the browser within %v (client %s, callback %s, scopes %s)",
		o.Timeout, c.cfg.ClientID, a.redirectURI, strings.Join(c.cfg.Scopes, " "))
}

// paste takes addresses from the person until the login ends. An address of the pool's error page
// ends it: nobody but the browser was told of that error.
func (c *Client) paste(ctx context.Context, srv *loopback.Server, p *provider.Provider, pasted func(context.Context) (string, error), failed context.CancelCauseFunc) {
	for {
		line, err := pasted(ctx)
		if err != nil || ctx.Err() != nil {
			return
		}
		u, err := url.Parse(strings.TrimSpace(line))
		if err == nil {
			if e := errorOnPage(p, u); e != nil {
				failed(c.inWords(e, srv.CallbackURL()))
				return
			}
		}
		if err := srv.Deliver(line); err != nil {
			c.cfg.Logger.Warn(err.Error())
		}
	}
}

func quoteError(code, description string) string {
	e := &Error{Code: secret.Clean(code), Description: secret.Clean(description)}
	return strings.TrimPrefix(e.Error(), "server answered ")
}

// complete turns a callback into a stored session. superseded is the record it replaced.
func (c *Client) complete(ctx context.Context, p *provider.Provider, a *attempt, cb *loopback.Callback, before *record) (s *Session, superseded *record, err error) {
	// RFC 9207 §2.4: an answer that names its issuer must name ours, and must name it if the
	// provider says that its answers do.
	if (cb.Issuer != "" || p.IssParameter) && p.Issuer != "" && cb.Issuer != p.Issuer {
		return nil, nil, fail(ErrRefused, "authorize", "the answer came from another issuer")
	}
	if cb.Error != "" {
		e := &Error{Op: "authorize", Code: secret.Clean(cb.Error), Description: secret.Clean(cb.ErrorDescription), kind: kindOfCode(cb.Error)}
		if e.Description == "" {
			e = c.inWords(e, a.redirectURI)
		}
		return nil, nil, e
	}
	answer, err := p.Exchange(ctx, cb.Code, a.verifier.Reveal(), a.redirectURI)
	if err != nil {
		return nil, nil, translate(err)
	}
	if answer.ID.Empty() {
		e := fail(ErrRefused, "exchange code", "the answer held no ID token")
		e.cause = ErrNoIDToken
		return nil, nil, e
	}
	t, p, err := c.accept(ctx, p, a, cb, answer, before)
	if err != nil {
		if !answer.Refresh.Empty() {
			_ = p.Revoke(ctx, answer.Refresh) // nobody will use it
		}
		return nil, nil, err
	}
	r := &record{refresh: answer.Refresh, session: newSessionID(), issuer: p.Issuer, purpose: c.purpose(), signedIn: c.now(), noSecret: p.ClientSecret.Empty()}
	superseded, err = c.commit(ctx, p, r, t, before)
	if err != nil && !errors.Is(err, ErrNotSaved) {
		return nil, nil, err
	}
	c.warnOfSkew(answer.Skew)
	s = c.describe(r, t)
	if err == nil {
		c.changed(SignedIn, s)
	}
	return s, superseded, err
}

func (c *Client) openBrowser(ctx context.Context, target string) (opened bool) {
	err := c.cfg.OpenURL(ctx, target)
	if err != nil && ctx.Err() == nil {
		c.cfg.Logger.Warn("no browser was opened: " + err.Error())
	}
	return err == nil
}
