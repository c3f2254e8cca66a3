package cognitotest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	sessionCookie = "cognito"    // the name that AWS documents
	csrfCookie    = "XSRF-TOKEN" // likewise
)

// browserSession is what the session cookie stands for.
type browserSession struct {
	user     *User
	authTime time.Time
	amr      []string  // methods of the sign-in, as in the claim
	expires  time.Time // exactly one lifetime after the sign-in: use does not extend it
}

// browser returns the session of the browser that sent r, or nil.
func (p *Pool) browser(r *http.Request) *browserSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range r.CookiesNamed(sessionCookie) {
		if b := p.browsers[c.Value]; b != nil && p.now().Before(b.expires) {
			return b
		}
	}
	return nil
}

// login answers /login: the sign-in page, and the form on it.
func (p *Pool) login(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return methodNotAllowed("GET, POST")
	}
	// The query is that of the authorization request and is checked again: nobody has to come
	// here by way of authorize.
	req, refused := p.parseAuthorize(r, rec)
	if refused != nil {
		return refused
	}
	if req.client.Unbranded && !p.cfg.ClassicUI {
		return p.unavailablePage()
	}
	page := signInPage{req: req, query: r.URL.RawQuery, username: req.loginHint, buttons: p.providerButtons(req, r.URL.RawQuery)}
	if p.cfg.Prefill {
		page.prefill = &p.cfg.Users[0]
		page.username = or(page.username, page.prefill.Username)
	}
	if r.Method != http.MethodPost {
		return p.signIn(r, page)
	}

	page.username = r.PostForm.Get("username")
	password := r.PostForm.Get("password")
	p.received(password)
	if !p.validCSRF(r) {
		page.problem = "This page has expired, or the browser refused its cookie. Please try again."
		return p.signIn(r, page)
	}
	user := p.authenticate(page.username, password)
	if user == nil {
		page.problem = "Incorrect username or password."
		page.rejected = true
		return p.signIn(r, page)
	}
	return p.afterPassword(r, rec, req, user)
}

// signedIn ends the sign-in pages: the browser gets a session and the client a code. methods are what
// the person has shown, as in the claim amr.
func (p *Pool) signedIn(req *authRequest, user *User, methods ...string) *reply {
	now := p.now()
	cookie := p.newBrowser(user, now, methods)
	a := redirectTo(p.newCode(req, &browserSession{user: user, authTime: now, amr: methods}))
	a.header.Add("Set-Cookie", cookie)
	return a
}

// authenticate returns the user whose name and password these are, or nil. It looks at every user
// for the same length of time.
func (p *Pool) authenticate(username, password string) *User {
	var found *User
	given := sha256.Sum256([]byte(password))
	for i := range p.cfg.Users {
		u := &p.cfg.Users[i]
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

// signIn renders the page with a CSRF token that is bound to a cookie of this browser.
func (p *Pool) signIn(r *http.Request, page signInPage) *reply {
	secret := ""
	if c, err := r.Cookie(csrfCookie); err == nil && len(c.Value) == len(newUUID()) {
		secret = c.Value // so that two tabs of one browser both work
	}
	fresh := secret == ""
	if fresh {
		secret = newUUID()
	}
	page.csrf = p.csrfToken(secret)
	p.received(secret, page.csrf)
	a := page.render()
	if fresh {
		p.mu.Lock()
		a.header.Add("Set-Cookie", p.cookie(csrfCookie, secret, 0))
		p.mu.Unlock()
	}
	return a
}

// csrfToken is an HMAC of the cookie, so that planting a cookie does not yield a token.
func (p *Pool) csrfToken(cookie string) string {
	mac := hmac.New(sha256.New, p.csrfKey[:])
	mac.Write([]byte(cookie))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (p *Pool) validCSRF(r *http.Request) bool {
	given := r.PostForm.Get("_csrf")
	for _, c := range r.CookiesNamed(csrfCookie) {
		if hmac.Equal([]byte(given), []byte(p.csrfToken(c.Value))) {
			return true
		}
	}
	return false
}

// logout answers GET /logout, in the form with logout_uri or in the one with redirect_uri. It is not
// OpenID Connect's: post_logout_redirect_uri and id_token_hint mean nothing to it.
func (p *Pool) logout(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	q := r.URL.Query()
	client := p.client(q.Get("client_id"))
	a := p.afterLogout(client, q.Get("logout_uri"), q.Get("redirect_uri"), r.URL.RawQuery)
	if a == nil {
		rec.Error = "invalid_request"
		return redirectTo(withQuery(p.Domain()+"/error", "error", missingRedirect, "client_id", q.Get("client_id")))
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
func (p *Pool) afterLogout(client *AppClient, logoutURI, redirectURI, query string) *reply {
	switch {
	case client == nil:
		return nil
	case logoutURI != "":
		if logoutURI == p.Domain()+"/signed-out" || slices.Contains(client.LogoutURLs, logoutURI) {
			return redirectTo(logoutURI)
		}
		return nil
	case slices.Contains(client.CallbackURLs, redirectURI):
		return redirectTo(p.Domain() + "/login?" + query)
	}
	return nil
}
