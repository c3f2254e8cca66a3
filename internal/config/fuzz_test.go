package config

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var seeds = []string{
	"", "\ufeff", "#", example, strings.ReplaceAll(example, "\n", "\r\n"),
	"profiles.a.client_id = 'x'", "profiles = {a = {client_id = 'x'}}", "[profiles]\na.client_id = 'x'\n",
	"[[profiles]]\n", "[profiles.a]\nscopes = [\n # ]\n 'openid', '''x'''\n]", "[profiles.\"a\\u0062\"]\nclient_id = \"\"\"\\\n x\"\"\"\"\"\n",
	"[profiles.a]\nclient_secret = 'x'", "a\x00", "\xff\xfe", "[profiles.a\n", "x = 1\nx = 2", "[profiles.a]\n'client_id' = '# not a comment' # one",
	"default_profile = 'a' # here\n\n# intro\n\n[profiles.a.b]\n", "x = \"\\e\\x20\"", "x = {\n a = 1,\n}\n",
	served, strings.ReplaceAll(served, "\n", "\r\n"), "[profiles.a]\nclient_id = 'x'\nserve = [{origin = 'https://a.example'}, {client = 'pnpm'}] # two\n",
	"[[profiles.a.serve]] # one\nclient = 'git'\n[profiles.a]\nissuer = 'https://id.example'\nclient_id = 'x'\n# a\n[profiles.b]\n# b\n[[profiles.a.serve]]\nclient = 'pnpm'\n# end",
	"[[profiles.a.serve]]\n[profiles.a.serve.x]\n", "[[profiles.a.serve]]\n[[profiles.a.serve.origin]]\n", "profiles.a.serve = 1",
}

// FuzzLoad: any text is accepted, or refused by one well-formed error; so is its use.
func FuzzLoad(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > maxSize {
			t.Skip()
		}
		scan(src) // ends, whatever the text
		file, err := parse("config.toml", src)
		if err != nil {
			wellFormedOf(t, err, src)
			return
		}
		for name := range file.Profiles {
			if s, err := file.Resolve(Flags{Profile: name}, env("linux", "HOME=/home/ann")); err != nil {
				wellFormedOf(t, err, src)
			} else if len(s.CallbackURLs) == 0 || len(s.Scopes) == 0 || s.ClientID == "" || s.Interactive == "" {
				t.Errorf("got %+v, want no gaps", s)
			}
		}
		if _, err := file.Resolve(Flags{}, Env{}); err != nil {
			wellFormedOf(t, err, src)
		}
	})
}

// wellFormedOf is wellFormed and checks that the line is one of src.
func wellFormedOf(t *testing.T, err error, src string) {
	t.Helper()
	e := wellFormed(t, err)
	if lines := strings.Count(src, "\n") + 1; e.Line < 0 || e.Line > lines || e.Column > 0 && e.Line == 0 {
		t.Errorf("got line %d column %d, want one of %d lines", e.Line, e.Column, lines)
	}
}

// FuzzPut: parse∘print. After Put into any file that Load accepts, the file holds the profile and
// all the others as before, and every line that is a comment; if Put refuses, the file is untouched.
func FuzzPut(f *testing.F) {
	for i, seed := range seeds {
		f.Add(seed, "a", "eu-west-1_A", "", "cli", "openid email", `C:\x "y".pem`, i%2 == 0)
		f.Add(seed, "other", "", "https://id.example.com/", "cli", "", "", i%2 == 1)
	}
	f.Fuzz(func(t *testing.T, src, name, pool, issuer, client, scopes, caFile string, makeDefault bool) {
		p := Profile{UserPoolID: pool, Issuer: issuer, ClientID: client, Scopes: strings.Fields(scopes), CAFile: caFile}
		if len(p.Scopes) == 0 {
			p.Scopes = nil
		}
		checkPut(t, src, name, p, makeDefault)
	})
}

