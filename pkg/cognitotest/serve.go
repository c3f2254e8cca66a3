package cognitotest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// reply is a whole HTTP answer. Handlers return it instead of writing, so that a request is on
// record before its caller can see the answer, and so that a Failure can drop it.
type reply struct {
	status int
	header http.Header
	body   string
}

func newReply(status int) *reply { return &reply{status: status, header: http.Header{}} }

func (a *reply) set(key, value string) *reply {
	a.header.Set(key, value)
	return a
}

const jsonType = "application/json;charset=UTF-8"

func jsonReply(status int, v any) *reply {
	a := newReply(status).set("Content-Type", jsonType)
	a.body = string(marshal(v))
	return a
}

func redirectTo(location string) *reply { return newReply(http.StatusFound).set("Location", location) }

func methodNotAllowed(allow string) *reply {
	return newReply(http.StatusMethodNotAllowed).set("Allow", allow)
}

// handler answers one endpoint and notes in rec what Requests reports beyond the obvious.
type handler func(r *http.Request, rec *Request) *reply

// route is an endpoint by its name in Requests, Count and Fail.
type route struct {
	name   string
	handle handler
}

func (p *Pool) serveIssuer(w http.ResponseWriter, r *http.Request) {
	rt := route{"other", p.notFoundJSON}
	switch r.URL.Path {
	case "/" + p.cfg.PoolID + "/.well-known/openid-configuration":
		rt = route{"discovery", p.discovery}
	case "/" + p.cfg.PoolID + "/.well-known/jwks.json":
		rt = route{"jwks", p.jwks}
	}
	o := p.where()
	origin := o.issuer
	if o.other != "" && r.Host == hostOf(o.other) {
		origin = o.other
	}
	p.answer(w, r, origin, rt)
}

func (p *Pool) serveDomain(w http.ResponseWriter, r *http.Request) {
	rt := route{"other", p.notFoundPage}
	switch r.URL.Path {
	case "/oauth2/authorize":
		rt = route{"authorize", p.authorize}
	case "/login":
		rt = route{"login", p.login}
	case "/mfa":
		rt = route{"mfa", p.mfa}
	case "/newPassword":
		rt = route{"newPassword", p.newPassword}
	case "/forgotPassword":
		rt = route{"forgotPassword", p.forgotPassword}
	case "/confirmforgotPassword":
		rt = route{"confirmforgotPassword", p.confirmForgotPassword}
	case "/oauth2/idpresponse":
		rt = route{"idpresponse", p.oidcResponse}
	case "/saml2/idpresponse":
		rt = route{"idpresponse", p.samlResponse}
	case "/outbox":
		rt = route{"outbox", p.outbox}
	case "/oauth2/token":
		rt = route{"token", p.token}
	case "/oauth2/revoke":
		rt = route{"revoke", p.revoke}
	case "/oauth2/userInfo":
		rt = route{"userInfo", p.userInfo}
	case "/logout":
		rt = route{"logout", p.logout}
	case "/error":
		rt = route{"error", p.errorPage}
	case "/signed-out":
		rt = route{"signed-out", p.signedOut}
	}
	p.answer(w, r, p.domainOf(r), rt)
}

// domainOf returns the origin of the hosted UI by which r has come: where a custom domain stands
// beside the prefix domain, each is complete in itself.
func (p *Pool) domainOf(r *http.Request) string {
	o := p.where()
	if o.prefix != "" && r.Host == hostOf(o.prefix) {
		return o.prefix
	}
	return o.domain
}

// endpoints are the names that Count and Fail know.
var endpoints = [...]string{
	"discovery", "jwks", "authorize", "login", "token", "revoke", "userInfo", "logout", "error", "signed-out", "other",
	"mfa", "newPassword", "forgotPassword", "confirmforgotPassword", "idpresponse", "outbox", "provider",
}

// Endpoints returns the names that Request lists, which Count and Fail take.
func Endpoints() []string { return slices.Clone(endpoints[:]) }

// maxBody is many times the largest form that a client has reason to send.
const maxBody = 256 << 10

