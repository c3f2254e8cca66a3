// Package secret keeps credentials out of logs, errors and terminals.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Secret holds a value that must not be formatted, logged or marshalled. It is a struct with a
// pointer because a named string type shows its value when it sits in an unexported field.
// The zero Secret is empty. Two Secrets are compared with Equal: == compares pointers.
type Secret struct{ p *string }

// New wraps s.
func New(s string) Secret { return Secret{&s} }

// Reveal returns the value. It is the only way out.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Equal compares in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

const hidden = "[secret]"

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText refuses, so that no encoder writes a secret by accident.
func (Secret) MarshalText() ([]byte, error) { return nil, errors.New("secret: refusing to marshal") }

// maxClean is how many runes of foreign text are worth quoting.
const maxClean = 300

// Clean makes text that somebody else wrote safe to show on a terminal: control characters,
// escape sequences and bidirectional overrides become spaces, and it is cut at 300 characters.
func Clean(s string) string {
	var b strings.Builder
	n := 0
	for len(s) > 0 && n < maxClean {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case r == utf8.RuneError && size <= 1, unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	if len(s) > 0 {
		b.WriteString("…")
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
