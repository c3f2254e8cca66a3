package cognitotest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The pool plays its identity providers as well, on an origin of their own, with nothing between the two
// but what a browser carries: a state there, a code and the state back. Both are looked up here; what a
// real pool then asks the provider for over the network stays in this process.

const (
	relayCookie    = "csrf-state" // the name that AWS documents
	providerCookie = "idp"
)

// relay is an authorization request whose person has been sent to an identity provider.
type relay struct {
	req     *authRequest
	idp     *IdentityProvider
	browser string // value of the cookie
	started time.Time
}

// assertion is what a provider says, against a code.
type assertion struct {
	state string
	user  *User // of the provider
	made  time.Time
}

// startSignIn is where authorize sends a browser that is not signed in: the sign-in page, or the
// identity provider that the request names.
func (p *Pool) startSignIn(r *http.Request, req *authRequest) *reply {
	if req.idp != nil {
		return p.toProvider(r, req)
	}
	return redirectTo(req.origin + "/login?" + r.URL.RawQuery)
}

// toProvider sends the browser to the provider that the request names. The cookie makes sure that
// whoever comes back is who has left, or a stranger could sign a person in as somebody else.
func (p *Pool) toProvider(r *http.Request, req *authRequest) *reply {
	secret := ""
	if c, err := r.Cookie(relayCookie); err == nil && len(c.Value) == len(newUUID()) {
		secret = c.Value // so that two tabs of one browser both work
	}
	fresh := secret == ""
	if fresh {
		secret = newUUID()
	}
	state := randomText(43)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	sweep(p.signIns.relays, func(rel *relay) bool { return now.Sub(rel.started) > p.cfg.SignInLifetime })
	p.signIns.relays[state] = &relay{req: req, idp: req.idp, browser: secret, started: now}
	p.noteSecret(secret, state)
	a := redirectTo(providerAddress(p.origins.idp, req, state))
	if fresh {
		a.header.Add("Set-Cookie", p.relayCookie(secret))
	}
	return a
}

// relayCookie comes back with the form of a SAML provider too, which is another site's POST: over TLS it
// is not Lax.
func (p *Pool) relayCookie(value string) string {
	c := http.Cookie{Name: relayCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if p.origins.tls {
		c.Secure, c.SameSite = true, http.SameSiteNoneMode
	}
	return c.String()
}

// providerAddress is a request of OpenID Connect Core §3.1.2.1, or stands for one of SAML.
func providerAddress(origin string, req *authRequest, state string) string {
	base, prompt := origin+"/"+url.PathEscape(req.idp.Name), strings.Join(req.prompts, " ")
	if req.idp.Type == "SAML" {
		return withQuery(base+"/sso", "RelayState", state, "prompt", prompt)
	}
	hint := ""
	if req.idp.Type == "OIDC" {
		hint = req.loginHint // social providers do not get it
	}
	return withQuery(base+"/authorize", "response_type", "code", "client_id", "user-pool",
		"redirect_uri", req.origin+"/oauth2/idpresponse", "scope", "openid", "state", state, "prompt", prompt, "login_hint", hint)
}

// providerLinks are the ways to the client's identity providers, for the sign-in page; "" if there
// are none.
func (v *visit) providerLinks(providers []*IdentityProvider) string {
	if len(providers) == 0 {
		return ""
	}
	q := v.r.URL.Query()
	q.Del("idp_identifier")
	var b strings.Builder
	b.WriteString("<ul class=\"ways\">\n")
	for _, idp := range providers {
		q.Set("identity_provider", idp.Name)
		// To /login and not to authorize, which would ask nobody who is signed in already.
		b.WriteString(`<li><a class="way" href="` + esc("/login?"+q.Encode()) + `">` + esc(fmt.Sprintf(v.words.continueWith, idp.Name)) + "</a></li>\n")
	}
	b.WriteString("</ul>\n")
	return b.String()
}

// serveIdP answers on the identity providers' origin.
func (p *Pool) serveIdP(w http.ResponseWriter, r *http.Request) {
	rt := route{"provider", p.notFoundPage}
	for i := range p.cfg.IdentityProviders {
		idp := &p.cfg.IdentityProviders[i]
		path := "/authorize"
		if idp.Type == "SAML" {
			path = "/sso"
		}
		if r.URL.Path == "/"+idp.Name+path {
			rt.handle = func(r *http.Request, _ *Request) *reply { return p.provide(r, idp) }
		}
	}
	p.answer(w, r, p.where().idp, rt)
}

// provide is the sign-in page of an identity provider.
func (p *Pool) provide(r *http.Request, idp *IdentityProvider) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return methodNotAllowed("GET, POST")
	}
	q := r.URL.Query()
	state := q.Get("state")
	if idp.Type == "SAML" {
		state = q.Get("RelayState")
	}
	p.mu.Lock()
	rel := p.signIns.relays[state]
	p.mu.Unlock()
	if rel == nil || rel.idp != idp {
		return p.providerPage(idp, sheet{status: http.StatusBadRequest, title: "Something went wrong",
			content: "<h1>Something went wrong</h1>\n<p class=\"lead\">Nobody has asked " + esc(idp.Name) + " for this sign-in, or not lately.</p>\n" + returnHint})
	}
	if r.Method != http.MethodPost {
		if user := p.atProvider(r, idp); user != nil && !asksAgain(q.Get("prompt")) {
			return p.assert(rel, state, user)
		}
		return p.providerSignIn(r, rel, q.Get("login_hint"), "")
	}
	username, password := r.PostForm.Get("username"), r.PostForm.Get("password")
	p.received(password)
	if _, ok := p.formStarted(r); !ok {
		return p.providerSignIn(r, rel, username, dictionary[0].expired)
	}
	user := matching(idp.Users, username, password)
	switch {
	case user == nil:
		return p.providerSignIn(r, rel, username, dictionary[0].wrong)
	case user.Disabled:
		return p.providerSignIn(r, rel, username, dictionary[0].disabled)
	}
	a := p.assert(rel, state, user)
	a.header.Add("Set-Cookie", p.rememberAtProvider(r, user, idp))
	return a
}

