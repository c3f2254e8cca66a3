//go:build linux

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// running is a program whose standard input stays open.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   *os.File // what goes in
	read *os.File // the other end of it
	out  io.Reader
	errs bytes.Buffer
}

// starts runs the program until it ends, or the test does; a minute is for ever.
func (p *program) starts(env []string, args ...string) *running {
	p.t.Helper()
	r := &running{t: p.t, cmd: exec.Command(p.exe, args...)}
	var err error
	if r.read, r.in, err = os.Pipe(); err != nil {
		p.t.Fatal(err)
	}
	r.cmd.Env, r.cmd.Stdin, r.cmd.Stderr = slices.Concat(p.env, env), r.read, &r.errs
	if r.out, err = r.cmd.StdoutPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { r.cmd.Process.Kill() })
	p.t.Cleanup(func() {
		kill.Stop()
		r.cmd.Process.Kill()
		r.cmd.Wait()
		r.in.Close()
		r.read.Close()
	})
	return r
}

func (r *running) write(text string) {
	r.t.Helper()
	if _, err := r.in.WriteString(text); err != nil {
		r.t.Fatal(err)
	}
}

// taken waits until the program has read all that was written.
func (r *running) taken() {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var left int32
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, r.read.Fd(), syscall.TIOCINQ, uintptr(unsafe.Pointer(&left))); errno != 0 {
			r.t.Fatal(errno)
		}
		if left == 0 {
			return
		}
	}
	r.t.Fatal("the program does not read its request")
}

// ends waits for the end.
func (r *running) ends() (status int, stdout, stderr string) {
	r.t.Helper()
	out, err := io.ReadAll(r.out)
	if err != nil {
		r.t.Fatal(err)
	}
	r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode(), string(out), r.errs.String()
}

const cargoAsks = `{"v":1,"registry":{"index-url":"sparse+https://api.corp.example/"},"kind":"get","operation":"read"}` + "\n"

// A git request ends with an empty line, whatever becomes of the pipe that it came through.
func TestGitAnswersBeforeThePipeIsClosed(t *testing.T) {
	p := signedIn(t, nil)
	r := p.starts(nil, "helper", "git", "get")
	r.write(gitAsks)
	if status, out, errs := r.ends(); status != 0 || !strings.Contains(out, "password=eyJ") {
		t.Errorf("got status %d\n%s\nwant a token", status, errs)
	}
}

// A helper that waits for its request ends when it is told to, without a word to the client.
func TestSignalEndsAWaitingHelper(t *testing.T) {
	p := signedIn(t, nil)
	for _, c := range []struct{ name, op, begin string }{
		{"git", "get", "protocol=https\n"}, {"git", "erase", "protocol=https\n"}, {"docker", "get", "api.corp"},
		{"native", "", "{"}, {"bazel", "get", "{"}, {"cargo", "--cargo-plugin", "{"},
	} {
		args := []string{"helper", c.name}
		if c.op != "" {
			args = append(args, c.op)
		}
		r := p.starts(nil, args...)
		r.write(c.begin)
		r.taken()
		if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		status, out, errs := r.ends()
		if c.name == "cargo" {
			out = strings.TrimPrefix(out, `{"v":[1]}`+"\n") // it speaks first
		}
		if status != 128+int(syscall.SIGTERM) || out != "" || !strings.Contains(errs, "ended by signal") {
			t.Fatalf("%s %s: got status %d, %q and\n%s\nwant the signal's", c.name, c.op, status, out, errs)
		}
	}
}

// L3: the file has a token that can go into a header, an ID token, and one for now.
func TestL3TokenFileIsStrict(t *testing.T) {
	p := signedIn(t, nil)
	_, out, _ := p.helps("", nil, "token")
	good := strings.TrimSpace(out)
	parts := strings.Split(good, ".")
	with := func(name string, value any) string {
		t.Helper()
		b, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{}
		if err := json.Unmarshal(b, &claims); err != nil {
			t.Fatal(err)
		}
		claims[name] = value
		if b, err = json.Marshal(claims); err != nil {
			t.Fatal(err)
		}
		return parts[0] + "." + base64.RawURLEncoding.EncodeToString(b) + "." + parts[2]
	}
	for _, c := range []struct {
		name, content string
		status        int
		says          string
	}{
		{"a byte order mark", "\ufeff" + good + "\r\n", 0, ""},
		{"another header", good + "\nX-Evil: 1\n", exitMisconfigured, "holds no JSON Web Token"},
		{"a break in the signature", good[:len(good)-8] + "\n" + good[len(good)-8:], exitMisconfigured, "holds no JSON Web Token"},
		{"a letter of no token", good + "é", exitMisconfigured, "holds no JSON Web Token"},
		{"an access token with an audience", with("token_use", "access"), exitRefused, "no ID token"},
		{"of no known use", with("token_use", 1), exitRefused, "no ID token"},
		{"not good yet", with("nbf", time.Now().Add(time.Hour).Unix()), exitRefused, "not good yet"},
		{"made by a clock that is ahead", with("nbf", time.Now().Add(20*time.Second).Unix()), 0, ""},
	} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSpace(strings.TrimPrefix(c.content, "\ufeff"))
		env := []string{tokenFileVariable + "=" + file}
		for _, argv := range [][]string{
			{"token"}, {"exec", "--env", "T=id", "--", "sh", "-c", `printf '%s\n' "$T"`}, {"helper", "headers", "https://api.corp.example/"},
		} {
			status, out, errs := p.helps("", env, argv...)
			if status != c.status || !strings.Contains(errs, c.says) || status == 0 && !strings.Contains(out, want+"\n") && !strings.Contains(out, want+`"`) || status != 0 && out != "" {
				t.Errorf("%s, %s: got status %d, %q and\n%s\nwant %d and %q", c.name, argv[0], status, out, errs, c.status, c.says)
			}
		}
	}
}

