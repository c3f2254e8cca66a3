package rig

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BuildWithClock builds a package, such as "./cmd/cogauth", for a clock that tests can move, once per test
// process; a relative path is one in cogauth's module. The program is the real one but for time.Now, whose
// wall clock is off by what a Clock says. Its monotonic reading, and with it every timer, runs on as it is:
// that is what a machine has that was asleep, or whose clock is wrong. Unix only.
func BuildWithClock(t testing.TB, pkg string) (exe string) {
	t.Helper()
	build, _ := withClock.LoadOrStore(pkg, sync.OnceValues(func() (string, error) { return buildWithClock(pkg) }))
	exe, err := build.(func() (string, error))()
	if err != nil {
		t.Fatalf("build %s with a clock: %v", pkg, err)
	}
	return exe
}

var withClock sync.Map // func() (string, error) by package

// Clock is what programs of BuildWithClock go by. Several may share one.
type Clock struct {
	t    testing.TB
	file *os.File
}

// clockVariable names the file that holds the seconds to add, eight bytes that programs map into memory.
const clockVariable = "COGAUTH_RIG_CLOCK"

// NewClock is a clock that is right.
func NewClock(t testing.TB) *Clock {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "clock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	c := &Clock{t, f}
	c.Set(0)
	return c
}

// Env is the variable that tells a program of the clock.
func (c *Clock) Env() string { return clockVariable + "=" + c.file.Name() }

// Set says how far the clock is ahead of the true time, in whole seconds; less than zero is behind.
// Programs that run already see it from their next look at the time on.
func (c *Clock) Set(ahead time.Duration) {
	c.t.Helper()
	if _, err := c.file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(ahead/time.Second)), 0); err != nil {
		c.t.Fatal(err)
	}
}

func buildWithClock(pkg string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	root := strings.TrimSpace(string(out))
	if out, err = exec.Command("go", "env", "GOROOT").Output(); err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	sweep()
	dir, err := os.MkdirTemp("", buildPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", err
	}
	overlay, err := clockOverlay(dir, strings.TrimSpace(string(out)))
	if err != nil {
		return "", err
	}
	exe := filepath.Join(dir, strings.TrimSuffix(filepath.Base(pkg), ".go"))
	// Without the race detector, which Build's program has: nothing else of that build could be used here,
	// and the whole standard library would be built twice.
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", overlay, "-o", exe, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, tail(out))
	}
	return exe, nil
}

// clockOverlay writes package time anew and returns the file for -overlay.
func clockOverlay(dir, goroot string) (string, error) {
	original := filepath.Join(goroot, "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const reads = "\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if bytes.Count(source, []byte(reads)) != 1 {
		return "", errors.New("this Go's time.Now is not as BuildWithClock expects it: it must be taught how this one reads the clock")
	}
	source = bytes.Replace(source, []byte(reads), []byte(reads+"\tsec += rigAhead()\n"), 1)
	added := filepath.Join(goroot, "src", "time", "zz_rig.go")
	replace := map[string]string{original: filepath.Join(dir, "time.go"), added: filepath.Join(dir, "zz_rig.go")}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	for path, text := range map[string][]byte{replace[original]: source, replace[added]: []byte(clockSource), overlay: list} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return "", err
		}
	}
	return overlay, nil
}

// clockSource makes no system call once the program runs: the runtime's timers call time.Now where none
// may be made.
const clockSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var rigClock = func() *int64 {
	name, ok := syscall.Getenv("` + clockVariable + `")
	if !ok {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("` + clockVariable + `: " + err.Error())
	}
	defer syscall.Close(fd)
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("` + clockVariable + `: " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&b[0]))
}()

func rigAhead() int64 { return atomic.LoadInt64(rigClock) }
`
