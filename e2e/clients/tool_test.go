//go:build linux

package clients

import (
	"debug/buildinfo"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// tool returns the path of a program that e2e/tools/go.mod has a tool line for, and records it as the part
// of that name. Go builds it, once, and keeps it in its own cache.
func tool(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command("go", "tool", "-n", name)
	cmd.Dir, cmd.Env = "../tools", append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			t.Logf("%s", exit.Stderr)
		}
		rig.Missing(t, name, "go cannot build it: "+err.Error())
	}
	exe := strings.TrimSpace(string(out))
	info, err := buildinfo.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	rig.Ran(t, name, info.Main.Version)
	return exe
}
