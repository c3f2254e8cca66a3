package config

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Put adds the profile name to the file on disk, or replaces it there. The profile becomes the
// default one if makeDefault says so or if it is the first. The rest of the file stays as the
// person wrote it, comments and order included: in a table [profiles.NAME] only values that change
// are replaced. A p without Serve leaves the profile's entries as they are; AddServe adds one.
//
// Put reads the file again before it changes it, and f holds the new content afterwards. The new
// text is parsed and compared before it is written; where Put cannot edit it (a profile written as
// an inline table or in dotted keys), it writes nothing and the error asks to edit by hand. The
// file is replaced as a whole or not at all: a new one has mode 0600, in a folder of mode 0700; an
// existing one keeps its mode, and a symbolic link stays one. All who change the file, in whatever
// process, do it one after the other, under the lock that Lock takes; ctx ends the wait for it. An
// error about the input or the content is an *Error.
func (f *File) Put(ctx context.Context, name string, p Profile, makeDefault bool) error {
	// A folder is made only for what can be written.
	if err := f.Check(name, p, makeDefault); err != nil {
		return err
	}
	if err := f.makeFolder(); err != nil {
		return err
	}
	return f.alone(ctx, func() error {
		src, text, want, err := f.put(name, p, makeDefault)
		if err != nil {
			return err
		}
		return f.commit(src, text, name, want)
	})
}

// Check returns the error that Put would, short of writing the file.
func (f *File) Check(name string, p Profile, makeDefault bool) error {
	src, text, want, err := f.put(name, p, makeDefault)
	if err != nil {
		return err
	}
	_, err = f.means(src, text, name, want)
	return err
}

// put returns the text on disk, the text with the profile in it, and what that has to mean.
func (f *File) put(name string, p Profile, makeDefault bool) (src, text string, want *File, err error) {
	if err := checkName(name); err != nil {
		return "", "", nil, err
	}
	if err := p.Validate(); err != nil {
		return "", "", nil, err
	}
	src, old, err := f.reread()
	if err != nil {
		return "", "", nil, err
	}
	if len(p.Serve) == 0 {
		p.Serve = old.Profiles[name].Serve
		if err := checkServe(p); err != nil {
			return "", "", nil, old.place(err, name)
		}
	}
	want = &File{Profiles: maps.Clone(old.Profiles), DefaultProfile: old.DefaultProfile}
	want.Profiles[name] = p
	if makeDefault || len(old.Profiles) == 0 {
		want.DefaultProfile = name
	}
	return src, edit(src, name, old, want), want, nil
}

// reread returns what is on disk now. A missing file is an empty one.
func (f *File) reread() (src string, old *File, err error) {
	src, err = read(f.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	old, err = parse(f.Path, src)
	return src, old, err
}

// commit replaces src on disk by text if that means what want says; an error is about the profile
// name.
func (f *File) commit(src, text, name string, want *File) error {
	got, err := f.means(src, text, name, want)
	if err != nil {
		return err
	}
	if text != src {
		if f.unlockable != nil {
			return f.unlockable
		}
		if err := replaceFile(f.Path, text); err != nil {
			return err
		}
	}
	got.locked, got.unlockable = f.locked, f.unlockable
	*f = *got
	return nil
}

// means parses text and returns it if it says what want says.
func (f *File) means(src, text, name string, want *File) (*File, error) {
	got, err := parse(f.Path, text)
	if err != nil || inlineProfiles(src) || got.DefaultProfile != want.DefaultProfile || !reflect.DeepEqual(got.Profiles, want.Profiles) {
		return nil, &Error{
			File: f.Path, Line: locate(scan(src), keyProfiles, name),
			Fact: "the way the file is written, profile " + quote(name) + " cannot be changed without touching the rest",
			Fix:  "edit the file by hand; a profile is best written as a table [profiles." + bareOrQuoted(name) + "]",
		}
	}
	return got, nil
}

// inlineProfiles reports whether src says profiles = {…}. TOML forbids to add a table to that; the
// library allows it.
func inlineProfiles(src string) bool {
	return slices.ContainsFunc(scan(src), func(st statement) bool {
		return !st.header && slices.Equal(st.path, []string{keyProfiles})
	})
}

// change replaces src[start:end] by text.
type change struct {
	start, end int
	text       string
}

// edit returns src with the profile name and the default profile as in want. It does not check
// that the result means what it should: Put does.
func edit(src, name string, old, want *File) string {
	if src != "" && src != bom && !strings.HasSuffix(src, "\n") {
		src += newlineOf(src)
	}
	stmts := scan(src)
	var changes []change // the default first: in a file without statements both go to the end
	if want.DefaultProfile != old.DefaultProfile {
		changes = append(changes, editDefault(src, stmts, want.DefaultProfile))
	}
	changes = append(changes, editProfile(src, stmts, name, old.Profiles[name], want.Profiles[name])...)
	return apply(src, changes)
}

// newlineOf returns what ends the lines of src.
func newlineOf(src string) string {
	if strings.Contains(src, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// apply makes changes that do not overlap, in the newlines of src.
func apply(src string, changes []change) string {
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.start, b.start) })
	newline := newlineOf(src)
	var b strings.Builder
	pos := 0
	for _, c := range changes {
		b.WriteString(src[pos:c.start])
		b.WriteString(strings.ReplaceAll(c.text, "\n", newline))
		pos = c.end
	}
	b.WriteString(src[pos:])
	return b.String()
}

