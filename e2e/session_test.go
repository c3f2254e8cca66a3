//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// terminal is the session of a person without a display: a real keychain and a home.
func terminal(t *testing.T) *desktop {
	t.Helper()
	return &desktop{Session: rig.Keyring(t), t: t}
}

// visitor does what the person would do at the address that login prints.
type visitor func(ctx context.Context, address string) error

// person fills in the pool's sign-in form.
func person(pool *cognitotest.Pool) visitor {
	return func(ctx context.Context, address string) error {
		_, err := pool.UserAgent().SignIn(ctx, address, pool.User().Username, pool.User().Password)
		return err
	}
}

// result is how a run ended; status is -1 after a signal.
type result struct {
	status         int
	stdout, stderr string
}

// ends runs cmd to its end, whatever that is.
func (d *desktop) ends(cmd *exec.Cmd) result {
	d.t.Helper()
	r := begin(d.t, cmd, nil)
	return r.end()
}

// try runs cogauth to its end, whatever that is, with env added to the session's environment.
func (d *desktop) try(env []string, args ...string) result {
	d.t.Helper()
	return d.ends(d.cogauth(env, args...))
}

// want runs cogauth and expects it to exit with status.
func (d *desktop) want(status int, env []string, args ...string) result {
	d.t.Helper()
	o := d.try(env, args...)
	if o.status != status {
		d.t.Fatalf("cogauth %s: got exit status %d, want %d\n%s", strings.Join(args, " "), o.status, status, o.stderr)
	}
	return o
}

func (d *desktop) cogauth(env []string, args ...string) *exec.Cmd {
	d.t.Helper()
	cmd := d.command(rig.Build(d.t), args...)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// signIn runs a login that opens no browser, has visit go to the address that it prints, and returns
// that address.
func (d *desktop) signIn(visit visitor, env []string, args ...string) (address string) {
	d.t.Helper()
	address, o := d.login(visit, d.cogauth(env, append([]string{"login", "--no-browser"}, args...)...))
	if o.status != 0 {
		d.t.Fatalf("login: got exit status %d, want 0\n%s", o.status, strings.ReplaceAll(o.stderr, address, "(address)"))
	}
	if o.stdout != "" {
		d.t.Errorf("login printed %d bytes on standard output, want none", len(o.stdout))
	}
	return address
}

// login runs cmd, which signs in, and has visit go to the address that it prints.
func (d *desktop) login(visit visitor, cmd *exec.Cmd) (address string, o result) {
	d.t.Helper()
	r := begin(d.t, cmd, nil)
	address = r.address()
	ctx, cancel := context.WithTimeout(d.t.Context(), hang)
	defer cancel()
	if err := visit(ctx, address); err != nil {
		d.t.Errorf("the browser: %v", err)
		cmd.Process.Kill()
	}
	return address, r.end()
}

// refreshToken is the one in the keychain's record of the profile "p".
func (d *desktop) refreshToken(client string) string {
	d.t.Helper()
	var record struct {
		RefreshToken string `json:"refresh_token"`
	}
	entry, found := d.Value("p/" + client)
	if !found {
		d.t.Fatal("gnome-keyring holds no record")
	}
	if err := json.Unmarshal([]byte(entry), &record); err != nil || record.RefreshToken == "" {
		d.t.Fatalf("gnome-keyring: got a record without a refresh token (%v), want one", err)
	}
	return record.RefreshToken
}

// running is a run whose standard error is read while it goes on.
type running struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdout  strings.Builder
	printed chan string // the first address on standard error; closed at its end
	stderr  chan string // all of it, at its end
}

// begin starts cmd, and kills it should the test end first.
func begin(t *testing.T, cmd *exec.Cmd, stdin io.Reader) *running {
	t.Helper()
	r := &running{t: t, cmd: cmd, printed: make(chan string, 1), stderr: make(chan string, 1)}
	cmd.Stdin, cmd.Stdout = stdin, &r.stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	go func() {
		defer close(r.printed)
		var all strings.Builder
		seen := false
		for lines := bufio.NewReader(pipe); ; {
			line, err := lines.ReadString('\n')
			all.WriteString(line)
			if !seen && strings.HasPrefix(line, "http") {
				seen = true
				r.printed <- strings.TrimSpace(line)
			}
			if err != nil {
				r.stderr <- all.String()
				return
			}
		}
	}()
	return r
}

// address waits for the address that a login prints on a line of its own.
func (r *running) address() string {
	r.t.Helper()
	select {
	case address, ok := <-r.printed:
		if ok {
			return address
		}
		o := r.end()
		r.t.Fatalf("login: got exit status %d and no address, want one\n%s", o.status, o.stderr)
	case <-time.After(hang):
		r.t.Fatal("login prints no address")
	}
	return ""
}

// end waits for the end of the run.
func (r *running) end() result {
	r.t.Helper()
	var stderr string
	select {
	case stderr = <-r.stderr:
	case <-time.After(2 * hang):
		r.cmd.Process.Kill()
		r.t.Fatalf("%s: hangs", strings.Join(r.cmd.Args[:min(3, len(r.cmd.Args))], " "))
	}
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return result{r.cmd.ProcessState.ExitCode(), r.stdout.String(), stderr}
}
