package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/cogauth/cogauth"

// Build returns the path of the cogauth command, built once per test process: with the race
// detector if the test has it, otherwise as it is released, without cgo.
func Build(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("build cogauth: %v", err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	sweep()
	dir, err := os.MkdirTemp("", buildPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", err
	}
	exe := filepath.Join(dir, "cogauth")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	args, cgo := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", exe}, "CGO_ENABLED=0"
	if raceEnabled {
		args, cgo = []string{"build", "-race", "-o", exe}, "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, "./cmd/cogauth")...)
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, tail(out))
	}
	return exe, nil
})

const buildPrefix = "cogauth-rig-"

// sweep removes what earlier test processes built: no single test of a process knows when the
// last one no longer needs the command, so each process leaves it to the next.
func sweep() {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), buildPrefix+"*"))
	for _, dir := range old {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), buildPrefix), "-")
		if pid, err := strconv.Atoi(id); err == nil && !alive(pid) {
			os.RemoveAll(dir)
		}
	}
}
