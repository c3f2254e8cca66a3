package config

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// AddServe adds an entry to those of the profile name, as a table after the last one of that profile. See
// Use for errors and Put for how the file is changed.
func (f *File) AddServe(ctx context.Context, name string, s Serve) error {
	if err := s.Validate(); err != nil {
		return err
	}
	return f.alone(ctx, func() error { return f.addServe(name, s) })
}

func (f *File) addServe(name string, s Serve) error {
	src, old, err := f.reread()
	if err != nil {
		return err
	}
	p, ok := old.Profiles[name]
	if !ok {
		return old.unknownProfile(name, "the command line")
	}
	if err := checkServe(p); err != nil {
		return old.place(err, name)
	}
	if i := slices.IndexFunc(p.Serve, func(has Serve) bool { return has.whom() == s.whom() }); i >= 0 {
		err := invalid(keyServe, "edit that entry", "serve entry %d is for the same origin and client already", i+1)
		err.entry = i + 1
		return old.place(err, name)
	}
	p.Serve = append(slices.Clip(p.Serve), s)
	want := &File{Profiles: maps.Clone(old.Profiles), DefaultProfile: old.DefaultProfile}
	want.Profiles[name] = p
	return f.commit(src, edit(src, name, old, want), name, want)
}

// editServe returns the change that adds entries after the last table of a profile.
func editServe(src string, stmts []statement, name string, entries []Serve) change {
	pos, ours := 0, false
	for _, st := range stmts {
		if st.header {
			ours = isTableOf(st, name)
		}
		if ours {
			pos = st.end
		}
	}
	pos = afterComments(src, pos)
	text := renderServe(name, entries)
	if pos < len(src) && !startsBlank(src[pos:]) {
		text += "\n"
	}
	return change{pos, pos, text}
}

// isTableOf reports whether a header is that of a profile or of one of its entries.
func isTableOf(st statement, name string) bool {
	table := []string{keyProfiles, name}
	return slices.Equal(st.path, table) || st.list && slices.Equal(st.path, append(table, keyServe))
}

// afterComments returns the offset after the comment that follows pos without an empty line between, or
// pos if that comment belongs to a statement.
func afterComments(src string, pos int) int {
	end := pos
	for line := range strings.Lines(src[pos:]) {
		switch text := strings.TrimSpace(line); {
		case text == "":
			return end
		case text[0] != '#':
			return pos
		}
		end += len(line)
	}
	return end
}

// renderServe renders entries as tables, each after an empty line.
func renderServe(name string, entries []Serve) string {
	var b strings.Builder
	for _, s := range entries {
		b.WriteString("\n[[" + keyProfiles + "." + bareOrQuoted(name) + "." + keyServe + "]]\n")
		width := 0
		for _, key := range serveKeys {
			if *s.field(key) != "" {
				width = max(width, len(key))
			}
		}
		for _, key := range serveKeys {
			if value := *s.field(key); value != "" {
				b.WriteString(key + strings.Repeat(" ", width-len(key)) + " = " + renderString(value) + "\n")
			}
		}
	}
	return b.String()
}

// startsBlank reports whether src begins with an empty line.
func startsBlank(src string) bool {
	line, _, _ := strings.Cut(src, "\n")
	return strings.TrimSpace(line) == ""
}
