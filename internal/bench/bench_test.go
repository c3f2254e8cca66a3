// Package bench measures whole processes: what a caller of cogauth waits for.
//
//	make bench
//
// Absolute times mean little on a shared machine, so every figure is a ratio to a Go hello-world
// that runs in the same rounds: A B C A B C …, compared round by round, the median quoted. Several
// callers at once are compared with as many hello-worlds at once.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore/filestore"
)

// Rounds: of what takes milliseconds, of what the pool has to answer, and of crowds.
const (
	quickRounds = 200
	poolRounds  = 30
	crowdRounds = 10
)

// limit is what an entry holds on Windows. A record with a refresh token of bigRefreshToken bytes takes
// four such entries; a user pool's takes one or two.
const (
	limit           = 2560
	bigRefreshToken = 8000
)

// answerDelay is how long the pool takes over a refresh that a crowd waits for.
const answerDelay = 200 * time.Millisecond

// TestProcesses prints the tables. It asserts nothing about speed, which is shown, not gated.
func TestProcesses(t *testing.T) {
	if os.Getenv("COGAUTH_BENCH") == "" {
		t.Skip("set COGAUTH_BENCH=1 (make bench)")
	}
	dir := t.TempDir()
	cogauth, hello, embedder := filepath.Join(dir, "cogauth"), filepath.Join(dir, "hello"), filepath.Join(dir, "embedder")
	build(t, cogauth, "github.com/cogauth/cogauth/cmd/cogauth")
	build(t, embedder, "github.com/cogauth/cogauth/internal/bench/embedder")
	source := filepath.Join(dir, "hello.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build(t, hello, source)

	ring := rig.Keyring(t)
	pool, callback := startPool(t, 0)
	env := append(ring.Env(), "COGAUTH_CONFIG="+writeConfig(t, dir, pool, callback))
	agent := signedInAgent(t, pool, callback)
	signIn := func(args ...string) time.Duration {
		return login(t, env, agent, cogauth, append([]string{"login", "--no-browser"}, args...)...)
	}
	signIn() // so that there are sessions
	signIn("--profile", "file")

	big, bigCallback := startPool(t, bigRefreshToken)
	bigAgent := signedInAgent(t, big, bigCallback)
	library := func(profile string, args ...string) []string {
		return append([]string{"-profile", profile, "-issuer", big.Issuer(), "-client-id", big.Client().ID, "-callback-url", bigCallback}, args...)
	}
	one, four := library("one"), library("four", "-limit", strconv.Itoa(limit))
	for _, args := range [][]string{one, four} {
		login(t, env, bigAgent, embedder, append(args, "-login")...)
	}
	wantEntries(t, ring, "one/"+big.Client().ID, 1)
	wantEntries(t, ring, "four/"+big.Client().ID, 4)

	timed := func(name string, args ...string) func() time.Duration {
		return func() time.Duration { return run(t, env, name, args...) }
	}
	heading("one caller", quickRounds)
	table(t, quickRounds, []contender{
		{name: "Go hello-world", run: timed(hello)},
		{name: "cogauth version", target: "1.8", run: timed(cogauth, "version")},
		{name: "token, warm, Secret Service", target: "5.0", run: timed(cogauth, "token")},
		{name: "token, warm, file store", target: "3.1", run: timed(cogauth, "token", "--profile", "file")},
		{name: "helper headers, warm, Secret Service", target: "5.0", run: timed(cogauth, "helper", "headers", "https://api.example.com/")},
		{name: "library: token, warm, record in one entry", target: "5.0", run: timed(embedder, one...)},
		{name: "library: token, warm, record in four", target: "5.0", run: timed(embedder, four...)},
		{name: "library: session, record in one entry", run: timed(embedder, append(one, "-session")...)},
		{name: "library: session, record in four", run: timed(embedder, append(four, "-session")...)},
	})

	heading("one caller, with the pool's answer", poolRounds)
	table(t, poolRounds, []contender{
		{name: "Go hello-world", run: timed(hello)},
		{name: "login, without the human's share", run: func() time.Duration { return signIn() }},
		{name: "token, cold, Secret Service", run: timed(cogauth, "token", "--refresh")},
		{name: "token, cold, file store", target: "4.7", run: timed(cogauth, "token", "--refresh", "--profile", "file")},
		{name: "library: rotation, record in one entry", run: timed(embedder, append(one, "-refresh")...)},
		{name: "library: rotation, record in four", run: timed(embedder, append(four, "-refresh")...)},
	})

	heading("callers at once, until the last is done", crowdRounds)
	var crowds []contender
	for _, n := range []int{1, 8, 50} {
		greeting := len(crowds)
		target, coldTarget := "", ""
		if n == 50 {
			target, coldTarget = "6.3", "7.3"
		}
		crowds = append(crowds,
			contender{name: "Go hello-world", callers: n, yardstick: greeting, run: func() time.Duration { return crowd(n, timed(hello)) }},
			contender{name: "token, warm", callers: n, yardstick: greeting, target: target, run: func() time.Duration { return crowd(n, timed(cogauth, "token")) }},
			contender{name: "token, cold, answer after 200 ms", callers: n, yardstick: greeting, target: coldTarget, run: func() time.Duration {
				loseCache(t, ring)
				pool.Fail("token", cognitotest.Slow(answerDelay))
				defer pool.Fail("token", cognitotest.Failure{})
				before := pool.Redemptions()
				took := crowd(n, timed(cogauth, "token"))
				if got := pool.Redemptions() - before; got != 1 {
					t.Errorf("%d callers redeemed %d times, want once", n, got)
				}
				return took
			}},
		)
	}
	table(t, crowdRounds, crowds)
	fmt.Printf("\ntarget: set for version and the warm keychain; else what the quickest comparable program was measured at\n")

	info, err := os.Stat(cogauth)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("stripped binary: %.1f MB (limit 15)\n\n", float64(info.Size())/1e6)
}

// wantEntries checks how many of the keychain's entries a value takes.
func wantEntries(t *testing.T, ring *rig.Session, name string, want int) {
	t.Helper()
	for _, slot := range []string{name, name + "~b"} {
		if _, found := ring.Lookup("service", "cogauth", "username", slot); !found {
			continue
		}
		separator := "~"
		if strings.HasSuffix(slot, "~b") {
			separator = ""
		}
		got := 1
		for ; ; got++ {
			if _, more := ring.Lookup("service", "cogauth", "username", slot+separator+strconv.Itoa(got+1)); !more {
				break
			}
		}
		if got != want {
			t.Errorf("the record takes %d entries, want %d", got, want)
		}
		return
	}
	t.Errorf("the keychain holds no %s", name)
}

// loseCache removes the cached tokens, as expiry does: the next caller needs a refresh.
func loseCache(t *testing.T, ring *rig.Session) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(ring.Dir, "home/.cache/cogauth/*.tokens"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no token cache: %v", err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// crowd runs n at once and returns the time until the last is done.
func crowd(n int, one func() time.Duration) time.Duration {
	var wg sync.WaitGroup
	began := time.Now()
	for range n {
		wg.Go(func() { one() })
	}
	wg.Wait()
	return time.Since(began)
}

func build(t *testing.T, out, what string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, what)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", what, err, b)
	}
}

