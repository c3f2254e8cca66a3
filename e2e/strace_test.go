//go:build linux

package e2e

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// traced are the system calls that can make or change a file, start a program, or write.
const traced = "execve,execveat,open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat," +
	"mkdir,mkdirat,mknod,mknodat,truncate,memfd_create,write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,copy_file_range"

// call is one traced system call.
type call struct {
	name string
	file string   // what its first argument, a file descriptor, leads to; "" if it is none
	text []string // its string arguments, in order
	line string   // all of it, strings in hex
}

// strace returns the command line that runs cmd under strace, and what reads the trace when it has
// ended. The part is missing where tracing is not allowed, as in some containers.
func strace(t *testing.T, cmd *exec.Cmd) (wrapped *exec.Cmd, calls func() []call) {
	t.Helper()
	rig.Require(t, "strace")
	if out, err := exec.Command("strace", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		rig.Missing(t, "strace", "it may not trace: "+string(out))
	}
	dir := t.TempDir()
	args := []string{
		"-ff", "-o", dir + "/trace", // every thread and process, each to a file of its own
		"-v", "-xx", "-s", "1000000", "-y", // nothing left out, strings in hex, paths of descriptors
		"-qq", "-e", "signal=none", "-e", "trace=" + traced, "--", cmd.Path,
	}
	wrapped = exec.Command("strace", append(args, cmd.Args[1:]...)...)
	wrapped.Env = cmd.Env
	return wrapped, func() (all []call) {
		t.Helper()
		files, err := filepath.Glob(dir + "/trace.*")
		if err != nil || len(files) == 0 {
			t.Fatalf("strace left no trace (%v)", err)
		}
		for _, name := range files {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(raw)) {
				if c, ok := parse(t, line); ok {
					all = append(all, c)
				}
			}
		}
		return all
	}
}

var (
	callName   = regexp.MustCompile(`^(\w+)\(`)
	descriptor = regexp.MustCompile(`^\w+\(\d+<((?:\\x[0-9a-f]{2})*)`)
	quoted     = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?`)
)

// parse reads a line of a trace, such as
//
//	openat(AT_FDCWD<\x2f>, "\x2f\x61", O_RDONLY|O_CLOEXEC) = 3<\x2f\x61>
func parse(t *testing.T, line string) (c call, ok bool) {
	t.Helper()
	name := callName.FindStringSubmatch(line)
	if name == nil {
		return c, false // the end of a thread
	}
	c = call{name: name[1], line: line}
	if fd := descriptor.FindStringSubmatch(line); fd != nil {
		c.file = unhex(t, fd[1])
	}
	for _, s := range quoted.FindAllStringSubmatch(line, -1) {
		if s[2] != "" {
			t.Fatalf("strace cut a string of %s short", c.name)
		}
		c.text = append(c.text, unhex(t, s[1]))
	}
	return c, true
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		t.Fatalf("strace: %v", err)
	}
	return string(b)
}

var writing = regexp.MustCompile(`\bO_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)\b`)

// made returns the path that the call opens for writing or makes, "" if it does neither, and of a
// rename or a link the new one.
func (c call) made() string {
	switch c.name {
	case "open", "openat", "openat2":
		if !writing.MatchString(c.line) {
			return ""
		}
	case "execve", "execveat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "splice", "copy_file_range":
		return ""
	}
	if len(c.text) == 0 {
		return "?" + c.name
	}
	return c.text[len(c.text)-1]
}
