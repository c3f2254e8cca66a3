package cognitotest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "cognito"    // the name that AWS documents
	csrfCookie    = "XSRF-TOKEN" // likewise
)

// signIns is what the pages remember. Pool.mu guards it.
type signIns struct {
	federated  []*User             // who has come from an identity provider
	pending    map[string]*pending // by session
	resets     map[*User]*reset
	totpSteps  map[*User]int64 // the last one that was used
	outbox     []Message
	relays     map[string]*relay           // by state
	assertions map[string]*assertion       // by code
	atProvider map[string]map[string]*User // by cookie value and provider
}

func newSignIns() signIns {
	return signIns{
		pending:    map[string]*pending{},
		resets:     map[*User]*reset{},
		totpSteps:  map[*User]int64{},
		relays:     map[string]*relay{},
		assertions: map[string]*assertion{},
		atProvider: map[string]map[string]*User{},
	}
}

// browserSession is what the session cookie stands for.
type browserSession struct {
	user     *User
	authTime time.Time
	amr      []string  // methods of the sign-in, as in the claim
	expires  time.Time // exactly one lifetime after the sign-in: use does not extend it
}

// browser returns the session of the browser that sent r, or nil. That of a user who is disabled counts
// for nothing meanwhile.
func (p *Pool) browser(r *http.Request) *browserSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range r.CookiesNamed(sessionCookie) {
		if b := p.browsers[c.Value]; b != nil && !b.user.Disabled && p.now().Before(b.expires) {
			return b
		}
	}
	return nil
}

// visit is a request for one of the pages between authorize and the client's callback.
type visit struct {
	p       *Pool
	r       *http.Request
	rec     *Request
	req     *authRequest
	words   *words
	started time.Time // when the person came to the first of the pages
	posted  bool
	genuine bool // what was posted is a form that this browser was shown
}

// visit does what all of the pages begin with; the reply is nil unless it ends there. The query is that
// of the authorization request and is checked again: nobody has to come here by way of authorize.
func (p *Pool) visit(r *http.Request, rec *Request) (*visit, *reply) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return nil, methodNotAllowed("GET, POST")
	}
	req, refused := p.parseAuthorize(r, rec)
	if refused != nil {
		return nil, refused
	}
	if req.client.Unbranded && !p.cfg.ClassicUI {
		return nil, p.unavailablePage()
	}
	v := &visit{p: p, r: r, rec: rec, req: req, words: p.wordsFor(r, req), started: p.now(), posted: r.Method == http.MethodPost}
	if !v.posted {
		return v, nil
	}
	p.received(r.PostForm.Get("password"), r.PostForm.Get("new_password"))
	started, ok := p.formStarted(r)
	if !ok {
		return v, nil
	}
	if v.started.Sub(started) > p.cfg.SignInLifetime {
		return nil, p.wentWrong()
	}
	v.started, v.genuine = started, true
	return v, nil
}

// to returns the address of another page, with the request's query.
func (v *visit) to(path string) string { return path + "?" + v.r.URL.RawQuery }

// show renders a page with a CSRF token that is bound to a cookie of this browser.
func (v *visit) show(s step) *reply {
	csrf, cookies := v.p.csrf(v.r, v.started)
	a := v.p.page(sheet{
		status: s.code(), lang: v.words.lang, title: s.title() + " · " + v.req.client.Name, content: s.html(csrf),
		formAction: "'self' " + formTarget(v.req.redirectURI),
	})
	if v.req.lang != "" {
		v.p.mu.Lock()
		cookies = append(cookies, v.p.cookie(langCookie, v.req.lang, 365*24*3600))
		v.p.mu.Unlock()
	}
	for _, c := range cookies {
		a.header.Add("Set-Cookie", c)
	}
	return a
}

// login answers /login: the sign-in page, and the form on it.
func (p *Pool) login(r *http.Request, rec *Request) *reply {
	v, done := p.visit(r, rec)
	switch {
	case done != nil:
		return done
	case !v.posted && v.req.idp != nil:
		return p.toProvider(r, v.req)
	case !v.posted:
		return v.signIn("")
	case !v.genuine:
		return v.signIn(v.words.expired)
	}
	user := p.authenticate(v.req.client, r.PostForm.Get("username"), r.PostForm.Get("password"))
	if user == nil {
		return v.signIn(v.words.wrong)
	}
	return v.afterPassword(user)
}

