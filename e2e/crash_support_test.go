//go:build linux && amd64

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// settings are the pool's.
type settings struct {
	name     string
	size     int // of refresh tokens
	rotation bool
	grace    time.Duration
}

// site is a session that is killed in, again and again.
type site struct {
	*desktop
	pool    *cognitotest.Pool
	clock   stopClock
	exe     string
	profile string
	files   bool // it is kept in files
	rotates bool
	mayLose bool     // the server redeems a refresh token once and never again
	rest    []string // what the machine holds of it between commands
	before  int      // redemptions
	kills   int
	last    *crash
}

var (
	ada = cognitotest.User{Username: "ada", Password: "Analytical-Engine-1843"}
	bob = cognitotest.User{Username: "bob", Password: "Difference-Engine-1822"}
)

// everySite runs f with each of the settings on each store, and tells the number of kills.
func everySite(t *testing.T, all []settings, f func(*site)) {
	needTracing(t)
	exe := buildReleased(t)
	var kills atomic.Int64
	t.Cleanup(func() { t.Logf("%d kills survived", kills.Load()) })
	for _, store := range stores {
		for i, c := range all {
			// Locks are the user's: sessions with a profile in common would wait for each other.
			profile := fmt.Sprintf("%s-%d", store, i)
			t.Run(store+", "+c.name, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, exe, store, profile, c)
				f(s)
				t.Logf("%d kills survived", s.kills)
				kills.Add(int64(s.kills))
			})
		}
	}
}

// buildReleased builds cogauth as it is released, whatever the tests are built with: hundreds of runs of
// the race detector would take too long.
func buildReleased(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cogauth/cogauth").Output()
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), "cogauth")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", exe, "./cmd/cogauth")
	cmd.Dir = strings.TrimSpace(string(out))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build cogauth: %v\n%s", err, out)
	}
	return exe
}

