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
	redirectURI string
	state       string
	nonce       string
	challenge   string
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
	req, refused := p.parseAuthorize(r.URL.Query(), rec)
	if refused != nil {
		return refused
	}
	browser := p.browser(r)
	if browser != nil && req.maxAge >= 0 && p.now().Sub(browser.authTime) > req.maxAge {
		browser = nil // OpenID Connect Core §3.1.2.1: "MUST attempt to actively re-authenticate"
	}
	switch {
	case browser != nil && !slices.Contains(req.prompts, "login"):
		return redirectTo(p.newCode(req, browser))
	case slices.Contains(req.prompts, "none"):
		rec.Error = "login_required"
		return redirectTo(withQuery(req.redirectURI, "error", "login_required", "state", req.state))
	}
	return redirectTo(p.signInAddress(req, r.URL.RawQuery))
}

// parseAuthorize checks in Cognito's order: what is wrong with the client or the redirect URI is
// told to the person on the pool's own page, since nothing may be sent to an unknown address
// (RFC 6749 §4.1.2.1), and the rest is told to the client.
func (p *Pool) parseAuthorize(q url.Values, rec *Request) (*authRequest, *reply) {
	p.received(q.Get("state"), q.Get("nonce"))
	id, redirectURI := q.Get("client_id"), q.Get("redirect_uri")
	page := func(code string) (*authRequest, *reply) {
		rec.Error = code
		return nil, redirectTo(withQuery(p.Domain()+"/error", "error", code, "client_id", id))
	}
	client := p.client(id)
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
		client: client, redirectURI: redirectURI, state: q.Get("state"), nonce: q.Get("nonce"),
		challenge: q.Get("code_challenge"), prompts: strings.Fields(q.Get("prompt")), maxAge: -1,
		loginHint: q.Get("login_hint"),
	}
	if code, description := req.check(q); code != "" {
		if code == "invalid_scope" && p.cfg.ScopeErrorPage {
			return page(code)
		}
		rec.Error = code
		state := req.state
		if p.cfg.DropErrorState || len(q["state"]) > 1 {
			state = ""
		}
		// AWS does not promise an order, and its own examples begin with the description.
		return nil, redirectTo(withQuery(redirectURI, "error_description", description, "error", code, "state", state))
	}
	return req, nil
}

// check fills in what is left of req and returns an error code of RFC 6749 §4.1.2.1, or "".
func (req *authRequest) check(q url.Values) (code, description string) {
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
	if q.Get("response_type") == "code" {
		switch {
		case req.challenge == "":
			return "invalid_request", "code_challenge is missing"
		case q.Get("code_challenge_method") != "S256":
			return "invalid_request", "code_challenge_method is not S256"
		case len(req.challenge) != 43 || !only(req.challenge, lower+upper+digits+"-_"):
			return "invalid_request", "code_challenge is not 43 characters of base64url"
		}
	}
	if !req.parseScopes(q.Get("scope")) {
		return "invalid_scope", "a scope is not enabled for the app client"
	}
	if q.Get("response_type") != "code" || !slices.Contains(req.client.AllowedFlows, "code") {
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
	return "", ""
}

// parseScopes takes every scope of the client if none is named, and reports whether all are allowed.
func (req *authRequest) parseScopes(scope string) bool {
	req.scopes = strings.Fields(scope)
	if len(req.scopes) == 0 {
		req.scopes = req.client.Scopes
	}
	for _, s := range req.scopes {
		if !slices.Contains(req.client.Scopes, s) {
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
