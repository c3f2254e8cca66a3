package cognitotest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	minRefreshTokenBytes     = 512
	defaultRefreshTokenBytes = 1850
	maxGrace                 = 60 * time.Second
	maxCallbackURLs          = 100
	maxCallbackURLLength     = 1024
)

// normalised returns a copy of cfg that shares nothing with it and has every default filled in,
// or an error that names every invalid field.
func (cfg Config) normalised() (Config, error) {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("cognitotest: "+format, args...)) }

	if before, _, ok := strings.Cut(cfg.PoolID, "_"); ok && cfg.Region == "" {
		cfg.Region = before
	}
	cfg.Region = or(cfg.Region, "eu-west-1")
	cfg.PoolID = or(cfg.PoolID, cfg.Region+"_CogAuth01")
	cfg.DomainPrefix = or(cfg.DomainPrefix, "cogauth-test")
	cfg.RefreshTokenBytes = or(cfg.RefreshTokenBytes, defaultRefreshTokenBytes)
	cfg.CookieLifetime = or(cfg.CookieLifetime, time.Hour)
	cfg.CodeLifetime = or(cfg.CodeLifetime, 5*time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}

	if !only(cfg.Region, lower+digits+"-") {
		fail("Region %q is not an AWS Region", cfg.Region)
	}
	suffix, ok := strings.CutPrefix(cfg.PoolID, cfg.Region+"_")
	if !ok || !only(suffix, lower+upper+digits) {
		fail("PoolID %q is not Region, an underscore, and letters or digits", cfg.PoolID)
	}
	if !validPrefix(cfg.DomainPrefix) {
		fail("DomainPrefix %q is not 1 to 63 of a-z, 0-9 and inner hyphens without a name of AWS's", cfg.DomainPrefix)
	}
	if cfg.RefreshTokenBytes < minRefreshTokenBytes {
		fail("RefreshTokenBytes %d is less than %d", cfg.RefreshTokenBytes, minRefreshTokenBytes)
	}
	if cfg.CookieLifetime < 0 || cfg.CodeLifetime < 0 {
		fail("CookieLifetime and CodeLifetime must not be negative")
	}

	cfg.Clients = slices.Clone(cfg.Clients)
	if cfg.Clients == nil {
		cfg.Clients = []AppClient{DefaultClient()}
	}
	cfg.Users = slices.Clone(cfg.Users)
	if cfg.Users == nil {
		cfg.Users = []User{DefaultUser()}
	}
	normaliseClients(cfg.Clients, fail)
	normaliseUsers(cfg.Users, fail)
	normaliseService(&cfg, fail)
	normaliseSignIn(&cfg, fail)
	return cfg, errors.Join(errs...)
}

func normaliseClients(clients []AppClient, fail func(string, ...any)) {
	if len(clients) == 0 {
		fail("Clients is empty")
	}
	d := DefaultClient()
	seen := map[string]bool{}
	for i := range clients {
		c := &clients[i]
		c.ID = or(c.ID, d.ID)
		c.Name = or(c.Name, c.ID)
		c.CallbackURLs = cloneOr(c.CallbackURLs, d.CallbackURLs)
		c.LogoutURLs = slices.Clone(c.LogoutURLs)
		c.Scopes = cloneOr(c.Scopes, d.Scopes)
		c.AllowedFlows = cloneOr(c.AllowedFlows, d.AllowedFlows)
		c.IDTokenValidity = or(c.IDTokenValidity, d.IDTokenValidity)
		c.AccessTokenValidity = or(c.AccessTokenValidity, d.AccessTokenValidity)
		c.RefreshTokenValidity = or(c.RefreshTokenValidity, d.RefreshTokenValidity)

		if len(c.ID) > 128 || !only(c.ID, lower+upper+digits+"_+") {
			fail("client ID %q is not 1 to 128 letters, digits, _ or +", c.ID)
		}
		if seen[c.ID] {
			fail("client ID %q is there twice", c.ID)
		}
		seen[c.ID] = true
		if len(c.CallbackURLs) > maxCallbackURLs {
			fail("client %s: more than %d CallbackURLs", c.ID, maxCallbackURLs)
		}
		for _, u := range slices.Concat(c.CallbackURLs, c.LogoutURLs) {
			if err := checkCallbackURL(u); err != nil {
				fail("client %s: %q %w", c.ID, u, err)
			}
		}
		if c.RetryGracePeriod < 0 || c.RetryGracePeriod > maxGrace {
			fail("client %s: RetryGracePeriod %v is not 0 to %v", c.ID, c.RetryGracePeriod, maxGrace)
		}
		if c.IDTokenValidity < 0 || c.AccessTokenValidity < 0 || c.RefreshTokenValidity < 0 {
			fail("client %s: token validity must not be negative", c.ID)
		}
	}
}

func normaliseUsers(users []User, fail func(string, ...any)) {
	if len(users) == 0 {
		fail("Users is empty")
	}
	d := DefaultUser()
	seen := map[string]bool{}
	for i := range users {
		u := &users[i]
		u.Username = or(u.Username, d.Username)
		u.Password = or(u.Password, d.Password)
		u.Sub = or(u.Sub, nameUUID(u.Username))
		u.Attributes = maps.Clone(u.Attributes)
		u.Groups = slices.Clone(u.Groups)
		if _, ok := totpKey(u.TOTPSecret); !ok && u.TOTPSecret != "" {
			fail("user %q: TOTPSecret is not base32", u.Username)
		}
		if key := strings.ToLower(u.Username); seen[key] {
			fail("user %q is there twice", u.Username)
		} else {
			seen[key] = true
		}
	}
}

// checkCallbackURL applies the rules of CreateUserPoolClient.
func checkCallbackURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || !u.IsAbs():
		return errors.New("is not an absolute URL")
	case utf8.RuneCountInString(raw) > maxCallbackURLLength:
		return fmt.Errorf("is longer than %d characters", maxCallbackURLLength)
	case strings.ContainsFunc(raw, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }):
		return errors.New("has a character that cannot be seen")
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment")
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		return errors.New("cannot use the HTTP protocol")
	}
	return nil
}

// loopbackHost reports whether AWS lets a callback on this host use plain http.
func loopbackHost(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

func validPrefix(s string) bool {
	for _, reserved := range []string{"aws", "amazon", "cognito"} {
		if strings.Contains(s, reserved) {
			return false
		}
	}
	return len(s) <= 63 && only(s, lower+digits+"-") && !strings.HasPrefix(s, "-") && !strings.HasSuffix(s, "-")
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// only reports whether s is not empty and holds no character outside set.
func only(s, set string) bool { return s != "" && strings.Trim(s, set) == "" }

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

func cloneOr(v, fallback []string) []string {
	if v == nil {
		v = fallback
	}
	return slices.Clone(v)
}

// nameUUID returns the same UUID for the same name.
func nameUUID(name string) string {
	sum := sha256.Sum256([]byte("cognitotest user " + strings.ToLower(name)))
	return formatUUID([16]byte(sum[:16]))
}