type contender struct {
	name      string
	callers   int // at once; zero means one
	target    string
	yardstick int // the contender that it is compared with
	run       func() time.Duration
}

func heading(what string, rounds int) {
	fmt.Printf("\n%-42s %10s %10s %8s %7s   (%d rounds)\n", what, "median ms", "a caller", "x hello", "target", rounds)
}

// table runs the contenders in turn and prints medians.
func table(t *testing.T, rounds int, cs []contender) {
	t.Helper()
	times := make([][]time.Duration, len(cs))
	for round := range rounds + 1 {
		for i, c := range cs {
			took := c.run()
			if t.Failed() {
				t.FailNow() // with the first failure, not thousands
			}
			if round > 0 { // the first warms up
				times[i] = append(times[i], took)
			}
		}
	}
	ratios := make([][]float64, len(cs))
	for i, c := range cs {
		for r := range rounds {
			ratios[i] = append(ratios[i], float64(times[i][r])/float64(times[c.yardstick][r]))
		}
	}
	for i, c := range cs {
		slices.Sort(times[i])
		slices.Sort(ratios[i])
		name, took, each := c.name, float64(times[i][rounds/2])/1e6, ""
		if c.callers > 0 {
			name = fmt.Sprintf("%2d: %s", c.callers, name)
			each = fmt.Sprintf("%.2f", took/float64(c.callers))
		}
		fmt.Printf("%-42s %10.2f %10s %8.2f %7s\n", name, took, each, ratios[i][rounds/2], c.target)
	}
}

