package cogauth

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cogauth/cogauth/internal/browser"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/pkg/loopback"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// DefaultCallbackURL is used when Config.CallbackURLs is empty. It must be registered with the app
// client, byte for byte: Cognito compares callback URLs exactly, port included.
const DefaultCallbackURL = "http://localhost:8585/callback"

// Config names an app client and where its session is kept. New copies it. ClientID is required, and
// exactly one of UserPoolID, Issuer and Domain; every other zero value has a stated default.
type Config struct {
	// Profile names the session among those of this client ID. "" means "default".
	Profile string

	// UserPoolID is a Cognito user pool's ID, such as "eu-west-1_AbCdEfGhI"; the rest is discovered.
	UserPoolID string
	// Issuer is an OpenID provider's issuer, compared byte for byte with what its discovery document
	// and its tokens say; of a user pool's two forms of issuer either is accepted. Plain http is
	// accepted for loopback hosts only.
	Issuer string
	// Domain is the domain of a user pool's hosted UI, a prefix ("myapp") or a host
	// ("auth.example.com"), where the pool's ID is not known. The issuer is then learnt from the first
	// ID token, whose signature is checked against the keys of a user pool in Region, and kept with
	// the session: tokens of another pool are refused from then on.
	Domain string
	// Region is the AWS Region of Domain, and of no consequence without one. "" is enough if Domain is a host that names it.
	Region string
	// ClientID is the app client's ID. If it has a secret, see SetClientSecret.
	ClientID string
	// CallbackURLs are registered loopback redirect URIs, tried in order. nil means DefaultCallbackURL.
	CallbackURLs []string
	// Scopes to ask for. nil means {"openid"}, which for Cognito brings every attribute the client
	// may read. offline_access is added for providers that want it.
	Scopes []string
	// IdentityProvider is the user pool's name for the identity provider to go to at once, such as
	// "Google", or "COGNITO" for the pool's own users. "" leaves the choice to the person.
	IdentityProvider string
	// IdPIdentifier names a provider by one of its identifiers, such as an e-mail domain. It excludes
	// IdentityProvider.
	IdPIdentifier string
	// Lang is the language of managed login's pages, such as "de". "" leaves it to the browser.
	Lang string
	// Resource is the API that the access token is for (RFC 8707). "" means none in particular.
	Resource string
	// Expect is who must sign in: "a@b" is an e-mail address, "@b" the domain of one, "sub:…" a
	// subject. Anybody else is refused and nothing is stored. It guards against the wrong account in
	// the browser; what somebody may do is for the API to decide. An e-mail address counts whether it
	// is verified or not: for people of an identity provider it mostly is not. "" means anybody.
	Expect string
	// LogoutURL is a registered sign-out URL, where the browser ends up after SignOutURL.
	LogoutURL string
	// RefreshTokenValidity is how long the app client's refresh tokens live, if it is known (30 days unless
	// the pool's owner has changed it). The server does not tell. Zero means unknown: then the end of a
	// sign-in cannot be foretold.
	RefreshTokenValidity time.Duration
	// UsernameClaim is the ID token's claim that Session.Username shows. "" means the first of email,
	// preferred_username, cognito:username and sub that is there.
	UsernameClaim string

	// Store keeps the record and the cache's key. nil means the operating system's keychain. A store
	// that several processes share must implement tokenstore.Locker.
	Store tokenstore.Store
	// CacheDir is the folder of the encrypted token cache. "" means the command line's: cogauth in
	// os.UserCacheDir, cogauth\cache on Windows, and XDG_CACHE_HOME is honoured on macOS too. With
	// a *tokenstore.Memory, tokens are kept there and no file is written.
	CacheDir string

	// CAFiles are PEM files with further trusted roots, added to the system's.
	CAFiles []string
	// HTTPClient is used for all requests. nil means 5 s to connect, 15 s for a whole call, and the
	// proxy that the environment names. Redirects are not followed in either case. CAFiles apply to
	// the default client only.
	HTTPClient *http.Client
	// OpenURL shows url to the person. nil means the system's browser. It must return promptly and
	// may fail: the login goes on waiting.
	OpenURL func(ctx context.Context, url string) error
	// Logger receives warnings meant for the person, such as a session that could not be saved. nil
	// means none. It is never given a token, code, verifier or state.
	Logger *slog.Logger
	// OnChange is called after a change that this Client made to the session has been stored, before the
	// method that made it returns and in its goroutine, with no lock held. Changes by other programs are
	// seen by asking Session or Token.
	OnChange func(Change)
	// UserAgent is sent with every request. "" means "cogauth".
	UserAgent string
}

