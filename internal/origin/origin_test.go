package origin

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"github.com/cogauth/cogauth/internal/deptest"
)

func TestDeps(t *testing.T) { deptest.Only(t, "golang.org/x/net/idna") }

func TestQuiet(t *testing.T) { deptest.Quiet(t) }

func parse(t testing.TB, s string) Pattern {
	t.Helper()
	p, err := Parse(s)
	if err != nil {
		t.Fatalf("%s: got %v, want none", s, err)
	}
	return p
}

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"https://git.corp.example":                "https://git.corp.example",
		"HTTPS://Git.Corp.Example:443/":           "https://git.corp.example",
		"https://git.corp.example.":               "https://git.corp.example",
		"https://git.corp.example:8443/team/":     "https://git.corp.example:8443/team",
		"https://git.corp.example/Team/a%20b;x=1": "https://git.corp.example/Team/a%20b;x=1",
		"https://npm.corp.example/@team":          "https://npm.corp.example/@team",
		"https://bücher.example":                  "https://xn--bcher-kva.example",
		"https://XN--BCHER-KVA.example":           "https://xn--bcher-kva.example",
		"https://*.Bücher.example:444/x":          "https://*.xn--bcher-kva.example:444/x",
		"https://*.corp.example":                  "https://*.corp.example",
		"https://my_host--1":                      "https://my_host--1",
		"https://10.1.2.3:80":                     "https://10.1.2.3:80",
		"https://[2001:DB8:0:0::1]:443":           "https://[2001:db8::1]",
		"http://localhost:80":                     "http://localhost",
		"http://LOCALHOST:5000/v2":                "http://localhost:5000/v2",
		"http://127.8.9.10:443":                   "http://127.8.9.10:443",
		"http://[0:0::1]:8080":                    "http://[::1]:8080",
	} {
		p := parse(t, in)
		if p.String() != want {
			t.Errorf("%s: got %s, want %s", in, p, want)
		}
		if again := parse(t, p.String()); again != p {
			t.Errorf("%s: got %+v, want it to read back as %+v", in, again, p)
		}
		if p.Wildcard() != strings.Contains(want, "*") {
			t.Errorf("%s: got wildcard %v", in, p.Wildcard())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const canary = "CANARY7f3a"
	for fact, list := range map[string][]string{
		"is not a URL":                 {"", "git.corp.example", "https:/git.corp.example", "mailto:a@corp.example"},
		"is neither https nor http":    {"git+https://corp.example", "ssh://corp.example", "git://corp.example", "://corp.example", canary + "://x", "file:///x"},
		"does not begin with https://": {"//corp.example", "grpcs://corp.example", "sparse+https://corp.example"},
		"holds a space, a control character or a backslash, or is not UTF-8": {
			" https://corp.example", "https://corp.example\n", "https://corp.example\\x", "https://corp\x00.example", "https://corp.example/\xff",
			"https://corp.example/a b", "https://corp.example/\u00a0", "https://corp.example/\u2028", "https://corp.example/\u0085"},
		"has user information or an escape before its path": {"https://" + canary + "@corp.example", "https://a:b@corp.example", "https://@corp.example", "https://corp%2eexample", "https://[fe80::1%25eth0]", "https://corp.example%2f.x"},
		"has a query or a fragment":                         {"https://corp.example?", "https://corp.example/a?b=" + canary, "https://corp.example#x", "https://corp.example/#"},
		"has no host":                                       {"https://", "https:///x", "https://:443", "https://*.", "https://?x"},
		"has a host that is neither a name nor an IP address": {
			"https://.", "https://a..b", "https://.corp.example", "https://corp.example..", "https://*", "https://a.*.example", "https://**.corp.example", "https://*corp.example",
			"https://-a.example", "https://a-.example", "https://a,b", "https://[::1", "https://[::1]x", "https://::1", "https://[127.0.0.1]", "https://[]",
			"https://127.1", "https://0x7f.0.0.1", "https://2130706433", "https://1.2.3.4.5", "https://01.2.3.4", "https://a.1", "https://１２７.0.0.1", "http://ｌocalhost",
			"https://xn--a", "https://xn--example-", "https://℀.example", "https://a_ü.example", "https://" + strings.Repeat("a", 64), "https://" + strings.Repeat("a.", 127) + "a"},
		"has a port that is not a number from 1 to 65535": {"https://corp.example:", "https://corp.example:0", "https://corp.example:0443", "https://corp.example:65536", "https://corp.example:+1", "https://corp.example:x", "https://[::1]:"},
		"is plain http to another machine":                {"http://corp.example", "http://*.corp.example", "http://localhost.example", "http://128.0.0.1", "http://[::2]", "http://[::ffff:127.0.0.1]"},
		`has a "*." that stands for too much`:             {"https://*.example", "https://*.localhost", "https://*.127.0.0.1", "https://*.[::1]"},
		"has a path that can be read in two ways": {"https://corp.example//", "https://corp.example/a//b", "https://corp.example/.", "https://corp.example/a/../b", "https://corp.example/a%2Fb", "https://corp.example/%2e",
			"https://corp.example/a%5cb", "https://corp.example/a%252f", "https://corp.example/%", "https://corp.example/%zz", "https://corp.example/%0a", "https://corp.example/ä", "https://corp.example/<a>", "https://corp.example/..;/a"},
		"is longer than 2048 characters": {"https://corp.example/" + strings.Repeat("a", 2048)},
	} {
		for _, in := range list {
			p, err := Parse(in)
			e, ok := err.(*Error)
			if !ok || e.Fact != fact || e.Fix == "" || p != (Pattern{}) {
				t.Errorf("%q: got %+v, %v, want: %s", in, p, err, fact)
			} else if strings.Contains(e.Error()+e.Fix, canary) {
				t.Errorf("%q: got %q, want none of it", in, e)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	for pattern, requests := range map[string][]string{
		"https://git.corp.example": {
			"https://git.corp.example", "https://git.corp.example/", "HTTPS://GIT.corp.EXAMPLE:443/a?b#c", "https://git.corp.example./a/../b//c",
			"//git.corp.example", "//git.corp.example:443/v2", "grpcs://git.corp.example", "sparse+https://git.corp.example/index/", "https://git.corp.example/@team/x",
		},
		"https://git.corp.example:8443": {"https://git.corp.example:8443/x", "//git.corp.example:8443", "grpcs://git.corp.example:8443"},
		"https://*.corp.example":        {"https://a.corp.example", "//a.corp.example.:443", "https://xn--bcher-kva.corp.example", "https://bücher.corp.example"},
		"https://bücher.example":        {"https://bücher.example", "https://BÜCHER.example", "https://xn--bcher-kva.example", "https://bücher。example"},
		"https://git.corp.example/team": {"https://git.corp.example/team", "https://git.corp.example/team/", "https://git.corp.example/team/x.git?a=../b", "//git.corp.example/team/x%20y/ä"},
		"https://[2001:db8::1]":         {"https://[2001:DB8:0::1]/x", "//[2001:db8::1]:443"},
		"http://localhost:5000":         {"http://localhost:5000/v2/", "//localhost:5000", "//LOCALHOST:5000/v2"},
		"http://localhost":              {"http://localhost", "http://localhost:80", "//localhost", "//localhost:80"},
		"http://127.0.0.1:443":          {"http://127.0.0.1:443", "//127.0.0.1:443"},
	} {
		p := parse(t, pattern)
		for _, r := range requests {
			if _, ok := p.Match(r); !ok {
				t.Errorf("%s: got no match for %s", pattern, r)
			}
		}
	}
}

// S8: no trick with characters, hosts, ports or paths makes a stranger's target match.
func TestS8NoTrickMatches(t *testing.T) {
	for pattern, requests := range map[string][]string{
		"https://git.corp.example": {
			"", "git.corp.example", "http://git.corp.example", "http://git.corp.example:443", "git+https://git.corp.example", "ssh://git.corp.example", "https:git.corp.example",
			"https://git.corp.example.evil.example", "https://evil.example/git.corp.example", "https://evil.example#https://git.corp.example", "https://xgit.corp.example", "https://corp.example",
			"https://git.corp.example@evil.example", "https://evil.example@git.corp.example", "https://a:b@git.corp.example", "https://@git.corp.example", "https://evil.example\\@git.corp.example",
			"https://git.corp.example\\.evil.example", "https://git.corp.example\\", "https://git.corp.example\n", "https://git.corp.example\r\nhost=x", "https://git.corp.example\x00.evil.example",
			" https://git.corp.example", "https://git.corp.example ", "https:// git.corp.example", "https://git.corp.example\t/", "https://git.corp.example%2f.evil.example", "https://git%2ecorp.example", "https://git.corp.example%00",
			"https://git.corp.example:444", "https://git.corp.example:80", "https://git.corp.example:", "https://git.corp.example:0443", "https://git.corp.example:443:443", "https://git.corp.example..", "https://git..corp.example",
			"https:///git.corp.example", "https://", "//", "///git.corp.example", "//git.corp.example:80", "//git.corp.example@evil.example", "//evil.example//git.corp.example",
			"https://ɡit.corp.example", "https://git.corp.exаmple", "https://git․corp.example/", "https://git.corp.example\u202e", "https://git.corp.example/\xff", "https://[git.corp.example]",
			"https://git.corp.example/\\..\\x", "https://git.corp.example/a b", "https://git.corp.example/" + strings.Repeat("a", maxURL),
		},
		"https://*.corp.example": {"https://corp.example", "https://.corp.example", "https://a.b.corp.example", "https://*.corp.example", "https://a.corp.example.evil.example", "https://acorp.example",
			"https://a%2eb.corp.example", "https://evil.example/.corp.example", "https://evil.example?.corp.example", "https://evil.example#.corp.example", "https://a。b.corp.example", "https://-.corp.example"},
		"https://git.corp.example/team": {
			"https://git.corp.example", "https://git.corp.example/", "//git.corp.example", "https://git.corp.example/teamx", "https://git.corp.example/Team", "https://git.corp.example/other/team", "https://git.corp.example?/team",
			"https://git.corp.example#/team", "https://git.corp.example//team", "https://git.corp.example/./team", "https://git.corp.example/team/../other", "https://git.corp.example/team/..", "https://git.corp.example/team/.",
			"https://git.corp.example/team//x", "https://git.corp.example/team/%2e%2e/other", "https://git.corp.example/team/.%2E/other", "https://git.corp.example/team%2f..%2fother", "https://git.corp.example/team/%2Fx",
			"https://git.corp.example/team/x%5c..", "https://git.corp.example/team/%252e%252e/other", "https://git.corp.example/team/..;a=b/other", "https://git.corp.example/team/%", "https://git.corp.example/team/%2", "https://git.corp.example/team/%0a",
			"https://git.corp.example/%74eam", "https://git.corp.example/team%20", "https://git.corp.example/team;x",
		},
		"http://localhost:5000":   {"https://localhost:5000", "http://localhost", "http://127.0.0.1:5000", "http://localhost.evil.example:5000", "//localhost", "http://ｌocalhost:5000", "//[::1]:5000", "grpc://localhost:5000"},
		"http://127.0.0.1:5000":   {"http://127.1:5000", "http://2130706433:5000", "http://0x7f.0.0.1:5000", "http://0177.0.0.1:5000", "http://１２７.0.0.1:5000", "http://[::ffff:127.0.0.1]:5000", "http://127.0.0.1:5000@evil.example"},
		"https://[2001:db8::1]":   {"https://[2001:db8::1%25eth0]", "https://[2001:db8::1%eth0]", "https://2001:db8::1", "https://[2001:db8::1].evil.example", "https://[2001:db8::1"},
		"https://xn--bcher-kva.x": {"https://xn--bcher-kva-.x", "https://bucher.x", "https://bü\u0301cher.x"},
	} {
		p := parse(t, pattern)
		for _, r := range requests {
			if _, ok := p.Match(r); ok {
				t.Errorf("%s: got a match for %q", pattern, r)
			}
		}
	}
	for _, r := range []string{"", "//", "https://git.corp.example"} {
		if _, ok := (Pattern{}).Match(r); ok {
			t.Errorf("the zero Pattern matches %q", r)
		}
	}
	for _, p := range []Pattern{{}, parse(t, "https://git.corp.example"), parse(t, "https://*.corp.example")} {
		if _, ok := p.MatchRequest(Request{}); ok {
			t.Errorf("%+v matches the zero Request", p)
		}
	}
}

func TestRank(t *testing.T) {
	const request = "//git.corp.example/team/x"
	best := []string{
		"https://git.corp.example/team/x", "https://git.corp.example/team", "https://git.corp.example",
		"https://*.corp.example/team/x", "https://*.corp.example/team", "https://*.corp.example",
	}
	var ranks []int
	for _, s := range best {
		rank, ok := parse(t, s).Match(request)
		if !ok {
			t.Fatalf("%s: got no match", s)
		}
		ranks = append(ranks, -rank)
	}
	if !slices.IsSorted(ranks) || len(slices.Compact(ranks)) != len(best) {
		t.Errorf("got %v, want each better than the next", ranks)
	}
	secure, _ := parse(t, "https://localhost").Match("//localhost")
	plain, ok := parse(t, "http://localhost").Match("//localhost")
	if !ok || secure <= plain {
		t.Errorf("got %d for https and %d for http", secure, plain)
	}
}

func TestTarget(t *testing.T) {
	for in, want := range map[string]string{
		"https://Git.Corp.Example:443/secret?token=x#y": "https://git.corp.example",
		"sparse+https://corp.example/index/":            "https://corp.example",
		"http://corp.example:8080/":                     "http://corp.example:8080",
		"//Registry.corp.example:5000/v2":               "//registry.corp.example:5000",
		"https://bücher.example":                        "https://xn--bcher-kva.example",
	} {
		if got, err := Target(in); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "CANARY", "https://CANARY:x@corp.example", "https://CANARY%2f.example", "CANARY://corp.example"} {
		if got, err := Target(in); got != "" || err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: got %q, %v, want an error without a word of it", in, got, err)
		}
	}
}

// FuzzMatch: whatever matches is what net/url takes for the host as well, over the same transport, and
// nothing in it could be read in two ways.
func FuzzMatch(f *testing.F) {
	patterns := []Pattern{}
	for _, s := range []string{"https://git.corp.example", "https://*.corp.example", "https://git.corp.example:8443/team", "http://localhost:5000", "http://[::1]", "https://bücher.example", "https://127.0.0.1"} {
		patterns = append(patterns, parse(f, s))
	}
	for _, s := range []string{"https://git.corp.example", "//a.corp.example:443", "https://git.corp.example:8443/team/x", "http://localhost:5000/v2", "http://[::1]/a%2fb", "https://bücher.example?x#y",
		"https://127.1", "https://a@git.corp.example", "https://git.corp.example\\@x", "https://git.corp.example%2f", "grpcs://a.corp.example", "https://git.corp.example:8443/team/../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, targetErr := Target(raw)
		for _, p := range patterns {
			_, ok := p.Match(raw)
			if !ok {
				continue
			}
			if targetErr != nil {
				t.Fatalf("%s matches %q, which is no target: %v", p, raw, targetErr)
			}
			u, err := url.Parse(raw)
			if err != nil {
				// net/url knows no escape at the end of a path that is cut short; the host is what counts.
				if u, err = url.Parse(raw[:strings.IndexAny(raw+"?", "?#%")]); err != nil {
					t.Fatalf("%s matches %q, which net/url refuses: %v", p, raw, err)
				}
			}
			if u.User != nil || u.Opaque != "" {
				t.Errorf("%s matches %q, which has a user", p, raw)
			}
			host := strings.TrimSuffix(u.Hostname(), ".")
			if ascii, err := idna.Lookup.ToASCII(host); err == nil && !strings.Contains(host, ":") {
				host = ascii
			}
			own, _ := url.Parse(p.String())
			want := own.Hostname()
			if p.Wildcard() {
				_, host, _ = strings.Cut(host, ".")
				want = strings.TrimPrefix(want, "*.")
			}
			if !strings.EqualFold(host, want) && !strings.Contains(want, ":") {
				t.Errorf("%s matches %q, whose host is %q to net/url", p, raw, host)
			}
			port := u.Port()
			if port == "" || port == own.Port() {
				port = own.Port()
			} else if own.Port() == "" {
				port = map[string]string{"https443": "", "http80": ""}[own.Scheme+port]
			}
			if port != own.Port() {
				t.Errorf("%s matches %q, whose port is %q to net/url", p, raw, u.Port())
			}
			if u.Scheme != "" && !strings.HasSuffix(u.Scheme, own.Scheme) && u.Scheme != "grpcs" {
				t.Errorf("%s matches %q, whose scheme is %q", p, raw, u.Scheme)
			}
			if path := own.Path; path != "" && u.Path != path && !strings.HasPrefix(u.Path, path+"/") {
				t.Errorf("%s matches %q, whose path is %q", p, raw, u.Path)
			}
			if strings.ContainsAny(raw, "\\\r\n\x00 ") {
				t.Errorf("%s matches %q", p, raw)
			}
		}
		if targetErr == nil {
			if again, err := Target(target); err != nil || again != target {
				t.Errorf("%q: got %s, and of that %s, %v", raw, target, again, err)
			}
		}
	})
}

// FuzzParse: what is accepted reads back as the same, and matches itself; what is refused is not quoted.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"https://git.corp.example", "https://*.corp.example:8443/team/", "http://localhost", "http://[::1]:80/x", "https://bücher.example", "https://xn--bcher-kva.example", "https://*.*.example", "https://a.example/%20", "https://１.example", "https://a。b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			if _, ok := err.(*Error); !ok || p != (Pattern{}) {
				t.Errorf("%q: got %+v, %T", s, p, err)
			}
			return
		}
		if again, err := Parse(p.String()); err != nil || again != p {
			t.Errorf("%q: got %s, and of that %+v, %v, want %+v", s, p, again, err, p)
		}
		for _, request := range []string{p.String(), s} {
			if _, ok := p.Match(strings.Replace(request, "*.", "a.", 1)); !ok {
				t.Errorf("%q: got %s, which does not match %s", s, p, request)
			}
		}
		if _, ok := p.Match(strings.Replace(p.String(), "://", "://x@", 1)); ok {
			t.Errorf("%s matches with a user", p)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	p := parse(b, "https://git.corp.example/team")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := p.Match("https://git.corp.example/team/x.git"); !ok {
			b.Fatal("no match")
		}
	}
}
