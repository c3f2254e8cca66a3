package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// program is the built command with an environment of its own.
type program struct {
	t    *testing.T
	exe  string
	env  []string
	pool *cognitotest.Pool

	ring  *rig.Session // its keychain
	dir   string       // where config.toml and ca.pem are
	stdin string
}

// run starts the program, signs in at the first address it prints, and returns its exit status and
// what it wrote.
func (p *program) run(args ...string) (status int, stdout, stderr string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.exe, args...)
	cmd.Env = p.env
	cmd.Stdin = strings.NewReader(p.stdin)
	var out bytes.Buffer
	w := &urlWatcher{found: func(url string) {
		go p.pool.UserAgent().SignIn(ctx, url, p.pool.User().Username, p.pool.User().Password)
	}}
	cmd.Stdout, cmd.Stderr = &out, w
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), w.text.String()
}

// awsPool is a pool under AWS's own names and a program configured as a person would: pool ID and
// client ID.
func awsPool(t *testing.T, extra string) *program {
	t.Helper()
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{CallbackURLs: []string{callback}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.StartAWS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	dir := t.TempDir()
	ca, config := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "config.toml")
	poolID := pool.Issuer()[strings.LastIndex(pool.Issuer(), "/")+1:]
	text := fmt.Sprintf("[profiles.a]\nuser_pool_id = %q\nclient_id = %q\ncallback_urls = [%q]\n%s\n", poolID, pool.Client().ID, callback, extra)
	for name, b := range map[string][]byte{ca: pool.CertPEM(), config: []byte(text)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ring := rig.Keyring(t)
	return &program{t: t, exe: rig.Build(t), env: append(ring.Env(), "COGAUTH_CONFIG="+config, "HTTPS_PROXY="+pool.ProxyURL(), "AWS_CA_BUNDLE="), pool: pool, ring: ring}
}

// H2: the requests to the pool, under its real names, go through the proxy that the environment
// names; the callback, on loopback, never does.
func TestH2ProxyForThePoolNeverForLoopback(t *testing.T) {
	p := awsPool(t, `ca_file = "ca.pem"`)
	if status, out, errs := p.run("login", "--no-browser"); status != 0 || out != "" {
		t.Fatalf("login: status %d\n%s", status, errs)
	}
	status, out, errs := p.run("token")
	if use, ok := tokenUse(strings.TrimSpace(out)); status != 0 || !ok || use != "id" {
		t.Fatalf("token: status %d\n%s", status, errs)
	}
	if status, _, errs := p.run("logout"); status != 0 {
		t.Fatalf("logout: status %d\n%s", status, errs)
	}
	seen := map[string]int{}
	for _, tunnel := range p.pool.Tunnels() {
		seen[tunnel.Target]++
		if strings.Contains(tunnel.Target, "localhost") || strings.Contains(tunnel.Target, "127.0.0.1") || tunnel.Refused {
			t.Errorf("the proxy was asked for %s", tunnel.Target)
		}
	}
	if len(seen) != 2 {
		t.Errorf("the proxy saw %v, want the issuer and the domain", seen)
	}
}

// H1: a private authority is trusted through ca_file, AWS_CA_BUNDLE or SSL_CERT_FILE, and not
// otherwise; then the answer is "misconfigured", not "offline".
func TestH1PrivateAuthority(t *testing.T) {
	p := awsPool(t, "")
	status, _, errs := p.run("login", "--no-browser")
	if status != exitMisconfigured || !strings.Contains(errs, "authority") || !strings.Contains(errs, "ca_file") {
		t.Errorf("without the authority: status %d\n%s", status, errs)
	}
	base, dir := p.env, t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, p.pool.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"COGAUTH_CA_FILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"} {
		p.env = append(base[:len(base):len(base)], name+"="+ca)
		if status, _, errs := p.run("login", "--no-browser"); status != 0 {
			t.Errorf("%s: status %d\n%s", name, status, errs)
		}
	}
}

// L1: without a session, token ends at once: no prompt, no browser, nothing on standard output. The
// row's second is checked as a hang, at ten times that.
func TestL1TokenNeverAsks(t *testing.T) {
	p := awsPool(t, `ca_file = "ca.pem"`)
	env, started := rig.FakeProgram(t, append(p.env, "DISPLAY=:0"), "xdg-open")
	p.env = env
	done := make(chan struct{})
	go func() {
		defer close(done)
		status, out, errs := p.run("token")
		if status != exitLoginRequired || out != "" || !strings.Contains(errs, "hint: run") {
			t.Errorf("status %d, standard output %q\n%s", status, out, errs)
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
	}
	if started() {
		t.Error("a browser was opened")
	}
	if n := len(p.pool.Requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}
