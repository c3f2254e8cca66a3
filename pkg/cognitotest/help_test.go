package cognitotest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/deptest"
)

func TestDeps(t *testing.T) {
	deptest.Only(t)
	// The package is linked into a shipped program; these would cost it start-up time or size.
	deptest.Never(t, "testing", "html/template", "text/template", "regexp")
}

func TestQuiet(t *testing.T) { deptest.Quiet(t) }

const (
	verifier = "canary-verifier-0123456789-0123456789-abcdefghij"
	callback = "http://localhost:8585/callback"
)

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// clock is a clock that stands still.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func start(t *testing.T, cfg Config) *Pool {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// authorizeURL returns a good authorization request; pairs of names and values change it, and a
// value of "-" takes a parameter away.
func authorizeURL(p *Pool, pairs ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {p.Client().ID}, "redirect_uri": {callback}, "scope": {"openid"},
		"state": {"canary-state"}, "nonce": {"canary-nonce"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "-" {
			q.Del(pairs[i])
		}
	}
	return p.Domain() + "/oauth2/authorize?" + q.Encode()
}

// signIn signs u in without requesting the callback, and returns the callback's URL.
func signIn(t *testing.T, p *Pool, u *UserAgent, pairs ...string) *url.URL {
	t.Helper()
	location, err := u.Authorize(t.Context(), authorizeURL(p, pairs...))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(location, p.Domain()+"/login?") {
		location = submit(t, p, u, location, p.User().Username, p.User().Password)
	}
	parsed, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// submit fills in the form at loginURL and returns where it leads, "" if the form is shown again.
func submit(t *testing.T, p *Pool, u *UserAgent, loginURL, username, password string) string {
	t.Helper()
	page, _, err := u.hop(t.Context(), http.MethodGet, loginURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := parseForm(page.Body)
	if f == nil {
		t.Fatalf("got no form on the sign-in page, want one (status %d)", page.Status)
	}
	f.values.Set("username", username)
	f.values.Set("password", password)
	_, location, err := u.hop(t.Context(), http.MethodPost, p.Domain()+f.action, f.values)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

type tokens struct {
	status  int
	header  http.Header
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Error   string `json:"error"`
	Desc    string `json:"error_description"`
	body    string
}

// post sends a form of pairs, which later ones change as in authorizeURL, to one of the domain's endpoints.
func post(t *testing.T, p *Pool, path string, pairs ...string) (out tokens) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "-" {
			form.Del(pairs[i])
		}
	}
	resp, err := p.HTTPClient().PostForm(p.Domain()+path, form)
	if err != nil {
		t.Error(err)
		return out
	}
	return decode(t, resp)
}

func decode(t *testing.T, resp *http.Response) (out tokens) {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	json.Unmarshal(body, &out) // an empty body stays empty
	out.status, out.header, out.body = resp.StatusCode, resp.Header, string(body)
	return out
}

func redeem(t *testing.T, p *Pool, code string, pairs ...string) tokens {
	t.Helper()
	all := append([]string{
		"grant_type", "authorization_code", "client_id", p.Client().ID, "code", code,
		"redirect_uri", callback, "code_verifier", verifier,
	}, pairs...)
	return post(t, p, "/oauth2/token", all...)
}

func refresh(t *testing.T, p *Pool, token string) tokens {
	t.Helper()
	return post(t, p, "/oauth2/token", "grant_type", "refresh_token", "client_id", p.Client().ID, "refresh_token", token)
}

// login signs in and redeems the code.
func login(t *testing.T, p *Pool, pairs ...string) tokens {
	t.Helper()
	got := redeem(t, p, signIn(t, p, p.UserAgent(), pairs...).Query().Get("code"))
	if got.status != http.StatusOK {
		t.Fatalf("got status %d, error %q from the code grant, want 200", got.status, got.Error)
	}
	return got
}

func get(t *testing.T, p *Pool, target string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.HTTPClient().Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
