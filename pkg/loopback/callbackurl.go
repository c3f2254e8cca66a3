package loopback

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseCallbackURL checks that s is a loopback redirect URI this package can listen on, and returns
// it parsed. It must be plain http; its host localhost, 127.0.0.1 or [::1]; its port written out,
// 1 to 65535; and it must have no user, query or fragment. The error says which rule is broken.
//
// RFC 8252 §8.3 advises against localhost, as it may be more than one address. Cognito compares
// redirect URIs exactly and registers http only for localhost, so it is allowed here and Listen
// binds every address it can be.
func ParseCallbackURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		// url.Error repeats the URL; Err alone says what is wrong.
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, fmt.Errorf("callback URL %q: %w", s, err)
	}
	if why := fault(u, s); why != "" {
		return nil, fmt.Errorf("callback URL %q: %s", s, why)
	}
	return u, nil
}

// fault returns what is wrong with u, parsed from s, or "".
func fault(u *url.URL, s string) string {
	port, err := strconv.Atoi(u.Port())
	switch {
	case u.Scheme != "http":
		return "must begin with http://, as a loopback listener has no certificate (RFC 8252 §7.3)"
	case u.User != nil:
		return "must not hold a user name"
	case !isLoopbackName(hostPart(u.Host)):
		return "the host must be localhost, 127.0.0.1 or [::1]"
	case u.Port() == "":
		return "the port must be written out, as in http://localhost:8585/callback"
	case err != nil || port < 1 || port > 65535 || strconv.Itoa(port) != u.Port():
		return "the port must be a number from 1 to 65535"
	case u.RawQuery != "" || u.ForceQuery:
		return "must not have a query"
	case strings.Contains(s, "#"):
		return "must not have a fragment (RFC 6749 §3.1.2)"
	case u.String() != s:
		return "must be written in its normal form, " + u.String()
	case strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path+"/", "/../"):
		return "the path must not have . or .. segments, which browsers remove"
	}
	return ""
}

// hostPart is host without its port, brackets kept: "::1" without brackets is not a URL host.
func hostPart(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

func isLoopbackName(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "[::1]"
}

// A target is a callback URL taken apart. Address, port and path derive from the one string, so
// that the listener and the redirect_uri cannot drift apart.
type target struct {
	url  string // as given
	host string // localhost, 127.0.0.1 or [::1]
	port string
	path string // as it stands in a request line
}

func parseTargets(urls []string) ([]target, error) {
	if len(urls) == 0 {
		return nil, errors.New("loopback: no callback URL given")
	}
	targets := make([]target, len(urls))
	for i, s := range urls {
		u, err := ParseCallbackURL(s)
		if err != nil {
			return nil, fmt.Errorf("loopback: %w", err)
		}
		targets[i] = target{url: s, host: hostPart(u.Host), port: u.Port(), path: u.EscapedPath()}
		if targets[i].path == "" {
			targets[i].path = "/"
		}
	}
	return targets, nil
}

// An endpoint is one address to bind.
type endpoint struct{ network, addr string }

func (t target) endpoints() []endpoint {
	v4 := endpoint{"tcp4", net.JoinHostPort("127.0.0.1", t.port)}
	v6 := endpoint{"tcp6", net.JoinHostPort("::1", t.port)}
	switch t.host {
	case "127.0.0.1":
		return []endpoint{v4}
	case "[::1]":
		return []endpoint{v6}
	}
	// Always in this order: of two logins that start together one then gets both addresses, where
	// in mixed order each could get one.
	return []endpoint{v4, v6}
}

// hosts are the Host headers to accept. A page that reaches us by DNS rebinding has another.
func (t target) hosts() map[string]bool {
	hosts := map[string]bool{}
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]"} {
		hosts[name+":"+t.port] = true
		if t.port == "80" { // browsers leave it out
			hosts[name] = true
		}
	}
	return hosts
}