// signIn shows the sign-in page, with a problem or "".
func (v *visit) signIn(problem string) *reply {
	w, req, p := v.words, v.req, v.p
	providers, local := p.providersOf(req.client)
	s := step{
		action: v.to("/login"), problem: problem, heading: w.signIn,
		lead: fmt.Sprintf(esc(w.continueTo), "<strong>"+esc(req.client.Name)+"</strong>"),
	}
	if local {
		username, password := req.loginHint, ""
		if demo := p.User(); p.cfg.Prefill && !demo.Imported {
			s.before = demoBox(&demo)
			username = or(username, demo.Username)
			if problem == "" && strings.EqualFold(username, demo.Username) {
				password = demo.Password
			}
		}
		if v.posted {
			username = or(v.r.PostForm.Get("username"), username)
		}
		wrong := problem == w.wrong
		s.hidden = [][2]string{{"cognitoAsfData", ""}} // a fingerprint of the device, which takes a script
		s.fields = []field{usernameField(w, username, wrong), passwordField(w, password, wrong)}
		s.button, s.buttonName = w.signIn, "signInSubmitButton"
		s.after = `<p class="links"><a href="` + esc(v.to("/forgotPassword")) + `">` + esc(w.forgot) + "</a></p>\n"
	}
	s.after += v.providerLinks(providers)
	return v.show(s)
}

// demoBox shows the name and password that are filled in.
func demoBox(u *User) string {
	return `<section class="demo" lang="en" aria-labelledby="demo-title"><h2 id="demo-title">Demo user, filled in</h2><dl>` +
		"<div><dt>Username</dt><dd>" + esc(u.Username) + "</dd></div>" +
		"<div><dt>Password</dt><dd>" + esc(u.Password) + "</dd></div></dl></section>\n"
}

// signedIn ends the sign-in pages: the browser gets a session and the client a code. methods are what
// the person has shown, as in the claim amr.
func (p *Pool) signedIn(rec *Request, req *authRequest, user *User, methods ...string) *reply {
	now := p.now()
	a := p.toClient(rec, req, &browserSession{user: user, authTime: now, amr: methods})
	if rec.Error == "" {
		a.header.Add("Set-Cookie", p.newBrowser(user, now, methods))
	}
	return a
}

// toClient sends the client a code, or the error that a Lambda trigger leads to.
func (p *Pool) toClient(rec *Request, req *authRequest, b *browserSession) *reply {
	if trigger := p.snapshot(b.user).TriggerError; trigger != "" {
		return p.refuse(req, rec, "invalid_request", trigger)
	}
	if req.implicit {
		return redirectTo(p.implicitAnswer(req, b))
	}
	return redirectTo(p.newCode(req, b))
}

// implicitAnswer is the redirect URI with tokens in its fragment (RFC 6749 §4.2.2), and no refresh token.
// No program should ask for it any more (RFC 9700 §2.1.2); old ones still do.
func (p *Pool) implicitAnswer(req *authRequest, b *browserSession) string {
	now := p.now()
	s := &session{
		client: req.client, user: b.user, scopes: req.scopes, nonce: req.nonce, resource: req.resource, authTime: b.authTime, amr: b.amr,
		originJTI: newUUID(), eventID: newUUID(), expires: now,
	}
	answer := url.Values{}
	for name, value := range p.tokens(s, now, s.nonce, s.has("openid")) {
		answer.Set(name, fmt.Sprint(value))
	}
	if req.state != "" {
		answer.Set("state", req.state)
	}
	return req.redirectURI + "#" + answer.Encode()
}

// authenticate returns the user whose name and password these are, or nil. It looks at every user
// for the same length of time.
func (p *Pool) authenticate(client *AppClient, username, password string) *User {
	_, local := p.providersOf(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	u := matching(p.cfg.Users, username, password)
	if u == nil || u.Imported || !local {
		return nil
	}
	return u
}

func matching(users []User, username, password string) *User {
	var found *User
	given := sha256.Sum256([]byte(password))
	for i := range users {
		u := &users[i]
		want := sha256.Sum256([]byte(u.Password))
		if subtle.ConstantTimeCompare(given[:], want[:]) == 1 && strings.EqualFold(u.Username, strings.TrimSpace(username)) {
			found = u
		}
	}
	return found
}

func (p *Pool) newBrowser(user *User, now time.Time, methods []string) (setCookie string) {
	value := randomText(64)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.browsers[value] = &browserSession{user: user, authTime: now, amr: methods, expires: now.Add(p.cfg.CookieLifetime)}
	p.noteSecret(value)
	return p.cookie(sessionCookie, value, int(p.cfg.CookieLifetime/time.Second))
}

// cookie returns a Set-Cookie line. maxAge is in seconds; 0 means until the browser ends, less than
// 0 deletes. The caller holds p.mu.
func (p *Pool) cookie(name, value string, maxAge int) string {
	c := http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: p.origins.tls,
		// Lax, since a program sends the person here from outside.
		SameSite: http.SameSiteLaxMode,
	}
	return c.String()
}

