package cognitotest

import (
	"html"
	"net/url"
	"strings"
)

// form is a form of a page, as far as UserAgent needs it.
type form struct {
	method, action string
	values         url.Values // what it would send if submitted untouched
	button         [2]string  // name and value of the first button: what Enter presses
}

// has reports whether the form has something of that name.
func (f *form) has(name string) bool { return f.values.Has(name) || f.button[0] == name }

// parseForm finds the first form in page, or returns nil.
func parseForm(page string) *form {
	if forms := parseForms(page); len(forms) > 0 {
		return forms[0]
	}
	return nil
}

// parseForms finds the forms in page. It reads tags and attributes, which is all that the pool's pages
// have: no script, no comment, no CDATA.
func parseForms(page string) []*form {
	var all []*form
	var open *form
	for page != "" {
		var name string
		var attrs map[string]string
		name, attrs, page = nextTag(page)
		switch {
		case name == "form" && open == nil:
			open = &form{method: strings.ToUpper(attrs["method"]), action: attrs["action"], values: url.Values{}}
			all = append(all, open)
		case open == nil:
		case name == "/form":
			open = nil
		case name == "input" && attrs["name"] != "":
			open.values.Add(attrs["name"], attrs["value"])
		case name == "button" && open.button[0] == "":
			open.button = [2]string{attrs["name"], attrs["value"]}
		}
	}
	return all
}

// findLink returns the address of the first link in page with that text, leaving aside tags in the text
// and how it is spaced.
func findLink(page, text string) (href string, ok bool) {
	for page != "" {
		var name string
		var attrs map[string]string
		name, attrs, page = nextTag(page)
		if name != "a" || attrs["href"] == "" {
			continue
		}
		content, _, _ := strings.Cut(page, "</a>")
		if strings.Join(strings.Fields(plain(content)), " ") == strings.Join(strings.Fields(text), " ") {
			return attrs["href"], true
		}
	}
	return "", false
}

// plain is the text of a piece of HTML.
func plain(content string) string {
	var b strings.Builder
	for content != "" {
		text, _, _ := strings.Cut(content, "<")
		b.WriteString(html.UnescapeString(text))
		_, _, content = nextTag(content)
	}
	return b.String()
}

// nextTag returns the next tag in s and what follows it; name is "" if there is none.
func nextTag(s string) (name string, attrs map[string]string, rest string) {
	_, s, ok := strings.Cut(s, "<")
	if !ok {
		return "", nil, ""
	}
	end := strings.IndexAny(s, " \t\r\n>")
	if end < 0 {
		return "", nil, ""
	}
	name, s = strings.ToLower(s[:end]), s[end:]
	attrs = map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t\r\n/")
		if s == "" {
			return name, attrs, ""
		}
		if s[0] == '>' {
			return name, attrs, s[1:]
		}
		var key, value string
		key, value, s = nextAttribute(s)
		attrs[key] = value
	}
}

// nextAttribute reads one attribute from s, which begins with its name and is not empty.
func nextAttribute(s string) (key, value, rest string) {
	end := strings.IndexAny(s, " \t\r\n/>=")
	if end < 0 {
		return strings.ToLower(s), "", ""
	}
	if end == 0 {
		end = 1 // a stray "=" is a name by itself, so that every call gets on
	}
	key, s = strings.ToLower(s[:end]), s[end:]
	if !strings.HasPrefix(s, "=") {
		return key, "", s
	}
	s = s[1:]
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		value, rest, _ = strings.Cut(s[1:], s[:1])
		return key, html.UnescapeString(value), rest
	}
	end = strings.IndexAny(s, " \t\r\n>")
	if end < 0 {
		end = len(s)
	}
	return key, html.UnescapeString(s[:end]), s[end:]
}
