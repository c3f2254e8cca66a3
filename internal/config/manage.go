package config

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// Render returns the profile as the table that Put would write, for showing it beforehand.
func (p Profile) Render(name string) string {
	return strings.TrimLeft(newTable("", name, p), "\n")
}

// Use makes name the default profile. The error is an *Error that matches ErrUnknownProfile if there
// is no such profile; see Put for how the file is changed.
func (f *File) Use(ctx context.Context, name string) error {
	return f.rewrite(ctx, name, func(src string, old *File) (string, *File) {
		want := &File{Profiles: maps.Clone(old.Profiles), DefaultProfile: name}
		if old.DefaultProfile == name {
			return src, want
		}
		return apply(src, []change{editDefault(src, scan(src), name)}), want
	})
}

// Rename gives a profile another name, which must be free. The default profile stays the default
// one. See Use for errors and Put for how the file is changed.
func (f *File) Rename(ctx context.Context, name, to string) error {
	if err := checkName(to); err != nil {
		return err
	}
	return f.rewrite(ctx, name, func(src string, old *File) (string, *File) {
		want := &File{Profiles: maps.Clone(old.Profiles), DefaultProfile: old.DefaultProfile}
		if _, taken := want.Profiles[to]; taken {
			return "", nil
		}
		want.Profiles[to] = want.Profiles[name]
		delete(want.Profiles, name)
		stmts := scan(src)
		var changes []change
		for _, st := range stmts {
			if st.header && isTableOf(st, name) {
				line := src[st.start:st.end] // no name of a profile holds a bracket
				open, shut := strings.IndexByte(line, '['), strings.IndexByte(line, ']')
				header := "[" + keyProfiles + "." + bareOrQuoted(to)
				if st.list {
					header = "[" + header + "." + keyServe
				}
				changes = append(changes, change{st.start + open, st.start + shut, header})
			}
		}
		if old.DefaultProfile == name {
			want.DefaultProfile = to
			changes = append(changes, editDefault(src, stmts, to))
		}
		return apply(src, changes), want
	})
}

// Delete removes a profile. If it was the default one there is none afterwards. See Use for errors
// and Put for how the file is changed.
func (f *File) Delete(ctx context.Context, name string) error {
	return f.rewrite(ctx, name, func(src string, old *File) (string, *File) {
		want := &File{Profiles: maps.Clone(old.Profiles), DefaultProfile: old.DefaultProfile}
		delete(want.Profiles, name)
		stmts := scan(src)
		var changes []change
		end := 0 // of what was removed last
		for i, st := range stmts {
			switch {
			case st.header && isTableOf(st, name) && st.start >= end:
				for _, in := range stmts[i:] {
					if in.header && !isTableOf(in, name) {
						break
					}
					end = in.end // the comments between the profile's tables go as well
				}
				end = withBlankLines(src, end)
				changes = append(changes, change{st.start, end, ""})
			case !st.header && st.basePath == 0 && slices.Equal(st.path, []string{keyDefault}) && old.DefaultProfile == name:
				want.DefaultProfile = ""
				changes = append(changes, change{st.start, withBlankLines(src, st.end), ""})
			}
		}
		return apply(src, changes), want
	})
}

// withBlankLines returns the offset after the empty lines that follow end.
func withBlankLines(src string, end int) int {
	for line := range strings.Lines(src[end:]) {
		if strings.TrimSpace(line) != "" {
			break
		}
		end += len(line)
	}
	return end
}

// rewrite reads the file again, has edit change its text, and replaces it if the new text means what
// edit wants. A nil want means that a name is taken.
func (f *File) rewrite(ctx context.Context, name string, edit func(src string, old *File) (text string, want *File)) error {
	return f.alone(ctx, func() error {
		src, old, err := f.reread()
		if err != nil {
			return err
		}
		if _, ok := old.Profiles[name]; !ok {
			return old.unknownProfile(name, "the command line")
		}
		text, want := edit(src, old)
		if want == nil {
			return &Error{File: f.Path, Fact: "there is a profile of that name already", Fix: "choose another name"}
		}
		return f.commit(src, text, name, want)
	})
}
