//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// timeMachine is a desktop and a pool whose clocks go on by hand, the desktop's possibly being wrong.
type timeMachine struct {
	*desktop
	pool   *cognitotest.Pool
	clock  *rig.Clock
	passed atomic.Int64 // time.Duration since the test began, on top of what really has
	wrong  time.Duration
}

// timeTravel makes one, and configures the profile p, with settings besides.
func timeTravel(t *testing.T, wrong time.Duration, client cognitotest.AppClient, settings ...string) *timeMachine {
	t.Helper()
	m := &timeMachine{desktop: terminal(t), clock: rig.NewClock(t), wrong: wrong}
	client.ID, client.CallbackURLs = clientID, []string{freeCallback(t)}
	pool, err := cognitotest.New(cognitotest.Config{Now: m.now, Clients: []cognitotest.AppClient{client}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	m.pool = pool
	m.pass(0)
	o := m.run(append([]string{"configure", "--profile", "p", "--issuer", pool.Issuer(), "--client-id", clientID, "--callback-url", client.CallbackURLs[0]}, settings...)...)
	if o.status != 0 {
		t.Fatalf("configure: got exit status %d, want 0\n%s", o.status, o.stderr)
	}
	return m
}

// now is the true time.
func (m *timeMachine) now() time.Time { return time.Now().Add(time.Duration(m.passed.Load())) }

// pass has time go by, for all clocks but the monotonic ones.
func (m *timeMachine) pass(d time.Duration) {
	m.t.Helper()
	m.clock.Set(time.Duration(m.passed.Add(int64(d))), m.wrong)
}

func (m *timeMachine) command(exe string, args ...string) *exec.Cmd {
	m.t.Helper()
	cmd := m.desktop.command(exe, args...)
	cmd.Env = append(cmd.Env, m.clock.Env())
	return cmd
}

func (m *timeMachine) cogauth(args ...string) *exec.Cmd {
	m.t.Helper()
	return m.command(rig.BuildWithClock(m.t, "./cmd/cogauth"), args...)
}

func (m *timeMachine) run(args ...string) result {
	m.t.Helper()
	return m.ends(m.cogauth(args...))
}

// logIn signs in and returns what was said, but for the address.
func (m *timeMachine) logIn() (stderr string) {
	m.t.Helper()
	address, o := m.login(person(m.pool), m.cogauth("login", "--no-browser"))
	said := strings.ReplaceAll(o.stderr, address, "(address)")
	if o.status != 0 {
		m.t.Fatalf("login: got exit status %d, want 0\n%s", o.status, said)
	}
	return said
}

// token returns a token that the true time finds good, and what was said.
func (m *timeMachine) token(args ...string) (token, stderr string) {
	m.t.Helper()
	o := m.run(append([]string{"token"}, args...)...)
	if o.status != 0 {
		m.t.Fatalf("token: got exit status %d, want 0\n%s", o.status, o.stderr)
	}
	return m.good(o.stdout), o.stderr
}

// good checks a token against the pool's keys and the true time.
func (m *timeMachine) good(printed string) string {
	m.t.Helper()
	token := strings.TrimSuffix(printed, "\n")
	exp, _ := verify(m.t, m.pool, token)["exp"].(float64)
	if left := time.Unix(int64(exp), 0).Sub(m.now()); left <= 0 {
		m.t.Errorf("got a token that expired %v ago", -left)
	}
	return token
}

// E1: the machine sleeps for longer than the token lives. The programs' timers have not moved, and the
// token that they would find good by them is not handed out; neither by a command that starts after
// waking, nor by a program that slept along.
func TestE1SleepAndResume(t *testing.T) {
	const asleep = 25 * time.Hour
	m := timeTravel(t, 0, cognitotest.AppClient{RefreshTokenRotation: true})
	m.logIn()
	before, _ := m.token()
	if again, _ := m.token(); again != before || m.pool.Redemptions() != 0 {
		t.Fatal("the token is not good to begin with")
	}
	m.pass(asleep)
	after, _ := m.token()
	if got := m.pool.Redemptions(); after == before || got != 1 {
		t.Errorf("token after waking: got the same: %v, and %d redemptions, want a new one and 1", after == before, got)
	}

	program := startEmbedder(t, m)
	if program.next() != after || program.next() != after || m.pool.Redemptions() != 1 {
		t.Fatal("the program does not share the session")
	}
	m.pass(asleep)
	woken := program.next()
	if got := m.pool.Redemptions(); woken == after || got != 2 {
		t.Errorf("the program's token after waking: got the same: %v, and %d redemptions, want a new one and 2", woken == after, got)
	}
	if got, _ := m.token(); got != woken || m.pool.Redemptions() != 2 {
		t.Error("the command has another token than the program that woke first")
	}
}

// embedder is a program that goes on for long, and gives a token when asked to.
type embedder struct {
	m     *timeMachine
	stdin io.Writer
	lines chan string // closed at the end of its output
	asked bool
}

func startEmbedder(t *testing.T, m *timeMachine) *embedder {
	t.Helper()
	cmd := m.command(rig.BuildWithClock(t, "./internal/bench/embedder"), "-profile", "p", "-issuer", m.pool.Issuer(), "-client-id", clientID, "-callback-url", m.pool.Client().CallbackURLs[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := &embedder{m: m, stdin: stdin, lines: make(chan string)}
	done := make(chan struct{})
	go func() {
		defer close(e.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			select {
			case e.lines <- lines.Text():
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		stdin.Close() // its end
		for range e.lines {
		}
		if err := cmd.Wait(); err != nil || stderr.String() != "" {
			t.Errorf("the program: got %v, want a good end and not a word\n%s", err, stderr.String())
		}
	})
	return e
}

// next asks for a token.
func (e *embedder) next() string {
	e.m.t.Helper()
	if e.asked {
		if _, err := io.WriteString(e.stdin, "\n"); err != nil {
			e.m.t.Fatal(err)
		}
	}
	e.asked = true // it gives the first one by itself
	select {
	case line, ok := <-e.lines:
		if !ok {
			e.m.t.Fatal("the program gives no token")
		}
		return e.m.good(line)
	case <-time.After(hang):
		e.m.t.Fatal("the program hangs")
	}
	return ""
}

// E2: the machine's clock is wrong, at the sign-in and at the refresh, and tokens live for 5 minutes,
// which is the least that a user pool can do. They are used for as long as they are good, and no longer;
// the person hears of a clock that is off by more than 5 minutes, once each time that the server was
// asked.
func TestE2WrongClock(t *testing.T) {
	for _, c := range []struct {
		wrong time.Duration
		says  string
	}{
		{10 * time.Second, ""}, {-10 * time.Second, ""},
		{4 * time.Minute, ""}, {-4 * time.Minute, ""},
		{20 * time.Minute, "clock is 20 min fast"}, {-20 * time.Minute, "clock is 20 min slow"},
	} {
		t.Run(c.wrong.String(), func(t *testing.T) {
			t.Parallel()
			m := timeTravel(t, c.wrong, fiveMinutes(cognitotest.AppClient{}))
			heard := func(what, stderr string) {
				t.Helper()
				n := strings.Count(stderr, "clock")
				if c.says == "" && n > 0 || c.says != "" && (n != 1 || !strings.Contains(stderr, c.says)) {
					t.Errorf("%s: want %q on standard error, once, and \"\" for nothing about the clock; got\n%s", what, c.says, stderr)
				}
			}
			heard("login", m.logIn())
			for round := range 3 { // the tokens of the login, and of two refreshes
				held, said := m.token()
				switch {
				case round == 0 && said != "":
					t.Errorf("got %q on standard error on the way to a cached token, want nothing", said)
				case round > 0:
					heard("refresh", said)
				}
				for range 2 {
					m.pass(110 * time.Second) // to 3 min 40 s: there is more left than the margin of 1 min
					token, said := m.token()
					if token != held || said != "" {
						t.Errorf("round %d: got the same token: %v, with %q on standard error, want the same and nothing", round, token == held, said)
					}
				}
				if got := m.pool.Redemptions(); got != round {
					t.Errorf("round %d: got %d redemptions, want %d", round, got, round)
				}
				m.pass(50 * time.Second) // to 4 min 30 s: within the margin
			}
		})
	}
}

// fiveMinutes is the client with the shortest-lived tokens there are.
func fiveMinutes(client cognitotest.AppClient) cognitotest.AppClient {
	client.IDTokenValidity, client.AccessTokenValidity = 5*time.Minute, 5*time.Minute
	return client
}

// E4: how long each token lives is what its exp says, not an assumption, and not the one expires_in that
// the answer has for both.
func TestE4EachTokensOwnLifetime(t *testing.T) {
	for _, short := range []string{"id", "access"} {
		t.Run(short, func(t *testing.T) {
			t.Parallel()
			client, long := cognitotest.AppClient{IDTokenValidity: 5 * time.Minute}, "access"
			if short == "access" {
				client, long = cognitotest.AppClient{AccessTokenValidity: 5 * time.Minute}, "id"
			}
			m := timeTravel(t, 0, client)
			m.logIn()
			before := map[string]string{}
			for _, typ := range []string{short, long} {
				before[typ], _ = m.token("--type", typ)
			}
			m.pass(3*time.Minute + 40*time.Second)
			for _, typ := range []string{short, long} {
				if got, _ := m.token("--type", typ); got != before[typ] {
					t.Errorf("%s token after 3 min 40 s: got another one, want the same", typ)
				}
			}
			m.pass(time.Minute)
			if got, _ := m.token("--type", long); got != before[long] || m.pool.Redemptions() != 0 {
				t.Errorf("%s token, good for an hour, after 4 min 40 s: got another one, want the same", long)
			}
			if got, _ := m.token("--type", short); got == before[short] || m.pool.Redemptions() != 1 {
				t.Errorf("%s token, good for 5 min, after 4 min 40 s: got the same one, want another", short)
			}
		})
	}
}

const day = 24 * time.Hour

// E5: refresh_token_validity tells when the sign-in will end: status shows it, and in the last three days
// each refresh says it in a line. What is cached is handed out without a word.
// E6: with rotation the new refresh tokens inherit the end of the first, in the forecast as in the pool.
func TestE5E6ForecastOfTheEnd(t *testing.T) {
	for name, rotation := range map[string]bool{"rotation": true, "no rotation": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := timeTravel(t, 0, cognitotest.AppClient{RefreshTokenRotation: rotation, RefreshTokenValidity: 30 * day}, "--refresh-token-validity", "30d")
			end := m.now().Add(30 * day)
			if said := m.logIn(); strings.Contains(said, "ends in") {
				t.Errorf("login speaks of its end at its beginning:\n%s", said)
			}
			for _, step := range []struct {
				wait time.Duration
				says string
			}{
				{10 * day, ""},
				{10 * day, ""},             // day 20, second refresh
				{7*day - 10*time.Hour, ""}, // day 26.6
				{11 * time.Hour, "2 days"},
				{day + 12*time.Hour + 30*time.Minute, "34 hours"},
				{day + 9*time.Hour + 45*time.Minute, "44 minutes"},
			} {
				m.pass(step.wait)
				before := m.pool.Redemptions()
				_, said := m.token()
				if got := m.pool.Redemptions() - before; got != 1 {
					t.Fatalf("%v before the end: got %d redemptions, want 1", end.Sub(m.now()), got)
				}
				if step.says == "" && said != "" {
					t.Errorf("%v before the end: got %q on standard error, want nothing", end.Sub(m.now()), said)
				}
				if step.says != "" && (strings.Count(said, "\n") != 1 || !strings.Contains(said, "ends in "+step.says)) {
					t.Errorf("%v before the end: got %q on standard error, want a line that says %s", end.Sub(m.now()), said, step.says)
				}
				if _, said := m.token(); said != "" {
					t.Errorf("%v before the end: got %q on standard error with a cached token, want nothing", end.Sub(m.now()), said)
				}
				m.wantEnd(end)
			}
			// The forecast is right: a minute before it the pool still gives tokens, a minute after it none.
			m.pass(end.Sub(m.now()) - time.Minute)
			m.token("--refresh")
			m.pass(2 * time.Minute)
			if o := m.run("token", "--refresh"); o.status != 3 {
				t.Errorf("token after the end: got exit status %d, want 3\n%s", o.status, o.stderr)
			}
		})
	}
}

// wantEnd checks the end that status shows.
func (m *timeMachine) wantEnd(want time.Time) {
	m.t.Helper()
	var status struct {
		Ends time.Time `json:"sign_in_ends_at"`
	}
	o := m.run("status", "--json")
	if err := json.Unmarshal([]byte(o.stdout), &status); err != nil || o.status != 0 {
		m.t.Fatalf("status: got exit status %d, %v, want 0\n%s", o.status, err, o.stderr)
	}
	if off := status.Ends.Sub(want); off.Abs() > 10*time.Minute {
		m.t.Errorf("status shows the end of the sign-in %v late, %v before it", off, want.Sub(m.now()))
	}
	if o := m.run("status"); !strings.Contains(o.stdout, "sign-in ends") {
		m.t.Errorf("status does not show the end of the sign-in:\n%s", o.stdout)
	}
}
