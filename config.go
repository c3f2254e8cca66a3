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

// Config names an app client and where its session is kept. New copies it. Exactly one of
// UserPoolID and Issuer, and ClientID, are required; every other zero value has a stated default.
type Config struct {
	// Profile names the session among those of this client ID. "" means "default".
	Profile string

	// UserPoolID is a Cognito user pool's ID, such as "eu-west-1_AbCdEfGhI"; the rest is discovered.
	UserPoolID string
	// Issuer is an OpenID provider's issuer, compared byte for byte with what its discovery document
	// and its tokens say. Plain http is accepted for loopback hosts only.
	Issuer string
	// ClientID is the app client's ID. A public client: there is no secret.
	ClientID string
	// CallbackURLs are registered loopback redirect URIs, tried in order. nil means DefaultCallbackURL.
	CallbackURLs []string
	// Scopes to ask for. nil means {"openid"}, which for Cognito brings every attribute the client
	// may read. offline_access is added for providers that want it.
	Scopes []string
	// UsernameClaim is the ID token's claim that Session.Username shows. "" means the first of email,
	// preferred_username, cognito:username and sub that is there.
	UsernameClaim string

	// Store keeps the record and the cache's key. nil means the operating system's keychain. A store
	// that several processes share must implement tokenstore.Locker.
	Store tokenstore.Store
	// CacheDir is the folder of the encrypted token cache. "" means "cogauth" in os.UserCacheDir. With
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
	// UserAgent is sent with every request. "" means "cogauth".
	UserAgent string
}

// Client signs in to one app client and keeps its session fresh. It is safe for concurrent use.
type Client struct {
	cfg   Config
	store tokenstore.Store
	cache cache
	now   func() time.Time

	httpOnce sync.Once
	http     *http.Client
	httpErr  error

	mu       sync.Mutex    // guards unsaved, and stands in for a Locker
	inner    chan struct{} // lock for stores that are no Locker
	unsaved  *tokens       // a login's tokens that could not be saved
	provider *provider.Provider
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
	c := &Client{cfg: cfg, store: cfg.Store, now: time.Now, inner: make(chan struct{}, 1)}
	if c.store == nil {
		c.store = &tokenstore.Keyring{}
	}
	if m, ok := c.store.(*tokenstore.Memory); ok {
		c.cache = memoryCache{m, "cache:" + c.credential()}
		return c, nil
	}
	if c.cfg.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fail(ErrMisconfigured, "", "no folder for the token cache: %v", err)
		}
		c.cfg.CacheDir = filepath.Join(dir, "cogauth")
	}
	c.cache = fileCache{c.cfg.CacheDir, cacheName(c.credential())}
	return c, nil
}

func (cfg *Config) problems() []string {
	var p []string
	add := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	if strings.ContainsFunc(cfg.Profile, func(r rune) bool { return r == '/' || r == ':' || r <= ' ' || r == 0x7f }) {
		add("Profile has a slash, a colon, a space or a control character")
	}
	switch {
	case cfg.UserPoolID == "" && cfg.Issuer == "":
		add("UserPoolID or Issuer is missing")
	case cfg.UserPoolID != "" && cfg.Issuer != "":
		add("UserPoolID and Issuer are both given")
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

// identity is what the session was made for besides its name. A session made for another identity
// is not used.
func (c *Client) identity() string {
	scopes := slices.Sorted(slices.Values(c.cfg.Scopes))
	return c.cfg.UserPoolID + c.cfg.Issuer + " " + strings.Join(slices.Compact(scopes), " ")
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

// discover returns the provider, fetching its discovery document once per Client.
func (c *Client) discover(ctx context.Context) (*provider.Provider, error) {
	c.mu.Lock()
	p := c.provider
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	hc, err := c.httpClient()
	if err != nil {
		return nil, err
	}
	p, err = provider.Discover(ctx, hc, c.cfg.ClientID, c.issuers()[0], c.issuers()...)
	if err != nil {
		return nil, translate(err)
	}
	c.mu.Lock()
	c.provider = p
	c.mu.Unlock()
	return p, nil
}

// issuers are the acceptable issuers; the first is where discovery starts.
func (c *Client) issuers() []string {
	if c.cfg.UserPoolID != "" {
		return provider.PoolIssuers(c.cfg.UserPoolID)
	}
	return []string{c.cfg.Issuer}
}
