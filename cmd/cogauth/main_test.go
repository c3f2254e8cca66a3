package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// The scripts in testdata are this command's specification. Each runs the real program as a process
// of its own, in an environment made from nothing; those named session-* have a real gnome-keyring.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cogauth": main, "git-credential-cogauth": main, "pnpm-cogauth-corp": main, "kubectl-cogauth": main,
	})
}

func TestDeps(t *testing.T) {
	const module = "github.com/cogauth/cogauth"
	deptest.Only(t, module, "github.com/spf13", "golang.org/x/term",
		"github.com/pkg/browser", "github.com/zalando/go-keyring", "github.com/godbus/dbus/v5",
		"github.com/golang-jwt/jwt/v5", "golang.org/x/oauth2", "golang.org/x/sys", "github.com/BurntSushi/toml",
		"filippo.io/age", "golang.org/x/crypto", "golang.org/x/net/idna", "golang.org/x/text")
	deptest.Never(t, "testing", "github.com/chromedp", "github.com/rogpeppe")
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("COGAUTH_UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"pool":   startPool,
			"signin": signIn,
			"occupy": occupy,
			"stop":   func(ts *testscript.TestScript, _ bool, _ []string) { pool(ts).Close() },
			"elapse": elapse,
			"jwt":    checkJWT,
			"expect": expectRequests,
			"opener": writeOpener,
			"groups": setGroups,
			"serve":  appendServe,
		},
		Setup: scriptSetup(t),
	})
}

// scriptSetup gives a script an environment of its own; sessions share one real keychain, and differ by
// client ID.
func scriptSetup(t *testing.T) func(*testscript.Env) error {
	none := rig.DeadBus(t) // not NoBus: a desktop has one at a well-known place
	ring := sync.OnceValue(func() []string { return rig.Keyring(t).Env() })
	return func(env *testscript.Env) error {
		env.Values[theTest{}] = t
		from := none
		if strings.Contains(env.WorkDir, "script-session-") {
			from = ring()
		}
		for _, kv := range from {
			if name, value, _ := strings.Cut(kv, "="); name == "DBUS_SESSION_BUS_ADDRESS" {
				env.Setenv(name, value)
			}
		}
		env.Setenv("HOME", env.WorkDir+"/home")
		env.Setenv("GORACE", "atexit_sleep_ms=10")
		return os.MkdirAll(env.WorkDir+"/home", 0o700)
	}
}

// theTest is the key of the *testing.T that all scripts belong to.
type theTest struct{}

// exits STATUS cogauth ARGS…: testscript alone knows only pass and fail.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	// K1: no failure is silent.
	if got != 0 && strings.TrimSpace(ts.ReadFile("stderr")) == "" && ts.ReadFile("stdout") == "" {
		ts.Fatalf("exit status %d without a word", got)
	}
}

// pool [rotate] [ttl=DURATION] [norefresh] [secret]: starts a stand-in pool and sets ISSUER, DOMAIN,
// CLIENT and CALLBACK.
func startPool(ts *testscript.TestScript, _ bool, args []string) {
	callback := fmt.Sprintf("http://localhost:%d/callback", rig.FreePort(ts.Value(theTest{}).(testing.TB)))
	cfg := cognitotest.Config{Clients: []cognitotest.AppClient{{ID: "script" + strconv.FormatInt(clients.Add(1), 10), CallbackURLs: []string{callback}}}}
	for _, a := range args {
		switch name, value, _ := strings.Cut(a, "="); name {
		case "rotate":
			cfg.Clients[0].RefreshTokenRotation = true
		case "ttl":
			d, err := time.ParseDuration(value)
			ts.Check(err)
			cfg.Clients[0].IDTokenValidity, cfg.Clients[0].AccessTokenValidity = d, d
		case "norefresh":
			cfg.OmitRefreshToken = true
		case "secret":
			cfg.Clients[0].Secrets = []string{"abcdefghijklmnopqrstuvwxyz0123456789"}
		default:
			ts.Fatalf("pool: unknown option %s", a)
		}
	}
	pool, err := cognitotest.New(cfg)
	ts.Check(err)
	ts.Check(pool.Start())
	ts.Defer(func() { pool.Close() })
	ts.Setenv("ISSUER", pool.Issuer())
	ts.Setenv("DOMAIN", pool.Domain())
	ts.Setenv("CALLBACK", callback)
	ts.Setenv("CLIENT", pool.Client().ID)
	pools.Store(ts.Getenv("WORK"), pool)
}

var (
	pools   sync.Map // of the running pools by script; scripts run side by side
	clients atomic.Int64
)

