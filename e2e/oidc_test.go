//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
)

// Acceptance 5: everything a session does, against a certified provider that nobody here wrote, with
// and without the policy by which a refresh token takes offline_access and the person's consent.
func TestOIDCProvider(t *testing.T) {
	for _, rotate := range []bool{true, false} {
		for _, offline := range []bool{true, false} {
			t.Run(fmt.Sprintf("rotation=%t,offline_access=%t", rotate, offline), func(t *testing.T) {
				op := startProvider(t, rotate, offline, time.Hour)
				op.session(terminal(t), rotate, offline)
			})
		}
	}
}

// session is a login, refreshes and a logout.
func (op *provider) session(d *desktop, rotate, offline bool) {
	t := d.t
	address, err := url.Parse(op.signIn(d))
	if err != nil {
		t.Fatal(err)
	}
	// Asked for if discovery lists it, and only then.
	asked := strings.Contains(" "+address.Query().Get("scope")+" ", " offline_access ")
	consent := strings.Contains(" "+address.Query().Get("prompt")+" ", " consent ")
	if asked != offline || consent != offline {
		t.Errorf("login asked for offline_access %t and consent %t, want %t for both", asked, consent, offline)
	}
	claims := op.verify(t, d.do(nil, "token"))
	if claims["sub"] != "ada" || claims["aud"] != "cli" || claims["iss"] != op.issuer {
		t.Errorf("claims: got %v, want ada's from %s for cli", claims, op.issuer)
	}
	if got := d.do(nil, "whoami"); !strings.Contains(got, "ada@example.com") {
		t.Errorf("whoami: got %q, want ada@example.com in it", got)
	}
	stored := op.refreshTwice(d, rotate)
	if o := d.want(0, nil, "logout"); !strings.Contains(o.stderr, "revoked") {
		t.Errorf("logout said %q, want that the server has revoked the session", o.stderr)
	}
	if op.active(t, stored) {
		t.Error("after logout the refresh token is active at the provider")
	}
	if code := op.redeem(t, stored); code != "invalid_grant" {
		t.Errorf("the refresh token after logout: got %q, want invalid_grant", code)
	}
	if _, found := d.Value("p/cli"); found {
		t.Error("after logout gnome-keyring still holds the record")
	}
	if o := d.want(3, nil, "token"); o.stdout != "" {
		t.Errorf("token after logout printed %d bytes, want none", len(o.stdout))
	}
}

// refreshTwice returns the refresh token that is stored in the end.
func (op *provider) refreshTwice(d *desktop, rotate bool) (stored string) {
	t := d.t
	stored = d.refreshToken("cli")
	for i := range 2 {
		op.verify(t, d.do(nil, "token", "--refresh"))
		next := d.refreshToken("cli")
		if (next != stored) != rotate {
			t.Errorf("refresh %d: got another refresh token stored %t, want %t", i+1, next != stored, rotate)
		}
		if rotate && op.active(t, stored) {
			t.Errorf("refresh %d: the spent refresh token is still active", i+1)
		}
		if !op.active(t, next) {
			t.Errorf("refresh %d: the stored refresh token is not active", i+1)
		}
		stored = next
	}
	return stored
}

// A real expiry: token refreshes by itself, and the new token is another one.
func TestOIDCProviderTokenExpires(t *testing.T) {
	const life = 4 * time.Second
	op := startProvider(t, true, true, life)
	d := terminal(t)
	op.signIn(d)
	before := op.verify(t, d.do(nil, "token"))
	stored := d.refreshToken("cli")
	time.Sleep(life)
	after := op.verify(t, d.do(nil, "token"))
	if after["exp"].(float64) <= before["exp"].(float64) {
		t.Errorf("after its end: got exp %v, want later than %v", after["exp"], before["exp"])
	}
	if d.refreshToken("cli") == stored {
		t.Error("the refresh token is still the first, want the one that rotation brought")
	}
}

// F2: somebody else uses a spent token. This provider then ends the whole family (RFC 9700 §4.14.2),
// which is the end of the session and is said as such.
func TestF2OIDCProviderEndsAReusedFamily(t *testing.T) {
	op := startProvider(t, true, true, time.Hour)
	d := terminal(t)
	op.signIn(d)
	stolen := d.refreshToken("cli")
	d.do(nil, "token", "--refresh")
	if code := op.redeem(t, stolen); code != "invalid_grant" {
		t.Fatalf("a spent refresh token: got %q, want invalid_grant", code)
	}
	o := d.want(3, nil, "token", "--refresh")
	if o.stdout != "" || !strings.Contains(o.stderr, "hint: ") {
		t.Errorf("got %d bytes on standard output and %q, want none and a hint", len(o.stdout), o.stderr)
	}
}

// provider is a running oidc-provider whose one public client is "cli".
type provider struct {
	issuer, callback string
}

