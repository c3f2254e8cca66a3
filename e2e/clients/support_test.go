//go:build linux

package clients

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// hang is how long a client may take. It is no measure of speed: some are slow to start.
const hang = 2 * time.Minute

// world is a person who is signed in to a user pool with the profile corp, in a home of their own, with a
// real keychain, and with cogauth's names on PATH.
type world struct {
	*rig.Session
	t     *testing.T
	pool  *cognitotest.Pool
	home  string
	links string // the folder on PATH with cogauth and all its names
	path  []string
	env   []string // added for every command

	mu   sync.Mutex
	said strings.Builder // the standard error of all commands
}

// newWorld makes one and signs in.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Session: rig.Keyring(t), t: t}
	w.home, w.links = w.Dir+"/home", w.Dir+"/links"
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(t))
	var err error
	w.pool, err = cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{
		ID: "clients0123456789", CallbackURLs: []string{callback},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.pool.Close() })
	if err := os.MkdirAll(w.links, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(rig.Build(t), w.links+"/cogauth"); err != nil {
		t.Fatal(err)
	}
	w.path = append([]string{w.links}, filepath.SplitList(os.Getenv("PATH"))...)
	w.watch()
	w.ok("cogauth", "configure", "--profile", "corp", "--issuer", w.pool.Issuer(), "--client-id", w.pool.Client().ID, "--callback-url", callback)
	w.ok("cogauth", "install-links", w.links)
	w.signIn()
	return w
}

