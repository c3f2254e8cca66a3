package cognitotest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// authRequest is an authorization request (RFC 6749 §4.1.1) that has passed every check.
type authRequest struct {
	client      *AppClient
	origin      string // of the domain that it came to: the pages are on the same one
	redirectURI string
	state       string
	nonce       string
	challenge   string
	implicit    bool // response_type=token
	scopes      []string
	prompts     []string
	maxAge      time.Duration // -1 if there is none
	loginHint   string
	idp         *IdentityProvider // named by identity_provider or idp_identifier; nil if none is, or COGNITO
	lang        string            // "" in the classic hosted UI
	resource    string            // RFC 8707; "" if there is none
}

// authorizationCode is bound to everything the request named.
type authorizationCode struct {
	authRequest
	user     *User
	authTime time.Time
	amr      []string
	expires  time.Time
}

// authorize answers GET /oauth2/authorize.
func (p *Pool) authorize(r *http.Request, rec *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	req, refused := p.parseAuthorize(r, rec)
	if refused != nil {
		return refused
	}
	if req.client.Unbranded && !p.cfg.ClassicUI {
		return p.unavailablePage()
	}
	browser := p.browser(r)
	if browser != nil && req.maxAge >= 0 && p.now().Sub(browser.authTime) > req.maxAge {
		browser = nil // OpenID Connect Core §3.1.2.1: "MUST attempt to actively re-authenticate"
	}
	switch {
	case browser != nil && !slices.Contains(req.prompts, "login"):
		return p.toClient(rec, req, browser)
	case slices.Contains(req.prompts, "none"):
		rec.Error = "login_required"
		return redirectTo(withQuery(req.redirectURI, "error", "login_required", "state", req.state))
	}
	return p.startSignIn(r, req)
}

// parseAuthorize checks in Cognito's order: what is wrong with the client or the redirect URI is
// told to the person on the pool's own page, since nothing may be sent to an unknown address
// (RFC 6749 §4.1.2.1), and the rest is told to the client.
func (p *Pool) parseAuthorize(r *http.Request, rec *Request) (*authRequest, *reply) {
	q := r.URL.Query()
	p.received(q.Get("state"), q.Get("nonce"))
	id, redirectURI := q.Get("client_id"), q.Get("redirect_uri")
	page := func(code string) (*authRequest, *reply) {
		rec.Error = code
		if p.cfg.ErrorPagesInPlace {
			return nil, p.errorMessage(code, id)
		}
		return nil, redirectTo(withQuery(p.domainOf(r)+"/error", "error", code, "client_id", id))
	}
	client := p.client(id)
	if client != nil && redirectURI == "" {
		redirectURI = p.defaultRedirect(client)
	}
	switch {
	case id == "" || redirectURI == "":
		return page("Required parameters missing")
	case len(q["client_id"]) > 1 || len(q["redirect_uri"]) > 1:
		return page("invalid_request")
	case client == nil:
		return page("invalid_client")
	case !slices.Contains(client.CallbackURLs, redirectURI):
		return page("redirect_mismatch")
	}

	req := &authRequest{
		client: client, origin: p.domainOf(r), redirectURI: redirectURI, state: q.Get("state"), nonce: q.Get("nonce"),
		challenge: q.Get("code_challenge"), maxAge: -1,
	}
	if !p.cfg.ClassicUI { // which knows none of these
		req.prompts, req.loginHint, req.lang, req.resource = strings.Fields(q.Get("prompt")), q.Get("login_hint"), q.Get("lang"), q.Get("resource")
		if !slices.Contains(languages, req.lang) {
			req.lang = ""
		}
	}
	if !req.findProvider(p, q) {
		return page("invalid_request")
	}
	if code, description := req.check(q, p.cfg.IgnoreUnknownScopes); code != "" {
		if code == "invalid_scope" && p.cfg.ScopeErrorPage {
			return page(code)
		}
		if len(q["state"]) > 1 {
			req.state = ""
		}
		return nil, p.refuse(req, rec, code, description)
	}
	return req, nil
}

// refuse tells the client why there is no code (RFC 6749 §4.1.2.1).
func (p *Pool) refuse(req *authRequest, rec *Request, code, description string) *reply {
	rec.Error = code
	state := req.state
	if p.cfg.DropErrorState {
		state = ""
	}
	if p.cfg.DoubledDescription {
		description = "error_description=" + description
	}
	// AWS does not promise an order, and its own examples begin with the description.
	target := withQuery(req.redirectURI, "error_description", description, "error", code, "state", state)
	if p.cfg.DoubledDescription {
		target = strings.Replace(target, "error_description%3D", "error_description=", 1) // as in AWS's example
	}
	return redirectTo(target)
}

