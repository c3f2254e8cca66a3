package secret

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// EscapeJSON writes the characters of a JSON text for which hide is true as \u escapes, so that a
// terminal shows and copies it unchanged. They must stand inside strings.
func EscapeJSON(text string, hide func(rune) bool) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case !hide(r):
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", hi, lo)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