func startProvider(t *testing.T, rotate, offline bool, life time.Duration) *provider {
	t.Helper()
	fromNPM(t, "oidc-provider")
	fromNPM(t, "node")
	op := &provider{callback: freeCallback(t)}
	exe, err := filepath.Abs("node/node_modules/.bin/node")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "provider.mjs")
	cmd.Dir = "node"
	flag := map[bool]string{true: "1", false: "0"}
	cmd.Env = rig.Environ("CALLBACK="+op.callback, "ROTATE="+flag[rotate], "OFFLINE="+flag[offline], fmt.Sprintf("ID_TTL=%.0f", life.Seconds()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log strings.Builder
	cmd.Stderr = &log
	stdin, err := cmd.StdinPipe() // its end is the provider's
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	stop := time.AfterFunc(hang, func() { cmd.Process.Kill() })
	for lines := bufio.NewScanner(stdout); op.issuer == "" && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
			op.issuer = lines.Text()
		}
	}
	if !stop.Stop() || op.issuer == "" {
		cmd.Wait()
		t.Fatalf("oidc-provider does not start\n%s", &log)
	}
	return op
}

// fromNPM requires a package of e2e/node.
func fromNPM(t *testing.T, name string) {
	t.Helper()
	var manifest struct{ Version string }
	raw, err := os.ReadFile("node/node_modules/" + name + "/package.json")
	if err == nil {
		err = json.Unmarshal(raw, &manifest)
	}
	if err != nil {
		rig.Missing(t, name, "it is not in e2e/node: run npm ci there")
	}
	rig.Ran(t, name, manifest.Version)
}

// signIn configures the profile "p" and signs ada in to it.
func (op *provider) signIn(d *desktop) (address string) {
	d.t.Helper()
	d.do(nil, "configure", "--profile", "p", "--issuer", op.issuer, "--client-id", "cli", "--callback-url", op.callback,
		"--scope", "openid", "--scope", "email")
	return d.signIn(op.consent, nil)
}

var (
	form = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	step = regexp.MustCompile(`<input type="hidden" name="prompt" value="(\w+)"`)
)

// consent goes through the provider's pages, login and consent, to the callback's last page.
func (op *provider) consent(ctx context.Context, address string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	agent := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer agent.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	for range 4 {
		if err != nil {
			return err
		}
		resp, err := agent.Do(req)
		if err != nil {
			return fmt.Errorf("%T", err) // its text has the address with the code
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		if strings.HasPrefix(op.callback, "http://"+resp.Request.URL.Host+"/") {
			if resp.StatusCode != http.StatusOK || !strings.Contains(string(page), "ada@example.com") {
				return fmt.Errorf("the last page has status %d and does not name ada@example.com", resp.StatusCode)
			}
			return nil
		}
		if req, err = answer(ctx, resp, page); err != nil {
			return err
		}
	}
	return errors.New("the provider's pages do not end")
}

// answer fills in the form of one of the provider's pages.
func answer(ctx context.Context, resp *http.Response, page []byte) (*http.Request, error) {
	action, prompt := form.FindSubmatch(page), step.FindSubmatch(page)
	if action == nil || prompt == nil {
		return nil, fmt.Errorf("status %d, and a page without the provider's form", resp.StatusCode)
	}
	fields := url.Values{"prompt": {string(prompt[1])}}
	if fields.Get("prompt") == "login" {
		fields.Set("login", "ada")
		fields.Set("password", "any password will do")
	}
	to, err := resp.Request.URL.Parse(html.UnescapeString(string(action[1])))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(fields.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

// verify checks what token printed against the keys that the provider publishes.
func (op *provider) verify(t *testing.T, printed string) map[string]any {
	t.Helper()
	resp, err := http.Get(op.issuer + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var set jwks
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	claims, err := set.verify(strings.TrimSuffix(printed, "\n"))
	if err != nil {
		t.Fatalf("what token printed: got %v, want an ID token of the provider", err)
	}
	return claims
}

// active asks the provider whether it would honour a refresh token (RFC 7662).
func (op *provider) active(t *testing.T, token string) bool {
	t.Helper()
	var answer struct {
		Active *bool
		Error  string
	}
	op.post(t, "/token/introspection", url.Values{"token": {token}, "client_id": {"cli"}}, &answer)
	if answer.Active == nil {
		t.Fatalf("introspection: got the error %q, want an answer", answer.Error)
	}
	return *answer.Active
}

// redeem tries a refresh token and returns the error that the provider answers.
func (op *provider) redeem(t *testing.T, token string) string {
	t.Helper()
	var answer struct{ Error string }
	op.post(t, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {"cli"}}, &answer)
	return answer.Error
}

func (op *provider) post(t *testing.T, path string, fields url.Values, answer any) {
	t.Helper()
	resp, err := http.PostForm(op.issuer+path, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// A17: looking at the sign-in page beforehand does no harm at a provider whose error pages nobody here
// knows: a good login works (TestOIDCProvider), and what is wrong is left to the browser.
func TestA17OIDCProviderIsNotMisread(t *testing.T) {
	op := startProvider(t, true, false, time.Hour)
	for name, edit := range map[string][]string{
		"a callback that is not registered": {"--client-id", "cli", "--callback-url", fmt.Sprintf("http://localhost:%d/other", rig.FreePort(t))},
		"an unknown client":                 {"--client-id", "nobody", "--callback-url", fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))},
	} {
		t.Run(name, func(t *testing.T) {
			d := terminal(t)
			d.want(0, nil, append([]string{"configure", "--profile", "p", "--issuer", op.issuer}, edit...)...)
			o := d.want(8, nil, "login", "--no-browser", "--profile", "p", "--timeout", "2s")
			if !strings.Contains(o.stderr, "waiting for you") || !strings.Contains(o.stderr, "no answer from the browser") {
				t.Errorf("login said %q, want that it waited", o.stderr)
			}
		})
	}
}
