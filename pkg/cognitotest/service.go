package cognitotest

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// normaliseService checks and completes what the endpoints go by: domains, issuer, secrets, scopes,
// sizes and switches.
func normaliseService(cfg *Config, fail func(string, ...any)) {
	gov := strings.HasPrefix(cfg.Region, "us-gov-")
	switch {
	case cfg.CustomDomain == "":
	case cfg.NoDomain:
		fail("CustomDomain and NoDomain are both set")
	case gov:
		fail("a GovCloud Region has no custom domains")
	case !hostName(cfg.CustomDomain):
		fail("CustomDomain %q is not a host name", cfg.CustomDomain)
	}
	if cfg.IssuerPort < 0 || cfg.IssuerPort > 65535 || cfg.DomainPort < 0 || cfg.DomainPort > 65535 {
		fail("IssuerPort %d or DomainPort %d is not a port", cfg.IssuerPort, cfg.DomainPort)
	}
	for name, origin := range map[string]string{"IssuerOrigin": cfg.IssuerOrigin, "DomainOrigin": cfg.DomainOrigin} {
		if u, err := url.Parse(origin); origin != "" && (err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin) {
			fail("%s %q is not a scheme and a host", name, origin)
		}
	}
	if cfg.IDTokenBytes < 0 || cfg.AccessTokenBytes < 0 {
		fail("IDTokenBytes and AccessTokenBytes must not be negative")
	}
	for endpoint := range cfg.Failures {
		if !slices.Contains(endpoints[:], endpoint) {
			fail("Failures: no endpoint is named %q", endpoint)
		}
	}
	cfg.ResourceServers = slices.Clone(cfg.ResourceServers)
	custom := map[string]bool{}
	for _, rs := range cfg.ResourceServers {
		if rs.Identifier == "" || len(rs.Identifier) > 256 {
			fail("a resource server's Identifier is missing or longer than 256 characters")
		}
		for _, s := range rs.Scopes {
			custom[rs.Identifier+"/"+s] = true
		}
	}
	for i := range cfg.Clients {
		if cfg.StrictLifetimes {
			checkLifetimes(&cfg.Clients[i], fail)
		}
		checkService(&cfg.Clients[i], custom, len(cfg.ResourceServers) > 0, fail)
	}
}

// hostName reports whether s is two labels or more, in lower case, as a certificate names them.
func hostName(s string) bool {
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if len(l) > 63 || !only(l, lower+digits+"-") || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") {
			return false
		}
	}
	return len(s) <= 253 && len(labels) > 1
}

func checkLifetimes(c *AppClient, fail func(string, ...any)) {
	const day = 24 * time.Hour
	for _, d := range []time.Duration{c.IDTokenValidity, c.AccessTokenValidity} {
		if d < 5*time.Minute || d > day {
			fail("client %s: the validity of an ID or access token is not 5 minutes to 1 day", c.ID)
		}
	}
	if c.RefreshTokenValidity < time.Hour || c.RefreshTokenValidity > 3650*day {
		fail("client %s: RefreshTokenValidity is not 1 hour to 3,650 days", c.ID)
	}
}

const (
	maxScopes    = 50
	maxScope     = 256
	minSecretLen = 24
	maxSecretLen = 64
)

// checkService checks an app client's secrets and scopes. Custom scopes must be those of a resource
// server, if the pool has any; one without takes whatever a test asks for.
func checkService(c *AppClient, custom map[string]bool, strict bool, fail func(string, ...any)) {
	if len(c.Secrets) > 2 {
		fail("client %s: more than two Secrets", c.ID)
	}
	for _, s := range c.Secrets {
		if len(s) < minSecretLen || len(s) > maxSecretLen || !only(s, lower+upper+digits+"_+") {
			fail("client %s: a secret is not %d to %d letters, digits, _ or +", c.ID, minSecretLen, maxSecretLen)
		}
	}
	if len(c.Scopes) > maxScopes {
		fail("client %s: more than %d Scopes", c.ID, maxScopes)
	}
	for _, s := range c.Scopes {
		switch {
		case len(s) == 0 || len(s) > maxScope || !scopeToken(s):
			fail("client %s: %q is not a scope", c.ID, s)
		case strict && strings.Contains(s, "/") && !custom[s]:
			fail("client %s: no resource server has the scope %q", c.ID, s)
		}
	}
	m2m := slices.Contains(c.AllowedFlows, "client_credentials")
	for _, f := range c.AllowedFlows {
		if f != "code" && f != "implicit" && f != "client_credentials" {
			fail("client %s: %q is not a flow", c.ID, f)
		}
	}
	if m2m && (len(c.AllowedFlows) > 1 || len(c.Secrets) == 0) {
		fail("client %s: client_credentials stands alone and needs a secret", c.ID)
	}
	if c.DefaultRedirectURI != "" && !slices.Contains(c.CallbackURLs, c.DefaultRedirectURI) {
		fail("client %s: DefaultRedirectURI is not among its CallbackURLs", c.ID)
	}
}

// scopeToken is scope-token of RFC 6749 §3.3: 1*( %x21 / %x23-5B / %x5D-7E ).
func scopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// languages are those of managed login.
var languages = []string{"de", "en", "es", "fr", "id", "nl", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW"}

// providersOf returns the identity providers that a client offers, and whether it offers the pool's
// own users.
func (p *Pool) providersOf(c *AppClient) (providers []*IdentityProvider, local bool) {
	for i := range p.cfg.IdentityProviders {
		idp := &p.cfg.IdentityProviders[i]
		if c.IdentityProviders == nil || slices.Contains(c.IdentityProviders, idp.Name) {
			providers = append(providers, idp)
		}
	}
	return providers, c.IdentityProviders == nil || slices.Contains(c.IdentityProviders, "COGNITO")
}

// defaultRedirect returns what stands for a missing redirect_uri, or "": there must be exactly one
// identity provider, and a single callback URL or a default one.
func (p *Pool) defaultRedirect(c *AppClient) string {
	providers, local := p.providersOf(c)
	n := len(providers)
	if local {
		n++
	}
	switch {
	case n != 1:
		return ""
	case len(c.CallbackURLs) == 1:
		return c.CallbackURLs[0]
	}
	return c.DefaultRedirectURI
}
