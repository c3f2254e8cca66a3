//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// herd is how many programs want a token at once.
const herd = 50

// D1, acceptance 4: fifty processes find the token expired; the pool rotates refresh tokens with no
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

// D4, acceptance 4: the process that holds the lock is killed before it has sent its redemption. The
// lock ends with it, and the others go on as if it had not been.
func TestD4HolderKilledBeforeItsRedemption(t *testing.T) {
	d := terminal(t)
	pool := expiredSession(t, d)
	path, err := (&tokenstore.Keyring{}).LockPath("p/" + clientID)
	if err != nil {
		t.Fatal(err)
	}
	// The holder learns the pool's endpoints before it redeems anything: there it hangs.
	pool.Fail("discovery", cognitotest.Failure{Times: 1, Hang: true})
	asked, sent := pool.Count("discovery"), pool.Count("token")
	discoveries := func(n int, within time.Duration, otherwise string) {
		t.Helper()
		for end := time.Now().Add(within); pool.Count("discovery") < asked+n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(otherwise)
			}
		}
	}
	h := gather(t, pool, d, nil)
	discoveries(1, hang, "nobody asks the pool for anything")
	holder := lockHolder(t, path)
	i := slices.IndexFunc(h.runs, func(r *running) bool { return r.cmd.Process.Pid == holder })
	if i < 0 {
		t.Fatalf("process %d holds the lock, want one of the herd", holder)
	}
	if got := pool.Count("token"); got != sent {
		t.Fatalf("the holder has sent %d requests to the token endpoint, want none before it is killed", got-sent)
	}
	killed := h.runs[i]
	h.runs = slices.Delete(h.runs, i, i+1)
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	discoveries(2, 10*time.Second, "10 s after the death of the lock's holder nobody else has it") // D4 says 1 s
	if o := killed.end(); o.status != -1 || o.stdout != "" {
		t.Errorf("the killed process: got exit status %d and %d bytes of output, want -1 and none", o.status, len(o.stdout))
	}
	if tokens := h.tokens(); len(tokens) != 1 {
		t.Errorf("got %d different tokens, want one", len(tokens))
	}
	if got := pool.Redemptions(); got != 1 {
		t.Errorf("redemptions: got %d, want 1", got)
	}
}

// lockHolder is the process that holds the kernel's lock on a file, as the kernel tells it.
func lockHolder(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Fatal(err)
	}
	inode := ":" + strconv.FormatUint(info.Sys().(*syscall.Stat_t).Ino, 10)
	for line := range strings.Lines(string(locks)) {
		// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:9980141 0 EOF
		f := strings.Fields(line)
		if len(f) == 8 && f[1] == "FLOCK" && strings.HasSuffix(f[5], inode) {
			pid, err := strconv.Atoi(f[4])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("the kernel knows of no lock on the session's lock file")
	return 0
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
	return gather(t, pool, d, homes...).tokens()
}

// stampeding are processes that want a token, and how many requests the pool had seen before.
type stampeding struct {
	t      *testing.T
	pool   *cognitotest.Pool
	runs   []*running
	before int
}

// gather starts the herd, spread over the homes.
func gather(t *testing.T, pool *cognitotest.Pool, d *desktop, homes ...[]string) *stampeding {
	t.Helper()
	// The winner is slow enough for all others to have begun.
	pool.Fail("token", cognitotest.Failure{Delay: 2 * time.Second})
	h := &stampeding{t, pool, make([]*running, herd), len(pool.Requests())}
	for i := range h.runs {
		h.runs[i] = begin(t, d.cogauth(homes[i%len(homes)], "token"), nil)
	}
	return h
}

// tokens waits for the herd, of which each must have a token, and returns the different ones.
func (h *stampeding) tokens() []string {
	h.t.Helper()
	var tokens []string
	for i, r := range h.runs {
		o := r.end()
		if o.status != 0 || o.stderr != "" {
			h.t.Errorf("process %d: got exit status %d, want 0 and not a word\n%s", i, o.status, o.stderr)
		} else if !slices.Contains(tokens, o.stdout) {
			tokens = append(tokens, o.stdout)
		}
	}
	for _, token := range tokens {
		verify(h.t, h.pool, strings.TrimSuffix(token, "\n"))
	}
	for _, r := range h.pool.Requests()[h.before:] {
		if r.Error != "" {
			h.t.Errorf("the pool answered %s to a request to %s, want no refused request", r.Error, r.Endpoint)
		}
	}
	return tokens
}