// run times one process from spawn to reaped. Several goroutines may call it.
func run(t *testing.T, env []string, name string, args ...string) time.Duration {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil || stdout.Len() == 0 {
		t.Errorf("%s %v: %v\n%s", name, args, err, &stderr)
	}
	return took
}

// startPool starts a pool whose one client has a free callback port. One with refresh tokens of a given
// length rotates them.
func startPool(t *testing.T, refreshTokenBytes int) (*cognitotest.Pool, string) {
	t.Helper()
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	pool, err := cognitotest.New(cognitotest.Config{RefreshTokenBytes: refreshTokenBytes, Clients: []cognitotest.AppClient{{
		ID: "bench", CallbackURLs: []string{callback}, Scopes: []string{"openid"}, RefreshTokenRotation: refreshTokenBytes > 0,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool, callback
}

// writeConfig writes two profiles of one app client: bench, and file in the file store.
func writeConfig(t *testing.T, dir string, pool *cognitotest.Pool, callback string) string {
	t.Helper()
	path := filepath.Join(dir, "config.toml")
	key := filepath.Join(dir, "store.key")
	if err := filestore.NewKey(key); err != nil {
		t.Fatal(err)
	}
	profile := fmt.Sprintf("issuer = %q\nclient_id = %q\ncallback_urls = [%q]\n", pool.Issuer(), pool.Client().ID, callback)
	text := "default_profile = \"bench\"\n\n[profiles.bench]\n" + profile + "\n[[profiles.bench.serve]]\norigin = \"https://api.example.com\"\n" +
		"\n[profiles.file]\n" + profile + fmt.Sprintf("store = \"file\"\nstore_key = %q\nstore_dir = %q\n", key, filepath.Join(dir, "store"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signedInAgent is a browser with the pool's session cookie: it needs no human.
func signedInAgent(t *testing.T, pool *cognitotest.Pool, callback string) *cognitotest.UserAgent {
	t.Helper()
	agent := pool.UserAgent()
	page := fmt.Sprintf("%s/oauth2/authorize?response_type=code&client_id=%s&redirect_uri=%s&scope=openid&state=s&code_challenge=%s&code_challenge_method=S256",
		pool.Domain(), pool.Client().ID, callback, strings.Repeat("a", 43))
	// The callback is not listened for yet; the cookie is set all the same.
	_, _ = agent.SignIn(t.Context(), page, pool.User().Username, pool.User().Password)
	return agent
}

// login runs one login and returns the time that is cogauth's own: from start to the printed
// address, and from the callback to the exit.
func login(t *testing.T, env []string, agent *cognitotest.UserAgent, exe string, args ...string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // shows where it hangs
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var own time.Duration
	var said []string // for a failure
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		said = append(said, lines.Text())
		if !strings.HasPrefix(lines.Text(), "http") {
			continue
		}
		own = time.Since(began)
		location, err := agent.Authorize(ctx, lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(location, "code=") {
			t.Fatalf("the browser's session did not bring a code: %.80s", location)
		}
		began = time.Now()
		resp, err := http.Get(location) // follows to the last page, as a browser does
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("login: %v\n%s", err, strings.Join(said, "\n"))
	}
	return own + time.Since(began)
}