// answer reads the request, lets a Failure have its way, and writes what the endpoint replies.
func (p *Pool) answer(w http.ResponseWriter, r *http.Request, origin string, rt route) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	parseErr := r.ParseForm()
	io.Copy(io.Discard, r.Body) // what no form parser reads: see pause
	rec := Request{
		Time: p.now(), Endpoint: rt.name, Method: r.Method,
		HasAuthorizationHeader: r.Header.Get("Authorization") != "",
		Form:                   slices.Sorted(maps.Keys(r.PostForm)),
		Query:                  slices.Sorted(maps.Keys(r.URL.Query())),
	}
	n := p.arrived(rec)
	var a *reply
	fault := p.nextFailure(rt.name)
	switch {
	case r.Host != hostOf(origin):
		a = newReply(http.StatusMisdirectedRequest)
	case parseErr != nil:
		a = oauthError(&rec, "invalid_request", "the request is not well-formed")
	default:
		a = p.handle(r, &rec, rt, fault)
	}
	if a != nil {
		rec.Status = a.status
	}
	p.answered(n, rec)
	if a == nil || fault != nil && fault.CloseAfter {
		panic(http.ErrAbortHandler) // closes the connection, and net/http does not log it
	}
	p.write(w, a)
}

// handle returns nil if the connection is to be dropped.
func (p *Pool) handle(r *http.Request, rec *Request, rt route, fault *Failure) *reply {
	if fault == nil {
		return rt.handle(r, rec)
	}
	if !fault.pause(r.Context()) || fault.CloseBefore {
		return nil
	}
	if a := fault.reply(); a != nil {
		rec.Error = errorCode(a)
		return a
	}
	return rt.handle(r, rec)
}

// errorCode finds the error member of a JSON body.
func errorCode(a *reply) string {
	var body struct{ Error string }
	json.Unmarshal([]byte(a.body), &body) // a body of another kind has none
	return body.Error
}

// write adds the headers that every answer of Cognito has.
func (p *Pool) write(w http.ResponseWriter, a *reply) {
	h := w.Header()
	h.Set("Date", p.now().UTC().Format(http.TimeFormat))
	h.Set("X-Amz-Cognito-Request-Id", newUUID())
	h.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "0")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-XSS-Protection", "1; mode=block")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	if p.where().tls {
		h.Set("Strict-Transport-Security", "max-age=31536000 ; includeSubDomains")
	}
	maps.Copy(h, a.header)
	w.WriteHeader(a.status)
	w.Write([]byte(a.body)) // whoever has gone does not miss it
}

func (p *Pool) discovery(r *http.Request, _ *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	// These members and no others, in this order: no code_challenge_methods_supported, although
	// S256 works, and no "none" among the authentication methods, although public clients do.
	domain, issuer := p.Domain(), p.Issuer()
	paths := domain + "/oauth2"
	if domain == "" {
		// A pool without a domain names endpoints on the issuer, which are not there.
		domain, paths = issuer, issuer
	}
	document := struct {
		Authorization string   `json:"authorization_endpoint"`
		EndSession    string   `json:"end_session_endpoint"`
		IDTokenAlgs   []string `json:"id_token_signing_alg_values_supported"`
		Issuer        string   `json:"issuer"`
		JWKS          string   `json:"jwks_uri"`
		ResponseTypes []string `json:"response_types_supported"`
		Revocation    string   `json:"revocation_endpoint"`
		Scopes        []string `json:"scopes_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		Token         string   `json:"token_endpoint"`
		TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
		UserInfo      string   `json:"userinfo_endpoint"`
		Extra         any      `json:"x_unknown_member,omitempty"`
	}{
		paths + "/authorize", domain + "/logout", []string{"RS256"}, issuer,
		issuer + "/.well-known/jwks.json", []string{"code", "token"}, paths + "/revoke",
		[]string{"openid", "email", "phone", "profile"}, []string{"public"}, paths + "/token",
		[]string{"client_secret_basic", "client_secret_post"}, paths + "/userInfo", p.extra(),
	}
	return jsonReply(http.StatusOK, document)
}

// extra is the value of a member that nobody knows, or nil.
func (p *Pool) extra() any {
	if !p.cfg.ExtraMembers {
		return nil
	}
	return map[string]any{"since": 2030, "what": []string{"ever"}}
}

func (p *Pool) jwks(r *http.Request, _ *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	keys, _, _ := p.signing()
	document := map[string]any{"keys": keys.published()}
	if p.cfg.ExtraMembers {
		document["x_unknown_member"] = p.extra()
	}
	return jsonReply(http.StatusOK, document)
}

func (p *Pool) notFoundJSON(*http.Request, *Request) *reply {
	return jsonReply(http.StatusNotFound, map[string]string{"message": "not found"})
}

// notFoundPage answers 400 to a client that takes the domain for the issuer, as Cognito does.
func (p *Pool) notFoundPage(r *http.Request, _ *Request) *reply {
	status := http.StatusNotFound
	if strings.HasPrefix(r.URL.Path, "/.well-known/") {
		status = http.StatusBadRequest
	}
	return p.messagePage(status, "There is no such page", "The hosted UI has no page at this address.", "")
}