func pool(ts *testscript.TestScript) *cognitotest.Pool {
	p, ok := pools.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("no pool is running")
	}
	return p.(*cognitotest.Pool)
}

// signin ARGS…: runs "cogauth ARGS…" and does in the browser what the person would do. Standard
// output and standard error are kept in the files out and err.
func signIn(ts *testscript.TestScript, neg bool, args []string) {
	p := pool(ts)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	path, err := exec.LookPath("cogauth")
	ts.Check(err)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = scriptEnv(ts)
	cmd.Dir = ts.MkAbs(".")
	var out bytes.Buffer
	cmd.Stdout = &out
	w := &urlWatcher{found: func(url string) {
		go p.UserAgent().SignIn(ctx, url, p.User().Username, p.User().Password)
	}}
	cmd.Stderr = w
	err = cmd.Run()
	ts.Check(os.WriteFile(ts.MkAbs("out"), out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("err"), w.text.Bytes(), 0o600))
	if (err == nil) == neg {
		ts.Fatalf("cogauth %v: %v\n%s", args, err, w.text.String())
	}
}

func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "COGAUTH_CONFIG", "COGAUTH_PROFILE", "GORACE", "SSL_CERT_FILE", "HTTPS_PROXY", "XDG_CACHE_HOME", "DISPLAY", "BROWSER"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// urlWatcher calls found with the first line that is an address.
type urlWatcher struct {
	text  bytes.Buffer
	found func(string)
}

func (w *urlWatcher) Write(p []byte) (int, error) {
	w.text.Write(p)
	if w.found != nil {
		for line := range strings.Lines(w.text.String()) {
			if strings.HasPrefix(line, "http") && strings.HasSuffix(line, "\n") {
				w.found(strings.TrimSpace(line))
				w.found = nil
				break
			}
		}
	}
	return len(p), nil
}

// occupy ADDRESS: a foreign server holds the address for the rest of the script.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	address := args[0]
	if strings.HasPrefix(address, "http://localhost:") {
		address = "127.0.0.1:" + strings.TrimSuffix(strings.TrimPrefix(address, "http://localhost:"), "/callback")
	}
	l, err := net.Listen("tcp", address)
	ts.Check(err)
	go http.Serve(l, http.NotFoundHandler())
	ts.Defer(func() { l.Close() })
}

// groups USER NAME…: the pool's administrator changes somebody's groups.
func setGroups(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(pool(ts).UpdateUser(args[0], func(u *cognitotest.User) { u.Groups = args[1:] }))
}

// serve PROFILE KEY=VALUE…: adds an entry to the profile's list of whom it serves.
func appendServe(ts *testscript.TestScript, _ bool, args []string) {
	entry := "\n[[profiles." + args[0] + ".serve]]\n"
	for _, a := range args[1:] {
		key, value, _ := strings.Cut(a, "=")
		entry += key + " = " + strconv.Quote(value) + "\n"
	}
	f, err := os.OpenFile(ts.Getenv("HOME")+"/.config/cogauth/config.toml", os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	defer f.Close()
	_, err = f.WriteString(entry)
	ts.Check(err)
}

// elapse DURATION: lets real time pass.
func elapse(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}

// jwt USE: standard output is one token of that token_use and nothing else.
func checkJWT(ts *testscript.TestScript, neg bool, args []string) {
	out := ts.ReadFile("stdout")
	use, ok := tokenUse(strings.TrimSuffix(out, "\n"))
	if ok = ok && use == args[0] && strings.Count(out, "\n") == 1; ok == neg {
		ts.Fatalf("standard output is a token with token_use %q: %v", use, !neg)
	}
}

// expect ENDPOINT N: the pool has had exactly N such requests; "refresh" counts redemptions.
func expectRequests(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := pool(ts).Redemptions()
	if args[0] != "refresh" {
		got = pool(ts).Count(args[0])
	}
	if got != want {
		ts.Fatalf("%d requests to %s, want %d", got, args[0], want)
	}
}

// opener MARK STATUS: puts an xdg-open on PATH that is noisy on standard output, notes that it ran and
// exits with STATUS.
func writeOpener(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs("bin")
	ts.Check(os.MkdirAll(dir, 0o700))
	script := fmt.Sprintf("#!/bin/sh\necho NOISE\necho NOISE >&2\necho \"$1\" >> %s\nexit %s\n", ts.MkAbs(args[0]), args[1])
	ts.Check(os.WriteFile(dir+"/xdg-open", []byte(script), 0o700))
	ts.Setenv("PATH", dir+":"+ts.Getenv("PATH"))
	ts.Setenv("DISPLAY", ":99")
}
