package cognitotest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// The pages are put together by hand: html/template would cost every program that links this
// package its start-up time and a megabyte. The rule that replaces it: whatever is not a constant
// goes through esc.

//go:embed page.css
var css string

// styleHash lets the page's own style sheet through its Content Security Policy, and nothing else.
var styleHash = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(css))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
})

func esc(s string) string { return html.EscapeString(s) }

const mark = `<svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">` +
	`<rect width="32" height="32" rx="9"/><circle cx="12.5" cy="16" r="4.5"/><path d="M17 16h8.5m-3.5 0v4"/></svg>`

// page wraps the content of one page. formAction is the Content Security Policy's.
func page(status int, title, content, formAction string) *reply {
	a := newReply(status).set("Content-Type", "text/html;charset=UTF-8")
	a.set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash()+
		"; form-action "+formAction+"; base-uri 'none'; frame-ancestors 'none'")
	a.body = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>` + esc(title) + `</title>
<style>` + css + `</style>
</head>
<body>
<main>
<div class="card">
` + mark + "\n" + content + `</div>
<p class="note"><strong>Stand-in user pool</strong> for development and tests, on this computer. This is not AWS.</p>
</main>
</body>
</html>
`
	return a
}

// messagePage shows one message; detail is HTML or "".
func messagePage(status int, heading, text, detail string) *reply {
	return page(status, heading, "<h1>"+esc(heading)+"</h1>\n<p class=\"lead\">"+esc(text)+"</p>\n"+detail, "'none'")
}

// signInPage is what the sign-in page shows.
type signInPage struct {
	req      *authRequest
	query    string // of the authorization request, for the form's action
	username string
	csrf     string
	problem  string // an error message, or ""
	rejected bool   // the problem is the name or the password
	prefill  *User  // shown and filled in, unless nil
	buttons  string // HTML of providerButtons
}

func (s signInPage) render() *reply {
	status, title := http.StatusOK, "Sign in"
	if s.problem != "" {
		status, title = http.StatusBadRequest, "Error: sign in"
	}
	var b strings.Builder
	b.WriteString("<h1>Sign in</h1>\n<p class=\"lead\">to continue to <strong>" + esc(s.req.client.Name) + "</strong></p>\n")
	if s.problem != "" {
		b.WriteString(`<p class="problem" id="problem" role="alert">` + esc(s.problem) + "</p>\n")
	}
	if s.prefill != nil {
		b.WriteString(`<section class="demo" aria-labelledby="demo-title"><h2 id="demo-title">Demo user, filled in</h2><dl>` +
			"<div><dt>Username</dt><dd>" + esc(s.prefill.Username) + "</dd></div>" +
			"<div><dt>Password</dt><dd>" + esc(s.prefill.Password) + "</dd></div></dl></section>\n")
	}
	s.form(&b)
	b.WriteString(s.buttons)
	return page(status, title+" · "+s.req.client.Name, b.String(), "'self' "+formTarget(s.req.redirectURI))
}

// form puts the focus where the person has to do something next.
func (s signInPage) form(b *strings.Builder) {
	var invalid, password string
	if s.rejected {
		invalid = ` aria-invalid="true" aria-describedby="problem"`
	}
	focus := "username"
	if s.username != "" {
		focus = "password"
	}
	if s.prefill != nil && s.problem == "" && strings.EqualFold(s.username, s.prefill.Username) {
		password, focus = s.prefill.Password, "submit"
	}
	focused := func(field string) string {
		if field == focus {
			return " autofocus"
		}
		return ""
	}
	b.WriteString(`<form method="post" action="/login?` + esc(s.query) + `">
<input type="hidden" name="_csrf" value="` + esc(s.csrf) + `">
<label for="username">Username</label>
<input id="username" name="username" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" required value="` +
		esc(s.username) + `"` + invalid + focused("username") + `>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required value="` +
		esc(password) + `"` + invalid + focused("password") + `>
<button type="submit"` + focused("submit") + `>Sign in</button>
</form>
`)
}

// formTarget is the source expression that lets the redirect after the form reach redirectURI:
// browsers apply form-action to it as well.
func formTarget(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	switch {
	case err != nil:
		return "'none'" // New has refused such a callback URL
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return u.Scheme + ":"
	case strings.Contains(u.Host, "["):
		// "IPv6 addresses are not supported" by the grammar of host-source (CSP Level 3 §2.3.1).
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// explanation words the errors that the pool itself sends to its error page. The page shows nothing
// else that its URL says, so that nobody can put words in its mouth.
func explanation(code string) (heading, text string) {
	switch code {
	case "redirect_mismatch":
		return "The callback address is not registered", "The program asked to be called back at an address that is not among its app client's callback URLs. They are compared character by character: scheme, host, port, path, and a slash at the end."
	case "invalid_client":
		return "The app client is unknown", "This user pool has no app client with the ID that the program sent."
	case "invalid_scope":
		return "A scope is not enabled", "The program asked for a scope that its app client may not request."
	case "invalid_request":
		return "The request is not well-formed", "The program sent a parameter more than once."
	case "Required parameters missing":
		return "Something is missing", "The program did not send both client_id and redirect_uri."
	case missingRedirect:
		return "You could not be signed out", "The address to return to is not among the app client's sign-out URLs, or the app client is unknown."
	}
	return "", ""
}

// errorPage answers /error.
func (p *Pool) errorPage(r *http.Request, _ *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	return p.errorMessage(r.URL.Query().Get("error"), r.URL.Query().Get("client_id"))
}

// errorMessage is the page for an error that the client is not told of.
func (p *Pool) errorMessage(code, clientID string) *reply {
	heading, text := explanation(code)
	if heading == "" {
		return messagePage(http.StatusBadRequest, "Something went wrong", "The request could not be completed.", returnHint)
	}
	detail := "<dl class=\"facts\"><div><dt>Error</dt><dd>" + esc(code) + "</dd></div>"
	if c := p.client(clientID); c != nil {
		detail += "<div><dt>App client</dt><dd>" + esc(c.ID) + "</dd></div>"
	}
	detail += "</dl>\n"
	if code != missingRedirect {
		detail += returnHint
	}
	return messagePage(http.StatusBadRequest, heading, text, detail)
}

const returnHint = "<p class=\"hint\">The program was not told of this. Return to it and end its sign-in there.</p>\n"

// signedOut answers /signed-out, the sign-out URL that every app client has.
func (p *Pool) signedOut(r *http.Request, _ *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	return messagePage(http.StatusOK, "You are signed out", "This browser no longer has a session with the user pool.",
		"<p class=\"hint\">You can close this tab.</p>\n")
}

// unavailablePage is what managed login shows for an app client without a branding style.
func (p *Pool) unavailablePage() *reply {
	return messagePage(http.StatusBadRequest, "Login pages unavailable", "This app client has no managed login style. Ask the administrator of the user pool to create one.", "")
}