// editProfile returns the changes that turn the table of a profile from old into new.
func editProfile(src string, stmts []statement, name string, old, new Profile) []change {
	at := slices.IndexFunc(stmts, func(st statement) bool {
		return st.header && slices.Equal(st.path, []string{keyProfiles, name})
	})
	if at < 0 {
		return []change{{len(src), len(src), newTable(src, name, new)}}
	}
	var changes []change
	last := stmts[at]
	present := map[string]bool{}
	for _, st := range stmts[at+1:] {
		if st.header {
			break
		}
		last = st
		key := st.path[len(st.path)-1]
		value := renderField(&new, key)
		present[key] = true
		switch {
		case key == keyServe: // a list in one statement is left alone
		case value == "":
			changes = append(changes, change{st.start, st.end, ""})
		case !reflect.DeepEqual(old.field(key), new.field(key)):
			changes = append(changes, change{st.val0, st.val1, value})
		}
	}
	var added strings.Builder
	for _, key := range profileKeys {
		if value := renderField(&new, key); value != "" && !present[key] {
			added.WriteString(key + " = " + value + "\n")
		}
	}
	if added.Len() > 0 {
		changes = append(changes, change{last.end, last.end, added.String()})
	}
	if n := len(old.Serve); n < len(new.Serve) { // what is more comes last; Put sees whether that is right
		changes = append(changes, editServe(src, stmts, name, new.Serve[n:]))
	}
	return changes
}

// newTable renders a table to be written at the end of src.
func newTable(src, name string, p Profile) string {
	var b strings.Builder
	if !endsBlank(src) {
		b.WriteByte('\n')
	}
	b.WriteString("[" + keyProfiles + "." + bareOrQuoted(name) + "]\n")
	width := 0
	for _, key := range profileKeys {
		if renderField(&p, key) != "" {
			width = max(width, len(key))
		}
	}
	for _, key := range profileKeys {
		if value := renderField(&p, key); value != "" {
			b.WriteString(key + strings.Repeat(" ", width-len(key)) + " = " + value + "\n")
		}
	}
	b.WriteString(renderServe(name, p.Serve))
	return b.String()
}

// editDefault returns the change that makes name the default profile.
func editDefault(src string, stmts []statement, name string) change {
	for _, st := range stmts {
		if st.header {
			break
		}
		if slices.Equal(st.path, []string{keyDefault}) {
			return change{st.val0, st.val1, renderString(name)}
		}
	}
	pos := afterIntroduction(src)
	if len(stmts) == 0 {
		pos = len(src)
	}
	text := keyDefault + " = " + renderString(name) + "\n"
	if pos == len(src) && endsBlank(src) || pos < len(src) && stmts[0].header {
		text += "\n"
	}
	return change{pos, pos, text}
}

// endsBlank reports whether what is appended to src needs no empty line before it.
func endsBlank(src string) bool {
	return src == "" || src == bom || strings.HasSuffix(src, "\n\n") || strings.HasSuffix(src, "\n\r\n")
}

// afterIntroduction returns the offset after a comment that stands at the top of the file and is
// followed by an empty line, and so does not belong to what follows; else the top.
func afterIntroduction(src string) int {
	top := 0
	if strings.HasPrefix(src, bom) {
		top = len(bom)
	}
	pos := top
	for line := range strings.Lines(src[top:]) {
		pos += len(line)
		switch text := strings.TrimSpace(line); {
		case text == "":
			return pos
		case text[0] != '#':
			return top
		}
	}
	return top
}

// renderField returns the TOML value of a key, or "" if it is not set or written as tables.
func renderField(p *Profile, key string) string {
	switch field := p.field(key).(type) {
	case *string:
		if *field != "" {
			return renderString(*field)
		}
	case *[]string:
		if *field != nil {
			return renderList(*field)
		}
	}
	return ""
}

func renderList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = renderString(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// renderString writes a TOML basic string. Control characters do not occur: Validate has refused
// them.
func renderString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// bareOrQuoted writes a key: as it is where TOML allows that, else as a string.
func bareOrQuoted(key string) string {
	for i := range len(key) {
		if c := key[i]; !isAlnum(c) && c != '_' && c != '-' {
			return renderString(key)
		}
	}
	if key == "" {
		return `""`
	}
	return key
}
