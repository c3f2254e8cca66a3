//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Acceptance 2, and H2, J1, S17: a person signs in at a user pool that answers to its AWS names, in
// the browser that the desktop opens, by nothing but the keyboard.
func TestChromiumSignsIn(t *testing.T) {
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{ID: clientID}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.StartAWS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	d := newDesktop(t, "--proxy-server="+pool.ProxyURL(), "--ignore-certificate-errors-spki-list="+pool.SPKIPin())
	d.write("ca.pem", string(pool.CertPEM()), 0o600)
	// The proxy is set for plain http as well, so that a call to loopback through it would show.
	proxied := []string{"HTTPS_PROXY=" + pool.ProxyURL(), "HTTP_PROXY=" + pool.ProxyURL()}
	poolID := pool.Issuer()[strings.LastIndexByte(pool.Issuer(), '/')+1:]
	d.do(proxied, "configure", "--profile", "p", "--user-pool-id", poolID, "--client-id", clientID, "--ca-file", d.Dir+"/ca.pem")

	lockPort(t, 8585)
	login := d.start(proxied, "login", "--profile", "p")
	tab := d.attach()
	focus(t, tab, "#username")
	user := pool.User()
	press(t, tab, user.Username+kb.Tab)
	focus(t, tab, "#password")
	press(t, tab, user.Password+kb.Enter)
	lastPage(t, tab, regexp.MustCompile(`^http://localhost:8585/[^?#]{20,}$`), user.Attributes["email"])
	screenshot(t, tab, "chromium-window")

	out, stderr := login.wait()
	if out != "" {
		t.Errorf("login printed %q, want nothing on standard output", out)
	}
	if want := "signed in as " + user.Attributes["email"]; !strings.Contains(stderr, want) {
		t.Errorf("login said %q, want %q in it", stderr, want)
	}
	token := strings.TrimSuffix(d.do(proxied, "token", "--profile", "p"), "\n")
	claims := verify(t, pool, token)
	if claims["cognito:username"] != user.Username || claims["aud"] != clientID || claims["token_use"] != "id" || claims["iss"] != pool.Issuer() {
		t.Errorf("claims: got %v, want those of %s's ID token", claims, user.Username)
	}
	record, found := d.Value("p/" + clientID)
	if !found || !strings.Contains(record, refreshToken(t, pool)) {
		t.Errorf("gnome-keyring: found %t, want the record with the refresh token", found)
	}
	viaProxy(t, pool, d, proxied)
	d.do(proxied, "logout", "--profile", "p")
	if _, found := d.Value("p/" + clientID); found || pool.Active(refreshToken(t, pool)) {
		t.Errorf("after logout: record found %t, refresh token active %t, want neither", found, pool.Active(refreshToken(t, pool)))
	}
}

