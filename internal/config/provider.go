package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const providerFix = "set user_pool_id for Amazon Cognito, issuer for any other provider, or domain and region for a pool whose ID is not known"

func checkProvider(p Profile) *Error {
	switch {
	case p.UserPoolID != "" && p.Issuer != "":
		return invalid(keyIssuer, "keep user_pool_id for Amazon Cognito, issuer for any other provider",
			"user_pool_id and issuer exclude each other")
	case p.Domain != "" && p.UserPoolID+p.Issuer != "":
		return invalid(keyDomain, "delete domain: discovery names it", "domain is for a pool whose ID is not known")
	case p.UserPoolID != "":
		if !validPoolID(p.UserPoolID) {
			return invalid(keyUserPoolID, "copy the user pool ID from the AWS console, case included",
				"user_pool_id is not of the form REGION_ID, such as eu-west-1_AbCdEfGhI")
		}
		if region, _, _ := strings.Cut(p.UserPoolID, "_"); p.Region != "" && p.Region != region {
			return invalid(keyRegion, "delete region, or correct user_pool_id", "region is not the one in user_pool_id")
		}
	case p.Issuer != "":
		if p.Region != "" {
			return invalid(keyRegion, "delete it: the issuer says where the pool is", "region goes with domain")
		}
		return checkIssuer(p.Issuer)
	case p.Domain != "":
		return checkDomain(p)
	default:
		return invalid(keyUserPoolID, providerFix, "neither user_pool_id nor issuer nor domain is set")
	}
	return nil
}

func checkDomain(p Profile) *Error {
	const fix = "write the prefix, such as myapp, or the host of the sign-in page, such as auth.example.com"
	if strings.Contains(p.Domain, "://") || strings.ContainsAny(p.Domain, "/:@?#") {
		return invalid(keyDomain, fix+", without https:// and without a path", "domain is a URL and not a domain")
	}
	if !validDomain(p.Domain) {
		return invalid(keyDomain, fix, "domain is neither a prefix nor a host")
	}
	if !strings.Contains(p.Domain, ".") && !validPrefix(p.Domain) {
		return invalid(keyDomain, "copy the prefix from the AWS console: lower-case letters, digits and hyphens, without aws, amazon and cognito in it",
			"domain is no prefix that Amazon Cognito gives out")
	}
	named := domainRegion(p.Domain)
	switch {
	case p.Region == "" && named == "":
		return invalid(keyRegion, "set region to the AWS Region of the user pool, such as eu-west-1", "region is not set, and domain does not name it")
	case p.Region != "" && !validRegion(p.Region):
		return invalid(keyRegion, "write it as AWS does, such as eu-west-1", "region is not an AWS Region")
	case p.Region != "" && named != "" && p.Region != named:
		return invalid(keyRegion, "delete region, or correct domain", "region is not the one in domain")
	}
	return nil
}

// validDomain reports whether s is a DNS name, or the prefix of one.
func validDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !isAlnum(label[i]) && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

// validPrefix reports whether a label of a DNS name can be the prefix of a hosted UI.
func validPrefix(label string) bool {
	for _, reserved := range []string{"aws", "amazon", "cognito"} {
		if strings.Contains(label, reserved) {
			return false
		}
	}
	return label == strings.ToLower(label)
}

// domainRegion returns the Region that a prefix domain's host names, or "". The suffixes are those of
// AWS's partitions.
func domainRegion(host string) string {
	labels := strings.SplitN(strings.ToLower(host), ".", 5)
	if len(labels) < 5 || labels[1] != "auth" && labels[1] != "auth-fips" || labels[3] != "amazoncognito" || !validRegion(labels[2]) {
		return ""
	}
	switch labels[4] {
	case "com", "com.cn", "eu":
		return labels[2]
	}
	return ""
}

