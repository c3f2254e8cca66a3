//go:build linux && amd64

package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cogauth/cogauth/internal/rig"
)

// A tracer that kills a program at the Nth of its system calls that leave it. strace could inject the
// signal, but it counts for each thread by itself, and the threads of a Go program take turns as they
// like: only a count over the whole process reaches every call.

// leave are the system calls by which a process changes something outside itself: what is in files, what
// they are called, what others read from it, whom it starts. An openat counts if it can make or empty a
// file, a write unless it only wakes another thread.
var leave = map[uint64]string{
	syscall.SYS_WRITE: "write", syscall.SYS_WRITEV: "writev", syscall.SYS_PWRITE64: "pwrite64", syscall.SYS_PWRITEV: "pwritev",
	syscall.SYS_SENDTO: "sendto", syscall.SYS_SENDMSG: "sendmsg", 307: "sendmmsg", syscall.SYS_SENDFILE: "sendfile",
	syscall.SYS_SPLICE: "splice", 326: "copy_file_range", 328: "pwritev2",
	syscall.SYS_CONNECT: "connect", syscall.SYS_BIND: "bind", syscall.SYS_LISTEN: "listen", syscall.SYS_SHUTDOWN: "shutdown",
	syscall.SYS_OPEN: "open", syscall.SYS_CREAT: "creat", syscall.SYS_OPENAT: "openat", 437: "openat2",
	syscall.SYS_RENAME: "rename", syscall.SYS_RENAMEAT: "renameat", 316: "renameat2",
	syscall.SYS_LINK: "link", syscall.SYS_LINKAT: "linkat", syscall.SYS_SYMLINK: "symlink", syscall.SYS_SYMLINKAT: "symlinkat",
	syscall.SYS_UNLINK: "unlink", syscall.SYS_UNLINKAT: "unlinkat", syscall.SYS_RMDIR: "rmdir",
	syscall.SYS_MKDIR: "mkdir", syscall.SYS_MKDIRAT: "mkdirat",
	syscall.SYS_FSYNC: "fsync", syscall.SYS_FDATASYNC: "fdatasync", syscall.SYS_TRUNCATE: "truncate", syscall.SYS_FTRUNCATE: "ftruncate",
	syscall.SYS_FALLOCATE: "fallocate", syscall.SYS_CHMOD: "chmod", syscall.SYS_FCHMOD: "fchmod", syscall.SYS_FCHMODAT: "fchmodat",
	syscall.SYS_FLOCK: "flock", syscall.SYS_EXECVE: "execve", 322: "execveat", syscall.SYS_KILL: "kill",
}

// leaving is one such call, as it begins.
type leaving struct {
	name     string
	to       string // a path, an address, or "pipe"
	what     string // "HTTP POST /oauth2/token", "D-Bus CreateItem", or ""
	redeemed int    // what the pool had redeemed by then
}

func (l leaving) String() string { return strings.TrimSpace(l.name + " " + l.to + " " + l.what) }

// crash is a run under the tracer.
type crash struct {
	result
	calls  []leaving // up to the one at which it was killed, which did not happen
	killed bool
	lost   bool // and with it the session
}

// What package syscall lacks.
const (
	getSyscallInfo = 0x420e  // PTRACE_GET_SYSCALL_INFO
	traceSeccomp   = 1 << 7  // PTRACE_O_TRACESECCOMP
	exitKill       = 1 << 20 // PTRACE_O_EXITKILL
	eventSeccomp   = 7       // PTRACE_EVENT_SECCOMP
	setNoNewPrivs  = 38      // PR_SET_NO_NEW_PRIVS
	setSeccomp     = 22      // PR_SET_SECCOMP
	modeFilter     = 2       // SECCOMP_MODE_FILTER
	retTrace       = 0x7ff00000
	retAllow       = 0x7fff0000
)

// launcher is the name by which this test program starts another one so that it stops for its tracer at
// the calls of leave, and at no others: stopping at each takes four times as long.
const launcher = "crash-launcher"

func init() {
	if os.Args[0] != launcher {
		return
	}
	runtime.LockOSThread()                                                                   // the filter is the thread's, and what it executes has it
	filter := []syscall.SockFilter{{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS}} // the call's number
	for nr := range leave {
		filter = append(filter,
			syscall.SockFilter{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: uint32(nr)},
			syscall.SockFilter{Code: syscall.BPF_RET, K: retTrace})
	}
	filter = append(filter, syscall.SockFilter{Code: syscall.BPF_RET, K: retAllow})
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0)
	if errno == 0 {
		_, _, errno = syscall.RawSyscall(syscall.SYS_PRCTL, setSeccomp, modeFilter, uintptr(unsafe.Pointer(&program)))
	}
	if errno == 0 {
		errno, _ = syscall.Exec(os.Args[1], os.Args[2:], os.Environ()).(syscall.Errno)
	}
	os.Stderr.WriteString(launcher + ": " + errno.Error() + "\n")
	os.Exit(99)
}

