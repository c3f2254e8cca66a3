package cognitotest

import (
	"net/http"
	"strings"
)

// step is a page on which a person has something to fill in.
type step struct {
	status        int    // zero means 200, or 400 if there is a problem
	action        string // where the form goes
	heading       string
	lead          string // HTML
	problem       string // an error message, or ""
	before, after string // HTML around the form
	hidden        [][2]string
	fields        []field
	button        string // "" means that there is no form
	buttonName    string
}

// field is one input with its label.
type field struct {
	name, label, kind, value string
	autocomplete             string
	hint                     string // "" or a sentence beneath it
	attributes               string // further ones, as HTML
	wrong                    bool   // the problem is in this one
}

// title says first that there is a problem, for those who hear it.
func (s step) title() string {
	if s.problem != "" {
		return "Error: " + s.heading
	}
	return s.heading
}

func (s step) code() int {
	switch {
	case s.status != 0:
		return s.status
	case s.problem != "":
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// html puts the focus on the first thing that the person has to do. csrf is "" for a form that goes
// to somebody else.
func (s step) html(csrf string) string {
	var b strings.Builder
	b.WriteString("<h1>" + esc(s.heading) + "</h1>\n<p class=\"lead\">" + s.lead + "</p>\n")
	if s.problem != "" {
		b.WriteString(`<p class="problem" id="problem" role="alert">` + esc(s.problem) + "</p>\n")
	}
	b.WriteString(s.before)
	if s.button != "" {
		s.form(&b, csrf)
	}
	b.WriteString(s.after)
	return b.String()
}

func (s step) form(b *strings.Builder, csrf string) {
	b.WriteString(`<form method="post" action="` + esc(s.action) + "\">\n")
	if csrf != "" {
		b.WriteString(`<input type="hidden" name="_csrf" value="` + esc(csrf) + "\">\n")
	}
	for _, h := range s.hidden {
		b.WriteString(`<input type="hidden" name="` + esc(h[0]) + `" value="` + esc(h[1]) + "\">\n")
	}
	focused := false
	for _, f := range s.fields {
		focus := !focused && f.value == ""
		focused = focused || focus
		f.html(b, focus)
	}
	name, focus := "", ""
	if s.buttonName != "" {
		name = ` name="` + esc(s.buttonName) + `" value="` + esc(s.button) + `"`
	}
	if !focused {
		focus = " autofocus"
	}
	b.WriteString(`<button type="submit"` + name + focus + ">" + esc(s.button) + "</button>\n</form>\n")
}

func (f field) html(b *strings.Builder, focus bool) {
	name := esc(f.name)
	b.WriteString(`<label for="` + name + `">` + esc(f.label) + "</label>\n")
	b.WriteString(`<input id="` + name + `" name="` + name + `" type="` + f.kind + `" autocomplete="` + f.autocomplete + `"` +
		f.attributes + ` required value="` + esc(f.value) + `"`)
	var described []string
	if f.wrong {
		b.WriteString(` aria-invalid="true"`)
		described = append(described, "problem")
	}
	if f.hint != "" {
		described = append(described, name+"-hint")
	}
	if described != nil {
		b.WriteString(` aria-describedby="` + strings.Join(described, " ") + `"`)
	}
	if focus {
		b.WriteString(" autofocus")
	}
	b.WriteString(">\n")
	if f.hint != "" {
		b.WriteString(`<p class="rule" id="` + name + `-hint">` + esc(f.hint) + "</p>\n")
	}
}

// The fields that pages have in common.

func usernameField(w *words, value string, wrong bool) field {
	return field{name: "username", label: w.username, kind: "text", value: value, autocomplete: "username",
		attributes: ` autocapitalize="none" spellcheck="false"`, wrong: wrong}
}

func passwordField(w *words, value string, wrong bool) field {
	return field{name: "password", label: w.password, kind: "password", value: value, autocomplete: "current-password", wrong: wrong}
}

func newPasswordField(w *words, wrong bool) field {
	return field{name: "new_password", label: w.newPassword, kind: "password", autocomplete: "new-password", hint: w.rule, wrong: wrong}
}

func codeField(name, label, value string, wrong bool) field {
	return field{name: name, label: label, kind: "text", value: value, autocomplete: "one-time-code",
		attributes: ` inputmode="numeric" spellcheck="false"`, wrong: wrong}
}
