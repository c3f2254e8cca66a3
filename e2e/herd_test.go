//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// herd is how many programs want a token at once.
const herd = 50

// D1, acceptance 6: fifty processes find the token expired; the pool rotates refresh tokens with no
// grace, so a second redemption of one would be the end of the session. There is one, for all.
func TestD1FiftyProcessesRedeemOnce(t *testing.T) {
	d := terminal(t)
	pool := expiredSession(t, d)
	tokens := stampede(t, pool, d, nil)
	if got := pool.Redemptions(); got != 1 {
		t.Errorf("redemptions: got %d, want 1", got)
	}
	if len(tokens) != 1 {
		t.Errorf("got %d different tokens, want one", len(tokens))
	}
}

// D2: the lock is as wide as the secret. Two homes, with caches and temporary folders of their own,
// share one keychain: each may redeem once, because neither can read the other's cache, but none ever
// sends a spent token.
func TestD2TwoHomesOneKeychain(t *testing.T) {
	d := terminal(t)
	pool := expiredSession(t, d)
	stampede(t, pool, d, nil, anotherHome(t, d))
	if got := pool.Redemptions(); got < 1 || got > 2 {
		t.Errorf("redemptions: got %d, want 1 or 2, one for each cache", got)
	}
}

// expiredSession signs in on d and waits until the tokens have expired.
func expiredSession(t *testing.T, d *desktop) *cognitotest.Pool {
	t.Helper()
	const left = 3 * time.Second
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{
		ID: clientID, CallbackURLs: []string{freeCallback(t)}, RefreshTokenRotation: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	// The tokens of the login are short-lived, those of a refresh are not: however slow the machine is,
	// one refresh is enough for everybody.
	pool.TamperIDToken(func(_, claims map[string]any) { claims["exp"] = time.Now().Add(left).Unix() })
	d.do(nil, "configure", "--profile", "p", "--issuer", pool.Issuer(), "--client-id", clientID, "--callback-url", pool.Client().CallbackURLs[0])
	d.signIn(person(pool), nil)
	pool.TamperIDToken(nil)
	time.Sleep(left)
	return pool
}

// anotherHome is a copy of the configuration in folders of its own, as variables.
func anotherHome(t *testing.T, d *desktop) []string {
	t.Helper()
	dir := t.TempDir()
	env := []string{"HOME=" + dir, "TMPDIR=" + dir + "/tmp"}
	for name, sub := range map[string]string{"XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": "run"} {
		env = append(env, name+"="+filepath.Join(dir, sub))
	}
	for _, sub := range []string{"config/cogauth", "run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.ReadFile(d.Dir + "/home/.config/cogauth/config.toml")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config/cogauth/config.toml"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// stampede has the herd ask for a token at once, spread over the homes, each given by its variables,
// and returns the different tokens that came.
func stampede(t *testing.T, pool *cognitotest.Pool, d *desktop, homes ...[]string) []string {
	t.Helper()
	// The winner is slow enough for all others to have begun.
	pool.Fail("token", cognitotest.Failure{Delay: 2 * time.Second})
	before := len(pool.Requests())
	runs := make([]*running, herd)
	for i := range runs {
		runs[i] = begin(t, d.cogauth(homes[i%len(homes)], "token"), nil)
	}
	var tokens []string
	for i, r := range runs {
		o := r.end()
		if o.status != 0 || o.stderr != "" {
			t.Errorf("process %d: got exit status %d, want 0 and not a word\n%s", i, o.status, o.stderr)
		} else if !slices.Contains(tokens, o.stdout) {
			tokens = append(tokens, o.stdout)
		}
	}
	for _, token := range tokens {
		verify(t, pool, strings.TrimSuffix(token, "\n"))
	}
	for _, r := range pool.Requests()[before:] {
		if r.Error != "" {
			t.Errorf("the pool answered %s to a request to %s, want no refused request", r.Error, r.Endpoint)
		}
	}
	return tokens
}