// syscallInfo is struct ptrace_syscall_info.
type syscallInfo struct {
	op     uint8
	_      [7]byte
	ip, sp uint64
	nr     uint64
	args   [6]uint64
}

// crashes runs cmd and kills it at the start of its nth call that leaves it. Should there be no nth call,
// it ends by itself. redeemed is asked at every call; address is told the first address on standard error.
func crashes(t *testing.T, cmd *exec.Cmd, n int, redeemed func() int, address func(string)) *crash {
	t.Helper()
	stdout, stderr := newOutput(t, nil), newOutput(t, address)
	// The tracer is one thread, the one that starts the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := syscall.ForkExec(self, append([]string{launcher, cmd.Path}, cmd.Args...), &syscall.ProcAttr{
		Env:   cmd.Env,
		Files: []uintptr{0, stdout.w.Fd(), stderr.w.Fd()},
		// A group of its own: its threads, and nothing else that this process started, are waited for.
		Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	stdout.w.Close()
	stderr.w.Close()
	if err != nil {
		t.Fatal(err)
	}
	tr := tracer{t: t, pid: pid, peers: map[string]string{}, redeemed: redeemed}
	var late bool
	watch := time.AfterFunc(hang, func() { late = true; syscall.Kill(pid, syscall.SIGKILL) })
	status := tr.run(n)
	if !watch.Stop() && late {
		t.Fatalf("%s: hangs after %v", cmd.Args[1], tr.calls)
	}
	c := &crash{result: result{-1, <-stdout.all, <-stderr.all}, calls: tr.calls, killed: tr.killed}
	if status.Exited() {
		c.status = status.ExitStatus()
	} else if !tr.killed {
		t.Fatalf("%s: ended by signal %v, which nobody sent", cmd.Args[1], status.Signal())
	}
	return c
}

type tracer struct {
	t        *testing.T
	pid      int
	peers    map[string]string // where sockets were connected to
	redeemed func() int
	calls    []leaving
	killed   bool
}

// run follows the program, which has just been started, to its end.
func (tr *tracer) run(n int) syscall.WaitStatus {
	tr.t.Helper()
	fatal := func(what string, err error) {
		tr.t.Helper()
		syscall.Kill(tr.pid, syscall.SIGKILL)
		tr.t.Fatalf("tracer: %s: %v", what, err)
	}
	launched := false
	threads := map[int]bool{}
	for {
		var ws syscall.WaitStatus
		tid, err := syscall.Wait4(-tr.pid, &ws, syscall.WALL, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			fatal("wait", err)
		}
		if ws.Exited() || ws.Signaled() {
			if tid == tr.pid {
				return ws
			}
			continue
		}
		deliver := 0
		switch stop := ws.StopSignal(); {
		case len(threads) == 0: // the launcher has been loaded
			err := syscall.PtraceSetOptions(tid, exitKill|traceSeccomp|syscall.PTRACE_O_TRACEEXEC|
				syscall.PTRACE_O_TRACECLONE|syscall.PTRACE_O_TRACEFORK|syscall.PTRACE_O_TRACEVFORK)
			if err != nil {
				fatal("set options", err)
			}
		case ws.TrapCause() == syscall.PTRACE_EVENT_EXEC:
			launched = true
		case ws.TrapCause() == eventSeccomp:
			if l, ok := tr.leaves(tid); ok && launched && !tr.killed {
				tr.calls = append(tr.calls, l)
				if len(tr.calls) == n {
					tr.killed = true
					// A call at whose start the process is killed is not made.
					if err := syscall.Kill(tr.pid, syscall.SIGKILL); err != nil {
						fatal("kill", err)
					}
					continue
				}
			}
		case stop == syscall.SIGTRAP: // a thread begins, and stops as well
		case stop == syscall.SIGSTOP && !threads[tid]: // there it is
		default:
			deliver = int(stop)
		}
		threads[tid] = true
		if err := syscall.PtraceCont(tid, deliver); err != nil && !errors.Is(err, syscall.ESRCH) {
			fatal("continue", err)
		}
	}
}

