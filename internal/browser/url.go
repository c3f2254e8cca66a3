package browser

import (
	"net/netip"
	"net/url"
	"strings"
)

// URLError says why a URL is not handed to the system's opener. It does not hold the URL.
type URLError struct{ Reason string }

func (e *URLError) Error() string { return "refusing to open the URL: " + e.Reason }

// plain are the characters of RFC 3986 that no shell, and no opener that is a shell script, could
// read as something else. An authorization request, whose values are percent-encoded, needs no other.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?[]@+,=&%"

// CheckURL reports whether s is safe to hand to an opener: https, or http on a loopback host, in
// normal form, and without any character that means something to a shell. The opener gets it as
// one argument, never through a shell of ours; but xdg-open is itself a script that runs whatever
// program is registered for the scheme. The error is an *URLError.
func CheckURL(s string) error {
	for _, r := range s {
		if !strings.ContainsRune(plain, r) {
			return &URLError{"it holds a character that does not belong in a sign-in URL"}
		}
	}
	u, err := url.Parse(s)
	if err != nil || !escapesAreWhole(s) {
		return &URLError{"it is malformed"}
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return &URLError{"it is not an https URL"}
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "" || strings.HasPrefix(u.Host, "-"):
		return &URLError{"it names no host"}
	case u.User != nil:
		return &URLError{"it holds a user name"}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return &URLError{"plain http is only for this computer's own loopback addresses"}
	case u.String() != s:
		return &URLError{"it is not in normal form"}
	}
	return nil
}

// escapesAreWhole reports whether each % begins an escape; net/url does not look into the query.
func escapesAreWhole(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Zone() == "" && addr.IsLoopback()
}