// asksAgain reports whether the person is to sign in although the provider knows them: both values let
// somebody else do it (OpenID Connect Core §3.1.2.1). There is nothing here to consent to.
func asksAgain(prompt string) bool {
	return slices.ContainsFunc(strings.Fields(prompt), func(s string) bool { return s == "login" || s == "select_account" })
}

// providerPage shows whose page it stands for.
func (p *Pool) providerPage(idp *IdentityProvider, s sheet) *reply {
	initial, _ := utf8.DecodeRuneInString(idp.Name)
	s.mark = `<p class="badge" aria-hidden="true">` + esc(string(unicode.ToUpper(initial))) + "</p>"
	s.note = "<strong>Stand-in for the identity provider " + esc(idp.Name) + "</strong>, for development and tests, on this computer. This is not the real one."
	return p.page(s)
}

func (p *Pool) providerSignIn(r *http.Request, rel *relay, username, problem string) *reply {
	w, idp, password := &dictionary[0], rel.idp, ""
	csrf, cookies := p.csrf(r, rel.started)
	s := step{
		heading: "Sign in to " + idp.Name, problem: problem,
		lead:   "This page stands for <strong>" + esc(idp.Name) + "</strong>, which the user pool asks who you are.",
		action: r.URL.RequestURI(), button: w.signIn,
	}
	if p.cfg.Prefill {
		demo := &idp.Users[0]
		s.before = demoBox(demo)
		username = or(username, demo.Username)
		if problem == "" && strings.EqualFold(username, demo.Username) {
			password = demo.Password
		}
	}
	wrong := problem == w.wrong
	s.fields = []field{usernameField(w, username, wrong), passwordField(w, password, wrong)}
	a := p.providerPage(idp, sheet{status: s.code(), title: s.title(), content: s.html(csrf), formAction: "'self' " + rel.wayBack()})
	for _, c := range cookies {
		a.header.Add("Set-Cookie", c)
	}
	return a
}

// wayBack is for form-action, which browsers apply to every redirect after a form: to the pool and on to
// the client.
func (rel *relay) wayBack() string {
	return formTarget(rel.req.origin) + " " + formTarget(rel.req.redirectURI)
}

// atProvider returns who is signed in at a provider in the browser that sent r, or nil.
func (p *Pool) atProvider(r *http.Request, idp *IdentityProvider) *User {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range r.CookiesNamed(providerCookie) {
		if u := p.signIns.atProvider[c.Value][idp.Name]; u != nil {
			return u
		}
	}
	return nil
}

