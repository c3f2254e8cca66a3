package credentialhelper

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func init() { conforms(goauth, goauthParses) }

func FuzzGoauth(f *testing.F) { fuzzProtocol(f, goauth) }

// goauthParses reads as the go command does, and looks where the tokens would go.
func goauthParses(c *transcript) error {
	blocks, err := goauthBlocks(c.out)
	if err != nil {
		return fmt.Errorf("the go command cannot read %q: %w", c.out, err)
	}
	for prefix, token := range blocks {
		if !slices.ContainsFunc(c.source.handed, func(cred Credential) bool { return cred.Token == token }) {
			return fmt.Errorf("%q is not a token that was handed out", token)
		}
		// Whatever is below the prefix gets the token: so the Source must have been asked about it,
		// or about this one address.
		asked := slices.ContainsFunc(c.source.requests, func(r Request) bool { return r.URL == prefix })
		if !asked && !(len(c.args) == 1 && c.args[0] == prefix) {
			return fmt.Errorf("a token for %q, which the Source was not asked about", prefix)
		}
		if len(c.args) == 1 && !goUses(c.args[0], prefix) {
			return fmt.Errorf("the go command would not use the answer for %q to fetch %q", prefix, c.args[0])
		}
	}
	return nil
}

// goauthBlocks reads an answer of the format in "go help goauth".
func goauthBlocks(answer string) (map[string]string, error) {
	blocks := map[string]string{}
	next := func() (line string, err error) {
		line, rest, ok := strings.Cut(answer, "\n")
		if !ok {
			return "", errors.New("it ends in the middle")
		}
		answer = rest
		return line, nil
	}
	for answer != "" {
		prefix, err := next()
		if err != nil {
			return nil, err
		}
		if u, err := url.ParseRequestURI(prefix); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("%q is not an address (%v)", prefix, err)
		}
		blank, err := next()
		if err != nil || blank != "" {
			return nil, fmt.Errorf("%q where an empty line should be (%v)", blank, err)
		}
		header, err := next()
		token, ok := strings.CutPrefix(header, "Authorization: Bearer ")
		if err != nil || !ok {
			return nil, fmt.Errorf("%q where the header should be (%v)", header, err)
		}
		if blank, err = next(); err != nil || blank != "" {
			return nil, fmt.Errorf("%q behind the header (%v)", blank, err)
		}
		blocks[prefix] = token
	}
	return blocks, nil
}

// goUses walks up from address the way the go command does, and reports whether it comes by prefix.
func goUses(address, prefix string) bool {
	trim := func(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "https://"), "/") }
	at := trim(address)
	for at != trim(prefix) {
		i := strings.LastIndexByte(at, '/')
		if i < 0 {
			return false
		}
		at = at[:i]
	}
	return true
}

// A response may be as long as it likes: only its first line counts, and it may have either end.
func TestGoauthStatusLine(t *testing.T) {
	for response, want := range map[string]bool{
		"HTTP/1.1 401 Unauthorized\n\n":                          true,
		"HTTP/2.0 401 \nWww-Authenticate: Bearer\n\n":            true,
		"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n": true,
		"HTTP/1.1 401":               true,
		"HTTP/1.1 403 Forbidden\n\n": false,
		"HTTP/1.1 404 Not Found\nX-Status: HTTP/1.1 401\n\n": false,
		"HTTP/1.1 407 Proxy Authentication Required\n\n":     false,
		"\nHTTP/1.1 401 Unauthorized\n":                      false,
		"":                                                   false,
	} {
		got, err := parseGoauth(response)
		if got != want || err != nil {
			t.Errorf("%q: %v, %v", response, got, err)
		}
	}
	for _, response := range []string{"HTTP/1.1", "HTTP/1.1 4010 x", "HTTP/1.1 40", "<html>401</html>", "ICY 401 Unauthorized", "GET / HTTP/1.1"} {
		var bad *MalformedError
		if _, err := parseGoauth(response); !errors.As(err, &bad) {
			t.Errorf("%q: %v", response, err)
		}
	}
}

// What is no https address with a host gets no answer, whatever the Source would say.
func TestS8GoauthAddresses(t *testing.T) {
	for _, address := range []string{
		"", "proxy", "/proxy", "https:", "https://", "https:///m", "https://?x", "HTTPS://proxy.corp.example/", "http://localhost/",
		"https://wanda@proxy.corp.example/", "https://proxy.corp.example\n/", "https://proxy.corp.example/ x\x00", "https://[::1/",
	} {
		c := &transcript{args: []string{address}, source: &scripted{other: answered("eyJ.e30.c2ln")}}
		c.run(goauth)
		if c.err != nil || c.out != "" || len(c.source.handed) > 0 {
			t.Errorf("%q: asked %q, answered %q, %v", address, c.source.asked, c.out, c.err)
		}
	}
}
