package rig

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeT records how a test would have ended.
type fakeT struct {
	testing.TB
	skipped, failed bool
}

func (*fakeT) Helper()                 {}
func (f *fakeT) Skipf(string, ...any)  { f.skipped = true; panic(f) }
func (f *fakeT) Fatalf(string, ...any) { f.failed = true; panic(f) }

func outcome(run func(testing.TB)) (skipped, failed bool) {
	f := &fakeT{}
	func() {
		defer func() { recover() }()
		run(f)
	}()
	return f.skipped, f.failed
}

func TestAMissingPartSkipsUnlessRequired(t *testing.T) {
	t.Setenv("COGAUTH_RIG_LOG", "") // it is not one of the parts of this run
	for _, c := range []struct {
		require         string
		skipped, failed bool
	}{
		{"", true, false},
		{"browser", true, false},
		{"browser,no-such-part", false, true},
		{"all", false, true},
	} {
		t.Setenv("COGAUTH_REQUIRE", c.require)
		skipped, failed := outcome(func(t testing.TB) { Require(t, "no-such-part", "no-such-program") })
		if skipped != c.skipped || failed != c.failed {
			t.Errorf("COGAUTH_REQUIRE=%q: got skipped %v, failed %v, want %v, %v", c.require, skipped, failed, c.skipped, c.failed)
		}
	}
}

func TestTheLogNamesEachPartOnce(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("COGAUTH_RIG_LOG", log)
	Ran(t, "test-part", "1.2")
	Ran(t, "test-part", "1.2")
	outcome(func(t testing.TB) { Missing(t, "test-absent", "it is absent") })
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if want := "test-part\t1.2\trun\ntest-absent\t-\tnot available\n"; string(got) != want {
		t.Errorf("got log %q, want %q", got, want)
	}
}

func TestEnvironLeavesTheDesktopOut(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x")
	t.Setenv("DISPLAY", ":1")
	t.Setenv("XDG_RUNTIME_DIR", "/x")
	env := Environ("DISPLAY=:2")
	for _, kv := range env {
		if strings.HasPrefix(kv, "DBUS_") || strings.HasPrefix(kv, "XDG_") || kv == "DISPLAY=:1" {
			t.Errorf("got %s in the environment, want it left out", kv)
		}
	}
	if !slices.Contains(env, "DISPLAY=:2") {
		t.Error("got an environment without DISPLAY=:2, want what was asked for")
	}
}

func TestKeyringRig(t *testing.T) {
	s := Keyring(t)
	stop := s.Calls()
	if got, ok := s.Lookup("service", "nobody"); ok {
		t.Errorf("got secret %q, want none", got)
	}
	calls := stop()
	if !slices.Contains(calls, "org.freedesktop.Secret.Service.SearchItems") {
		t.Errorf("got calls %q, want secret-tool's SearchItems among them", calls)
	}
	s.Freeze()
	s.Thaw()
	before := s.DaemonPID()
	s.Lock()
	s.KillDaemon()
	s.Lookup("service", "nobody") // makes the bus start a new one
	if after := s.DaemonPID(); after == before {
		t.Errorf("got the same keychain process %d after its death, want a new one", after)
	}
}

// A keychain that died comes back with what it had.
func TestRevive(t *testing.T) {
	s := Keyring(t)
	store := exec.Command("secret-tool", "store", "--label=x", "service", "rig", "username", "revive")
	store.Env, store.Stdin = s.Env(), strings.NewReader("kept")
	if out, err := store.CombinedOutput(); err != nil {
		t.Fatalf("secret-tool: %v\n%s", err, out)
	}
	if s.Revive() {
		t.Error("a keychain that is alive was started anew")
	}
	s.KillDaemon()
	if !s.Revive() {
		t.Error("a dead keychain was not started anew")
	}
	if got, ok := s.Lookup("service", "rig", "username", "revive"); !ok || got != "kept" {
		t.Errorf("got %q, %v, want what was kept", got, ok)
	}
	if s.Revive() {
		t.Error("it was started anew once more")
	}
}
