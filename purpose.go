package cogauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/provider"
)

// purpose is what a session was made for, besides its name. A session that was made for another
// purpose is not used: its tokens would be for other people, APIs or rights than the profile says.
type purpose struct {
	Provider string `json:"provider"` // pool ID, issuer, or host of the domain
	Scopes   string `json:"scopes"`   // sorted, each once
	IdP      string `json:"idp,omitempty"`
	Resource string `json:"resource,omitempty"`
	Expect   string `json:"expect,omitempty"`
}

func (c *Client) purpose() purpose {
	scopes := slices.Sorted(slices.Values(c.cfg.Scopes))
	p := purpose{
		Provider: c.cfg.UserPoolID,
		Scopes:   strings.Join(slices.Compact(scopes), " "),
		IdP:      c.cfg.IdentityProvider,
		Resource: c.cfg.Resource,
		Expect:   c.cfg.Expect,
	}
	if c.cfg.Issuer != "" {
		p.Provider = c.cfg.Issuer
		if pool, ok := provider.PoolOf(c.cfg.Issuer); ok {
			p.Provider = pool // the same by another name
		}
	}
	if c.cfg.Domain != "" {
		p.Provider = provider.DomainHost(c.cfg.Domain, c.cfg.region())
	}
	if c.cfg.IdPIdentifier != "" {
		p.IdP = "identifier " + c.cfg.IdPIdentifier
	}
	return p
}

// fields are in an order that never changes: the cache is bound to them.
func (p purpose) fields() []string {
	return []string{p.Provider, p.Scopes, p.IdP, p.Resource, p.Expect}
}

// check compares the purpose of a stored session with that of the configuration, and says what has changed.
func (p purpose) check(now purpose) error {
	if p == now {
		return nil
	}
	was, is := p.fields(), now.fields()
	var changed []string
	for i, name := range []string{"user pool or issuer", "scopes", "identity provider", "resource", "expected person"} {
		if was[i] != is[i] {
			changed = append(changed, fmt.Sprintf("the %s changed from %q to %q", name, was[i], is[i]))
		}
	}
	return fail(ErrLoginRequired, "", "since the sign-in %s", strings.Join(changed, ", and "))
}

// expectation is a parsed Config.Expect.
type expectation struct {
	claim, value string
	domain       bool // value is the end of an e-mail address, "@" included
}

func parseExpect(s string) (expectation, error) {
	if sub, ok := strings.CutPrefix(s, "sub:"); ok {
		if sub == "" {
			return expectation{}, fmt.Errorf("Expect %q names no subject", s)
		}
		return expectation{claim: "sub", value: sub}, nil
	}
	name, host, ok := strings.Cut(s, "@")
	if s != "" && (!ok || host == "" || strings.ContainsAny(s, " \t\r\n") || strings.Contains(host, "@")) {
		return expectation{}, fmt.Errorf("Expect %q is none of a@b, @b and sub:…", s)
	}
	return expectation{claim: "email", value: s, domain: s != "" && name == ""}, nil
}

// met reports whether the person is the one who is expected. Subjects are compared byte for byte,
// e-mail addresses without regard to case, as people write them.
func (e expectation) met(claims idtoken.Claims) bool {
	got := claims.String(e.claim)
	switch {
	case e.value == "":
		return true
	case e.claim == "sub":
		return got == e.value
	case e.domain:
		at := strings.LastIndexByte(got, '@')
		return at > 0 && lowerASCII(got[at:]) == lowerASCII(e.value)
	}
	return lowerASCII(got) == lowerASCII(e.value)
}

// lowerASCII leaves alone what only looks like a letter of ours: the Kelvin sign is not a k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