func validRegion(s string) bool {
	if !strings.Contains(strings.Trim(s, "-"), "-") || strings.Trim(s, "-") != s || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && !isDigit(c) && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func checkIdP(p Profile) *Error {
	if p.IdP != "" && p.IdPIdentifier != "" {
		return invalid(keyIdPIdentifier, "keep one of the two", "idp and idp_identifier exclude each other")
	}
	for key, value := range map[string]string{keyIdP: p.IdP, keyIdPIdentifier: p.IdPIdentifier} {
		if !printable(value) || len(value) > 128 {
			return invalid(key, "write it as the user pool has it, such as Google", "%s holds a control character, is not UTF-8 or is too long", key)
		}
	}
	return nil
}

func checkLang(p Profile) *Error {
	if p.Lang == "" {
		return nil
	}
	fault := invalid(keyLang, "write a language tag, such as de or pt-BR", "lang is not a language tag")
	for subtag := range strings.SplitSeq(p.Lang, "-") { // RFC 5646 section 2.1: 1 to 8 letters and digits
		if len(subtag) < 1 || len(subtag) > 8 || len(p.Lang) > 35 {
			return fault
		}
		for i := range len(subtag) {
			if !isAlnum(subtag[i]) {
				return fault
			}
		}
	}
	return nil
}

func checkResource(p Profile) *Error {
	if p.Resource == "" {
		return nil
	}
	u, err := url.Parse(p.Resource)
	switch {
	case !visibleASCII(p.Resource) || err != nil || !u.IsAbs() || strings.Contains(p.Resource, "#"):
		return invalid(keyResource, "write the API's identifier, such as https://api.example.com", "resource is not an absolute URI without fragment (RFC 8707 section 2)")
	case u.Scheme == "http" && u.Hostname() != "localhost":
		return invalid(keyResource, "use https, http://localhost or a scheme of your own", "resource uses plain http")
	case u.Scheme == "https" && u.Hostname() == "":
		return invalid(keyResource, "write the API's identifier, such as https://api.example.com", "resource has no host")
	}
	return nil
}

func checkLogoutURL(p Profile) *Error {
	const fix = "write it as registered among the app client's sign-out URLs, such as https://app.example.com/signed-out"
	if p.LogoutURL == "" {
		return nil
	}
	u, err := url.Parse(p.LogoutURL)
	switch {
	case !visibleASCII(p.LogoutURL) || len(p.LogoutURL) > 1024 || err != nil || !u.IsAbs() || strings.Contains(p.LogoutURL, "#"):
		return invalid(keyLogoutURL, fix, "logout_url is not an absolute URL without fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()), (u.Scheme == "http" || u.Scheme == "https") && u.Host == "":
		return invalid(keyLogoutURL, fix, "logout_url is plain http to another machine, or has no host")
	case u.Scheme == "javascript" || u.Scheme == "data" || u.Scheme == "file":
		return invalid(keyLogoutURL, fix, "logout_url is no address to send a browser to")
	}
	return nil
}

func checkExpect(p Profile) *Error {
	if p.Expect == "" {
		return nil
	}
	fault := invalid(keyExpect, "write an e-mail address (a@b), the domain of one (@b) or sub: and a subject", "expect is none of a@b, @b and sub:…")
	if !printable(p.Expect) || strings.ContainsAny(p.Expect, " \t") {
		return fault
	}
	if sub, ok := strings.CutPrefix(p.Expect, "sub:"); ok {
		if sub == "" {
			return fault
		}
		return nil
	}
	_, host, ok := strings.Cut(p.Expect, "@")
	if !ok || host == "" || strings.Contains(host, "@") {
		return fault
	}
	return nil
}

// A refresh token lives for 1 hour to 10 years.
const (
	minValidity = time.Hour
	maxValidity = 3650 * 24 * time.Hour
)

func checkValidity(p Profile) *Error {
	if p.RefreshTokenValidity == "" {
		return nil
	}
	d, err := parseValidity(p.RefreshTokenValidity)
	if err != nil || d < minValidity || d > maxValidity {
		return invalid(keyValidity, "write days, hours or minutes as the app client has them, such as 30d or 12h",
			"refresh_token_validity is not a length of time from 1h to 3650d")
	}
	return nil
}

// parseValidity reads what the AWS console shows: a number of days, hours or minutes.
func parseValidity(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 23)
	if err != nil || unit == 0 {
		return 0, fmt.Errorf("%q is not a number followed by d, h or m", s)
	}
	return time.Duration(n) * unit, nil
}

// FormatValidity writes d as refresh_token_validity takes it, in the largest unit that loses nothing
// but seconds; zero is "".
func FormatValidity(d time.Duration) string {
	switch {
	case d < time.Minute:
		return ""
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
