package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate checks the values of a profile and returns an *Error with Key, Fact and Fix for the
// first that is wrong, in the order of the struct. It looks at no file and no environment.
func (p Profile) Validate() error {
	if err := p.check(); err != nil {
		return err
	}
	return nil
}

func (p Profile) check() *Error {
	for _, check := range []func(Profile) *Error{
		checkProvider, checkClientID, checkCallbackURLs, checkScopes, checkIdP, checkLang, checkResource,
		checkLogoutURL, checkExpect, checkValidity, checkCAFile, checkUsernameClaim, checkStore, checkServe,
	} {
		if err := check(p); err != nil {
			return err
		}
	}
	return checkInteractive(p.Interactive, keyInteractive)
}

// invalid is the common form of an error about one key; format and args make the fact.
func invalid(key, fix, format string, args ...any) *Error {
	return &Error{Key: key, Fact: fmt.Sprintf(format, args...), Fix: fix}
}

// checkStore checks where the session is kept. Whether the files are there is found out when they are used.
func checkStore(p Profile) *Error {
	if p.Store != "" {
		if err := checkStoreName(p.Store, keyStore); err != nil {
			return err
		}
	}
	for key, value := range map[string]string{keyStoreKey: p.StoreKey, keyStoreDir: p.StoreDir} {
		if !printable(value) {
			return invalid(key, "write the path in plain characters", "%s holds a control character or is not UTF-8", key)
		}
		if value != "" && p.Store != FileStore {
			return invalid(key, `set store = "file" as well, or delete it`, "%s is set, and the session is not kept in files", key)
		}
	}
	return nil
}

func checkStoreName(value, key string) *Error {
	if value != Keychain && value != FileStore {
		return invalid(key, "set it to "+Keychain+" or "+FileStore, "%s is neither %s nor %s", key, Keychain, FileStore)
	}
	return nil
}

// CheckName returns an *Error unless name can be a profile's.
func CheckName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return nil
}

// checkName checks the name of a profile.
func checkName(name string) *Error {
	const fix = "use 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first"
	if name == Reserved {
		return invalid(name, "choose another name", "the profile name %s is reserved for cogauth's own demo", quote(Reserved))
	}
	if !validName(name) {
		return invalid(name, fix, "%s is not a possible profile name", quote(name))
	}
	return nil
}

