package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const served = `# mine

# about corp
[profiles.corp] # ours
user_pool_id = "eu-west-1_AbCdEfGhI"
client_id    = "corp" # the client

# the forge
[[profiles.corp.serve]] # first
origin   = "https://git.corp.example"
token    = "access"
username = "oauth2" # as the forge has it

# every registry
  [[ profiles . "corp" . serve ]]
origin = "https://*.corp.example:5000" # in the house

[[profiles.corp.serve]]
client = "pnpm"
# end of corp

# about home
[profiles.'home.x']
issuer = "https://id.example.com"
client_id = "home"
[[profiles.'home.x'.serve]]
origin = "https://home.example"
# the end
`

var corpServe = []Serve{
	{Origin: "https://git.corp.example", Token: AccessToken, Username: "oauth2"},
	{Origin: "https://*.corp.example:5000"},
	{Client: "pnpm"},
}

func TestServeIsRead(t *testing.T) {
	for name, src := range map[string]string{
		"tables":       served,
		"CRLF":         strings.ReplaceAll(served, "\n", "\r\n"),
		"list in line": "[profiles.corp]\nserve = [ # two\n {origin = 'https://git.corp.example', token = 'access', username = 'oauth2'},\n {origin='https://*.corp.example:5000'}, {client='pnpm'}]\n",
		"out of order": "[[profiles.corp.serve]]\norigin = 'https://git.corp.example'\ntoken = 'access'\nusername = 'oauth2'\n[profiles.x]\n[[profiles.corp.serve]]\norigin = 'https://*.corp.example:5000'\n[profiles.corp]\n[[profiles.corp.serve]]\nclient = 'pnpm'\n",
	} {
		f, err := Load(write(t, src))
		if err != nil || !reflect.DeepEqual(f.Profiles["corp"].Serve, corpServe) {
			t.Errorf("%s: got %+v, %v, want %+v", name, f, err, corpServe)
		}
	}
	f := parsed(t, "[profiles.a]\nserve = []\n")
	if got := f.Profiles["a"].Serve; got != nil {
		t.Errorf("got %#v for an empty list, want nil", got)
	}
}

// G3 for the entries of serve.
func TestG3ServeIsReadStrictly(t *testing.T) {
	const head = "[profiles.a]\nclient_id = 'x'\n[[profiles.a.serve]]\nclient = 'git'\n\n[[profiles.a.serve]]\n"
	const keys = "the keys here are origin, token, username, client"
	const tables = "write each entry as a table [[profiles.a.serve]]"
	for _, tc := range []badFile{
		{"unknown key", head + "orign = '" + canary + "'\n", 7, `unknown key "orign" in serve entry 2 of profile "a"`, "did you mean origin?"},
		{"other case", head + "Token = 'id'\n", 7, `unknown key "Token" in serve entry 2 of profile "a"`, "did you mean token?"},
		{"nothing near", head + "zz = 1\n", 7, `unknown key "zz" in serve entry 2 of profile "a"`, keys},
		{"table in an entry", head + "[profiles.a.serve.http]\nx = 1\n", 7, `unknown key "http" in serve entry 2 of profile "a"`, keys},
		{"key of the profile", head + "client = 'x'\nscopes = ['openid']\n", 8, `"scopes" stands in serve entry 2 of profile "a"`, "put it under [profiles.a], above the first entry"},
		{"key of an entry", "[profiles.a]\nclient_id = 'x'\norigin = 'https://a.example'\n", 3, `"origin" stands directly in profile "a"`, "put it under a table [[profiles.a.serve]]"},
		{"misspelt", "[profiles.a]\nclient_id = 'x'\n[[profiles.a.serves]]\nclient = 'git'\n", 3, `unknown key "serves" in profile "a"`, "did you mean serve?"},
		{"outside any profile", "[[serve]]\nclient = 'git'\n", 1, `"serve" stands outside any profile`, "put it under a table [profiles.NAME]"},
		{"integer", head + "origin = 1\n", 7, `origin in serve entry 2 of profile "a" must be a string, but it is an integer`, "write it in double quotes"},
		{"list", head + "origin = ['https://a.example']\n", 7, `origin in serve entry 2 of profile "a" must be a string, but it is a list`, "write it in double quotes"},
		{"tables for a string", head + "[[profiles.a.serve.token]]\nx = 1\n", 7, `token in serve entry 2 of profile "a" must be a string, but it is a list of tables`, "write it in double quotes"},
		{"one table", "[profiles.a]\nclient_id = 'x'\n[profiles.a.serve]\nclient = 'git'\n", 3, `serve in profile "a" must be a list of tables, but it is a table`, tables},
		{"string", "[profiles.a]\nserve = 'https://a.example'\n", 2, `serve in profile "a" must be a list of tables, but it is a string`, tables},
		{"list of strings", "[profiles.a]\nserve = [{client = 'git'}, 'https://a.example']\n", 2, `serve in profile "a" must be a list of tables, but entry 2 is a string`, tables},
		{"name to be quoted", "[profiles.'a.b']\nserve = true\n", 2, `serve in profile "a.b" must be a list of tables, but it is a boolean`, `write each entry as a table [[profiles."a.b".serve]]`},
		{"the first of several", head + "zz = 1\n[[profiles.a.serve]]\nyy = 1\n", 7, `unknown key "zz" in serve entry 2 of profile "a"`, keys},
		{"in a line", "[profiles.a]\nclient_id = 'x'\nserve = [{client = 'git'}, {zz = 1}]\n", 3, `unknown key "zz" in serve entry 2 of profile "a"`, keys},
	} {
		t.Run(tc.name, tc.run)
	}
	_, err := Load(write(t, head+"Client-Secret = '"+canary+"'\n"))
	if e := wellFormed(t, err); e.Line != 7 || e.Fact != "client_secret does not belong in a file" || !strings.Contains(e.Fix, "--profile a,") {
		t.Errorf("got line %d: %s; %s", e.Line, e.Fact, e.Fix)
	}
}

