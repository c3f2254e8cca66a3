package cognitotest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Message is an e-mail or text message that the pool would have sent.
type Message struct {
	Time    time.Time // by the pool's clock
	To      string    // e-mail address, else phone number, else username
	Subject string
	Code    string
}

// Outbox returns what the pool would have sent to people, oldest first. The page DOMAIN/outbox shows it
// as well.
func (p *Pool) Outbox() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.signIns.outbox)
}

// outbox answers /outbox.
func (p *Pool) outbox(r *http.Request, _ *Request) *reply {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed("GET")
	}
	messages := p.Outbox()
	slices.Reverse(messages)
	var b strings.Builder
	b.WriteString("<h1>Outbox</h1>\n<p class=\"lead\">This page stands for the person’s e-mail. The pool sends nothing.</p>\n")
	if len(messages) == 0 {
		b.WriteString("<p class=\"hint\">There is no message yet. Reload this page once a code has been asked for.</p>\n")
		return p.page(sheet{status: http.StatusOK, title: "Outbox", content: b.String()})
	}
	b.WriteString("<ol class=\"messages\" reversed>\n")
	for _, m := range messages {
		at := m.Time.UTC()
		b.WriteString("<li><h2>" + esc(m.Subject) + "</h2>\n<p class=\"to\">To " + esc(m.To) + `, <time datetime="` + at.Format(time.RFC3339) + `">` +
			at.Format("2 January 2006, 15:04:05") + " UTC</time></p>\n<p class=\"sent-code\">" + esc(m.Code) + "</p></li>\n")
	}
	b.WriteString("</ol>\n")
	return p.page(sheet{status: http.StatusOK, title: "Outbox", content: b.String()})
}