func validName(name string) bool {
	if len(name) == 0 || len(name) > 64 || !isAlnum(name[0]) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// validPoolID is strict because the region becomes part of a host name. AWS allows 55 characters.
func validPoolID(id string) bool {
	region, suffix, ok := strings.Cut(id, "_")
	if !ok || len(id) > 55 || suffix == "" || !strings.Contains(strings.Trim(region, "-"), "-") ||
		strings.Trim(region, "-") != region {
		return false
	}
	for i := range len(region) {
		if c := region[i]; c != '-' && !isDigit(c) && (c < 'a' || c > 'z') {
			return false
		}
	}
	for i := range len(suffix) {
		if !isAlnum(suffix[i]) {
			return false
		}
	}
	return true
}

// checkIssuer applies OpenID Connect Core §2, iss: a URL that "contains scheme, host, and
// optionally, port number and path components and no query or fragment components". The value is
// compared byte for byte later, so nothing is normalised, a trailing slash included.
func checkIssuer(issuer string) *Error {
	const key, fix = keyIssuer, "use the issuer of the provider's discovery document, such as https://id.example.com"
	if !visibleASCII(issuer) {
		return invalid(key, fix, "issuer holds a space, a control character or a character beyond ASCII")
	}
	if strings.ContainsAny(issuer, `?#@\`) {
		return invalid(key, fix, "issuer holds user information, a query, a fragment or a backslash")
	}
	u, err := url.Parse(issuer)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || !validPort(u.Host, false) {
		return invalid(key, fix, "issuer is not a URL with a host")
	}
	if domainRegion(u.Hostname()) != "" {
		return invalid(key, "move it to domain, without https://, or set user_pool_id in its place",
			"issuer is the address of a hosted UI, which is not the user pool's issuer")
	}
	switch {
	case strings.HasPrefix(issuer, "https://"):
	case strings.HasPrefix(issuer, "http://"):
		if !loopback(u.Hostname()) {
			return invalid(key, "use https; plain http is for loopback addresses only", "issuer uses plain http for a host that is not loopback")
		}
	default:
		return invalid(key, fix, "issuer does not begin with https://")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// validPort reports whether the port in host:port is a number from 1 to 65535 in its usual form. No
// colon at all is fine unless one is required.
func validPort(hostport string, required bool) bool {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || strings.HasSuffix(hostport, "]") {
		return !required
	}
	port := hostport[i+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

func checkClientID(p Profile) *Error {
	const fix = "copy the client ID of the app client, without quotes or spaces"
	if p.ClientID == "" {
		return invalid(keyClientID, "set it to the client ID of the app client", "client_id is not set")
	}
	if !visibleASCII(p.ClientID) {
		return invalid(keyClientID, fix, "client_id holds a space, a control character or a character beyond ASCII")
	}
	return nil
}

func checkCallbackURLs(p Profile) *Error {
	const key, fix = keyCallbackURLs, "write them as registered for the app client, such as http://localhost:8585/callback"
	if p.CallbackURLs != nil && len(p.CallbackURLs) == 0 {
		return invalid(key, "list at least one, or leave callback_urls out for "+defaultCallback, "callback_urls is empty")
	}
	for i, raw := range p.CallbackURLs {
		if fact := callbackFault(raw); fact != "" {
			return invalid(key, fix, "callback URL %d %s", i+1, fact)
		}
		if j := slices.Index(p.CallbackURLs, raw); j < i {
			return invalid(key, "delete one of the two", "callback URLs %d and %d are the same", j+1, i+1)
		}
	}
	return nil
}

// callbackFault says what keeps raw from being a loopback redirect URI (RFC 8252 §7.3) that a
// provider can compare byte for byte, or "".
func callbackFault(raw string) string {
	if !visibleASCII(raw) || strings.ContainsAny(raw, `?#@\`) {
		return "holds a character that does not belong there (space, ?, #, @, \\ or beyond ASCII)"
	}
	rest, ok := strings.CutPrefix(raw, "http://")
	if !ok {
		return "does not begin with http://"
	}
	hostport, path, ok := strings.Cut(rest, "/")
	if !ok {
		return "has no path"
	}
	host := hostport
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.HasSuffix(hostport, "]") {
		host = hostport[:i]
	}
	if host != "localhost" && host != "127.0.0.1" && host != "[::1]" {
		return "is not on this machine (the host must be localhost, 127.0.0.1 or [::1])"
	}
	if !validPort(hostport, true) {
		return "has no port number from 1 to 65535"
	}
	if _, err := url.PathUnescape(path); err != nil {
		return "has a % in its path that begins no escape"
	}
	return ""
}

func checkScopes(p Profile) *Error {
	const key = keyScopes
	for i, scope := range p.Scopes {
		if !scopeToken(scope) {
			return invalid(key, "write each scope as a string of its own, without spaces, quotes or backslashes",
				"scope %d is not a scope by RFC 6749 section 3.3", i+1)
		}
		if j := slices.Index(p.Scopes, scope); j < i {
			return invalid(key, "delete one of the two", "scopes %d and %d are the same", j+1, i+1)
		}
	}
	if p.Scopes != nil && !slices.Contains(p.Scopes, "openid") {
		return invalid(key, `add "openid", or leave scopes out`, "scopes lacks openid, without which there is no ID token")
	}
	if p.UserPoolID+p.Domain != "" && slices.Contains(p.Scopes, "offline_access") {
		return invalid(key, "delete it: a user pool always gives a refresh token", "scopes holds offline_access, which Amazon Cognito rejects")
	}
	return nil
}

// scopeToken is scope-token of RFC 6749 §3.3: 1*( %x21 / %x23-5B / %x5D-7E ).
func scopeToken(s string) bool { return visibleASCII(s) && s != "" && !strings.ContainsAny(s, `"\`) }

func checkCAFile(p Profile) *Error {
	if !printable(p.CAFile) {
		return invalid(keyCAFile, "write the path of a PEM file", "ca_file holds a control character or is not UTF-8")
	}
	return nil
}

func checkUsernameClaim(p Profile) *Error {
	if !printable(p.UsernameClaim) || strings.ContainsFunc(p.UsernameClaim, unicode.IsSpace) {
		return invalid(keyUsernameClaim, "name a claim of the ID token, such as email",
			"username_claim holds a space or a control character or is not UTF-8")
	}
	return nil
}

// checkInteractive checks the value that key holds: a key of the file, a variable or a flag.
func checkInteractive(value, key string) *Error {
	switch value {
	case "", Never, Auto, Always:
		return nil
	}
	return invalid(key, "set it to never, auto or always", "%s is none of never, auto, always", key)
}

// visibleASCII reports whether s holds nothing but %x21-7E.
func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// printable reports whether s is UTF-8 without control or invisible formatting characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
	})
}
