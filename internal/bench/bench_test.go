// Package bench measures whole processes: what a caller of cogauth waits for.
//
//	make bench
//
// Absolute times mean little on a shared machine, so every figure is a ratio to a Go hello-world
// that runs in the same rounds: A B C A B C …, compared round by round, the median quoted.
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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

const rounds = 200

// TestProcesses prints the table. It asserts nothing: speed is shown, not gated.
func TestProcesses(t *testing.T) {
	if os.Getenv("COGAUTH_BENCH") == "" {
		t.Skip("set COGAUTH_BENCH=1 (make bench)")
	}
	dir := t.TempDir()
	cogauth, hello := filepath.Join(dir, "cogauth"), filepath.Join(dir, "hello")
	build(t, cogauth, "github.com/cogauth/cogauth/cmd/cogauth")
	source := filepath.Join(dir, "hello.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build(t, hello, source)

	ring := rig.Keyring(t)
	pool, callback := startPool(t)
	env := append(ring.Env(), "COGAUTH_CONFIG="+writeConfig(t, dir, pool, callback))
	agent := signedInAgent(t, pool, callback)
	login(t, cogauth, env, agent) // so that there is a session

	fmt.Printf("\n%d rounds of each, whole processes, ratio to a Go hello-world in the same round\n\n", rounds)
	fmt.Printf("%-44s %9s %9s\n", "command", "median ms", "x hello")
	table(hello, []contender{
		{"Go hello-world", func() time.Duration { return run(t, env, hello) }},
		{"cogauth version                  (target 1.8)", func() time.Duration { return run(t, env, cogauth, "version") }},
		{"cogauth token, warm, Secret Service     (5.0)", func() time.Duration { return run(t, env, cogauth, "token") }},
		{"cogauth login, without the human's share     ", func() time.Duration { return login(t, cogauth, env, agent) }},
	})
	info, err := os.Stat(cogauth)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nstripped binary: %.1f MB (limit 15)\n\n", float64(info.Size())/1e6)
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
	name string
	run  func() time.Duration
}

// table runs the contenders in turn and prints medians; the first is the yardstick.
func table(_ string, cs []contender) {
	times := make([][]time.Duration, len(cs))
	for _, c := range cs {
		c.run() // warm up
	}
	for range rounds {
		for i, c := range cs {
			times[i] = append(times[i], c.run())
		}
	}
	for i, c := range cs {
		ratios := make([]float64, rounds)
		for r := range rounds {
			ratios[r] = float64(times[i][r]) / float64(times[0][r])
		}
		slices.Sort(ratios)
		slices.Sort(times[i])
		fmt.Printf("%-44s %9.2f %9.2f\n", c.name, float64(times[i][rounds/2])/1e6, ratios[rounds/2])
	}
}

// run times one process from spawn to reaped.
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
		t.Fatalf("%s %v: %v\n%s", name, args, err, &stderr)
	}
	return took
}

// startPool starts a pool whose one client has a free callback port.
func startPool(t *testing.T) (*cognitotest.Pool, string) {
	t.Helper()
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{ID: "bench", CallbackURLs: []string{callback}, Scopes: []string{"openid"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool, callback
}

func writeConfig(t *testing.T, dir string, pool *cognitotest.Pool, callback string) string {
	t.Helper()
	path := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("[profiles.bench]\nissuer = %q\nclient_id = %q\ncallback_urls = [%q]\n", pool.Issuer(), pool.Client().ID, callback)
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
func login(t *testing.T, cogauth string, env []string, agent *cognitotest.UserAgent) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, cogauth, "login", "--no-browser")
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
