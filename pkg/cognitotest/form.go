package cognitotest

import (
	"html"
	"net/url"
	"strings"
)

// form is the first form of a page, as far as UserAgent needs it.
type form struct {
	method, action string
	values         url.Values // what it would send if submitted untouched
}

// parseForm finds the first form in page. It reads tags and attributes, which is all that the pool's
// pages have: no script, no comment, no CDATA. It returns nil if there is no form.
func parseForm(page string) *form {
	var f *form
	for page != "" {
		var name string
		var attrs map[string]string
		name, attrs, page = nextTag(page)
		switch {
		case name == "form" && f == nil:
			f = &form{method: strings.ToUpper(attrs["method"]), action: attrs["action"], values: url.Values{}}
		case name == "/form" && f != nil:
			return f
		case name == "input" && f != nil && attrs["name"] != "":
			f.values.Add(attrs["name"], attrs["value"])
		}
	}
	return f
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