func checkPut(t *testing.T, src, name string, p Profile, makeDefault bool) {
	t.Helper()
	path := write(t, src)
	before, err := Load(path)
	if err != nil {
		return
	}
	file := &File{Path: path}
	if err := file.Put(t.Context(), name, p, makeDefault); err != nil {
		wellFormed(t, err)
		if got := content(t, path); got != src {
			t.Errorf("Put refused (%v) and wrote\n%s", err, got)
		}
		return
	}
	after, err := Load(path)
	if err != nil {
		t.Fatalf("got %v after Put, want none", err)
	}
	want := maps.Clone(before.Profiles)
	p.Serve = before.Profiles[name].Serve
	want[name] = p
	if !reflect.DeepEqual(after.Profiles, want) {
		t.Errorf("got %+v, want %+v", after.Profiles, want)
	}
	wantDefault := before.DefaultProfile
	if makeDefault || len(before.Profiles) == 0 {
		wantDefault = name
	}
	if after.DefaultProfile != wantDefault {
		t.Errorf("got default %q, want %q", after.DefaultProfile, wantDefault)
	}
	if text := content(t, path); strings.Count(text, "serve") < strings.Count(src, "serve") {
		t.Errorf("lost an entry of\n%s\nin\n%s", src, text)
	}
	if s, err := after.Resolve(Flags{Profile: name}, env("linux", "HOME=/home/ann")); err != nil {
		t.Errorf("the profile that Put accepted: got %v, want none", err)
	} else if s.ClientID != p.ClientID || s.Issuer != p.Issuer || s.UserPoolID != p.UserPoolID {
		t.Errorf("got %+v, want %+v", s, p)
	}
}

// TestPutKeepsTheOthers puts random profiles, over and over, into a file that a person has
// commented, and finds every profile and every comment again.
func TestPutKeepsTheOthers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	path := filepath.Join(t.TempDir(), "config.toml")
	src := "# my pools\n\n# about x\n[profiles.x] # x\n# inside x\nuser_pool_id = 'eu-west-1_X' # the pool\nclient_id = 'x'\n# end of x\n\n# about y\n[profiles.'y.z']\nissuer = 'https://y.example'\nclient_id = 'y'\n# the end\n"
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(f.Profiles)
	for range 200 {
		name := pick("x", "y.z", "new", "1", "a-b_c")
		p := Profile{ClientID: pick("x", "y", "a'b\"c\\d#e"), Interactive: pick("", Never, Always), CAFile: pick("", "~/é.pem", `C:\"q"\'#`)}
		if random.IntN(2) == 0 {
			p.UserPoolID = pick("eu-west-1_X", "us-east-1_Y")
		} else {
			p.Issuer = pick("https://y.example", "https://z.example/")
		}
		if random.IntN(2) == 0 {
			p.Scopes = []string{"openid", pick("email", "#x", "[y]", "a'b")}
		}
		if err := f.Put(t.Context(), name, p, random.IntN(3) == 0); err != nil {
			t.Fatalf("%s %+v: %v", name, p, err)
		}
		want[name] = p
		if !reflect.DeepEqual(f.Profiles, want) {
			t.Fatalf("got %+v, want %+v", f.Profiles, want)
		}
	}
	got := content(t, path)
	for _, comment := range []string{"# my pools\n", "# about x\n[profiles.x] # x\n# inside x\n", "# end of x\n\n# about y\n[profiles.'y.z']\n", "# the end\n"} {
		if !strings.Contains(got, comment) {
			t.Errorf("lost the comment %q:\n%s", comment, got)
		}
	}
}

// FuzzManage: Use, Rename and Delete do what they say and nothing else, comments included, or refuse
// and leave the file alone. Delete may take the comments within the table along.
func FuzzManage(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, "a", "b")
		f.Add(seed, "collate", "x.y")
	}
	f.Fuzz(func(t *testing.T, src, name, to string) {
		for i, do := range []func(*File) error{
			func(f *File) error { return f.Use(t.Context(), name) },
			func(f *File) error { return f.Rename(t.Context(), name, to) },
			func(f *File) error { return f.Delete(t.Context(), name) },
		} {
			path := write(t, src)
			before, err := Load(path)
			if err != nil {
				return
			}
			if err := do(&File{Path: path}); err != nil {
				wellFormed(t, err)
				if got := content(t, path); got != src {
					t.Errorf("%d refused (%v) and wrote\n%s", i, err, got)
				}
				continue
			}
			want, wantDefault := maps.Clone(before.Profiles), before.DefaultProfile
			switch i {
			case 0:
				wantDefault = name
			case 1:
				want[to] = want[name]
				delete(want, name)
				if wantDefault == name {
					wantDefault = to
				}
			case 2:
				delete(want, name)
				if wantDefault == name {
					wantDefault = ""
				}
			}
			after, err := Load(path)
			if err != nil || !reflect.DeepEqual(after.Profiles, want) || after.DefaultProfile != wantDefault {
				t.Errorf("%d: got %+v, %v, want %+v", i, after, err, want)
			}
			if text := content(t, path); i < 2 && strings.Count(text, "#") < strings.Count(src, "#")-strings.Count(before.DefaultProfile, "#") {
				t.Errorf("%d lost a comment of\n%s\nin\n%s", i, src, text)
			}
		}
	})
}