// serve lets a profile serve an origin: keys and values are lines of its entry, such as `token = "access"`.
func (w *world) serve(profile string, lines ...string) {
	w.t.Helper()
	f, err := os.OpenFile(w.configFile(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "\n[[profiles.%s.serve]]\n%s\n", profile, strings.Join(lines, "\n")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) configFile() string { return w.home + "/.config/cogauth/config.toml" }

// signIn has the person sign in.
func (w *world) signIn() {
	w.t.Helper()
	cmd := w.command("cogauth", "login", "--no-browser", "--profile", "corp")
	var stderr bytes.Buffer
	pipe, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	user := w.pool.User()
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		stderr.WriteString(lines.Text() + "\n")
		if address := lines.Text(); strings.HasPrefix(address, "http") {
			if _, err := w.pool.UserAgent().SignIn(context.Background(), address, user.Username, user.Password); err != nil {
				w.t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		w.t.Fatalf("login: %v\n%s", err, stderr.String())
	}
}

// cold has the next call need a refresh.
func (w *world) cold() {
	w.t.Helper()
	if err := os.RemoveAll(w.home + "/.cache/cogauth"); err != nil {
		w.t.Fatal(err)
	}
}

// signOut ends the session.
func (w *world) signOut() {
	w.t.Helper()
	w.ok("cogauth", "logout", "--profile", "corp")
}

// command is a command of this world: it knows nothing of this machine's own configuration.
func (w *world) command(name string, args ...string) *exec.Cmd {
	w.t.Helper()
	exe := name
	if !strings.Contains(name, "/") {
		for _, dir := range w.path {
			if info, err := os.Stat(dir + "/" + name); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				exe = dir + "/" + name
				break
			}
		}
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = name
	cmd.Dir = w.home
	// Session.Env has the bus, HOME and the XDG folders; PATH is ours.
	for _, kv := range w.Env() {
		name, _, _ := strings.Cut(kv, "=")
		if name != "PATH" && !strings.HasPrefix(name, "PIP_") && !strings.HasSuffix(name, "_CA_BUNDLE") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+strings.Join(w.path, ":"), "GORACE=atexit_sleep_ms=10", "LC_ALL=C")
	cmd.Env = append(cmd.Env, w.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// result is how a command ended.
type result struct {
	status         int
	stdout, stderr string
}

// all is what a person sees.
func (r result) all() string { return r.stdout + r.stderr }

// run runs cmd to its end, whatever that is.
func (w *world) run(cmd *exec.Cmd) result {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr.Setpgid = !cmd.SysProcAttr.Setsid // a client that hangs ends with all that it started
	if err := cmd.Start(); err != nil {
		w.t.Fatalf("%s: %v", cmd.Args[0], err)
	}
	timer := time.AfterFunc(hang, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	if !timer.Stop() {
		w.t.Fatalf("%s: hangs\n%s%s", cmd.Args[0], stdout.String(), stderr.String())
	}
	r := result{0, stdout.String(), stderr.String()}
	w.mu.Lock()
	w.said.WriteString(r.stderr)
	w.mu.Unlock()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.status = exit.ExitCode()
	} else if err != nil {
		w.t.Fatalf("%s: %v", cmd.Args[0], err)
	}
	return r
}

// ok runs a command that must succeed.
func (w *world) ok(name string, args ...string) result {
	w.t.Helper()
	r := w.run(w.command(name, args...))
	if r.status != 0 {
		w.t.Fatalf("%s %s: got exit status %d, want 0\n%s", name, strings.Join(args, " "), r.status, r.all())
	}
	return r
}

// write writes a file below the home and returns its path.
func (w *world) write(name, text string, mode os.FileMode) string {
	w.t.Helper()
	path := w.home + "/" + name
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// visit is a request that came to a gate.
type visit struct {
	method, path string
	scheme       string // of its Authorization: "", "Basic", "Bearer", or "verbatim"; or "form" for a refresh_token in a form
	username     string // of Basic
	use          string // token_use of the token: "id" or "access"; "" if it is not good or there is none
}

// gate is a server that lets nobody in who has no token of the pool.
type gate struct {
	*httptest.Server
	w      *world
	caFile string

	mu     sync.Mutex
	visits []visit
}

// newGate starts one with TLS at https://localhost:PORT; gate.caFile has its certificate. Requests with a
// good token go to handler, with it in X-Token-Use and the person in X-Token-Username; others get 401 with
// the challenge, such as `Bearer realm="rig"`.
func newGate(w *world, challenge string, handler http.Handler) *gate {
	w.t.Helper()
	return startGate(w, true, challenge, handler)
}

// plainGate is the same without TLS.
func plainGate(w *world, challenge string, handler http.Handler) *gate {
	w.t.Helper()
	return startGate(w, false, challenge, handler)
}

func startGate(w *world, secure bool, challenge string, handler http.Handler) *gate {
	w.t.Helper()
	g := &gate{w: w}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v, claims := g.judge(r)
		g.mu.Lock()
		g.visits = append(g.visits, v)
		g.mu.Unlock()
		if v.use == "" {
			rw.Header().Set("WWW-Authenticate", challenge)
			http.Error(rw, "a token of the user pool is needed", http.StatusUnauthorized)
			return
		}
		r.Header.Set("X-Token-Use", v.use)
		r.Header.Set("X-Token-Username", claims.Username)
		handler.ServeHTTP(rw, r)
	}))
	if secure {
		g.TLS = &tls.Config{Certificates: []tls.Certificate{localhost(w.t)}}
		g.StartTLS()
		g.caFile = w.write("gate-"+g.port()+".pem", trustIn(g.TLS.Certificates[0]), 0o600)
	} else {
		g.Start()
	}
	g.URL = strings.Replace(g.URL, "127.0.0.1", "localhost", 1)
	w.t.Cleanup(g.Close)
	return g
}

// host is localhost:PORT.
func (g *gate) host() string { return "localhost:" + g.port() }

func (g *gate) port() string {
	u, err := url.Parse(g.URL)
	if err != nil {
		g.w.t.Fatal(err)
	}
	return u.Port()
}

// seen returns the visits since the last call.
func (g *gate) seen() []visit {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.visits
	g.visits = nil
	return v
}

// nothingLeaked fails if any visit since the last call of seen had an Authorization header.
func (g *gate) nothingLeaked() {
	g.w.t.Helper()
	for _, v := range g.seen() {
		if v.scheme != "" {
			g.w.t.Errorf("%s %s: came with %s credentials, want none", v.method, v.path, v.scheme)
		}
	}
}

// letIn fails unless some visit since the last call of seen had a good token of this use.
func (g *gate) letIn(use string) {
	g.w.t.Helper()
	visits := g.seen()
	for _, v := range visits {
		if v.use == use {
			return
		}
	}
	g.w.t.Errorf("nobody came with an %s token: %+v", use, visits)
}

type claims struct {
	TokenUse string `json:"token_use"`
	Username string `json:"cognito:username"`
}

// judge verifies the token of a request with the pool's keys, by a library that is not ours.
func (g *gate) judge(r *http.Request) (visit, claims) {
	v := visit{method: r.Method, path: r.URL.RequestURI()}
	header := r.Header.Get("Authorization")
	token := header
	switch scheme, rest, _ := strings.Cut(header, " "); {
	case header == "" && r.PostFormValue("refresh_token") != "":
		v.scheme, token = "form", r.PostFormValue("refresh_token") // as registries take it
	case header == "":
		return v, claims{}
	case strings.EqualFold(scheme, "Bearer"):
		v.scheme, token = "Bearer", rest
	case strings.EqualFold(scheme, "Basic"):
		v.scheme = "Basic"
		v.username, token, _ = r.BasicAuth()
	default:
		v.scheme = "verbatim"
	}
	c, err := verify(r.Context(), g.w.pool, token)
	if err == nil {
		v.use = c.TokenUse
	}
	return v, c
}

func verify(ctx context.Context, pool *cognitotest.Pool, token string) (c claims, err error) {
	ctx = oidc.ClientContext(ctx, pool.HTTPClient())
	keys := oidc.NewRemoteKeySet(ctx, pool.Issuer()+"/.well-known/jwks.json")
	parsed, err := oidc.NewVerifier(pool.Issuer(), keys, &oidc.Config{SkipClientIDCheck: true}).Verify(ctx, token)
	if err != nil {
		return c, err
	}
	if err := parsed.Claims(&c); err != nil {
		return c, err
	}
	if c.TokenUse == "id" && (len(parsed.Audience) != 1 || parsed.Audience[0] != pool.Client().ID) {
		return c, errors.New("an ID token for somebody else")
	}
	return c, nil
}