// leaves looks at a system call that a thread has stopped at.
func (tr *tracer) leaves(tid int) (l leaving, ok bool) {
	var info syscallInfo
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return l, false // the process has been killed
	}
	if l.name, ok = leave[info.nr]; !ok {
		return l, false
	}
	l.redeemed = tr.redeemed()
	const making = syscall.O_CREAT | syscall.O_TRUNC
	switch l.name {
	case "open":
		l.to = tr.text(info.args[0])
		return l, info.args[1]&making != 0
	case "openat":
		l.to = tr.below(info.args[0], info.args[1])
		return l, info.args[2]&making != 0
	case "creat", "rename", "link", "symlink", "unlink", "rmdir", "mkdir", "truncate", "chmod", "execve":
		l.to = tr.text(info.args[0])
		return l, true
	case "openat2", "renameat", "renameat2", "linkat", "symlinkat", "unlinkat", "mkdirat", "fchmodat", "execveat":
		l.to = tr.below(info.args[0], info.args[1])
		return l, true
	case "kill":
		return l, true
	}
	socket := tr.file(info.args[0])
	l.to = socket
	switch {
	case socket == "anon_inode:[eventfd]":
		return l, false // another thread of its own
	case strings.HasPrefix(socket, "pipe:"):
		l.to = "pipe"
		return l, true
	case l.name == "connect":
		tr.peers[socket] = peer(tr.memory(info.args[1], int(info.args[2])))
	}
	if strings.HasPrefix(socket, "socket:") {
		l.to = tr.peers[socket]
	}
	switch l.name {
	case "write", "sendto", "pwrite64":
		l.what = speech(tr.memory(info.args[1], min(int(info.args[2]), 1024)))
	case "sendmsg":
		l.what = speech(tr.vector(binary.LittleEndian.Uint64(append(tr.memory(info.args[1]+16, 8), make([]byte, 8)...))))
	case "writev":
		l.what = speech(tr.vector(info.args[1]))
	}
	return l, true
}

// vector is the beginning of what the first struct iovec at an address points to.
func (tr *tracer) vector(at uint64) []byte {
	b := tr.memory(at, 16)
	if len(b) < 16 {
		return nil
	}
	return tr.memory(binary.LittleEndian.Uint64(b), int(min(binary.LittleEndian.Uint64(b[8:]), 1024)))
}

func (tr *tracer) memory(at uint64, n int) []byte {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", tr.pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, n)
	n, _ = f.ReadAt(b, int64(at))
	return b[:n]
}

// text is a path.
func (tr *tracer) text(at uint64) string {
	b, _, _ := bytes.Cut(tr.memory(at, 512), []byte{0})
	return string(b)
}

// below is a path that may be relative to a folder that is open.
func (tr *tracer) below(folder, at uint64) string {
	path := tr.text(at)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(tr.file(folder), path)
}

// file is what a file descriptor leads to.
func (tr *tracer) file(fd uint64) string {
	name, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tr.pid, int32(fd)))
	return name
}

// peer reads a struct sockaddr.
func peer(b []byte) string {
	switch {
	case len(b) >= 3 && b[0] == syscall.AF_UNIX:
		return "unix:" + strings.Trim(string(b[2:]), "\x00")
	case len(b) >= 8 && b[0] == syscall.AF_INET:
		return fmt.Sprintf("%v:%d", net.IP(b[4:8]), binary.BigEndian.Uint16(b[2:]))
	case len(b) >= 24 && b[0] == syscall.AF_INET6:
		return fmt.Sprintf("[%v]:%d", net.IP(b[8:24]), binary.BigEndian.Uint16(b[2:]))
	}
	return "?"
}

var (
	httpRequest = regexp.MustCompile(`^(GET|POST) ([^ ?]+)`)
	// A header field of a D-Bus message: code 3, of type string.
	dbusMember = regexp.MustCompile(`(?s)\x03\x01s\x00.\x00\x00\x00(\w+)\x00`)
)

// speech says what a message asks for, without what may be secret.
func speech(b []byte) string {
	if m := httpRequest.FindSubmatch(b); m != nil {
		return fmt.Sprintf("HTTP %s %s", m[1], m[2])
	}
	if m := dbusMember.FindSubmatch(b); m != nil && len(b) > 16 && b[0] == 'l' {
		return "D-Bus " + string(m[1])
	}
	return ""
}

// output reads what a program prints.
type output struct {
	w   *os.File
	all chan string // when it has closed it
}

func newOutput(t *testing.T, address func(string)) *output {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	o := &output{w, make(chan string, 1)}
	go func() {
		defer r.Close()
		var all strings.Builder
		for lines := bufio.NewReader(io.TeeReader(r, &all)); ; {
			line, err := lines.ReadString('\n')
			if address != nil && strings.HasPrefix(line, "http") {
				address(strings.TrimSpace(line))
				address = nil
			}
			if err != nil {
				o.all <- all.String()
				return
			}
		}
	}()
	return o
}

// needTracing skips the test where no process may be traced, as in some containers.
func needTracing(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Ptrace: true}})
	if err != nil {
		rig.Missing(t, "ptrace", "it may not trace: "+err.Error())
	}
	rig.Ran(t, "ptrace", "")
	syscall.Kill(pid, syscall.SIGKILL)
	for {
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, syscall.WALL, nil); err != nil || ws.Exited() || ws.Signaled() {
			return
		}
	}
}
