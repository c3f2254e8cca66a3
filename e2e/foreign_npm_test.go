//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Acceptance 3: openid-client, with each way to authenticate.
func TestOpenIDClient(t *testing.T) {
	for _, auth := range []string{"none", "client_secret_basic", "client_secret_post"} {
		for _, rotate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,rotation=%t", auth, rotate), func(t *testing.T) {
				pool := foreignPool(t, auth, freeCallback(t), rotate)
				start(t, pool.Start)
				saw := openIDClient(t, pool, auth)
				saw.session(t, pool, rotate)
				onTheWire(t, pool, "token", auth)
				onTheWire(t, pool, "revoke", auth)
			})
		}
	}
}

// The same under the names that AWS uses: node's own fetch goes through the proxy if told so, with a
// warning that this is experimental, and there is nothing insecure that it has to allow.
func TestOpenIDClientUnderAWSNames(t *testing.T) {
	pool := foreignPool(t, "none", freeCallback(t), false)
	start(t, pool.StartAWS)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pool.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	saw := openIDClient(t, pool, "none", "NODE_USE_ENV_PROXY=1", "NODE_OPTIONS=--disable-warning=UNDICI-EHPA",
		"HTTPS_PROXY="+pool.ProxyURL(), "https_proxy="+pool.ProxyURL(), "NO_PROXY=", "no_proxy=", "NODE_EXTRA_CA_CERTS="+authority)
	saw.session(t, pool, false)
	if len(pool.Tunnels()) == 0 {
		t.Error("the proxy saw no tunnel, want some")
	}
}

// The checks of openid-client do run.
func TestOpenIDClientRefusesWhatLies(t *testing.T) {
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			pool := foreignPool(t, "none", freeCallback(t), false)
			start(t, pool.Start)
			lie.tell(pool)
			if saw := openIDClient(t, pool, "none"); saw.Refused == nil {
				t.Error("openid-client took the ID token, want an error")
			} else if pool.Redemptions() != 0 || pool.Count("userInfo") != 0 {
				t.Errorf("openid-client went on after %s, want that it stops", saw.Refused)
			}
		})
	}
}

// sighting is what openid-client.mjs reports.
type sighting struct {
	SupportsPKCE     bool
	ExpiresIn        int
	Claims, UserInfo map[string]any
	Refreshed        struct {
		Claims                          map[string]any
		NewAccessToken, NewRefreshToken bool
	}
	After   struct{ Refresh, UserInfo string }
	Refused json.RawMessage
}

// openIDClient runs openid-client.mjs to its end, and is the person who signs in.
func openIDClient(t *testing.T, pool *cognitotest.Pool, auth string, env ...string) (saw sighting) {
	t.Helper()
	fromNPM(t, "openid-client")
	fromNPM(t, "node")
	exe, err := filepath.Abs("node/node_modules/.bin/node")
	if err != nil {
		t.Fatal(err)
	}
	app := pool.Client()
	asked := map[string]any{
		"issuer": pool.Issuer(), "clientId": app.ID, "callback": app.CallbackURLs[0],
		"auth": auth, "plain": strings.HasPrefix(pool.Issuer(), "http:"),
	}
	if len(app.Secrets) > 0 {
		asked["secret"] = app.Secrets[0]
	}
	stdin, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "openid-client.mjs")
	cmd.Dir = "node"
	cmd.Env = rig.Environ(env...)
	r := begin(t, cmd, strings.NewReader(string(stdin)))
	address := r.address()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	if err := person(pool)(ctx, address); err != nil {
		t.Errorf("the browser: %v", err)
		cmd.Process.Kill()
	}
	o := r.end()
	// A library that has something to complain of does so here.
	if rest := strings.TrimSpace(strings.ReplaceAll(o.stderr, address, "")); rest != "" {
		t.Errorf("openid-client.mjs says %q, want nothing but the address", rest)
	}
	if err := json.Unmarshal([]byte(o.stdout), &saw); err != nil {
		t.Fatalf("openid-client.mjs: got exit status %d and no report (%v), want one", o.status, err)
	}
	if refused := saw.Refused != nil; refused != (o.status != 0) {
		t.Errorf("openid-client.mjs: got exit status %d with a refusal %t", o.status, refused)
	}
	return saw
}

// session checks what openid-client saw of a whole session.
func (saw *sighting) session(t *testing.T, pool *cognitotest.Pool, rotate bool) {
	t.Helper()
	if saw.Refused != nil {
		t.Fatalf("openid-client refuses: %s", saw.Refused)
	}
	ada := pool.User()
	for where, claims := range map[string]map[string]any{"ID token": saw.Claims, "refreshed ID token": saw.Refreshed.Claims} {
		if claims["sub"] != ada.Sub || claims["iss"] != pool.Issuer() || claims["aud"] != pool.Client().ID || claims["email_verified"] != true {
			t.Errorf("%s: got %v, want ada's", where, claims)
		}
	}
	if saw.UserInfo["sub"] != ada.Sub || saw.UserInfo["email"] != "ada@example.com" || saw.UserInfo["email_verified"] != "true" {
		t.Errorf("userInfo: got %v, want ada's", saw.UserInfo)
	}
	if saw.ExpiresIn != 3600 {
		t.Errorf("expires_in: got %d, want 3600", saw.ExpiresIn)
	}
	if r := saw.Refreshed; !r.NewAccessToken || r.NewRefreshToken != rotate {
		t.Errorf("refresh: got another access token %t and refresh token %t, want true and %t", r.NewAccessToken, r.NewRefreshToken, rotate)
	}
	// Cognito's WWW-Authenticate names no scheme (RFC 9110 §11.6.1 wants one), so that the library sees a
	// refusal and not the challenge in it.
	if saw.After.Refresh != "invalid_grant" || saw.After.UserInfo == "answered" {
		t.Errorf("after revocation: got %+v, want invalid_grant and a refusal", saw.After)
	}
	if got := pool.Redemptions(); got != 1 {
		t.Errorf("got %d redemptions, want 1", got)
	}
	// Discovery does not list S256, and a client that asks is told so. It works all the same.
	if saw.SupportsPKCE {
		t.Error("discovery lists S256: Cognito's does not")
	}
}
