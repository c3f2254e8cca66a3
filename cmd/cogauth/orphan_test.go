//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// A14: a login whose starter has died does not go on holding the callback port. The row's second is
// checked as a hang, at ten times that.
func TestA14OrphanedLoginEnds(t *testing.T) {
	ring := rig.Keyring(t)
	port := rig.FreePort(t)
	callback := fmt.Sprintf("http://localhost:%d/callback", port)
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{CallbackURLs: []string{callback}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	config := filepath.Join(t.TempDir(), "config.toml")
	text := fmt.Sprintf("[profiles.a]\nissuer = %q\nclient_id = %q\ncallback_urls = [%q]\n", pool.Issuer(), pool.Client().ID, callback)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The shell is the starter; it stays until it is killed.
	shell := exec.Command("sh", "-c", `"$1" login --no-browser & wait`, "sh", rig.Build(t))
	shell.Env = append(ring.Env(), "COGAUTH_CONFIG="+config)
	stderr, err := shell.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "http") {
	}
	if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		l.Close()
		t.Fatal("the login does not hold its port")
	}
	shell.Process.Signal(syscall.SIGKILL)
	ended := make(chan string, 1)
	go func() { // the pipe ends when the orphan does
		var last string
		for lines.Scan() {
			last = lines.Text()
		}
		ended <- last
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the orphaned login goes on")
	}
	shell.Wait()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatalf("the port is still held: %v", err)
	}
	l.Close()
}