// findProvider resolves identity_provider and idp_identifier, and reports whether what they name is
// there.
func (req *authRequest) findProvider(p *Pool, q url.Values) bool {
	name, identifier := q.Get("identity_provider"), q.Get("idp_identifier")
	providers, local := p.providersOf(req.client)
	if name == "" && identifier == "" || name == "COGNITO" && local {
		return true
	}
	for _, idp := range providers {
		if idp.Name == name || identifier != "" && slices.Contains(idp.Identifiers, identifier) {
			req.idp = idp
			return true
		}
	}
	return false
}

// check fills in what is left of req and returns an error code of RFC 6749 §4.1.2.1, or "".
func (req *authRequest) check(q url.Values, lenient bool) (code, description string) {
	for name, values := range q {
		if len(values) > 1 {
			return "invalid_request", name + " is there more than once"
		}
	}
	switch q.Get("response_type") {
	case "code", "token":
	case "":
		return "invalid_request", "response_type is missing"
	default:
		return "invalid_request", "response_type is neither code nor token"
	}
	// Cognito does not insist on PKCE; a challenge that is there must be a good one.
	switch method := q.Get("code_challenge_method"); {
	case req.challenge == "" && method == "":
	case req.challenge == "":
		return "invalid_request", "code_challenge is missing"
	case method == "":
		return "invalid_request", "code_challenge_method is missing"
	case method != "S256":
		return "invalid_request", "code_challenge_method is not S256"
	case len(req.challenge) != 43 || !only(req.challenge, lower+upper+digits+"-_"):
		return "invalid_request", "code_challenge is not 43 characters of base64url"
	}
	if !req.parseScopes(q.Get("scope"), lenient) {
		return "invalid_scope", "a scope is not enabled for the app client"
	}
	flow := q.Get("response_type")
	if flow == "token" {
		flow, req.implicit = "implicit", true
	}
	if !slices.Contains(req.client.AllowedFlows, flow) {
		return "unauthorized_client", "the flow is not enabled for the app client"
	}
	if slices.Contains(req.prompts, "none") && len(req.prompts) > 1 {
		return "invalid_request", "prompt=none stands alone"
	}
	if s := q.Get("max_age"); s != "" {
		seconds, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return "invalid_request", "max_age is not a number of seconds"
		}
		req.maxAge = time.Duration(seconds) * time.Second
	}
	if req.resource != "" && !goodResource(req.resource) {
		return "invalid_request", "resource is not https, http://localhost or a custom scheme"
	}
	return "", ""
}

// goodResource applies AWS's rule for resource (RFC 8707 §2).
func goodResource(s string) bool {
	u, err := url.Parse(s)
	switch {
	case err != nil || !u.IsAbs() || strings.Contains(s, "#"):
		return false
	case u.Scheme == "http":
		return u.Hostname() == "localhost"
	}
	return true
}

// parseScopes takes every scope of the client if none is named, and reports whether all are allowed.
// If lenient, those that are not are passed over.
func (req *authRequest) parseScopes(scope string, lenient bool) bool {
	req.scopes = strings.Fields(scope)
	if len(req.scopes) == 0 {
		req.scopes = req.client.Scopes
	}
	unknown := func(s string) bool { return !slices.Contains(req.client.Scopes, s) }
	if lenient {
		req.scopes = slices.DeleteFunc(slices.Clone(req.scopes), unknown)
	}
	for _, s := range req.scopes {
		if unknown(s) {
			return false
		}
		switch s {
		case "email", "phone", "profile":
			if !slices.Contains(req.scopes, "openid") {
				return false
			}
		}
	}
	return true
}

// newCode issues an authorization code and returns the redirect URI with it.
func (p *Pool) newCode(req *authRequest, b *browserSession) string {
	code := newUUID()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[code] = &authorizationCode{
		authRequest: *req, user: b.user, authTime: b.authTime, amr: b.amr, expires: p.now().Add(p.cfg.CodeLifetime),
	}
	p.noteSecret(code)
	return withQuery(req.redirectURI, "code", code, "state", req.state)
}

// withQuery adds pairs of names and values to a URL, in their order, and leaves out empty values. The
// URL's own query stays as it is: "The endpoint URI MAY include a … query component … which MUST be
// retained when adding additional query parameters" (RFC 6749 §3.1.2).
func withQuery(base string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(base)
	sep := "?"
	if strings.Contains(base, "?") {
		sep = "&"
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		b.WriteString(sep + pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
		sep = "&"
	}
	return b.String()
}
