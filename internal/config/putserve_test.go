package config

import (
	"errors"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What Put, Rename, Delete and AddServe do to a file that a person wrote.
func TestServeSurvivesEdits(t *testing.T) {
	corp := Profile{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "corp"}
	changed := corp
	changed.ClientID, changed.Interactive = "new", Never
	forge := Serve{Origin: "https://forge.example", Token: IDToken}
	for _, tc := range []struct {
		name string
		src  string
		do   func(*File) error
		want string
	}{
		{"the same again", served, func(f *File) error { return f.Put(t.Context(), "corp", corp, false) }, served},
		{"the same with its entries", served, func(f *File) error {
			p := corp
			p.Serve = slices.Clone(corpServe)
			return f.Put(t.Context(), "corp", p, false)
		}, served},
		{"another value and one more", served, func(f *File) error { return f.Put(t.Context(), "corp", changed, false) },
			strings.Replace(served, "client_id    = \"corp\" # the client\n", "client_id    = \"new\" # the client\ninteractive = \"never\"\n", 1)},
		{"entries in one line", "[profiles.corp] # x\nissuer = 'https://id.example'\nclient_id = 'x'\nserve = [ # two\n {client = 'pnpm'}, {client = 'git'} ] # y\n",
			func(f *File) error { return f.Put(t.Context(), "corp", changed, false) },
			"[profiles.corp] # x\nclient_id = \"new\"\nserve = [ # two\n {client = 'pnpm'}, {client = 'git'} ] # y\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\ninteractive = \"never\"\n"},
		{"renamed", served, func(f *File) error { return f.Rename(t.Context(), "corp", "a.b") },
			strings.NewReplacer("[profiles.corp]", `[profiles."a.b"]`, "[[profiles.corp.serve]]", `[[profiles."a.b".serve]]`, `[[ profiles . "corp" . serve ]]`, `[[profiles."a.b".serve]]`).Replace(served)},
		{"renamed from a quoted name", served, func(f *File) error { return f.Rename(t.Context(), "home.x", "home") },
			strings.NewReplacer("[profiles.'home.x']", "[profiles.home]", "[[profiles.'home.x'.serve]]", "[[profiles.home.serve]]").Replace(served)},
		{"deleted", served, func(f *File) error { return f.Delete(t.Context(), "corp") },
			served[:strings.Index(served, "[profiles.corp]")] + served[strings.Index(served, "# end of corp"):]},
		{"the last one deleted", served, func(f *File) error { return f.Delete(t.Context(), "home.x") },
			served[:strings.Index(served, "[profiles.'home.x']")] + "# the end\n"},
		{"deleted in pieces", "[profiles.a]\n" + complete + "[profiles.b]\n" + complete + "# b\n[[profiles.a.serve]]\nclient = 'git'\n\n[[profiles.b.serve]]\nclient = 'git'\n[[profiles.a.serve]]\nclient = 'pnpm'\n",
			func(f *File) error { return f.Delete(t.Context(), "a") },
			"[profiles.b]\n" + complete + "# b\n[[profiles.b.serve]]\nclient = 'git'\n"},
		{"an entry more", served, func(f *File) error { return f.AddServe(t.Context(), "corp", forge) },
			strings.Replace(served, "# end of corp\n", "# end of corp\n\n[[profiles.corp.serve]]\norigin = \"https://forge.example\"\ntoken  = \"id\"\n", 1)},
		{"an entry at the end of the file", served, func(f *File) error { return f.AddServe(t.Context(), "home.x", Serve{Client: "pnpm"}) },
			served + "\n[[profiles.\"home.x\".serve]]\nclient = \"pnpm\"\n"},
		{"the first entry", "[profiles.a] # a\n" + complete + "# b\n[profiles.b]\n" + complete, func(f *File) error { return f.AddServe(t.Context(), "a", forge) },
			"[profiles.a] # a\n" + complete + "\n[[profiles.a.serve]]\norigin = \"https://forge.example\"\ntoken  = \"id\"\n\n# b\n[profiles.b]\n" + complete},
		{"no newline at the end", strings.TrimSuffix("[profiles.a]\n"+complete, "\n"), func(f *File) error { return f.AddServe(t.Context(), "a", forge) },
			"[profiles.a]\n" + complete + "\n[[profiles.a.serve]]\norigin = \"https://forge.example\"\ntoken  = \"id\"\n"},
		{"CRLF and BOM", "\ufeff" + strings.ReplaceAll("[profiles.a]\n"+complete+"\n", "\n", "\r\n"), func(f *File) error { return f.AddServe(t.Context(), "a", forge) },
			"\ufeff" + strings.ReplaceAll("[profiles.a]\n"+complete+"\n[[profiles.a.serve]]\norigin = \"https://forge.example\"\ntoken  = \"id\"\n\n", "\n", "\r\n")},
		{"a new profile with entries", "", func(f *File) error { p := corp; p.Serve = corpServe; return f.Put(t.Context(), "a", p, false) },
			"default_profile = \"a\"\n\n[profiles.a]\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\nclient_id    = \"corp\"\n\n[[profiles.a.serve]]\norigin   = \"https://git.corp.example\"\ntoken    = \"access\"\nusername = \"oauth2\"\n\n" +
				"[[profiles.a.serve]]\norigin = \"https://*.corp.example:5000\"\n\n[[profiles.a.serve]]\nclient = \"pnpm\"\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.src)
			f := &File{Path: path}
			if err := tc.do(f); err != nil {
				t.Fatal(err)
			}
			if got := content(t, path); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			if again, err := Load(path); err != nil || !reflect.DeepEqual(again, f) {
				t.Errorf("got %+v, %v, want what was left behind, %+v", again, err, f)
			}
			alone(t, path)
		})
	}
}

