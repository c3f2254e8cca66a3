//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// counter is a browser that notes the addresses it is told to open, and opens nothing.
type counter struct {
	t    *testing.T
	dir  string
	file string
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	dir := t.TempDir()
	c := &counter{t: t, dir: dir, file: filepath.Join(dir, "opened")}
	script := "#!/bin/sh\necho \"$1\" >>'" + c.file + "'\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return c
}

// env makes it the system's browser.
func (c *counter) env() []string {
	return []string{"PATH=" + c.dir + ":" + os.Getenv("PATH"), "DISPLAY=:99", "BROWSER="}
}

func (c *counter) opened() []string {
	c.t.Helper()
	b, err := os.ReadFile(c.file)
	if err != nil && !os.IsNotExist(err) {
		c.t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// nth waits for the nth address, counted from 1.
func (c *counter) nth(n int) string {
	c.t.Helper()
	eventually(c.t, func() bool { return len(c.opened()) >= n }, func() { c.t.Fatalf("browser %d is not opened", n) })
	return c.opened()[n-1]
}

func (c *counter) want(n int) {
	c.t.Helper()
	if got := len(c.opened()); got != n {
		c.t.Errorf("%d browsers were opened, want %d", got, n)
	}
}

// signedOut is a pool that the profile "p" is for, with nobody signed in.
func signedOut(t *testing.T, d *desktop) *cognitotest.Pool {
	t.Helper()
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
	d.do(nil, "configure", "--profile", "p", "--issuer", pool.Issuer(), "--client-id", clientID, "--callback-url", pool.Client().CallbackURLs[0])
	return pool
}

// visit is the person's part at an address.
func (d *desktop) visit(pool *cognitotest.Pool, address string) {
	d.t.Helper()
	if err := person(pool)(d.t.Context(), address); err != nil {
		d.t.Errorf("the browser: %v", err)
	}
}

// D3, acceptance 4: twenty programs that may open a browser want a token, and nobody is signed in.
func TestD3TwentyProcessesOneBrowser(t *testing.T) {
	d := terminal(t)
	pool := signedOut(t, d)
	c := newCounter(t)
	var runs [20]*running
	for i := range runs {
		runs[i] = begin(t, d.cogauth(c.env(), "token", "--interactive", "always"), nil)
	}
	address := c.nth(1)
	for i, r := range runs {
		if got := r.address(); got != address {
			t.Errorf("process %d shows another address than the one that was opened", i)
		}
	}
	d.visit(pool, address)
	var tokens []string
	for i, r := range runs {
		o := r.end()
		if o.status != 0 {
			t.Errorf("process %d: got exit status %d, want 0\n%s", i, o.status, strings.ReplaceAll(o.stderr, address, "(address)"))
		} else if !slices.Contains(tokens, o.stdout) {
			tokens = append(tokens, o.stdout)
		}
	}
	for _, token := range tokens {
		verify(t, pool, strings.TrimSuffix(token, "\n"))
	}
	c.want(1)
	if n := pool.Count("token"); n != 1 || len(tokens) != 1 {
		t.Errorf("got %d different tokens of %d requests, want one of one", len(tokens), n)
	}
}

// D3: a person signs in while a program's sign-in is open, and is shown that one.
func TestD3LoginShowsTheRunningOne(t *testing.T) {
	d := terminal(t)
	pool := signedOut(t, d)
	c := newCounter(t)
	program := begin(t, d.cogauth(c.env(), "token", "--interactive", "always"), nil)
	address := program.address()
	login := begin(t, d.cogauth(c.env(), "login"), nil)
	if login.address() != address {
		t.Error("login shows another address than that of the sign-in that is open")
	}
	c.nth(1)
	d.visit(pool, address)
	if o := program.end(); o.status != 0 {
		t.Errorf("the program: got exit status %d, want 0", o.status)
	}
	o := login.end()
	if o.status != 0 || o.stdout != "" || !strings.Contains(o.stderr, "joined a sign-in") || !strings.Contains(o.stderr, "signed in as") {
		t.Errorf("login: got exit status %d and %q, want 0, and to be told what happens", o.status, strings.ReplaceAll(o.stderr, address, "(address)"))
	}
	c.want(1)
}

// D3, D4: the process that has opened the browser is killed. Another one goes on.
func TestD3WhoWaitsTakesOverFromTheKilled(t *testing.T) {
	d := terminal(t)
	pool := signedOut(t, d)
	c := newCounter(t)
	first := begin(t, d.cogauth(c.env(), "login"), nil)
	address := first.address()
	var waiters []*running
	for range 3 {
		r := begin(t, d.cogauth(c.env(), "token", "--interactive", "always"), nil)
		if r.address() != address {
			t.Error("a program that waits shows another address than the one that was opened")
		}
		waiters = append(waiters, r)
	}
	first.cmd.Process.Kill()
	first.end()
	second := c.nth(2)
	if second == address {
		t.Error("the dead login's address was opened again")
	}
	d.visit(pool, second)
	for _, r := range waiters {
		if o := r.end(); o.status != 0 {
			t.Errorf("got exit status %d, want 0", o.status)
		}
	}
	c.want(2)
}

// D3: nobody answers. All who wait are told so, and no program asks again for a while; a person may.
func TestD3IgnoredSignInIsNotOpenedAgain(t *testing.T) {
	d := terminal(t)
	pool := signedOut(t, d)
	c := newCounter(t)
	ask := []string{"token", "--interactive", "always"}
	ignored := begin(t, d.cogauth(c.env(), "login", "--timeout", "5s"), nil)
	address := ignored.address()
	var waiters []*running
	for range 5 {
		waiters = append(waiters, begin(t, d.cogauth(c.env(), ask...), nil))
	}
	for _, r := range waiters {
		if o := r.end(); o.status != 3 || o.stdout != "" || !strings.Contains(o.stderr, "hint: run ") {
			t.Errorf("got exit status %d and %q, want 3 and what to do", o.status, strings.ReplaceAll(o.stderr, address, "(address)"))
		}
	}
	if o := ignored.end(); o.status != 8 {
		t.Errorf("the login itself: got exit status %d, want 8", o.status)
	}
	if o := d.want(3, c.env(), ask...); !strings.Contains(o.stderr, "ago") || !strings.Contains(o.stderr, "hint: run ") {
		t.Errorf("got %q, want the reason and what to do", o.stderr)
	}
	c.want(1)
	person := begin(t, d.cogauth(c.env(), "login"), nil)
	d.visit(pool, person.address())
	if o := person.end(); o.status != 0 {
		t.Fatalf("login: got exit status %d, want 0", o.status)
	}
	d.do(nil, "token")
	d.do(nil, "logout")
	again := begin(t, d.cogauth(c.env(), ask...), nil)
	d.visit(pool, again.address())
	if o := again.end(); o.status != 0 {
		t.Errorf("after a sign-in with success: got exit status %d, want 0", o.status)
	}
	c.want(3)
}

// D3: whoever waits for another one's login can be ended at once, and that login goes on.
func TestD3SignalEndsWhoWaits(t *testing.T) {
	d := terminal(t)
	pool := signedOut(t, d)
	c := newCounter(t)
	login := begin(t, d.cogauth(c.env(), "login"), nil)
	address := login.address()
	for signal, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		for _, args := range [][]string{{"login"}, {"token", "--interactive", "always"}} {
			r := begin(t, d.cogauth(c.env(), args...), nil)
			r.address()
			r.cmd.Process.Signal(signal)
			if o := r.end(); o.status != status || o.stdout != "" {
				t.Errorf("%v: got exit status %d and %d bytes of output, want %d and none", args, o.status, len(o.stdout), status)
			}
		}
	}
	d.visit(pool, address)
	if o := login.end(); o.status != 0 {
		t.Errorf("the login: got exit status %d, want 0", o.status)
	}
	c.want(1)
}

// D5: a sign-in that is open in a browser holds up nobody who needs none.
func TestD5TokenWhileASignInIsOpen(t *testing.T) {
	d := terminal(t)
	pool := signedIn(t, d)
	c := newCounter(t)
	login := begin(t, d.cogauth(c.env(), "login"), nil)
	address := login.address()
	d.do(nil, "token")
	d.do(nil, "token", "--refresh")
	d.do(c.env(), "token", "--interactive", "always")
	d.visit(pool, address)
	if o := login.end(); o.status != 0 {
		t.Errorf("login: got exit status %d, want 0\n%s", o.status, strings.ReplaceAll(o.stderr, address, "(address)"))
	}
	c.want(1)
}