func TestServeIsChecked(t *testing.T) {
	const head = "[profiles.a]\nissuer = 'https://id.example'\nclient_id = 'x'\n[[profiles.a.serve]]\nclient = 'git'\n\n[[profiles.a.serve]]\n"
	const names = "the clients are git, docker, kubectl, bazel, cargo, goauth, terraform, google, pnpm, keyring, vault, headers, native"
	for _, tc := range []struct {
		name, entry, key string
		line             int
		fact, fix        string
	}{
		{"nothing", "token = 'id'\n", "serve", 7, "neither origin nor client is set in serve entry 2", `say whom it serves, such as origin = "https://git.corp.example"`},
		{"no URL", "origin = '" + canary + "'\n", "origin", 8, "origin in serve entry 2 is not a URL", "write it as scheme and host, such as https://git.corp.example"},
		{"user", "token = 'id'\norigin = 'https://" + canary + "@a.example'\n", "origin", 9, "origin in serve entry 2 has user information or an escape before its path", "write it as scheme and host, such as https://git.corp.example"},
		{"plain http", "origin = 'http://a.example'\n", "origin", 8, "origin in serve entry 2 is plain http to another machine", "use https; http is for localhost, 127.0.0.1 and [::1]"},
		{"token", "origin = 'https://a.example'\ntoken = '" + canary + "'\n", "token", 9, "token in serve entry 2 is neither id nor access", "set it to id or access"},
		{"colon", "client = 'pnpm'\nusername = 'a:" + canary + "'\n", "username", 9, "username in serve entry 2 holds a colon or a control character, is not UTF-8 or is too long", "write up to 255 plain characters without a colon, such as oauth2"},
		{"line break", "client = 'pnpm'\nusername = \"a\\n" + canary + "\"\n", "username", 9, "username in serve entry 2 holds a colon or a control character, is not UTF-8 or is too long", "write up to 255 plain characters without a colon, such as oauth2"},
		{"client", "client = '" + canary + "'\n", "client", 8, "client in serve entry 2 is none that there is", names},
		{"client, misspelt", "client = 'dokcer'\n", "client", 8, "client in serve entry 2 is none that there is", "did you mean docker?"},
		{"the same client", "client = 'git'\ntoken = 'id'\n", "serve", 7, "serve entries 1 and 2 are for the same origin and client", "delete one of the two"},
		{"the same origin", "origin = 'https://a.example'\n[[profiles.a.serve]]\norigin = 'HTTPS://A.Example:443/'\n", "serve", 9, "serve entries 2 and 3 are for the same origin and client", "delete one of the two"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := Load(write(t, head+tc.entry))
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Resolve(Flags{}, Env{})
			e := wellFormed(t, err)
			if e.Key != tc.key || e.Line != tc.line || e.Fact != tc.fact+` (profile "a")` || e.Fix != tc.fix {
				t.Errorf("got %s, line %d: %s; %s\nwant %s, line %d: %s; %s", e.Key, e.Line, e.Fact, e.Fix, tc.key, tc.line, tc.fact, tc.fix)
			}
		})
	}
	for _, s := range append(slices.Clone(corpServe), Serve{Origin: "http://localhost", Client: "vault", Token: IDToken, Username: "ä b"}) {
		if err := s.Validate(); err != nil {
			t.Errorf("%v: got %v", s, err)
		}
	}
	if e := wellFormed(t, Serve{Origin: "x"}.Validate()); e.Fact != "origin is not a URL" {
		t.Errorf("got %q", e.Fact)
	}
	for origin, want := range map[string]bool{"https://git.corp.example": false, "https://*.corp.example": true, "": true, "https://": true} {
		if got := (Serve{Origin: origin}).Wildcard(); got != want {
			t.Errorf("%q: got wildcard %v", origin, got)
		}
	}
	if list := Clients(); len(list) != 13 || &list[0] == &clients[0] {
		t.Errorf("got %v, want a copy of all", list)
	}
}

