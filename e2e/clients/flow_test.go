//go:build linux

package clients

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
)

// costing runs do and fails unless it cost just so many redemptions of the refresh token.
func (w *world) costing(redemptions int, what string, do func()) {
	w.t.Helper()
	before := w.pool.Redemptions()
	do()
	if got := w.pool.Redemptions() - before; got != redemptions {
		w.t.Errorf("%s: got %d redemptions, want %d", what, got, redemptions)
	}
}

// fails runs a command that must fail and say want.
func (w *world) fails(want, name string, args ...string) result {
	w.t.Helper()
	r := w.run(w.command(name, args...))
	if r.status == 0 || !strings.Contains(r.all(), want) {
		w.t.Errorf("%s %s: got exit status %d, want failure and %q\n%s", name, strings.Join(args, " "), r.status, want, r.all())
	}
	return r
}

// counted is a program that notes each of its runs in a file and goes on as the command line. runs returns
// the arguments of those since the last call.
func (w *world) counted(name, command string) (path string, runs func() []string) {
	w.t.Helper()
	log := w.Dir + "/" + name + ".log" // a browser is told a secret or two, which the home is searched for
	path = w.write("bin/"+name, "#!/bin/sh\necho \"run $*\" >>'"+log+"'\nexec "+command+" \"$@\"\n", 0o755)
	read := 0
	return path, func() (runs []string) {
		w.t.Helper()
		b, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
		for line := range strings.Lines(string(b[read:])) {
			if strings.HasSuffix(line, "\n") { // else it is being written
				runs = append(runs, strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "run "))
				read += len(line)
			}
		}
		return runs
	}
}

// browser is a browser that opens nothing and notes each address that it was to open.
func (w *world) browser() (opened func() []string) {
	path, opened := w.counted("browser", "true")
	w.env = append(w.env, "BROWSER="+path)
	return opened
}

// atTerminal is a command that a person types at a terminal.
func (w *world) atTerminal(line string) *exec.Cmd {
	w.t.Helper()
	rig.Require(w.t, "script", "script")
	return w.command("script", "--quiet", "--return", "--command", line, os.DevNull)
}

// signsIn runs a command that opens the browser once, in which the person signs in, and then ends well.
func (w *world) signsIn(cmd *exec.Cmd, opened func() []string) result {
	w.t.Helper()
	done := make(chan result, 1)
	go func() {
		defer close(done)
		done <- w.run(cmd)
	}()
	var addresses []string
	for end := time.Now().Add(hang); len(addresses) == 0; addresses = opened() {
		select {
		case r := <-done:
			w.t.Fatalf("%s: got exit status %d before any browser was opened\n%s", cmd.Args, r.status, r.all())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: opens no browser", cmd.Args)
		}
	}
	user := w.pool.User()
	if _, err := w.pool.UserAgent().SignIn(context.Background(), addresses[0], user.Username, user.Password); err != nil {
		w.t.Error(err)
	}
	r := <-done
	if r.status != 0 || len(addresses) != 1 {
		w.t.Fatalf("%s: got exit status %d and %d browsers, want 0 and one\n%s", cmd.Args, r.status, len(addresses), r.all())
	}
	return r
}

// withClock gives this world a cogauth whose machine can grow older than it is.
func (w *world) withClock() (pass func(time.Duration)) {
	w.t.Helper()
	exe, clock := rig.BuildWithClock(w.t, "./cmd/cogauth"), rig.NewClock(w.t)
	w.env = append(w.env, clock.Env())
	w.ok(exe, "install-links", w.links)
	if err := os.Remove(w.links + "/cogauth"); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(exe, w.links+"/cogauth"); err != nil {
		w.t.Fatal(err)
	}
	return func(d time.Duration) { clock.Set(d, 0) }
}

// trusting is a file with the certificates of gates.
func (w *world) trusting(gates ...*gate) (caFile string) {
	w.t.Helper()
	var all []byte
	for _, g := range gates {
		b, err := os.ReadFile(g.caFile)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, b...)
	}
	return w.write("ca.pem", string(all), 0o600)
}

// tarball is a .tar.gz of files, which are pairs of name and text.
func tarball(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// parentEnv is a variable of the test's own process: clients that live below the real home are found there.
func parentEnv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return home + "/" + otherwise
}