// Client signs in to one app client and keeps its session fresh. It is safe for concurrent use.
type Client struct {
	cfg   Config
	store tokenstore.Store
	keys  tokenstore.Store // where the cache's key is kept
	cache cache
	now   func() time.Time
	// uptime is how long ago the machine was started, sleep included, if the system tells.
	uptime func() (time.Duration, bool)

	httpOnce sync.Once
	http     *http.Client
	httpErr  error

	mu       sync.Mutex    // guards what follows
	inner    chan struct{} // lock for stores that are no Locker
	unsaved  *tokens       // a login's tokens that could not be saved
	disowned string        // the stored session, if a login since could not be saved
	unstored *replacement  // a rotated refresh token that could not be stored
	flights  map[TokenOptions]*flight
	provider *provider.Provider
	// secretRead is whether provider has the client secret, if there is one.
	secretRead bool
}

// New checks cfg. Its error names every invalid field at once and matches ErrMisconfigured. It
// makes no request and opens no file.
func New(cfg Config) (*Client, error) {
	cfg.CallbackURLs = slices.Clone(cfg.CallbackURLs)
	cfg.Scopes = slices.Clone(cfg.Scopes)
	cfg.CAFiles = slices.Clone(cfg.CAFiles)
	if cfg.Profile == "" {
		cfg.Profile = "default"
	}
	if len(cfg.CallbackURLs) == 0 {
		cfg.CallbackURLs = []string{DefaultCallbackURL}
	}
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{"openid"}
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "cogauth"
	}
	if cfg.OpenURL == nil {
		cfg.OpenURL = (&browser.Opener{Getenv: os.Getenv}).Open // it must know what openers will inherit
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if problems := cfg.problems(); len(problems) > 0 {
		return nil, fail(ErrMisconfigured, "", "invalid configuration: %s", strings.Join(problems, "; "))
	}
	c := &Client{cfg: cfg, store: cfg.Store, now: time.Now, uptime: uptime, inner: make(chan struct{}, 1)}
	if c.store == nil {
		c.store = &tokenstore.Keyring{}
	}
	c.keys = keysOf(c.store)
	if m, ok := c.store.(*tokenstore.Memory); ok {
		c.cache = memoryCache{m, "cache:" + c.credential()}
		return c, nil
	}
	if c.cfg.CacheDir == "" {
		dir, err := defaultCacheDir()
		if err != nil {
			return nil, fail(ErrMisconfigured, "", "no folder for the token cache: %v", err)
		}
		c.cfg.CacheDir = dir
	}
	c.cache = fileCache{c.cfg.CacheDir, cacheName(c.credential())}
	return c, nil
}

// defaultCacheDir is that of the command line, with which a program of the same profile shares its tokens.
func defaultCacheDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); runtime.GOOS == "darwin" && filepath.IsAbs(dir) {
		return filepath.Join(dir, "cogauth"), nil
	}
	dir, err := os.UserCacheDir()
	if runtime.GOOS == "windows" {
		return filepath.Join(dir, "cogauth", "cache"), err
	}
	return filepath.Join(dir, "cogauth"), err
}