func TestServeEditsRefuseWithoutWriting(t *testing.T) {
	git := Serve{Client: "git"}
	for _, tc := range []struct {
		name, src string
		do        func(*File) error
		fact      string
	}{
		{"wrong entry", served, func(f *File) error { return f.AddServe(t.Context(), "corp", Serve{Origin: canary}) }, "origin is not a URL"},
		{"no such profile", served, func(f *File) error { return f.AddServe(t.Context(), "corps", git) }, `the command line names the profile "corps", which does not exist`},
		{"the same twice", served, func(f *File) error {
			return f.AddServe(t.Context(), "corp", Serve{Origin: "https://GIT.corp.example/"})
		},
			`serve entry 1 is for the same origin and client already (profile "corp")`},
		{"wrong entry in the file", served + "[[profiles.corp.serve]]\nclient = '" + canary + "'\n", func(f *File) error { return f.AddServe(t.Context(), "corp", git) },
			`client in serve entry 4 is none that there is (profile "corp")`},
		{"wrong entry that Put would leave", served + "[[profiles.corp.serve]]\nclient = '" + canary + "'\n",
			func(f *File) error {
				return f.Put(t.Context(), "corp", Profile{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "corp"}, false)
			},
			`client in serve entry 4 is none that there is (profile "corp")`},
		{"list in one line", "[profiles.a]\n" + complete + "serve = [{client = 'pnpm'}]\n", func(f *File) error { return f.AddServe(t.Context(), "a", git) }, "cannot be changed without touching the rest"},
		{"inline profile", "[profiles]\na = {issuer = 'https://id.example', client_id = 'x'}\n", func(f *File) error { return f.AddServe(t.Context(), "a", git) }, "cannot be changed without touching the rest"},
		{"dotted profile", "profiles.a.issuer = 'https://id.example'\nprofiles.a.client_id = 'x'\n", func(f *File) error { return f.AddServe(t.Context(), "a", git) }, "cannot be changed without touching the rest"},
		{"entries that differ", served, func(f *File) error {
			return f.Put(t.Context(), "corp", Profile{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "corp", Serve: []Serve{git}}, false)
		}, "cannot be changed without touching the rest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.src)
			err := tc.do(&File{Path: path})
			if e := wellFormed(t, err); !strings.Contains(e.Fact, tc.fact) {
				t.Errorf("got %q, want %q in it", e.Fact, tc.fact)
			}
			if got := content(t, path); got != tc.src {
				t.Errorf("got\n%s\nwant the file untouched", got)
			}
			alone(t, path)
		})
	}
	if err := (&File{Path: filepath.Join(t.TempDir(), "config.toml")}).AddServe(t.Context(), "a", git); !errors.Is(err, ErrUnknownProfile) {
		t.Errorf("got %v, want ErrUnknownProfile", err)
	}
}

// FuzzAddServe: after AddServe to any profile of any file the entry is the profile's last, and all else is
// as it was, every comment included; or the file is untouched.
func FuzzAddServe(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, "a", "https://git.corp.example/team", "id", `ä "b" \c`, "git")
		f.Add(seed, "corp", "", "", "", "vault")
	}
	f.Fuzz(func(t *testing.T, src, name, origin, token, username, client string) {
		path := write(t, src)
		before, err := Load(path)
		if err != nil {
			return
		}
		s := Serve{Origin: origin, Token: token, Username: username, Client: client}
		if err := (&File{Path: path}).AddServe(t.Context(), name, s); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("got %T %v, want an *Error", err, err)
			}
			if got := content(t, path); got != src {
				t.Errorf("AddServe refused (%v) and wrote\n%s", err, got)
			}
			return
		}
		after, err := Load(path)
		if err != nil {
			t.Fatalf("got %v after AddServe, want none", err)
		}
		want := maps.Clone(before.Profiles)
		p := want[name]
		p.Serve = append(slices.Clip(p.Serve), s)
		want[name] = p
		if !reflect.DeepEqual(after.Profiles, want) || after.DefaultProfile != before.DefaultProfile {
			t.Errorf("got %+v, want %+v", after.Profiles, want)
		}
		text := content(t, path)
		for line := range strings.Lines(src) {
			if line = strings.TrimSpace(strings.TrimPrefix(line, bom)); strings.HasPrefix(line, "#") && !strings.Contains(text, line) {
				t.Errorf("lost %q of\n%s\nin\n%s", line, src, text)
			}
		}
	})
}