// L3: what a shell's process substitution names can be read once, and a pipe may have no other end.
func TestL3TokenFileIsAPipe(t *testing.T) {
	p := signedIn(t, nil)
	_, out, _ := p.helps("", nil, "token")
	fifo := filepath.Join(t.TempDir(), "token")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{tokenFileVariable + "=" + fifo}
	written := make(chan error, 1)
	r := p.starts(env, "helper", "cargo", "--cargo-plugin")
	go func() { written <- os.WriteFile(fifo, []byte(out), 0) }()
	r.write(cargoAsks + cargoAsks)
	r.in.Close()
	if status, answer, errs := r.ends(); status != 0 || strings.Count(answer, `"token":"Bearer eyJ`) != 2 {
		t.Errorf("two requests: got status %d, %q\n%s", status, answer, errs)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}

	r = p.starts(env, "helper", "cargo", "--cargo-plugin")
	r.write(cargoAsks)
	r.taken()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, answer, errs := r.ends(); status != 128+int(syscall.SIGTERM) || !strings.Contains(errs, "ended by signal") {
		t.Errorf("nobody writes: got status %d, %q\n%s\nwant the signal's", status, answer, errs)
	}
}

// A signal that is ignored, as below nohup, is ignored by what exec runs; others are not.
func TestExecKeepsIgnoredSignals(t *testing.T) {
	p := signedIn(t, nil)
	for _, c := range []struct {
		trap, signal, out string
		status            int
	}{
		{`trap "" HUP;`, "HUP", "survived\n", 0},
		{`trap "" INT;`, "INT", "survived\n", 0},
		{"", "HUP", "", -1},
		{`trap "" HUP;`, "TERM", "", -1},
	} {
		script := c.trap + ` exec "$0" exec --env T=id -- sh -c 'kill -` + c.signal + ` $$; echo survived'`
		if status, out, errs := p.helps("", nil, "/bin/sh", "-c", script, p.exe); status != c.status || out != c.out {
			t.Errorf("%q, then %s: got status %d, %q\n%s\nwant %d, %q", c.trap, c.signal, status, out, errs, c.status, c.out)
		}
	}
}

// exec has the statuses that shells have for what cannot be run.
func TestExecStatuses(t *testing.T) {
	p := signedIn(t, nil)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]int{filepath.Dir(file): 126, file: 126, file + ".none": 127, "no-such-command": 127} {
		if status, out, errs := p.helps("", nil, "exec", "--env", "T=id", "--", command); status != want || out != "" || !strings.Contains(errs, "cannot be run") {
			t.Errorf("%s: got status %d, %q\n%s\nwant %d", command, status, out, errs, want)
		}
	}
}

// J4: the guard holds whatever the variable says, and speaks to each client in its own words.
func TestJ4TheGuardSpeaksTheProtocol(t *testing.T) {
	p := signedIn(t, nil)
	const says = "started by itself"
	for _, depth := range []string{"8", "9223372036854775807", "99999999999999999999999"} {
		env := []string{depthVariable + "=" + depth}
		for _, c := range []struct {
			stdin   string
			argv    []string
			status  int
			out     string
			onError bool
		}{
			{gitAsks, []string{"helper", "git", "get"}, exitMisconfigured, "quit=1\n", true},
			{strings.TrimSpace(gitAsks) + "\npassword=x\n", []string{"helper", "git", "erase"}, exitMisconfigured, "", true},
			{"api.corp.example", []string{"helper", "docker", "get"}, exitMisconfigured, says, true},
			{"", []string{"helper", "docker", "list"}, 1, says, false},
			{"", []string{"helper", "google"}, 0, `"success":false,"code":"MISCONFIGURED"`, false},
			{"", []string{"helper", "keyring", "get", "https://api.corp.example/", "me"}, exitMisconfigured, "", true},
			{"", []string{"helper", "keyring", "--version"}, exitMisconfigured, "", true},
			{"", []string{"exec", "--env", "T=id", "--", "true"}, exitMisconfigured, "", true},
		} {
			status, out, errs := p.helps(c.stdin, env, c.argv...)
			if status != c.status || !strings.Contains(out, c.out) || c.out == "" && out != "" || strings.Contains(errs, says) != c.onError || strings.Contains(out, "eyJ") {
				t.Errorf("%s, %v: got status %d, %q and\n%s\nwant %d and %q", depth, c.argv, status, out, errs, c.status, c.out)
			}
		}
	}
	for _, depth := range []string{"", "-1", "-9223372036854775808", "-99999999999999999999999", "many", "0x7"} {
		status, out, errs := p.helps("", []string{depthVariable + "=" + depth}, "exec", "--env", "T=id", "--", "printenv", depthVariable)
		if status != 0 || out != "1\n" {
			t.Errorf("%q: got status %d, and the count begins at %q\n%s", depth, status, out, errs)
		}
	}
}