func (cfg *Config) problems() []string {
	var p []string
	add := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	if strings.ContainsFunc(cfg.Profile, func(r rune) bool { return r == '/' || r == ':' || r <= ' ' || r == 0x7f }) {
		add("Profile has a slash, a colon, a space or a control character")
	}
	switch {
	case cfg.UserPoolID == "" && cfg.Issuer == "" && cfg.Domain == "":
		add("UserPoolID, Issuer or Domain is missing")
	case cfg.UserPoolID != "" && cfg.Issuer != "" || cfg.Domain != "" && cfg.UserPoolID+cfg.Issuer != "":
		add("more than one of UserPoolID, Issuer and Domain is given")
	case cfg.Domain != "":
		if !isHost(cfg.Domain) {
			add("Domain %q is neither a prefix nor a host", cfg.Domain)
		}
		if cfg.Region != "" && (!isHost(cfg.Region) || strings.Contains(cfg.Region, ".")) {
			add("Region %q is not an AWS Region", cfg.Region)
		}
		if cfg.region() == "" {
			add("Region is missing, and Domain %q does not name it", cfg.Domain)
		}
	case cfg.UserPoolID != "":
		region, suffix, ok := strings.Cut(cfg.UserPoolID, "_")
		if !ok || region == "" || suffix == "" || strings.Trim(strings.ToLower(region), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			add("UserPoolID %q is not REGION_SUFFIX", cfg.UserPoolID)
		}
	default:
		u, err := url.Parse(cfg.Issuer)
		if err != nil || !provider.SecureURL(u) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			add("Issuer %q is not an https URL without query and fragment (plain http is for loopback only)", cfg.Issuer)
		}
	}
	if cfg.ClientID == "" {
		add("ClientID is missing")
	}
	if cfg.IdentityProvider != "" && cfg.IdPIdentifier != "" {
		add("IdentityProvider and IdPIdentifier are both given")
	}
	if cfg.RefreshTokenValidity < 0 {
		add("RefreshTokenValidity is negative")
	}
	if _, err := parseExpect(cfg.Expect); err != nil {
		add("%v", err)
	}
	if u, err := url.Parse(cfg.LogoutURL); cfg.LogoutURL != "" && (err != nil || !u.IsAbs() || slices.Contains([]string{"javascript", "data", "file"}, u.Scheme)) {
		add("LogoutURL %q is not an absolute URL to send a browser to", cfg.LogoutURL)
	}
	if !slices.Contains(cfg.Scopes, "openid") {
		add("Scopes lack openid, without which there is no ID token")
	}
	for _, u := range cfg.CallbackURLs {
		if _, err := loopback.ParseCallbackURL(u); err != nil {
			add("%v", err)
		}
	}
	return p
}

// credential names the session: entries of the store, the cache file and the lock derive from it
// alone, so that programs with different homes and the same keychain use one lock.
func (c *Client) credential() string { return c.cfg.Profile + "/" + c.cfg.ClientID }

// isHost reports whether s is one or more DNS labels.
func isHost(s string) bool {
	for label := range strings.SplitSeq(strings.ToLower(s), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(s) <= 253
}

// region is that of Domain.
func (cfg *Config) region() string {
	if cfg.Region != "" {
		return cfg.Region
	}
	return provider.HostRegion(cfg.Domain)
}

func (c *Client) httpClient() (*http.Client, error) {
	c.httpOnce.Do(func() {
		if c.cfg.HTTPClient != nil {
			c.http = provider.Harden(c.cfg.HTTPClient, c.cfg.UserAgent)
			return
		}
		var roots *x509.CertPool
		if len(c.cfg.CAFiles) > 0 {
			if roots, c.httpErr = loadRoots(c.cfg.CAFiles); c.httpErr != nil {
				return
			}
		}
		c.http = provider.NewHTTPClient(roots, c.cfg.UserAgent)
	})
	return c.http, c.httpErr
}

func loadRoots(files []string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fail(ErrMisconfigured, "", "the CA file cannot be read: %v", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fail(ErrMisconfigured, "", "the CA file %s holds no PEM certificate", name)
		}
	}
	return roots, nil
}