// rememberAtProvider signs the browser in at a provider. All have one cookie, since all have one origin.
func (p *Pool) rememberAtProvider(r *http.Request, user *User, idp *IdentityProvider) (setCookie string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	value := randomText(64)
	signedIn := map[string]*User{}
	for _, c := range r.CookiesNamed(providerCookie) {
		maps.Copy(signedIn, p.signIns.atProvider[c.Value])
		delete(p.signIns.atProvider, c.Value)
	}
	signedIn[idp.Name] = user
	p.signIns.atProvider[value] = signedIn
	p.noteSecret(value)
	return p.cookie(providerCookie, value, 0)
}

// assert sends the browser back to the pool. A SAML provider does it with a form, which takes a click
// where there is no script.
func (p *Pool) assert(rel *relay, state string, user *User) *reply {
	code := newUUID()
	p.mu.Lock()
	now := p.now()
	sweep(p.signIns.assertions, func(a *assertion) bool { return now.Sub(a.made) > p.cfg.SignInLifetime })
	p.signIns.assertions[code] = &assertion{state: state, user: user, made: now}
	p.noteSecret(code)
	p.mu.Unlock()
	if rel.idp.Type != "SAML" {
		return redirectTo(withQuery(rel.req.origin+"/oauth2/idpresponse", "code", code, "state", state))
	}
	response := base64.StdEncoding.EncodeToString([]byte(code)) // where SAML has an XML document
	p.received(response)
	s := step{
		action: rel.req.origin + "/saml2/idpresponse", heading: "You are signed in to " + rel.idp.Name, button: "Continue",
		lead:   "<strong>" + esc(rel.idp.Name) + "</strong> now tells the user pool who you are.",
		hidden: [][2]string{{"SAMLResponse", response}, {"RelayState", state}},
	}
	return p.providerPage(rel.idp, sheet{status: http.StatusOK, title: s.title(), content: s.html(""), formAction: rel.wayBack()})
}

// oidcResponse answers /oauth2/idpresponse.
func (p *Pool) oidcResponse(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	q := r.URL.Query()
	return p.fromProvider(r, rec, q.Get("state"), q.Get("code"), false)
}

// samlResponse answers /saml2/idpresponse.
func (p *Pool) samlResponse(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	code, _ := base64.StdEncoding.DecodeString(r.PostForm.Get("SAMLResponse")) // what is none is no code either
	return p.fromProvider(r, rec, r.PostForm.Get("RelayState"), string(code), true)
}

// fromProvider signs in whom the provider names. State and code are good once, in the browser that left.
func (p *Pool) fromProvider(r *http.Request, rec *Request, state, code string, saml bool) *reply {
	p.received(state, code)
	p.mu.Lock()
	rel, said := p.signIns.relays[state], p.signIns.assertions[code]
	good := rel != nil && said != nil && said.state == state && (rel.idp.Type == "SAML") == saml &&
		p.now().Sub(rel.started) <= p.cfg.SignInLifetime &&
		slices.ContainsFunc(r.CookiesNamed(relayCookie), func(c *http.Cookie) bool { return c.Value == rel.browser })
	if good {
		delete(p.signIns.relays, state)
		delete(p.signIns.assertions, code)
	}
	p.mu.Unlock()
	switch {
	case !good:
		return p.wentWrong()
	case rel.idp.Error != "":
		return p.refuse(rel.req, rec, "invalid_request", rel.idp.Error)
	}
	user := p.federate(rel.idp, said.user)
	if p.snapshot(user).Disabled {
		return p.refuse(rel.req, rec, "invalid_request", "User is not enabled")
	}
	return p.signedIn(rec, rel.req, user, "fed")
}

// federate returns the pool's own user for one of a provider's: made on the first sign-in, and brought up
// to date on each.
func (p *Pool) federate(idp *IdentityProvider, from *User) *User {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := idp.Name + "_" + from.Username
	u := p.federatedUser(name)
	if u == nil {
		u = &User{
			Username: name, Sub: nameUUID(name), TriggerError: from.TriggerError,
			Groups:   []string{p.cfg.PoolID + "_" + idp.Name},
			provider: idp, subject: from.Username, linked: p.now(),
		}
		p.signIns.federated = append(p.signIns.federated, u)
	}
	attributes := maps.Clone(u.Attributes) // a new map: see snapshot
	if attributes == nil {
		attributes = map[string]string{}
	}
	maps.Copy(attributes, from.Attributes)
	u.Attributes = attributes
	return u
}