// csrf returns a token for a form of this browser, and the cookie to set with it unless the browser
// has one: two tabs of one browser both work. The token says when the person came to the first page.
func (p *Pool) csrf(r *http.Request, started time.Time) (token string, setCookie []string) {
	secret := ""
	if c, err := r.Cookie(csrfCookie); err == nil && len(c.Value) == len(newUUID()) {
		secret = c.Value
	}
	fresh := secret == ""
	if fresh {
		secret = newUUID()
	}
	token = p.csrfToken(secret, strconv.FormatInt(started.UnixMilli(), 36))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteSecret(secret, token)
	if fresh {
		setCookie = append(setCookie, p.cookie(csrfCookie, secret, 0))
	}
	return token, setCookie
}

// csrfToken is the time and an HMAC of it and the cookie, so that planting a cookie does not yield a
// token, and nobody sets the time back.
func (p *Pool) csrfToken(cookie, started string) string {
	mac := hmac.New(sha256.New, p.csrfKey[:])
	mac.Write([]byte(started + " " + cookie))
	return started + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// formStarted reports whether r comes from a form that this browser was shown, and when the person
// came to the first page.
func (p *Pool) formStarted(r *http.Request) (started time.Time, ok bool) {
	given := r.PostForm.Get("_csrf")
	text, _, _ := strings.Cut(given, ".")
	for _, c := range r.CookiesNamed(csrfCookie) {
		if hmac.Equal([]byte(given), []byte(p.csrfToken(c.Value, text))) {
			ms, err := strconv.ParseInt(text, 36, 64)
			return time.UnixMilli(ms), err == nil
		}
	}
	return time.Time{}, false
}

// logout answers GET /logout, in the form with logout_uri or in the one with redirect_uri. It is not
// OpenID Connect's: post_logout_redirect_uri and id_token_hint mean nothing to it. Nobody is signed out
// of an identity provider.
func (p *Pool) logout(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	q := r.URL.Query()
	a := p.afterLogout(r, p.client(q.Get("client_id")))
	if a == nil {
		rec.Error = "invalid_request"
		if p.cfg.ErrorPagesInPlace {
			return p.errorMessage(missingRedirect, q.Get("client_id"))
		}
		return redirectTo(withQuery(p.domainOf(r)+"/error", "error", missingRedirect, "client_id", q.Get("client_id")))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range r.CookiesNamed(sessionCookie) {
		delete(p.browsers, c.Value)
	}
	a.header.Add("Set-Cookie", p.cookie(sessionCookie, "", -1))
	return a
}

// missingRedirect is what Cognito says when neither form of logout is right.
const missingRedirect = "Required String parameter 'redirect_uri' is not present"

// afterLogout returns where the browser goes next, or nil; logout_uri wins over redirect_uri.
func (p *Pool) afterLogout(r *http.Request, client *AppClient) *reply {
	q, domain := r.URL.Query(), p.domainOf(r)
	logoutURI := q.Get("logout_uri")
	switch {
	case client == nil:
		return nil
	case logoutURI != "":
		if logoutURI == domain+"/signed-out" || slices.Contains(client.LogoutURLs, logoutURI) {
			return redirectTo(logoutURI)
		}
		return nil
	case !slices.Contains(client.CallbackURLs, q.Get("redirect_uri")):
		return nil
	}
	// This way leads to the pool's own sign-in page, with every scope of the client unless some are named.
	query := r.URL.RawQuery
	if q.Has("identity_provider") || q.Has("idp_identifier") || q.Get("scope") == "" {
		q.Del("identity_provider")
		q.Del("idp_identifier")
		if q.Get("scope") == "" {
			q.Set("scope", strings.Join(client.Scopes, " "))
		}
		query = q.Encode()
	}
	return redirectTo(domain + "/login?" + query)
}
