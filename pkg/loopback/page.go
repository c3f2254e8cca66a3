package loopback

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"sync"
)

// Text is a sentence the program's author wrote, as a constant. It is a type of its own so that
// text from a request or a server does not slip into a page unseen: that takes a conversion.
type Text string

// Page is what the person sees in the browser when the login has ended. Fields that do not apply
// may be empty. All of them are escaped.
type Page struct {
	// After a success: who is signed in, from verified claims, and to what.
	SignedInAs string
	Profile    string // as the program calls this configuration
	Issuer     string // the user pool or provider

	// Failed makes it a failure page, which shows only the two sentences.
	Failed bool
	Reason Text // what failed; empty means "The sign-in did not complete."
	Advice Text // what to do; empty sends the person back to the terminal
}

// Render writes the page as a whole HTML document, which refers to nothing outside itself.
func (p Page) Render(w io.Writer) error {
	v := view{
		Tone: "good", Heading: "Signed in", As: p.SignedInAs,
		Facts: []fact{{"Profile", p.Profile}, {"Issuer", p.Issuer}},
		Next:  "You can close this tab and go back to the terminal.",
	}
	if p.Failed {
		v = view{
			Tone: "bad", Heading: "Not signed in",
			Lead: orElse(p.Reason, "The sign-in did not complete."),
			Next: orElse(p.Advice, "Go back to the terminal: it says what happened. You can close this tab."),
		}
	}
	return v.render(w)
}

func orElse(t, otherwise Text) Text {
	if t == "" {
		return otherwise
	}
	return t
}

// view is what page.html shows.
type view struct {
	Tone    string // good, bad or calm
	Heading Text
	As      string
	Lead    Text
	Facts   []fact
	Next    Text
}

type fact struct{ Label, Value string }

// Style is the style sheet, which needs no escaping: it is ours.
func (view) Style() template.CSS { return style().css }

func (v view) render(w io.Writer) error { return document().Execute(w, v) }

// HasFacts reports whether any fact has a value.
func (v view) HasFacts() bool {
	for _, f := range v.Facts {
		if f.Value != "" {
			return true
		}
	}
	return false
}

// A constantPage is the same for every visitor.
type constantPage func() []byte

func (c constantPage) html() []byte { return c() }

func constant(v view) constantPage {
	return sync.OnceValue(func() []byte {
		var b bytes.Buffer
		if err := v.render(&b); err != nil {
			panic("loopback: embedded page: " + err.Error()) // shown by any test
		}
		return b.Bytes()
	})
}

// These pages name the program, because the visitor may have expected another: the callback URL
// http://localhost:8585/callback is in the documentation of several tools.
var (
	pageForeign = constant(view{
		Tone: "calm", Heading: "This is cogauth’s sign-in page",
		Lead: "The request is not part of the sign-in that cogauth is waiting for, so nothing was done with it.",
		Next: "If you meant another program, stop one of the two: they share this address. If you are signing in with cogauth, finish in the tab it opened.",
	})
	pageUnconfirmed = constant(view{
		Tone: "calm", Heading: "Unconfirmed error",
		Lead: "This is cogauth’s sign-in page. An error was reported without proof that it belongs to your sign-in, so cogauth goes on waiting.",
		Next: "The terminal shows the error. If the sign-in cannot go on, stop cogauth there and try again.",
	})
	pageDuplicate = constant(view{
		Tone: "calm", Heading: "Already received",
		Lead: "This is cogauth’s sign-in page. The answer to this sign-in has arrived before; nothing was done twice.",
		Next: "You can close this tab and go back to the terminal.",
	})
	pageIncomplete = constant(view{
		Tone: "bad", Heading: "Not signed in",
		Lead: "This is cogauth’s sign-in page. The sign-in did not complete.",
		Next: "Go back to the terminal: it says what happened. You can close this tab.",
	})
	pageNotFound = constant(view{
		Tone: "calm", Heading: "This is cogauth’s sign-in page",
		Lead: "There is nothing at this address.",
		Next: "You can close this tab and go back to the terminal.",
	})
	pageMethod = constant(view{
		Tone: "calm", Heading: "This is cogauth’s sign-in page",
		Lead: "It only accepts the GET method.",
		Next: "You can close this tab and go back to the terminal.",
	})
	pageMisdirected = constant(view{
		Tone: "calm", Heading: "This is cogauth’s sign-in page",
		Lead: "It only answers to the names localhost, 127.0.0.1 and [::1].",
		Next: "You can close this tab and go back to the terminal.",
	})
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// Both are prepared at first use: most runs of a program sign nobody in.
var (
	document = sync.OnceValue(func() *template.Template {
		return template.Must(template.New("page").Parse(pageHTML))
	})
	style = sync.OnceValue(func() (s struct {
		css    template.CSS
		policy string
	}) {
		// A browser hashes the text after making every line end a line feed, which a checkout on
		// Windows may have undone.
		css := strings.ReplaceAll(pageCSS, "\r\n", "\n")
		sum := sha256.Sum256([]byte(css))
		s.css = template.CSS(css)
		s.policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		return s
	})
)

// contentPolicy is the Content-Security-Policy of every answer: our style sheet and nothing else.
func contentPolicy() string { return style().policy }
