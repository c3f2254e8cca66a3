package provider

import (
	"net/http"
	"net/url"
	"strings"
)

// IsCognito reports whether issuer is a user pool under one of AWS's own host names.
func IsCognito(issuer string) bool {
	_, _, ok := splitIssuerHost(hostOf(issuer))
	return ok
}

// splitIssuerHost takes a user pool's issuer host apart.
func splitIssuerHost(host string) (service, region string, ok bool) {
	service, rest, _ := strings.Cut(host, ".")
	region, suffix, _ := strings.Cut(rest, ".")
	switch service {
	case "cognito-idp", "cognito-idp-fips", "issuer-cognito-idp":
		return service, region, region != "" && suffix == dnsSuffix(region)
	}
	return "", "", false
}

// dnsSuffix is that of the AWS partition which a Region belongs to.
func dnsSuffix(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "amazonaws.com.cn"
	case strings.HasPrefix(region, "eusc-"):
		return "amazonaws.eu"
	}
	return "amazonaws.com"
}

// PoolIssuers returns the forms of a user pool's issuer, the original one first. A pool ID is the
// Region, "_", and a case-sensitive suffix. In GovCloud the service also goes by its FIPS name.
func PoolIssuers(poolID string) []string {
	region, _, _ := strings.Cut(poolID, "_")
	services := []string{"cognito-idp", "issuer-cognito-idp"}
	if strings.HasPrefix(region, "us-gov-") {
		services = append(services, "cognito-idp-fips")
	}
	issuers := make([]string, len(services))
	for i, service := range services {
		issuers[i] = "https://" + service + "." + region + "." + dnsSuffix(region) + "/" + poolID
	}
	return issuers
}

// PoolOf returns the ID of the user pool whose issuer this is, in any of its forms.
func PoolOf(issuer string) (poolID string, ok bool) {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Port() != "" {
		return "", false
	}
	_, region, ok := splitIssuerHost(u.Host)
	poolID = strings.TrimPrefix(u.Path, "/")
	suffix, found := strings.CutPrefix(poolID, region+"_")
	if !ok || !found || suffix == "" || !alphanumeric(suffix) || issuer != "https://"+u.Host+"/"+poolID {
		return "", false
	}
	return poolID, true
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// DomainHost returns the host of a hosted UI from its domain, a prefix or a host, and Region.
func DomainHost(domain, region string) string {
	switch {
	case strings.Contains(domain, "."):
		return strings.ToLower(domain)
	case strings.HasPrefix(region, "us-gov-"): // there is no other form
		return domain + ".auth-fips." + region + ".amazoncognito.com"
	case strings.HasPrefix(region, "eusc-"):
		return domain + ".auth." + region + ".amazoncognito.eu"
	}
	return domain + ".auth." + region + ".amazoncognito.com"
}

// HostRegion returns the Region that the host of a prefix domain names, "" for a custom domain.
func HostRegion(host string) string {
	labels := strings.Split(strings.ToLower(host), ".")
	if len(labels) < 5 || labels[1] != "auth" && labels[1] != "auth-fips" || labels[3] != "amazoncognito" {
		return ""
	}
	switch strings.Join(labels[4:], ".") {
	case "com", "com.cn", "eu":
		return labels[2]
	}
	return ""
}

// FromDomain returns the provider behind a hosted UI, whose endpoints have fixed paths. It has no
// Issuer and no keys before WithIssuer: nothing public on the domain names the pool.
func FromDomain(hc *http.Client, clientID, host string) *Provider {
	base := "https://" + host
	return &Provider{ClientID: clientID, HTTP: hc, Metadata: Metadata{
		AuthorizationEndpoint: base + "/oauth2/authorize",
		TokenEndpoint:         base + "/oauth2/token",
		RevocationEndpoint:    base + "/oauth2/revoke",
		EndSessionEndpoint:    base + "/logout",
	}}
}

// WithIssuer returns a copy of a provider from FromDomain that knows its pool. It reports false
// unless issuer is a user pool's of that Region: the name decides whose keys are believed.
func (p *Provider) WithIssuer(issuer, region string) (*Provider, bool) {
	pool, ok := PoolOf(issuer)
	if !ok || !strings.HasPrefix(pool, region+"_") {
		return nil, false
	}
	c := *p
	c.Issuer, c.JWKSURI = issuer, issuer+"/.well-known/jwks.json"
	return &c, true
}

// HostedUI reports whether p has Cognito's pages, whatever names it goes by: they answer an authorize
// request that cannot work by leading to /error, and sign out in a way of their own.
func (p *Provider) HostedUI() bool {
	u, err := url.Parse(p.AuthorizationEndpoint)
	return err == nil && u.Path == "/oauth2/authorize" &&
		(p.EndSessionEndpoint == "" || p.EndSessionEndpoint == u.Scheme+"://"+u.Host+"/logout")
}
