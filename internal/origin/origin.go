// Package origin compares the target of a request with what a profile says it serves: scheme, host, port
// and, where one is given, the beginning of the path.
//
// A token that goes to the wrong host is lost, so whatever two programs could read in two ways matches
// nothing: a user name before the host, a backslash, a space, an escape in the host, a number that is not
// quite an IP address. The same holds for the path where a pattern has one.
package origin

import (
	"net/netip"
	"strings"
)

// Pattern is what is served. The zero Pattern matches nothing.
type Pattern struct {
	addr address // its scheme and host are never ""
	wild bool    // addr.host stands for any one label before it
}

// Request is the target of a request.
type Request struct{ addr address }

// Error says what is wrong with a pattern or a target, without a word of it: it may hold a secret.
type Error struct {
	Fact string // what is said of it, as in "has no host"
	Fix  string // what to write instead; "" for targets
}

// Error returns the fact.
func (e *Error) Error() string { return "the origin " + e.Fact }

// maxPattern is longer than any host with any sensible path.
const maxPattern = 2048

// Parse reads a pattern: https://HOST, with a port and a path if need be. "*." before the host stands for
// one whole label. Plain http is for this machine only: localhost, 127.0.0.0/8 and [::1]. The error is an
// *Error.
func Parse(s string) (Pattern, error) {
	const fix = "write it as scheme and host, such as https://git.corp.example"
	fault := func(fact, fix string) (Pattern, error) { return Pattern{}, &Error{fact, fix} }
	if len(s) > maxPattern {
		return fault("is longer than 2048 characters", fix)
	}
	var p Pattern
	if fact := p.addr.read(s, &p.wild); fact != "" {
		return fault(fact, fix)
	}
	switch a := p.addr; {
	case a.scheme == "" || !strings.EqualFold(s[:len(a.scheme)+3], a.scheme+"://"):
		return fault("does not begin with https://", fix)
	case a.extra:
		return fault("has a query or a fragment", "leave out what follows the path")
	case a.scheme == "http" && !loopback(a.host):
		return fault("is plain http to another machine", "use https; http is for localhost, 127.0.0.1 and [::1]")
	case p.wild && (strings.Count(a.host, ".") < 1 || isAddress(a.host)):
		return fault(`has a "*." that stands for too much`, "name at least two labels after it, such as https://*.corp.example")
	}
	if path := p.addr.path; path != "" && (!safePath(path) || strings.ContainsFunc(path, notInURL)) {
		return fault("has a path that can be read in two ways",
			"write the path in plain letters, without empty segments, dots alone, spaces and escapes of / . % and \\")
	}
	p.addr.path = strings.TrimSuffix(p.addr.path, "/")
	return p, nil
}

// String returns the pattern as Parse reads it, in the one form that all ways to write it share.
func (p Pattern) String() string {
	host := p.addr.host
	if p.wild {
		host = "*." + host
	}
	return p.addr.scheme + "://" + join(host, p.addr.port) + p.addr.path
}

// Wildcard reports whether the pattern is for more than one host.
func (p Pattern) Wildcard() bool { return p.wild }

// Read reads the target of a request: a URL, or "//HOST" with port and path where the scheme is not known.
// The error is an *Error.
func Read(rawURL string) (Request, error) {
	var r Request
	if fact := r.addr.read(rawURL, nil); fact != "" {
		return Request{}, &Error{Fact: fact}
	}
	return r, nil
}

// String returns scheme, host and port in their one form, such as https://git.corp.example:8443. Where
// the request names no scheme, neither does String: //registry.corp.example.
func (r Request) String() string {
	if r.addr.scheme == "" {
		return "//" + join(r.addr.host, r.addr.port)
	}
	return r.addr.scheme + "://" + join(r.addr.host, r.addr.port)
}

// Target returns the Request's String for a URL.
func Target(rawURL string) (string, error) {
	r, err := Read(rawURL)
	if err != nil {
		return "", err
	}
	return r.String(), nil
}

// Match reports whether a request for rawURL is for what the pattern stands for, and how closely: of
// several patterns the one with the highest rank knows most about the request.
func (p Pattern) Match(rawURL string) (rank int, ok bool) {
	r, err := Read(rawURL)
	if err != nil {
		return 0, false
	}
	return p.MatchRequest(r)
}

// MatchRequest is Match for a target that was read before.
func (p Pattern) MatchRequest(r Request) (rank int, ok bool) {
	own, its := p.addr, r.addr
	if own.host == "" {
		return 0, false
	}
	if its.scheme != "" && its.scheme != own.scheme || withoutDefault(own.scheme, its.port) != own.port {
		return 0, false
	}
	if p.wild {
		label, rest, ok := strings.Cut(its.host, ".")
		if !ok || label == "" || rest != own.host {
			return 0, false
		}
	} else if its.host != own.host {
		return 0, false
	}
	if own.path != "" && (!below(its.path, own.path) || !safePath(its.path)) {
		return 0, false
	}
	// An exact host beats any path, and https beats http for a target that names neither.
	rank = len(own.path) << 1
	if !p.wild {
		rank += maxPattern << 2
	}
	if own.scheme == "https" {
		rank++
	}
	return rank, true
}

// below reports whether path is prefix or something under it.
func below(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

func join(host, port string) string {
	if port == "" {
		return host
	}
	return host + ":" + port
}

// withoutDefault returns port, or "" if it is the one that scheme has anyway.
func withoutDefault(scheme, port string) string {
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return ""
	}
	return port
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback() && !ip.Is4In6()
}