// newSite signs Ada in.
func newSite(t *testing.T, exe, store, profile string, c settings) *site {
	t.Helper()
	s := &site{desktop: terminal(t), exe: exe, profile: profile, files: store == "file", rotates: c.rotation, mayLose: c.rotation && c.grace == 0}
	pool, err := cognitotest.New(cognitotest.Config{
		Clients: []cognitotest.AppClient{{
			ID: clientID, CallbackURLs: []string{freeCallback(t)}, RefreshTokenRotation: c.rotation, RetryGracePeriod: c.grace,
		}},
		Users:             []cognitotest.User{ada, bob},
		RefreshTokenBytes: c.size,
		Now:               s.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	s.pool = pool
	args := []string{"configure", "--profile", profile, "--issuer", pool.Issuer(), "--client-id", clientID, "--callback-url", pool.Client().CallbackURLs[0]}
	if s.files {
		args = append(args, "--store", "file")
	}
	if o := s.tries(args...); o.status != 0 {
		t.Fatalf("configure: got exit status %d, want 0\n%s", o.status, o.stderr)
	}
	s.enter(ada)
	s.whose("--refresh")
	s.rest = s.holds()
	kind := "entry:"
	if s.files {
		kind = "file:"
	}
	// The record, the key of the token cache, and the cache.
	if len(s.rest) != 3 || !strings.HasPrefix(s.rest[0], "cache:") || !strings.HasPrefix(s.rest[1], kind) || !strings.HasPrefix(s.rest[2], kind) {
		t.Fatalf("between commands: got %v, want a cache and two of %s", s.rest, kind)
	}
	return s
}

// everyCall has f crash at the first, the second and every further call, until there are no more. must
// be among them, and a write to the store.
func (s *site) everyCall(must string, f func(n int) *crash) {
	s.t.Helper()
	for n, whole := 1, 0; whole < 2; n++ { // one run may have had a call less than others
		c := f(n)
		if c.killed {
			whole = 0
			continue
		}
		whole++
		if !slices.ContainsFunc(c.calls, func(l leaving) bool { return l.what == must }) || !slices.ContainsFunc(c.calls, s.isStore) {
			s.t.Errorf("a whole run made the calls %v, want among them %s and one to the store", c.calls, must)
		}
	}
}

// isStore reports whether a call is on the way to or at the store.
func (s *site) isStore(l leaving) bool {
	if s.files {
		return strings.HasPrefix(l.to, s.storeDir()+"/")
	}
	return strings.HasPrefix(s.Address, strings.Replace(l.to, "unix:", "unix:path=", 1)) && strings.HasPrefix(l.to, "unix:")
}

// isWrite reports whether after a call there is a new value in the store.
func (s *site) isWrite(l leaving) bool {
	return s.isStore(l) && (l.what == "D-Bus CreateItem" || l.name == "renameat")
}

func (s *site) storeDir() string { return s.Dir + "/home/.local/share/cogauth/store" }

// crash runs cogauth and kills it at its nth call.
func (s *site) crash(n int, address func(string), args ...string) *crash {
	s.t.Helper()
	c := crashes(s.t, s.command(s.exe, args...), n, s.pool.Redemptions, address)
	s.last = c
	switch {
	case c.killed:
		s.kills++
	case c.status != 0:
		s.t.Fatalf("cogauth %s, which was not killed: got exit status %d, want 0\n%s", args[0], c.status, stripAddress(c.stderr))
	}
	return c
}

// tries runs cogauth to its end, whatever that is.
func (s *site) tries(args ...string) result {
	s.t.Helper()
	o := s.ends(s.command(s.exe, args...))
	if o.status == 5 && !s.files && s.Revive() {
		o = s.ends(s.command(s.exe, args...)) // what the keychain's own death cost is not this test's question
	}
	return o
}

// whose runs token and returns the person that the token is of.
func (s *site) whose(args ...string) string {
	s.t.Helper()
	o := s.tries(append([]string{"token"}, args...)...)
	if o.status != 0 {
		s.t.Fatalf("%s, then token %v: got exit status %d, want 0\n%s", s.last.where(), args, o.status, o.stderr)
	}
	name, _ := verify(s.t, s.pool, strings.TrimSuffix(o.stdout, "\n"))["cognito:username"].(string)
	return name
}

// enter signs a person in, without a crash.
func (s *site) enter(who cognitotest.User) {
	s.t.Helper()
	if _, o := s.login(s.visits(who), s.command(s.exe, "login", "--no-browser")); o.status != 0 {
		s.t.Fatalf("login: got exit status %d, want 0\n%s", o.status, stripAddress(o.stderr))
	}
}

func (s *site) visits(who cognitotest.User) visitor {
	return func(ctx context.Context, address string) error {
		_, err := s.pool.UserAgent().SignIn(ctx, address, who.Username, who.Password)
		return err
	}
}

// tidy expects the machine to hold what it should of the session, and nothing else.
func (s *site) tidy(c *crash, want []string) {
	s.t.Helper()
	if got := s.holds(); !slices.Equal(got, want) {
		s.t.Errorf("%s: the machine holds %v, want %v", c.where(), got, want)
	}
}

// leftTest reports whether all that is out of place is the entry with which a login tests the store. Without
// rotation a refresh has no use for that test, so the entry is there until the session ends.
func (s *site) leftTest() bool {
	s.t.Helper()
	got := s.holds()
	more := slices.DeleteFunc(slices.Clone(got), func(name string) bool { return slices.Contains(s.rest, name) })
	return !s.rotates && len(got) == len(s.rest)+1 && len(more) == 1 && (s.files || strings.HasPrefix(more[0], "entry:test:"))
}

// holds are the keychain's entries, the store's files and the token cache. Both slots of a value go by
// one name: either is in use between commands, but never both.
func (s *site) holds() (names []string) {
	s.t.Helper()
	for _, name := range s.Names() {
		names = append(names, "entry:"+strings.TrimSuffix(name, "~b"))
	}
	for kind, dir := range map[string]string{"cache:": s.Dir + "/home/.cache/cogauth", "file:": s.storeDir()} {
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
			case e.IsDir() && e.Name() == "locks": // what the holder of a lock has left there is the next one's
				return fs.SkipDir
			case !e.IsDir():
				names = append(names, kind+e.Name())
			}
			return nil
		})
	}
	slices.Sort(names)
	return names
}

func (c *crash) where() string {
	if c == nil || !c.killed {
		return "not killed"
	}
	return fmt.Sprintf("killed at call %d, %v", len(c.calls), c.calls[len(c.calls)-1])
}

// stopClock is the pool's clock.
type stopClock struct {
	mu      sync.Mutex
	stopped time.Time
}

func (c *stopClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped
	}
	return time.Now()
}

func (c *stopClock) stop() { c.set(time.Now()) }
func (c *stopClock) run()  { c.set(time.Time{}) }

func (c *stopClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = t
}
