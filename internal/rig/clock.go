package rig

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
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
// wall clock is off by what a Clock says, and for how long the machine has been up. The monotonic reading,
// and with it every timer, runs on as it is: that is what a machine has that was asleep, or whose clock is
// wrong. Linux only.
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

// clockVariable names the file that holds the seconds to add, eight bytes for the wall clock and eight for
// the time since the start of the machine. Programs map it into memory.
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
	c.Set(0, 0)
	return c
}

// Env is the variable that tells a program of the clock.
func (c *Clock) Env() string { return clockVariable + "=" + c.file.Name() }

// Set says how much time has passed on top of what really has, as it does for a machine that is asleep,
// and how far its clock is ahead of the true time, less than zero being behind; both in whole seconds.
// Programs that run already see it from their next look at the time on.
func (c *Clock) Set(passed, ahead time.Duration) {
	c.t.Helper()
	b := binary.NativeEndian.AppendUint64(nil, uint64((passed+ahead)/time.Second))
	b = binary.NativeEndian.AppendUint64(b, uint64(passed/time.Second))
	if _, err := c.file.WriteAt(b, 0); err != nil {
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
	overlay, err := clockOverlay(dir, strings.TrimSpace(string(out)), root)
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

// clockOverlay writes anew what reads clocks, and returns the file for -overlay.
func clockOverlay(dir, goroot, root string) (string, error) {
	files := map[string]string{filepath.Join(goroot, "src", "time", "zz_rig.go"): clockSource}
	for _, reader := range []struct{ path, reads, with string }{
		{filepath.Join(goroot, "src", "time", "time.go"),
			"\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", "\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += rigSeconds(0)\n"},
		{filepath.Join(root, "uptime_linux.go"),
			"time.Duration(ts.Nano())", "time.Duration(ts.Nano()) + time.RigPassed()"},
	} {
		source, err := os.ReadFile(reader.path)
		if err != nil {
			return "", err
		}
		if bytes.Count(source, []byte(reader.reads)) != 1 {
			return "", fmt.Errorf("%s is not as BuildWithClock expects it: it must be taught how this one reads the clock", reader.path)
		}
		files[reader.path] = strings.Replace(string(source), reader.reads, reader.with, 1)
	}
	replace := map[string]string{}
	for path, text := range files {
		replace[path] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, list, 0o600)
}

// clockSource makes no system call once the program runs: the runtime's timers call time.Now where none
// may be made.
const clockSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var rigClock = func() *[2]int64 {
	name, ok := syscall.Getenv("` + clockVariable + `")
	if !ok {
		return new([2]int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("` + clockVariable + `: " + err.Error())
	}
	defer syscall.Close(fd)
	b, err := syscall.Mmap(fd, 0, 16, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("` + clockVariable + `: " + err.Error())
	}
	return (*[2]int64)(unsafe.Pointer(&b[0]))
}()

func rigSeconds(i int) int64 { return atomic.LoadInt64(&rigClock[i]) }

// RigPassed is how long the machine has been up on top of how long it really has.
func RigPassed() Duration { return Duration(rigSeconds(1)) * Second }
`