// viaProxy is H2: the AWS names go through the proxy, and loopback never does.
func viaProxy(t *testing.T, pool *cognitotest.Pool, d *desktop, env []string) {
	t.Helper()
	issuer, err := url.Parse(pool.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	domain := strings.TrimPrefix(pool.Domain(), "https://")
	before := len(pool.Tunnels())
	d.do(env, "token", "--profile", "p", "--refresh")
	var targets []string
	for i, tunnel := range pool.Tunnels() {
		host, _, _ := strings.Cut(tunnel.Target, ":")
		if host == "localhost" || strings.HasPrefix(tunnel.Target, "127.") || strings.HasPrefix(tunnel.Target, "[") {
			t.Errorf("the proxy was asked for %s, want no loopback call", tunnel.Target)
		}
		if i >= before {
			targets = append(targets, tunnel.Target)
		}
	}
	if !slices.Contains(targets, domain+":443") {
		t.Errorf("a refresh asked the proxy for %v, want %s:443 among it", targets, domain)
	}
	if all := pool.Tunnels(); !slices.Contains(all, cognitotest.Tunnel{Target: issuer.Host + ":443"}) {
		t.Errorf("the proxy was asked for %v, want %s:443 among it", all, issuer.Host)
	}
	if got := pool.Redemptions(); got != 1 {
		t.Errorf("refreshes: got %d, want 1", got)
	}
}

// refreshToken is the first that the pool issued, and without rotation the only one.
func refreshToken(t *testing.T, pool *cognitotest.Pool) string {
	t.Helper()
	for _, s := range pool.Secrets() {
		if pool.Issued(s) {
			return s
		}
	}
	t.Fatal("the pool has issued no refresh token")
	return ""
}

// The demo in a browser: the form is filled in, Enter signs in, and what it suggests works.
func TestDemoInChromium(t *testing.T) {
	d := newDesktop(t, "--no-proxy-server")
	lockPort(t, 8585)
	demo := d.start(nil, "demo")
	tab := d.attach()
	focus(t, tab, "button[type=submit]")
	var filled []string
	act(t, tab, chromedp.Evaluate("[username.value, password.value]", &filled))
	if !slices.Equal(filled, []string{"alice", "wonderland"}) {
		t.Errorf("the form holds %q, want the demo user's name and password", filled)
	}
	screenshot(t, tab, "demo-window")
	press(t, tab, kb.Enter)
	lastPage(t, tab, regexp.MustCompile(`^http://localhost:858[5-8]/[^?#]{20,}$`), "alice@example.com")

	out, _ := demo.wait()
	var suggested []string
	for line := range strings.Lines(out) {
		if command := strings.TrimSpace(line); command != "" {
			suggested = append(suggested, command)
		}
	}
	if len(suggested) != 3 {
		t.Fatalf("demo suggests %q, want three commands", suggested)
	}
	for i, want := range []string{"alice@example.com", "eyJ", "demo"} {
		if got := d.shell(suggested[i]); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", suggested[i], got, want)
		}
	}
	if files, _ := filepath.Glob(d.Dir + "/home/.config/cogauth/*"); len(files) > 0 {
		t.Errorf("the demo left %v, want the configuration untouched", files)
	}
	if _, found := d.Value("demo/" + clientID); !found {
		t.Error("gnome-keyring: the demo's record is not there")
	}
}

// lastPage waits for the page that ends a login (S17): its address is clean, as is every other that
// the tab would go back to, and it says who is signed in.
func lastPage(t *testing.T, tab context.Context, address *regexp.Regexp, who string) {
	t.Helper()
	var got struct{ Address, Heading, As string }
	// One expression, or the page might change between two.
	script := "({Address: location.href, Heading: document.querySelector('h1')?.textContent, As: document.querySelector('.as strong')?.textContent})"
	eventually(t, func() bool {
		return chromedp.Run(tab, chromedp.Evaluate(script, &got)) == nil && got.Heading == "Signed in"
	}, func() { t.Fatalf("the last page: got %q at %q, want Signed in", got.Heading, strip(got.Address)) })
	if !address.MatchString(got.Address) {
		t.Errorf("its address: got %q, want %v", strip(got.Address), address)
	}
	if got.As != who {
		t.Errorf("it says signed in as %q, want %q", got.As, who)
	}
	act(t, tab, chromedp.ActionFunc(func(ctx context.Context) error {
		_, entries, err := cdppage.GetNavigationHistory().Do(ctx)
		for _, e := range entries {
			if u, err := url.Parse(e.URL); err != nil || u.Query().Has("code") {
				t.Errorf("the tab's history has %s with a code, want none", strip(e.URL))
			}
		}
		return err
	}))
}

// strip keeps codes out of this test's own messages.
func strip(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}

// shell runs a command line as a person would paste it, and returns its standard output.
func (d *desktop) shell(line string) string {
	d.t.Helper()
	out, err := d.command("sh", "-c", line).Output()
	if err != nil {
		d.t.Errorf("%s: got %v, want exit status 0", line, err)
	}
	return string(out)
}

// verify checks an ID token's signature against the keys that the pool publishes, and its lifetime,
// with nothing but the standard library, and returns its claims.
func verify(t *testing.T, pool *cognitotest.Pool, token string) map[string]any {
	t.Helper()
	resp, err := pool.HTTPClient().Get(pool.Issuer() + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var set jwks
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	claims, err := set.verify(token)
	if err != nil {
		t.Fatalf("what token printed: got %v, want an ID token of the pool", err)
	}
	if exp, _ := claims["exp"].(float64); time.Unix(int64(exp), 0).Before(time.Now()) {
		t.Errorf("exp: got %v, want a time to come", claims["exp"])
	}
	return claims
}
