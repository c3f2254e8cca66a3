package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/secret"
)

// decoder takes a decoded TOML document apart and collects what does not belong in it.
type decoder struct{ problems []problem }

type problem struct {
	path []string // of the key that is wrong
	err  *Error
}

func (d *decoder) add(fact, fix string, path ...string) {
	d.problems = append(d.problems, problem{path, &Error{Key: path[len(path)-1], Fact: fact, Fix: fix}})
}

// first returns the problem that comes first in the file, or nil. Go visits maps in any order, and
// an error that changes from run to run helps nobody.
func (d *decoder) first(file, src string) error {
	if len(d.problems) == 0 {
		return nil
	}
	stmts := indexed(scan(src))
	var best *Error
	for _, p := range d.problems {
		p.err.File, p.err.Line = file, locate(stmts, p.path...)
		if best == nil || p.err.Line < best.Line || p.err.Line == best.Line && p.err.Fact < best.Fact {
			best = p.err
		}
	}
	return best
}

func (d *decoder) profiles(f *File, v any) {
	tables, ok := v.(map[string]any)
	if !ok {
		d.add("profiles must be tables, but it is "+kind(v), "write each profile as a table [profiles.NAME]", keyProfiles)
		return
	}
	for name, v := range tables {
		if secretKey(name) {
			d.secret(keyProfiles, name)
			continue
		}
		if err := checkName(name); err != nil {
			d.add(err.Fact, err.Fix, keyProfiles, name)
			continue
		}
		table, ok := v.(map[string]any)
		switch {
		case ok:
			f.Profiles[name] = d.profile(name, table)
		case (&Profile{}).field(name) != nil:
			d.add(quote(name)+" stands directly in [profiles]", "put it under a table [profiles.NAME]", keyProfiles, name)
		default:
			d.add(fmt.Sprintf("profile %s must be a table, but it is %s", quote(name), kind(v)),
				"write it as a table [profiles."+bareOrQuoted(name)+"]", keyProfiles, name)
		}
	}
}

func (d *decoder) profile(name string, table map[string]any) Profile {
	var p Profile
	for key, v := range table {
		switch field := p.field(key).(type) {
		case *string:
			*field = d.text(v, keyProfiles, name, key)
		case *[]string:
			*field = d.list(v, keyProfiles, name, key)
		case *[]Serve:
			*field = d.serve(v, name)
		default:
			d.unknown(key, name)
		}
	}
	return p
}

func (d *decoder) text(v any, path ...string) string {
	s, ok := v.(string)
	if !ok {
		d.add(fmt.Sprintf("%s must be a string, but it is %s", where(path), kind(v)), "write it in double quotes", path...)
	}
	return s
}

func (d *decoder) list(v any, path ...string) []string {
	items, ok := v.([]any)
	if !ok {
		if _, tables := v.([]map[string]any); !tables {
			d.add(fmt.Sprintf("%s must be a list of strings, but it is %s", where(path), kind(v)),
				fmt.Sprintf(`write it as %s = ["…"]`, path[len(path)-1]), path...)
			return nil
		}
		items = []any{map[string]any{}} // refused below, with the same words as any other element
	}
	list := make([]string, 0, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			d.add(fmt.Sprintf("%s must be a list of strings, but element %d is %s", where(path), i+1, kind(item)),
				"write each element in double quotes", path...)
			return nil
		}
		list = append(list, s)
	}
	return list
}

// serve reads the list of tables serve of a profile.
func (d *decoder) serve(v any, profile string) []Serve {
	path := []string{keyProfiles, profile, keyServe}
	fix := "write each entry as a table [[profiles." + bareOrQuoted(profile) + ".serve]]"
	var items []any
	switch list := v.(type) {
	case []any: // serve = [{…}]
		items = list
	case []map[string]any:
		for _, table := range list {
			items = append(items, table)
		}
	default:
		d.add(fmt.Sprintf("%s must be a list of tables, but it is %s", where(path), kind(v)), fix, path...)
		return nil
	}
	var entries []Serve
	for i, item := range items {
		at := append(slices.Clip(path), strconv.Itoa(i))
		table, ok := item.(map[string]any)
		if !ok {
			d.add(fmt.Sprintf("%s must be a list of tables, but entry %d is %s", where(path), i+1, kind(item)), fix, at...)
			continue
		}
		var s Serve
		for key, v := range table {
			at := append(slices.Clip(at), key)
			switch field := s.field(key); {
			case field != nil:
				*field = d.text(v, at...)
			case secretKey(key):
				d.secret(at...)
			case (&Profile{}).field(key) != nil:
				d.add(fmt.Sprintf("%s stands in serve entry %d of profile %s", quote(key), i+1, quote(profile)),
					"put it under [profiles."+bareOrQuoted(profile)+"], above the first entry", at...)
			default:
				d.add(fmt.Sprintf("unknown key %s in serve entry %d of profile %s", quote(key), i+1, quote(profile)), suggest(key, serveKeys), at...)
			}
		}
		entries = append(entries, s)
	}
	return entries
}

func (d *decoder) unknown(key, profile string) {
	fact := fmt.Sprintf("unknown key %s in profile %s", quote(key), quote(profile))
	switch {
	case secretKey(key):
		d.secret(keyProfiles, profile, key)
	case (&Serve{}).field(key) != nil:
		d.add(fmt.Sprintf("%s stands directly in profile %s", quote(key), quote(profile)),
			"put it under a table [[profiles."+bareOrQuoted(profile)+".serve]]", keyProfiles, profile, key)
	default:
		d.add(fact, suggest(key, profileKeys), keyProfiles, profile, key)
	}
}

func (d *decoder) unknownTop(key string, v any) {
	table, isTable := v.(map[string]any)
	switch {
	case secretKey(key):
		d.secret(key)
	case (&Profile{}).field(key) != nil:
		d.add(quote(key)+" stands outside any profile", "put it under a table [profiles.NAME]", key)
	case isTable && nearest(key, topKeys) == "" && looksLikeProfile(table):
		d.add("unknown table "+quote(key), "did you mean [profiles."+bareOrQuoted(secret.Clean(key))+"]?", key)
	default:
		d.add("unknown key "+quote(key), suggest(key, topKeys), key)
	}
}

func looksLikeProfile(table map[string]any) bool {
	for key := range table {
		if (&Profile{}).field(key) != nil {
			return true
		}
	}
	return false
}

func (d *decoder) secret(path ...string) {
	command := "cogauth configure --client-secret-stdin"
	if len(path) >= 3 {
		command += " --profile " + path[1] // a name that needs no quotes in any shell: see checkName
	}
	d.add("client_secret does not belong in a file",
		"delete the line, replace the secret at the provider, since it may have been read, and give the new one to "+command+", which keeps it in the keychain", path...)
}

// secretKey reports whether a key names a client secret in any spelling: client_secret,
// ClientSecret, client-secret.
func secretKey(key string) bool { return squash(key) == "clientsecret" }

// squash takes case, hyphens and underscores away.
func squash(key string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))
}

// where says in words where a key stands.
func where(path []string) string {
	switch len(path) {
	case 3:
		return path[2] + " in profile " + quote(path[1])
	case 5: // profiles, NAME, serve, index, key
		index, _ := strconv.Atoi(path[3])
		return fmt.Sprintf("%s in serve entry %d of profile %s", path[4], index+1, quote(path[1]))
	}
	return path[len(path)-1]
}

// kind names a TOML type with its article. Values themselves are never shown.
func kind(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case []any:
		return "a list"
	case []map[string]any:
		return "a list of tables"
	case map[string]any:
		return "a table"
	}
	return "something else"
}
