package config

import (
	"slices"
	"strconv"
	"strings"
)

// The TOML library tells no positions of keys once it has decoded them. scan finds them, for the
// line of an error and for Put. It expects text that the library has accepted; on any other it
// finds less, and still ends.

const bom = "\ufeff"

// statement is a table header or a key with its value. Offsets are in bytes.
type statement struct {
	header   bool     // [path] or [[path]], not a key
	list     bool     // [[path]]
	path     []string // full, the table's included
	line     int      // of its first line, 1 is the first
	start    int      // of that line
	end      int      // after its last line, the newline included
	val0     int      // value, for a key; comment not included
	val1     int
	basePath int // how many elements of path come from the header
}

type scanner struct {
	src string
	pos int
}

// scan returns the statements of src in order.
func scan(src string) []statement {
	s := &scanner{src: src}
	if strings.HasPrefix(src, bom) {
		s.pos = len(bom)
	}
	var stmts []statement
	var table []string
	line, counted := 1, 0
	for s.skipToStatement() {
		start := strings.LastIndexByte(src[:s.pos], '\n') + 1
		if start == 0 && strings.HasPrefix(src, bom) {
			start = len(bom)
		}
		line += strings.Count(src[counted:start], "\n")
		counted = start
		st := statement{line: line, start: start}
		if src[s.pos] == '[' {
			s.header(&st)
			table = st.path
		} else {
			s.keyValue(&st, table)
		}
		s.toNextLine()
		st.end = s.pos
		stmts = append(stmts, st)
	}
	return stmts
}

func (s *scanner) header(st *statement) {
	st.header = true
	s.pos++
	if s.at('[') {
		s.pos++
		st.list = true
	}
	st.path = s.key()
}

func (s *scanner) keyValue(st *statement, table []string) {
	st.path = append(slices.Clip(table), s.key()...)
	st.basePath = len(table)
	if s.at('=') {
		s.pos++
	}
	s.skipSpace()
	st.val0 = s.pos
	s.skipValue()
	st.val1 = st.val0 + len(strings.TrimRight(s.src[st.val0:s.pos], " \t\r"))
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.src) && s.src[s.pos] == c }

func (s *scanner) skipSpace() {
	for s.at(' ') || s.at('\t') {
		s.pos++
	}
}

// toNextLine goes past the next newline, or to the end.
func (s *scanner) toNextLine() {
	if i := strings.IndexByte(s.src[s.pos:], '\n'); i >= 0 {
		s.pos += i + 1
	} else {
		s.pos = len(s.src)
	}
}

// skipToStatement goes past blank lines and comments. It reports whether anything is left.
func (s *scanner) skipToStatement() bool {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		case '#':
			s.toNextLine()
		default:
			return true
		}
	}
	return false
}

// key reads a dotted key, such as profiles."my.name".client_id, and the space after it.
func (s *scanner) key() []string {
	var path []string
	for {
		s.skipSpace()
		start := s.pos
		switch {
		case s.at('"'), s.at('\''):
			s.skipString()
			path = append(path, unquote(s.src[start:s.pos]))
		default:
			for s.pos < len(s.src) && !strings.ContainsRune(" \t\r\n.=]#\"'", rune(s.src[s.pos])) {
				s.pos++
			}
			path = append(path, s.src[start:s.pos])
		}
		s.skipSpace()
		if !s.at('.') {
			return path
		}
		s.pos++
	}
}

// unquote returns what a quoted key on one line stands for.
func unquote(s string) string {
	if strings.HasPrefix(s, "'") {
		return strings.Trim(s, "'")
	}
	if v, err := strconv.Unquote(s); err == nil {
		return v
	}
	return strings.Trim(s, `"`) // an escape that only TOML knows: good enough to find no match
}

// skipValue goes to the newline or the comment after a value.
func (s *scanner) skipValue() {
	depth := 0
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case '"', '\'':
			s.skipString()
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '#':
			if depth <= 0 {
				return
			}
			s.toNextLine()
			continue
		case '\n':
			if depth <= 0 {
				return
			}
		}
		s.pos++
	}
}

// skipString goes past the string that begins here. Basic strings know the backslash, literal ones
// do not; three quotes begin a string of several lines.
func (s *scanner) skipString() {
	quote := s.src[s.pos]
	triple := strings.Repeat(string(quote), 3)
	multi := strings.HasPrefix(s.src[s.pos:], triple)
	if multi {
		s.pos += 3
	} else {
		s.pos++
	}
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '\\' && quote == '"':
			s.pos = min(s.pos+2, len(s.src))
			continue
		case !multi && (c == quote || c == '\n'):
			if c == quote {
				s.pos++
			}
			return
		case multi && strings.HasPrefix(s.src[s.pos:], triple):
			// Up to two more quotes may stand before the closing three, as part of the text.
			for s.pos += 3; s.at(quote); s.pos++ {
			}
			return
		}
		s.pos++
	}
}

// locate returns the line of the statement that sets path, or of the one nearest to it: one below
// it, else the table or inline table around it. 0 means that there is none.
func locate(stmts []statement, path ...string) int {
	line, best := 0, 0
	for _, st := range stmts {
		rank := 0
		switch common := commonPrefix(st.path, path); {
		case common == len(path) && common == len(st.path):
			return st.line
		case common == len(path):
			rank = len(path) + 1 // the first statement below path
		case common == len(st.path):
			rank = common
		}
		if rank > best {
			line, best = st.line, rank
		}
	}
	return line
}

// indexed puts the index of an element into the paths of stmts, after the name of each list of
// tables: the second [[client]] is client, 1.
func indexed(stmts []statement) []statement {
	elements := map[string]int{} // by path of the list, so far
	for i := range stmts {
		st := &stmts[i]
		var path []string
		for j, name := range st.path {
			path = append(path, name)
			list := strings.Join(path, "\x00")
			if st.list && j == len(st.path)-1 {
				elements[list]++
			}
			if n := elements[list]; n > 0 {
				path = append(path, strconv.Itoa(n-1))
			}
		}
		st.path = path
	}
	return stmts
}

func commonPrefix(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
