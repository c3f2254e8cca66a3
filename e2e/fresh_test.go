//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// Acceptance 1: what a stranger does first, with and without a keychain. It runs where COGAUTH_FRESH is
// set: it builds everything again, and it tests what is committed, not what is being edited.
func TestFreshClone(t *testing.T) {
	if os.Getenv("COGAUTH_FRESH") == "" {
		t.Skip("COGAUTH_FRESH is not set")
	}
	clone := filepath.Join(t.TempDir(), "cogauth")
	d := terminal(t)
	if o := d.ends(d.command("git", "clone", "-q", "..", clone)); o.status != 0 {
		t.Fatalf("git clone: exit status %d\n%s", o.status, o.stderr)
	}
	for name, env := range map[string][]string{"keychain": d.Env(), "none": rig.NoBus(t)} {
		t.Run(name, func(t *testing.T) {
			lockPort(t, 8585)
			in := func(line string) result {
				cmd := d.command("sh", "-c", line)
				// The caches of Go stay where they are: a second download would show nothing.
				cmd.Dir, cmd.Env = clone, append(env, "GOPATH="+goEnv(t, "GOPATH"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"), "GOCACHE="+goEnv(t, "GOCACHE"))
				return (&desktop{Session: d.Session, t: t}).ends(cmd)
			}
			o := in("go run ./cmd/cogauth demo")
			if o.status != 0 {
				t.Fatalf("go run ./cmd/cogauth demo: got exit status %d, want 0\n%s", o.status, o.stderr)
			}
			suggested := strings.Split(strings.TrimSpace(o.stdout), "\n")
			if len(suggested) != 3 {
				t.Fatalf("demo suggests %q, want three commands", suggested)
			}
			for i, want := range []string{"alice@example.com", "eyJ", "demo"} {
				line := strings.TrimSpace(suggested[i])
				if !strings.HasPrefix(line, "go run ./cmd/cogauth ") {
					t.Errorf("demo suggests %q, want it spelled as the demo was started", line)
				}
				if o := in(line); o.status != 0 || !strings.Contains(o.stdout, want) {
					t.Errorf("%s: got exit status %d and %d bytes, want 0 and %q\n%s", line, o.status, len(o.stdout), want, o.stderr)
				}
			}
		})
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
