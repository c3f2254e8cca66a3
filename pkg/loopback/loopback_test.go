package loopback_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/loopback"
)

func TestDeps(t *testing.T)  { deptest.Only(t) }
func TestQuiet(t *testing.T) { deptest.Quiet(t) }

// hang is how long a step may take before the test calls it a hang.
const hang = 20 * time.Second

const (
	state = "CANARY-state-3q2-7wGrvu8q"
	code  = "CANARY-code-9c1f"
)

// freePort returns a port that is free on both loopback families.
func freePort(t *testing.T) string { return strconv.Itoa(rig.FreePort(t)) }

func haveIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func needIPv6(t *testing.T) {
	t.Helper()
	if !haveIPv6() {
		t.Skip("this machine has no ::1")
	}
}

func callbackURL(port string) string { return "http://localhost:" + port + "/callback" }

// serve listens on a free port.
func serve(t *testing.T) (srv *loopback.Server, port string) {
	t.Helper()
	port = freePort(t)
	srv, err := loopback.Listen(t.Context(), []string{callbackURL(port)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	srv.SetPatience(hang)
	return srv, port
}

type outcome struct {
	cb  *loopback.Callback
	err error
}

// await starts Await and returns when it listens for the state.
func await(t *testing.T, srv *loopback.Server, o loopback.Observer) <-chan outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	return awaitCtx(ctx, t, srv, o)
}

func awaitCtx(ctx context.Context, t *testing.T, srv *loopback.Server, o loopback.Observer) <-chan outcome {
	t.Helper()
	done := make(chan outcome, 1)
	go func() {
		cb, err := srv.Await(ctx, state, o)
		done <- outcome{cb, err}
	}()
	for deadline := time.Now().Add(hang); !srv.Armed(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("Await does not begin")
		}
	}
	return done
}

func wantCode(t *testing.T, done <-chan outcome) {
	t.Helper()
	select {
	case got := <-done:
		if got.err != nil || got.cb.Code != code {
			t.Fatalf("Await: got %v, %v, want the code", got.cb, got.err)
		}
	case <-time.After(hang):
		t.Fatal("Await: hangs")
	}
}

func stillWaiting(t *testing.T, done <-chan outcome) {
	t.Helper()
	select {
	case got := <-done:
		t.Fatalf("Await: got %v, %v, want it to go on waiting", got.cb, got.err)
	default:
	}
}

// response is an answer, read whole.
type response struct {
	status int
	header http.Header
	body   string
	url    string // after redirects
}

// visit is a request as a browser, or somebody else, sends it.
type visit struct {
	method string // "" is GET
	target string // path and query
	host   string // "" is localhost
	addr   string // "" is 127.0.0.1
	header http.Header
	follow bool // redirects, as a browser does
}

func (v visit) do(t *testing.T, port string) (response, error) {
	t.Helper()
	if v.method == "" {
		v.method = "GET"
	}
	if v.addr == "" {
		v.addr = "127.0.0.1"
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(v.addr, port))
	}
	client := &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		Timeout:   hang,
	}
	if !v.follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	req, err := http.NewRequest(v.method, "http://localhost:"+port+v.target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = v.host
	if v.header != nil {
		req.Header = v.header
	}
	resp, err := client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(body), resp.Request.URL.String()}, err
}

// want visits and checks the status.
func (v visit) want(t *testing.T, port string, status int) response {
	t.Helper()
	got, err := v.do(t, port)
	if err != nil || got.status != status {
		t.Fatalf("%s %s: got %d, %v, want %d", v.method, strings.SplitN(v.target, "?", 2)[0], got.status, err, status)
	}
	return got
}

const goodTarget = "/callback?code=" + code + "&state=" + state

// signIn lets a browser deliver the good callback and wait for its answer.
func signIn(t *testing.T, port string, v visit) <-chan response {
	t.Helper()
	if v.target == "" {
		v.target = goodTarget
	}
	v.follow = true
	answer := make(chan response, 1)
	go func() {
		got, err := v.do(t, port)
		if err != nil {
			got.body = fmt.Sprint("no answer: ", err)
		}
		answer <- got
	}()
	return answer
}

func receive(t *testing.T, answer <-chan response) response {
	t.Helper()
	select {
	case got := <-answer:
		return got
	case <-time.After(hang):
		t.Fatal("the browser gets no answer")
		return response{}
	}
}

func TestLoginFromListenToPage(t *testing.T) {
	srv, port := serve(t)
	if got, want := srv.CallbackURL(), callbackURL(port); got != want {
		t.Errorf("CallbackURL: got %q, want %q", got, want)
	}
	done := await(t, srv, loopback.Observer{})
	answer := signIn(t, port, visit{target: goodTarget + "&iss=https%3A%2F%2Fid.example.com&session_state=x"})
	got := <-done
	if got.err != nil || got.cb.Code != code || got.cb.Issuer != "https://id.example.com" || got.cb.Error != "" {
		t.Fatalf("Await: got %v, %v, want the code and its issuer", got.cb, got.err)
	}
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
	page := receive(t, answer)
	if page.status != 200 || page.body != string(render(t, successPage)) {
		t.Errorf("page: got %d %s, want the success page", page.status, page.body)
	}
}

func TestErrorWithTheRightStateEndsTheLogin(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{Unconfirmed: func(string, string) { t.Error("a confirmed error is called unconfirmed") }})
	answer := signIn(t, port, visit{target: "/callback?error=access_denied&error_description=not+you&state=" + state})
	got := <-done
	if got.err != nil || got.cb.Error != "access_denied" || got.cb.ErrorDescription != "not you" || got.cb.Code != "" {
		t.Fatalf("Await: got %v, %v, want the server's error", got.cb, got.err)
	}
	if err := srv.Respond(t.Context(), failurePage); err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
	if page := receive(t, answer); page.body != string(render(t, failurePage)) {
		t.Errorf("page: got %s, want the failure page", page.body)
	}
}
