package origin

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// address is a URL taken apart, each part in its one form.
type address struct {
	scheme string // https, http, or "" for a request that does not say
	host   string // lower case, international names as xn--, IPv6 in brackets
	port   string // "" for the scheme's own
	path   string // as written, query and fragment cut off
	extra  bool   // there is a query or a fragment
}

// maxURL is longer than what any client asks with.
const maxURL = 64 << 10

// read takes raw apart and returns "", or what is wrong with it. Where wild is not nil, a host may begin
// with "*.", which is cut off and noted there.
func (a *address) read(raw string, wild *bool) string {
	if len(raw) > maxURL || !utf8.ValidString(raw) || strings.ContainsFunc(raw, unclean) {
		return "holds a space, a control character or a backslash, or is not UTF-8"
	}
	rest, ok := strings.CutPrefix(raw, "//")
	if !ok {
		var scheme string
		if scheme, rest, ok = strings.Cut(raw, "://"); !ok {
			return "is not a URL"
		}
		if a.scheme = transport(scheme); a.scheme == "" {
			return "is neither https nor http"
		}
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, a.path = rest[:i], rest[i:]
	}
	if i := strings.IndexAny(a.path, "?#"); i >= 0 {
		a.path, a.extra = a.path[:i], true
	}
	if strings.ContainsAny(authority, "@%") {
		return "has user information or an escape before its path"
	}
	if wild != nil {
		authority, *wild = strings.CutPrefix(authority, "*.")
	}
	host, port, ok := splitPort(authority)
	if !ok {
		return "has a port that is not a number from 1 to 65535"
	}
	if a.host = canonicalHost(host); a.host == "" {
		if host == "" {
			return "has no host"
		}
		return "has a host that is neither a name nor an IP address"
	}
	a.port = withoutDefault(a.scheme, port)
	return ""
}

// unclean is what no URL has and some program ignores, cuts off or takes for a slash.
func unclean(r rune) bool {
	return r <= ' ' || r == '\\' || r == utf8.RuneError || unicode.IsControl(r) || unicode.IsSpace(r)
}

// transport returns what carries a scheme, or "" for what is not carried by https or http.
func transport(scheme string) string {
	switch strings.ToLower(scheme) {
	case "https", "grpcs", "sparse+https":
		return "https"
	case "http", "sparse+http":
		return "http"
	}
	return ""
}

// splitPort parts host:port. It keeps the brackets of an IPv6 address.
func splitPort(authority string) (host, port string, ok bool) {
	i := strings.LastIndexByte(authority, ':')
	if i <= strings.LastIndexByte(authority, ']') {
		return authority, "", true
	}
	host, port = authority[:i], authority[i+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	return host, port, err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// canonicalHost returns the one form of a host, or "" if it is none.
func canonicalHost(host string) string {
	if strings.HasPrefix(host, "[") {
		ip, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !ip.Is6() || !strings.HasSuffix(host, "]") {
			return ""
		}
		return "[" + ip.String() + "]"
	}
	host = strings.TrimSuffix(host, ".")
	if len(host) > 4*253 {
		return ""
	}
	name, ok := asciiName(host)
	if !ok || !validName(name) {
		return ""
	}
	// Some programs read 0x7f.1 as 127.0.0.1, and some do not. IP addresses have to be written as such, and
	// so has the name that permits plain http.
	if isAddress(name) && !isIPv4(name) || (isAddress(name) || name == "localhost") && !isASCII(host) {
		return ""
	}
	return name
}

// asciiName returns the name that is asked for in DNS. The Lookup profile of package idna is what browsers
// and Go's own client use. Names in plain ASCII do not need it, and it is strict about those: it
// refuses underscores. A name that is xn-- already has to come back as it is.
func asciiName(host string) (string, bool) {
	lower := strings.ToLower(host)
	ascii := isASCII(host)
	if ascii && !strings.Contains(lower, "xn--") {
		return lower, true
	}
	if ascii {
		host = lower
	}
	name, err := idna.Lookup.ToASCII(host)
	return name, err == nil && (!ascii || name == lower)
}

// validName reports whether name is labels of lower-case letters, digits, hyphens and underscores.
func validName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !digit(c) && !('a' <= c && c <= 'z') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// numeric reports whether a name that ends in this label is an IPv4 address, as the URL standard of
// browsers has it.
func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// isAddress reports whether a canonical host is, or ends as, an IP address.
func isAddress(host string) bool {
	return host[0] == '[' || numeric(host[strings.LastIndexByte(host, '.')+1:])
}

func isIPv4(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Is4()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// safePath reports whether every server reads the path as it is written: no segment that is empty or
// leads up, and no escape that could turn into one.
func safePath(path string) bool {
	for i, segment := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		name, _, _ := strings.Cut(segment, ";") // some servers drop ;parameters first
		if name == "." || name == ".." || segment == "" && !last(path, i) {
			return false
		}
	}
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			continue
		}
		if i+2 >= len(path) {
			return false
		}
		c, err := strconv.ParseUint(path[i+1:i+3], 16, 8)
		if err != nil || c < ' ' || c == 0x7f || strings.IndexByte(`./\%`, byte(c)) >= 0 {
			return false
		}
	}
	return true
}

// last reports whether the i-th segment of path is its last: a slash may end a path.
func last(path string, i int) bool { return i == strings.Count(path, "/")-1 }

// notInURL is what a URL has only as an escape.
func notInURL(r rune) bool { return r > '~' || strings.ContainsRune("\"<>^`{|}", r) }
