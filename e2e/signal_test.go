//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// A14, F7: a login that is ended from outside, before the person has answered or in the middle of the
// exchange, gives its port back and leaves the session before it as it was.
func TestA14F7AnEndedLoginChangesNothing(t *testing.T) {
	d := terminal(t)
	pool := signedIn(t, d)
	before := d.refreshToken(clientID)
	for _, stage := range []string{"waiting", "exchange"} {
		for signal, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGKILL: -1} {
			t.Run(fmt.Sprintf("%s, %v", stage, signal), func(t *testing.T) {
				d := &desktop{Session: d.Session, t: t}
				login := begin(t, d.cogauth(nil, "login", "--no-browser"), nil)
				address := login.address()
				if stage == "exchange" {
					arrived := hangs(t, pool)
					go person(pool)(t.Context(), address) // whom nobody will answer
					arrived()
				}
				login.cmd.Process.Signal(signal)
				if o := login.end(); o.status != status || o.stdout != "" {
					t.Errorf("got exit status %d and %d bytes on standard output, want %d and none", o.status, len(o.stdout), status)
				}
				pool.Fail("token", cognitotest.Failure{})
				callback, err := url.Parse(pool.Client().CallbackURLs[0])
				if err != nil {
					t.Fatal(err)
				}
				for _, host := range []string{"127.0.0.1", "::1"} {
					l, err := net.Listen("tcp", net.JoinHostPort(host, callback.Port()))
					if err != nil {
						t.Fatalf("the callback port is still held: %v", err)
					}
					l.Close()
				}
				if d.refreshToken(clientID) != before {
					t.Error("the stored refresh token is another one")
				}
				d.do(nil, "token")
			})
		}
	}
	d.do(nil, "token", "--refresh")
}

// D4: a process that is killed while it holds the credential's lock holds up nobody.
func TestD4AKilledRefreshFreesTheLock(t *testing.T) {
	d := terminal(t)
	pool := signedIn(t, d)
	arrived := hangs(t, pool)
	holder := begin(t, d.cogauth(nil, "token", "--refresh"), nil)
	arrived()
	holder.cmd.Process.Kill()
	holder.end()
	pool.Fail("token", cognitotest.Failure{})
	d.do(nil, "token", "--refresh")
	if got := pool.Redemptions(); got != 1 {
		t.Errorf("redemptions: got %d, want 1", got)
	}
}

// C16: a keychain that is locked, or there but silent, is not "signed out", and no program that
// nobody watches makes it ask.
func TestC16TheKeychainIsTheReason(t *testing.T) {
	for _, c := range []struct {
		name, says string
		spoil      func(*desktop)
	}{
		{"locked", "locked", func(d *desktop) { d.Lock() }},
		{"frozen", "keychain", func(d *desktop) { d.Freeze(); d.t.Cleanup(d.Thaw) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := terminal(t)
			signedIn(t, d)
			d.do(nil, "token")
			c.spoil(d)
			calls := d.Calls()
			for _, args := range [][]string{{"token"}, {"token", "--refresh"}, {"whoami"}, {"status"}, {"logout"}, {"login", "--no-browser"}} {
				o := d.want(5, nil, args...)
				if o.stdout != "" || !strings.Contains(o.stderr, c.says) || !strings.Contains(o.stderr, "hint: ") {
					t.Errorf("%v: got %d bytes on standard output and %q, want none, %q and a hint", args, len(o.stdout), o.stderr, c.says)
				}
			}
			if seen := calls(); slices.Contains(seen, "org.freedesktop.Secret.Prompt.Prompt") {
				t.Errorf("the keychain was told to ask: got %v, want no prompt", seen)
			} else if len(seen) == 0 {
				t.Error("the bus shows no calls at all")
			}
		})
	}
}

// signedIn starts a pool with rotation and signs in to it as the profile "p".
func signedIn(t *testing.T, d *desktop) *cognitotest.Pool {
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
	d.signIn(person(pool), nil)
	return pool
}

// hangs makes the token endpoint hang; arrived returns when a request hangs there.
func hangs(t *testing.T, pool *cognitotest.Pool) (arrived func()) {
	t.Helper()
	pool.Fail("token", cognitotest.Failure{Hang: true})
	before := pool.Count("token")
	return func() {
		t.Helper()
		eventually(t, func() bool { return pool.Count("token") > before }, func() { t.Fatal("the token endpoint is not asked") })
	}
}