func TestServeIsExplained(t *testing.T) {
	f := parsed(t, served)
	s, err := f.Resolve(Flags{Profile: "corp"}, env("linux", "HOME=/home/ann"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.Serve, corpServe) {
		t.Errorf("got %+v, want %+v", s.Serve, corpServe)
	}
	s.Serve[0].Origin = "changed" // the slice is the caller's
	if f.Profiles["corp"].Serve[0] != corpServe[0] {
		t.Error("the slice is not the caller's")
	}
	s.Serve[0].Origin = corpServe[0].Origin
	var got []Value
	for _, v := range s.Explain() {
		if v.Key == "serve" {
			got = append(got, v)
		}
	}
	want := []Value{
		{"serve", `{ origin = "https://git.corp.example", token = "access", username = "oauth2" }`, fileOrigin},
		{"serve", `{ origin = "https://*.corp.example:5000" }`, fileOrigin},
		{"serve", `{ client = "pnpm" }`, fileOrigin},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

const complete = "issuer = 'https://id.example'\nclient_id = 'x'\n"

// entries writes a profile that serves what list says: "origin client", with - for what is not set.
func entries(profile string, list ...string) string {
	src := "[profiles." + profile + "]\n" + complete
	for i, e := range list {
		origin, client, _ := strings.Cut(e, " ")
		src += "[[profiles." + profile + ".serve]]\n" + fmt.Sprintf("username = 'u%d'\n", i)
		if origin != "-" {
			src += "origin = '" + origin + "'\n"
		}
		if client != "" {
			src += "client = '" + client + "'\n"
		}
	}
	return src
}

func TestServingChoosesTheBestEntry(t *testing.T) {
	f := parsed(t, entries("b",
		"https://*.corp.example", "https://git.corp.example/team", "https://git.corp.example", "https://git.corp.example/team/x", "https://*.corp.example docker", "https://git.corp.example cargo",
		"- pnpm", "https://npm.corp.example pnpm", "http://localhost:5000", "https://localhost:5000")+
		entries("a", "https://other.example", "- keyring", "- pnpm", "http://wrong.example", "https://git.corp.example nonsense")+entries("none"))
	for _, tc := range []struct{ url, client, want string }{
		{"https://git.corp.example", "git", "b 2"},
		{"https://git.corp.example/team", "git", "b 1"},
		{"https://git.corp.example/teams", "git", "b 2"},
		{"https://git.corp.example/team/x/y", "git", "b 3"},
		{"https://git.corp.example/team/../x", "git", "b 2"},
		{"//git.corp.example:443", "bazel", "b 2"},
		{"https://x.corp.example", "git", "b 0"},
		{"https://git.corp.example/team", "docker", "b 4"}, // the client's own
		{"https://git.corp.example/team", "cargo", "b 5"},
		{"https://npm.corp.example", "pnpm", "b 7"},
		{"https://npm.corp.example", "keyring", "b 0"},
		{"//localhost:5000", "docker", "b 9"},
		{"http://localhost:5000", "docker", "b 8"},
		{"", "pnpm", "a 2, b 6"},
		{"", "keyring", "a 1"},
		{"", "git", ""}, {"", "", ""}, {"", "docker", ""},
		{"https://other.example", "pnpm", "a 0"},
		{"https://git.corp.example", "nonsense", "a 4, b 2"},
		{"http://wrong.example", "git", ""}, {"https://evil.example", "git", ""}, {"https://u@git.corp.example", "git", ""},
		{"git.corp.example", "git", ""}, {"http://git.corp.example", "git", ""}, {"nonsense", "pnpm", ""},
	} {
		var got []string
		for _, m := range f.Serving(tc.url, tc.client) {
			got = append(got, m.Profile+" "+strings.TrimPrefix(m.Serve.Username, "u"))
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%q for %s: got %v, want %s", tc.url, tc.client, got, tc.want)
		}
	}
}

func TestResolveServing(t *testing.T) {
	f := parsed(t, "default_profile = 'c'\n"+entries("a", "https://git.corp.example", "- pnpm", "https://three.example")+
		entries("b", "https://git.corp.example/team", "- pnpm", "https://b.example git", "https://three.example")+entries("c", "https://three.example:443/"))
	for _, tc := range []struct {
		flag, variable, url, client string
		profile, username           string // what is to be had
		is                          error  // or why it is not
		fact                        string
	}{
		{url: "https://git.corp.example/x", client: "git", profile: "a", username: "u0"},
		{url: "https://b.example/x", client: "git", profile: "b", username: "u2"},
		{flag: "b", url: "https://git.corp.example/team", client: "git", profile: "b", username: "u0"},
		{variable: "a", url: "https://git.corp.example/team", client: "git", profile: "a", username: "u0"},
		{flag: "a", variable: "b", client: "pnpm", profile: "a", username: "u1"},
		{variable: "b", client: "pnpm", profile: "b", username: "u1"},

		{url: "https://b.example/" + canary, client: "docker", is: ErrNotServed, fact: "no profile serves https://b.example"},
		{url: "https://evil.example:8443/" + canary + "?" + canary, client: "git", is: ErrNotServed, fact: "no profile serves https://evil.example:8443"},
		{url: "//registry.example:5000/" + canary, client: "docker", is: ErrNotServed, fact: "no profile serves registry.example:5000"},
		{url: "https://" + canary + "@git.corp.example", client: "git", is: ErrNotServed, fact: "no profile serves a target that is not an https URL"},
		{client: "vault", is: ErrNotServed, fact: "no profile serves vault, which names no target"},
		{client: canary, is: ErrNotServed, fact: "no profile serves a request that names no target"},
		{flag: "b", url: "https://git.corp.example/" + canary, client: "git", is: ErrNotServed, fact: `profile "b" does not serve https://git.corp.example`},
		{variable: "c", url: "https://git.corp.example/" + canary, client: "git", is: ErrNotServed, fact: `profile "c" does not serve https://git.corp.example`},
		{flag: "zz", url: "https://git.corp.example", client: "git", is: ErrUnknownProfile, fact: `--profile names the profile "zz", which does not exist`},
		{url: "https://git.corp.example/team/" + canary, client: "git", is: ErrInvalid, fact: "two profiles serve https://git.corp.example: a and b"},
		{url: "//three.example/" + canary, client: "git", is: ErrInvalid, fact: "3 profiles serve three.example: a, b and c"},
		{client: "pnpm", is: ErrInvalid, fact: "two profiles serve pnpm, which names no target: a and b"},
	} {
		s, entry, err := f.ResolveServing(Flags{Profile: tc.flag}, env("linux", "HOME=/home/ann", "COGAUTH_PROFILE="+tc.variable), tc.url, tc.client)
		if tc.is == nil {
			if err != nil || s.Profile != tc.profile || entry.Username != tc.username {
				t.Errorf("%+v: got %+v, %+v, %v", tc, s, entry, err)
			}
			continue
		}
		if e := wellFormed(t, err); !errors.Is(err, tc.is) || e.Fact != tc.fact || s != nil || entry != (Serve{}) {
			t.Errorf("%+v: got %v", tc, err)
		}
	}
}

// A wrong entry serves nobody and stops nobody else; what is wrong is told to whom it was not meant to fail.
func TestResolveServingTellsOfAWrongEntry(t *testing.T) {
	f := parsed(t, entries("a", "https://a.example")+entries("b", "https://b.example", "http://git.corp.example"))
	if s, _, err := f.ResolveServing(Flags{}, Env{}, "https://a.example", "git"); err != nil || s.Profile != "a" {
		t.Errorf("got %v, want a to serve", err)
	}
	for flag, fact := range map[string]string{"": "no profile serves http://git.corp.example", "b": `profile "b" does not serve http://git.corp.example`} {
		_, _, err := f.ResolveServing(Flags{Profile: flag}, Env{}, "http://git.corp.example/x", "git")
		e := wellFormed(t, err)
		if !errors.Is(err, ErrNotServed) || e.Fact != fact || e.Line != 15 ||
			e.Fix != `correct the file, where origin in serve entry 2 is plain http to another machine (profile "b")` {
			t.Errorf("got line %d: %s; %s", e.Line, e.Fact, e.Fix)
		}
	}
	_, _, err := f.ResolveServing(Flags{}, Env{}, "https://b.example", "git")
	if e := wellFormed(t, err); !errors.Is(err, ErrInvalid) || e.Line != 15 {
		t.Errorf("got line %d: %v", e.Line, err)
	}
}

// FuzzServing: whom an entry without a client serves is for package origin to say; no more and no others are
// served, and nothing of a URL but its scheme, host and port is told.
func FuzzServing(f *testing.F) {
	for _, url := range []string{"", "//", "https://git.corp.example/x", "//r.corp.example:5000", "https://u:p@git.corp.example", "https://home.example", "https://git.corp.example\n"} {
		f.Add(url, "git")
		f.Add(url, "pnpm")
	}
	file := parsed(f, served)
	f.Fuzz(func(t *testing.T, url, client string) {
		matches := file.Serving(url, client)
		if !slices.IsSortedFunc(matches, func(a, b Match) int { return strings.Compare(a.Profile, b.Profile) }) {
			t.Errorf("got %v, want them sorted", matches)
		}
		for _, m := range matches {
			if !slices.Contains(file.Profiles[m.Profile].Serve, m.Serve) || (url == "") != (m.Serve.Origin == "") || m.Serve.Client != "" && m.Serve.Client != client {
				t.Errorf("%q for %q: got %+v", url, client, m)
			}
		}
		if _, _, err := file.ResolveServing(Flags{}, Env{}, url+"/"+canary, client); err != nil {
			wellFormed(t, err)
		}
		_, entry, err := file.ResolveServing(Flags{}, Env{}, url, client)
		if served := len(matches) == 1; served != (err == nil) || served && entry != matches[0].Serve || len(matches) == 0 && !errors.Is(err, ErrNotServed) {
			t.Errorf("%q for %q: got %+v, %v", url, client, entry, err)
		}
	})
}

func BenchmarkServing(b *testing.B) {
	f := parsed(b, served)
	b.ReportAllocs()
	for b.Loop() {
		if m := f.Serving("https://git.corp.example/team/x.git", "git"); len(m) != 1 {
			b.Fatal(m)
		}
	}
}
