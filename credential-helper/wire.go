package credentialhelper

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

func isBreak(r rune) bool { return r == '\r' || r == '\n' || r == 0 }

// plain refuses values that could pass for something else in a line of text or a header.
func plain(client string, values ...string) error {
	for _, v := range values {
		if strings.ContainsFunc(v, isBreak) {
			return malformed(client, "holds a line break or a NUL inside a value")
		}
	}
	return nil
}

// notToken is what no bearer token has (RFC 6750 §2.1 allows even less).
func notToken(r rune) bool { return r <= ' ' || r >= 0x7f }

// wholeSeconds is the time in the form that every client takes: RFC 3339, UTC, no fractions.
func wholeSeconds(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05Z")
}

func oneLine(s string) string { return strings.Join(strings.FieldsFunc(s, isBreak), " ") }

// absolute reports whether uri has a scheme and goes on after it. A Request without a URL would be one
// for the client's default token, and one without a scheme matches more than one with it.
func absolute(uri string) bool {
	scheme, rest, ok := strings.Cut(uri, "://")
	return ok && scheme != "" && !strings.ContainsAny(scheme, "/?#") && rest != ""
}

// withoutQuery leaves out what decides nothing and may be secret: signed links have it in the query.
func withoutQuery(uri string) string {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		return uri[:i]
	}
	return uri
}

// jsonLine is v in a line of JSON. v has nothing that JSON cannot hold.
func jsonLine(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // messages are for people
	_ = e.Encode(v)
	return b.String()
}

// writeJSON writes the answer as one line of JSON.
func (c *Call) writeJSON(answer any) error { return c.write(jsonLine(answer)) }
