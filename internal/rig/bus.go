package rig

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// hang is how long a rig waits for a part before it calls it hanging.
const hang = 30 * time.Second

// NoBus is an environment without a session bus.
func NoBus(t testing.TB) []string {
	t.Helper()
	_, env := home(t)
	return Environ(env...)
}

// DeadBus is an environment that names a session bus that is not there.
func DeadBus(t testing.TB) []string {
	t.Helper()
	dir, env := home(t)
	return Environ(append(env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+dir+"/run/bus")...)
}

// bareBus is a session bus on which nothing can be started.
const bareBus = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`

// BusWithoutService is the environment of a private session bus that runs until the test ends and
// knows no keychain.
func BusWithoutService(t testing.TB) []string {
	t.Helper()
	Require(t, "bus")
	dir, env := home(t)
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, []byte(bareBus), 0o600); err != nil {
		t.Fatal(err)
	}
	address, _ := startBus(t, Environ(env...), "--config-file="+config)
	return Environ(append(env, "DBUS_SESSION_BUS_ADDRESS="+address)...)
}

// startBus runs a dbus-daemon until the test ends.
func startBus(t testing.TB, env []string, config string) (address string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command("dbus-daemon", config, "--nofork", "--nopidfile", "--print-address=1")
	cmd.Env = env
	var log lockedBuffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		lines <- strings.TrimSpace(line)
	}()
	select {
	case address = <-lines:
	case <-time.After(hang):
	}
	if address == "" {
		t.Fatalf("dbus-daemon names no address\n%s", tail(log.Bytes()))
	}
	return address, cmd
}

// start runs cmd, and kills it and waits for its end when the test is over.
func start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	// A program that a bus started may hold our pipes open for longer than the bus lives.
	cmd.WaitDelay = time.Second
	noOrphan(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// lockedBuffer can be read while a program still writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
