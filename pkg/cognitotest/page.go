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

const (
	mark = `<svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">` +
		`<rect width="32" height="32" rx="9"/><circle cx="12.5" cy="16" r="4.5"/><path d="M17 16h8.5m-3.5 0v4"/></svg>`
	poolNote = "<strong>Stand-in user pool</strong> for development and tests, on this computer. This is not AWS."
)

// sheet is one page. What is HTML has been through esc.
type sheet struct {
	status     int
	lang       string // "" means en
	title      string
	content    string // HTML
	formAction string // of the Content Security Policy; "" means 'none'
	mark, note string // HTML; "" means the pool's own
}

func (p *Pool) page(s sheet) *reply {
	a := newReply(s.status).set("Content-Type", "text/html;charset=UTF-8")
	a.set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash()+
		"; form-action "+or(s.formAction, "'none'")+"; base-uri 'none'; frame-ancestors 'none'")
	body := "<body>"
	if p.cfg.ClassicUI {
		body = `<body class="classic">`
	}
	a.body = `<!DOCTYPE html>
<html lang="` + esc(or(s.lang, "en")) + `">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>` + esc(s.title) + `</title>
<style>` + css + `</style>
</head>
` + body + `
<main>
<div class="card">
` + or(s.mark, mark) + "\n" + s.content + `</div>
<p class="note" lang="en">` + or(s.note, poolNote) + `</p>
</main>
</body>
</html>
`
	return a
}

// messagePage shows one message; detail is HTML or "".
func (p *Pool) messagePage(status int, heading, text, detail string) *reply {
	return p.page(sheet{status: status, title: heading,
		content: "<h1>" + esc(heading) + "</h1>\n<p class=\"lead\">" + esc(text) + "</p>\n" + detail})
}

// failurePage is for what is not told to the client. The classic hosted UI has one heading for all.
func (p *Pool) failurePage(heading, text, detail string) *reply {
	if p.cfg.ClassicUI {
		heading = "An error was encountered with the requested page."
	}
	return p.messagePage(http.StatusBadRequest, heading, text, detail)
}

// wentWrong is what a person sees who took too long, or who comes with an answer that nobody asked for.
func (p *Pool) wentWrong() *reply {
	return p.failurePage("Something went wrong", "Signing in took too long, or did not begin in this browser.",
		"<p class=\"hint\">The program was not told of this. Return to it and begin again.</p>\n")
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
		return "The request is not well-formed", "The program sent a parameter more than once, or named an identity provider that its app client does not have."
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
		return p.failurePage("Something went wrong", "The request could not be completed.", returnHint)
	}
	detail := "<dl class=\"facts\"><div><dt>Error</dt><dd>" + esc(code) + "</dd></div>"
	if c := p.client(clientID); c != nil {
		detail += "<div><dt>App client</dt><dd>" + esc(c.ID) + "</dd></div>"
	}
	detail += "</dl>\n"
	if code != missingRedirect {
		detail += returnHint
	}
	return p.failurePage(heading, text, detail)
}

const returnHint = "<p class=\"hint\">The program was not told of this. Return to it and end its sign-in there.</p>\n"

// signedOut answers /signed-out, the sign-out URL that every app client has.
func (p *Pool) signedOut(r *http.Request, _ *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	return p.messagePage(http.StatusOK, "You are signed out", "This browser no longer has a session with the user pool.",
		"<p class=\"hint\">You can close this tab.</p>\n")
}

// unavailablePage is what managed login shows for an app client without a branding style.
func (p *Pool) unavailablePage() *reply {
	return p.messagePage(http.StatusBadRequest, "Login pages unavailable", "This app client has no managed login style. Ask the administrator of the user pool to create one.", "")
}
