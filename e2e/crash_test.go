//go:build linux && amd64

package e2e

import (
	"context"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// The crash tests kill a command at each of its system calls that leave it, from the first to the last,
// with nothing in the command to help, and then look at what the session has become.

// stores are where a session is kept.
var stores = []string{"keychain", "file"}

// C3, acceptance 3: a refresh that is killed at any instant leaves a session that goes on. The one that
// cannot is between the server's redemption and the store, where the server gives no grace.
func TestC3AKilledRefresh(t *testing.T) {
	everySite(t, []settings{
		{"1.9 KB, no rotation", 1900, false, 0},
		{"1 KB, rotation with 10 s grace", 1024, true, 10 * time.Second},
		{"8 KB, rotation with 10 s grace", 8192, true, 10 * time.Second},
		{"1.9 KB, rotation with no grace", 1900, true, 0},
	}, func(s *site) {
		var window []leaving
		s.everyCall("HTTP POST /oauth2/token", func(n int) *crash {
			c := s.killRefresh(n)
			if lost := s.lost(c); len(lost) > len(window) {
				window = lost
			}
			return c
		})
		if s.mayLose && len(window) == 0 {
			s.t.Error("no kill lost the session; one between the redemption and the store must")
		}
		for _, l := range window {
			s.t.Logf("lost if killed at: %v", l)
		}
	})
}

// C3, acceptance 3: a login that is killed at any instant leaves the session before it, or the new one.
func TestC3AKilledLogin(t *testing.T) {
	everySite(t, []settings{
		{"1 KB, no rotation", 1024, false, 0},
		{"8 KB, rotation with no grace", 8192, true, 0},
	}, func(s *site) {
		old, next := ada, bob
		s.everyCall("HTTP POST /oauth2/token", func(n int) *crash {
			c, who := s.killLogin(n, old, next)
			if who == next.Username {
				old, next = next, old
			}
			return c
		})
	})
}

// C3, acceptance 3: a logout that is killed at any instant leaves the session, or none.
func TestC3AKilledLogout(t *testing.T) {
	everySite(t, []settings{{"1.9 KB, rotation with no grace", 1900, true, 0}}, func(s *site) {
		s.everyCall("HTTP POST /oauth2/revoke", s.killLogout)
	})
}

// The tracer kills at the start of the call that it is told, and sees them all.
func TestCrashTracer(t *testing.T) {
	needTracing(t)
	for n := 1; n <= 4; n++ {
		cmd := exec.Command("/bin/sh", "-c", "echo 1; echo 2; echo 3")
		c := crashes(t, cmd, n, func() int { return 0 }, nil)
		if want := "1\n2\n3\n"[:2*(n-1)]; c.stdout != want || c.killed != (n < 4) || len(c.calls) != min(n, 3) {
			t.Errorf("at call %d: got %q, killed %t, after %v, want %q", n, c.stdout, c.killed, c.calls, want)
		}
	}
}

func (s *site) killRefresh(n int) *crash {
	s.t.Helper()
	s.clock.stop() // the grace is the pool's; how long this machine takes is not of interest
	defer s.clock.run()
	s.before = s.pool.Redemptions()
	c := s.crash(n, nil, "token", "--refresh")
	s.whose() // the token before has not expired yet
	o := s.tries("token", "--refresh")
	c.lost = o.status != 0
	if !c.lost {
		s.tidy(c, s.rest)
		return c
	}
	if o.status != 3 {
		s.t.Fatalf("%s, then token --refresh: got exit status %d, want 0 or 3\n%s", c.where(), o.status, o.stderr)
	}
	s.kills-- // this one was not survived
	s.tidy(c, nil)
	s.enter(ada)
	return c
}

// lost returns what a run that lost the session did since the server redeemed the refresh token, and
// the call at which it was killed. It must be on its way to the store and nowhere else, and not have
// been there yet.
func (s *site) lost(c *crash) (since []leaving) {
	s.t.Helper()
	if !c.lost {
		return nil
	}
	for _, l := range c.calls {
		if l.redeemed > s.before {
			since = append(since, l)
		}
	}
	if !s.mayLose || len(since) == 0 {
		s.t.Errorf("%s: the session is lost, want it kept", c.where())
	}
	for i, l := range since {
		if !s.isStore(l) {
			s.t.Errorf("%s: between the redemption and the store there is %v", c.where(), l)
		}
		if s.isWrite(l) && i < len(since)-1 {
			s.t.Errorf("%s: the session is lost after %v, want it kept", c.where(), l)
		}
	}
	return since
}

func (s *site) killLogin(n int, old, next cognitotest.User) (c *crash, who string) {
	s.t.Helper()
	var browser sync.WaitGroup
	ctx, cancel := context.WithTimeout(s.t.Context(), hang)
	defer cancel()
	c = s.crash(n, func(address string) {
		browser.Go(func() { s.visits(next)(ctx, address) }) // fails if nobody answers it any more
	}, "login", "--no-browser")
	browser.Wait()
	who = s.whose()
	if who != next.Username && (who != old.Username || !c.killed) {
		s.t.Errorf("%s: the token is of %q, before it was of %s, and %s signed in", c.where(), who, old.Username, next.Username)
	}
	if again := s.whose("--refresh"); again != who {
		s.t.Errorf("%s: the token is of %q, refreshed it is of %q", c.where(), who, again)
	}
	if s.leftTest() {
		if o := s.tries("logout"); o.status != 0 {
			s.t.Fatalf("%s, then logout: got exit status %d, want 0\n%s", c.where(), o.status, o.stderr)
		}
		s.tidy(c, nil)
		s.enter(ada)
		who = ada.Username
	}
	s.tidy(c, s.rest)
	return c, who
}

func (s *site) killLogout(n int) *crash {
	s.t.Helper()
	c := s.crash(n, nil, "logout")
	switch o := s.tries("token"); {
	case o.status == 0 && c.killed:
		s.whose("--refresh")
		s.tidy(c, s.rest)
	case o.status == 3:
		s.tidy(c, nil) // also if the server had been told and the record was still there
		s.enter(ada)
	default:
		s.t.Fatalf("%s, then token: got exit status %d, want 0 or 3\n%s", c.where(), o.status, o.stderr)
	}
	return c
}
