package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/cogauth/cogauth/internal/secret"
)

// What an *Error can be about, for errors.Is. Every *Error matches exactly one of them.
var (
	ErrInvalid        = errors.New("invalid configuration")
	ErrNoProfile      = errors.New("no profile is configured")   // none was asked for and the file has none
	ErrUnknownProfile = errors.New("the profile does not exist") // one was asked for that the file does not have
	ErrNotServed      = errors.New("the target is not served")   // no profile, or not the one asked for, serves it
)

// Error is bad input: what is wrong, where, and what to do about it. It holds no value of the file.
type Error struct {
	File   string // path of the config.toml, "" if the input came from elsewhere
	Line   int    // 1 is the first, 0 if not known
	Column int    // in characters, 1 is the first, 0 if not known
	Key    string // the key, environment variable or flag concerned, "" if none
	Fact   string // one line, lower case, no full stop
	Fix    string // one line: what the person can do; "" if there is nothing to say

	kind  error // ErrNoProfile, ErrUnknownProfile or ErrNotServed; nil means ErrInvalid
	err   error // what the system said, or nil
	entry int   // of the list serve that Key stands in, 1 is the first; 0 for a key of the profile
}

// Error returns the place and the fact in one line, such as
// `/home/ann/.config/cogauth/config.toml:4: unknown key "client_idd" in profile "collate"`.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(secret.Clean(e.File))
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Fact)
	return b.String()
}

// Is matches ErrInvalid, ErrNoProfile, ErrUnknownProfile or ErrNotServed.
func (e *Error) Is(target error) bool {
	if e.kind != nil {
		return target == e.kind
	}
	return target == ErrInvalid
}

// Unwrap returns the operating system's error, if that is the cause.
func (e *Error) Unwrap() error { return e.err }

// quote shows a name that somebody else chose.
func quote(s string) string { return `"` + secret.Clean(s) + `"` }

// syntaxError says what is wrong with the text in our own words: the library's message quotes the
// text, which may be a secret.
func syntaxError(path, src string, err error) *Error {
	e := &Error{File: path, Fact: "not valid TOML", Fix: "strings are written in double quotes: client_id = \"…\""}
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return e
	}
	e.Line, e.Column = position(src, pe.Position.Start)
	for _, s := range syntax {
		if strings.Contains(pe.Message, s.says) {
			e.Fact += ": " + s.fact
			if s.fix != "" {
				e.Fix = s.fix
			}
			break
		}
	}
	return e
}

// position turns an offset into line and column. The library's own column is wrong from the second
// line on, and its line is, where a newline is what was not expected (v1.6.0).
func position(src string, offset int) (line, column int) {
	src = strings.TrimPrefix(src, bom) // the library does not count it either
	before := src[:min(max(offset, 0), len(src))]
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// syntax translates the library's messages; the first match counts. A message that is not in the
// list still gets line and column.
var syntax = []struct{ says, fact, fix string }{
	{"already", "a key or table is defined twice", "keep one of the two"},
	{"unexpected EOF; expected value", "a value is missing", ""},
	{"unexpected EOF", "the file ends before a string, list or table is closed", "add the missing quote or bracket"},
	{"strings cannot contain newlines", "a string is not closed on its line", "add the missing quote"},
	{"escape", "a backslash in a string is not part of a known escape", "write the backslash twice, or put the string in single quotes"},
	{`after '\`, "a backslash in a string is not part of a known escape", "write the backslash twice, or put the string in single quotes"},
	{"expected value but found", "a value is missing or a string is not in quotes", ""},
	{"expected '.' or '='", "a key is not followed by =", "write key = value, and quote keys that are not plain words"},
	{"key name appears blank", "a key is missing before =", "write key = value"},
	{"table name", "a table header is not closed or has no name", "write a profile's header as [profiles.NAME]"},
	{"table array name", "a table header is not closed", "write a profile's header as [profiles.NAME]"},
	{"expected a comma", "a comma or closing bracket is missing", "separate elements by commas and close the bracket"},
	{"unexpected comma", "there is a comma too many", "delete it"},
	{"expected a top-level item to end", "something follows the value on its line", "put each key on a line of its own"},
	{"control characters", "the file holds a control character", "delete it; inside a string write it as \\uXXXX"},
	{"UTF-8", "the file is not UTF-8 text", "save it as UTF-8"},
	{"UTF-16", "the file is not UTF-8 text", "save it as UTF-8"},
}
