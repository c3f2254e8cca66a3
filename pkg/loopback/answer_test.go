package loopback_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/loopback"
)

func TestS2OtherHostsAreRefused(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	for _, host := range []string{
		"attacker.example:" + port, "localhost", "localhost:1", "localhost.:" + port, "localhost.attacker.example:" + port,
		"127.0.0.2:" + port, "0.0.0.0:" + port, "[::]:" + port, "[::ffff:127.0.0.1]:" + port, "2130706433:" + port, "x@localhost:" + port,
	} {
		got := visit{target: goodTarget, host: host}.want(t, port, 421)
		if strings.Contains(got.body, "attacker") {
			t.Errorf("Host %s: got it in the page", host)
		}
	}
	// HTTP/1.0 knows no Host; an absolute request line brings another.
	for _, line := range []string{
		"GET " + goodTarget + " HTTP/1.0\r\n\r\n",
		"GET http://attacker.example" + goodTarget + " HTTP/1.1\r\nHost: localhost:" + port + "\r\n\r\n",
	} {
		if status := raw(t, port, line); !strings.Contains(status, " 421 ") {
			t.Errorf("got %q, want 421", status)
		}
	}
	stillWaiting(t, done)
	for _, host := range []string{"127.0.0.1:" + port, "[::1]:" + port, "localhost:" + port, "LOCALHOST:" + port} {
		visit{target: "/callback", host: host}.want(t, port, 400)
	}
}

// raw sends bytes and returns the first line of the answer.
func raw(t *testing.T, port, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(hang))
	io.WriteString(conn, request)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatalf("%q: got %v, want an answer", strings.SplitN(request, "\r", 2)[0], err)
	}
	return line
}

func TestS2PortlessHostOnPort80(t *testing.T) {
	srv := loopback.NewUnbound("http://localhost:80/callback")
	defer srv.Close()
	for host, want := range map[string]int{"localhost": 404, "[::1]": 404, "localhost:80": 404, "attacker.example": 421} {
		w := httptest.NewRecorder()
		srv.Handle(w, &http.Request{Method: "GET", Host: host, RequestURI: "/elsewhere", Header: http.Header{}})
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", host, w.Code, want)
		}
	}
}

func TestS3NoIndex(t *testing.T) {
	srv, port := serve(t)
	await(t, srv, loopback.Observer{})
	for _, target := range []string{"/", "/index.html", "/login", "/callback/", "/callback%2f", "/./callback", "/%63allback", "/cancel"} {
		got := visit{target: target}.want(t, port, 404)
		for _, v := range got.header {
			if strings.Contains(strings.Join(v, " "), state) {
				t.Errorf("%s: got the state in a header", target)
			}
		}
		if got.header.Get("Location") != "" || strings.Contains(got.body, state) {
			t.Errorf("%s: got a redirect or the state, want neither", target)
		}
	}
}

func TestS1EveryAnswerIsLockedDown(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	answers := map[string]response{
		"400": visit{target: "/callback?code=<script>&state=x"}.want(t, port, 400),
		"404": visit{target: "/<script>"}.want(t, port, 404),
		"405": visit{method: "POST", target: "/callback"}.want(t, port, 405),
		"421": visit{target: "/", host: "attacker.example"}.want(t, port, 421),
		"err": visit{target: "/callback?error=<script>"}.want(t, port, 400),
	}
	redirect := make(chan response, 1)
	go func() {
		got, _ := visit{target: goodTarget}.do(t, port)
		redirect <- got
	}()
	wantCode(t, done)
	waitHolding(t, srv)
	answers["duplicate"] = visit{target: goodTarget}.want(t, port, 200)
	go srv.Respond(context.WithoutCancel(t.Context()), successPage)
	answers["303"] = receive(t, redirect)
	answers["page"] = visit{target: answers["303"].header.Get("Location")}.want(t, port, 200)

	for name, got := range answers {
		want := map[string]string{
			"Cache-Control":               "no-store",
			"Content-Type":                "text/html; charset=utf-8",
			"Cross-Origin-Opener-Policy":  "same-origin",
			"Referrer-Policy":             "no-referrer",
			"X-Content-Type-Options":      "nosniff",
			"X-Frame-Options":             "DENY",
			"Server":                      "",
			"Set-Cookie":                  "",
			"X-Powered-By":                "",
			"Access-Control-Allow-Origin": "",
		}
		for header, value := range want {
			if g := got.header.Get(header); g != value {
				t.Errorf("%s: got %s %q, want %q", name, header, g, value)
			}
		}
		policy := got.header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, directive) {
				t.Errorf("%s: got policy %q, want %s", name, policy, directive)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
			t.Errorf("%s: got policy %q, which allows a script or any style", name, policy)
		}
		if got.body != "" && !strings.Contains(policy, "style-src "+styleHash(t, []byte(got.body))) {
			t.Errorf("%s: got policy %q, want the hash of the page's own style", name, policy)
		}
	}
}

func TestB14BrowserIsAnsweredOnlyByRespond(t *testing.T) {
	for name, page := range map[string]loopback.Page{"success": successPage, "failure": failurePage} {
		t.Run(name, func(t *testing.T) {
			srv, port := serve(t)
			done := await(t, srv, loopback.Observer{})
			answer := signIn(t, port, visit{})
			wantCode(t, done)
			waitHolding(t, srv)
			select {
			case got := <-answer:
				t.Fatalf("got %d %s before the outcome was known", got.status, got.body)
			case <-time.After(50 * time.Millisecond): // the exchange takes place here
			}
			if err := srv.Respond(t.Context(), page); err != nil {
				t.Errorf("Respond: got %v, want nil", err)
			}
			if got := receive(t, answer); got.body != string(render(t, page)) {
				t.Errorf("got %s, want the %s page", got.body, name)
			}
		})
	}
	t.Run("program gives up", func(t *testing.T) {
		srv, port := serve(t)
		done := await(t, srv, loopback.Observer{})
		answer := signIn(t, port, visit{})
		wantCode(t, done)
		waitHolding(t, srv)
		srv.Close()
		if got := receive(t, answer); got.body != string(loopback.ConstantPages()["incomplete"]) {
			t.Errorf("got %s, want the page that says the sign-in did not complete", got.body)
		}
	})
}

func TestRespondWithoutABrowserDoesNotWait(t *testing.T) {
	srv, port := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:"+port+goodTarget, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := await(t, srv, loopback.Observer{})
	var gone sync.WaitGroup
	gone.Go(func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	})
	wantCode(t, done)
	cancel() // the person closes the tab
	gone.Wait()
	for deadline := time.Now().Add(hang); srv.Holding(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the place of a closed connection is kept")
		}
	}
	srv.SetPatience(24 * time.Hour)
	ctx, cancel = context.WithTimeout(t.Context(), hang)
	defer cancel()
	if err := srv.Respond(ctx, successPage); !errors.Is(err, loopback.ErrPageNotFetched) {
		t.Errorf("got %v, want ErrPageNotFetched", err)
	}
}

func TestRespondGivesUpOnABrowserThatDoesNotFollow(t *testing.T) {
	for name, prepare := range map[string]func(*loopback.Server) (context.Context, error){
		"after a while": func(srv *loopback.Server) (context.Context, error) {
			srv.SetPatience(20 * time.Millisecond)
			return t.Context(), loopback.ErrPageNotFetched
		},
		"when its context ends": func(*loopback.Server) (context.Context, error) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, context.Canceled
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, port := serve(t)
			done := await(t, srv, loopback.Observer{})
			redirect := make(chan response, 1)
			go func() {
				got, _ := visit{target: goodTarget}.do(t, port)
				redirect <- got
			}()
			wantCode(t, done)
			waitHolding(t, srv)
			ctx, want := prepare(srv)
			if err := srv.Respond(ctx, successPage); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			receive(t, redirect)
			if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
				conn.Close()
				t.Error("got a connection, want the server closed")
			}
		})
	}
}

func TestS17AddressBarHoldsNoCode(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	answer := signIn(t, port, visit{})
	wantCode(t, done)
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Fatalf("Respond: got %v, want nil", err)
	}
	got := receive(t, answer)
	u, err := url.Parse(got.url)
	if err != nil {
		t.Fatal(err)
	}
	if u.RawQuery != "" || strings.Contains(got.url, "CANARY") || !regexp.MustCompile(`^/[\w-]{22}$`).MatchString(u.Path) {
		t.Errorf("final URL: got %q, want a random path alone", got.url)
	}
	if strings.Contains(got.body, "CANARY") {
		t.Error("page: got the code or the state in it")
	}
}

func TestS17PageIsServedOnce(t *testing.T) {
	srv := loopback.NewUnbound("http://localhost:8585/callback")
	defer srv.Close()
	path := srv.Offer([]byte("the page"))
	get := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		srv.Handle(w, &http.Request{Method: method, Host: "localhost:8585", RequestURI: path, Header: http.Header{}})
		return w.Code, w.Body.String()
	}
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", path[:len(path)-1], 404},
		{"GET", path + "x", 404},
		{"HEAD", path, 405}, // does not use it up
		{"GET", path, 200},
		{"GET", path, 404},
	} {
		status, body := get(tt.method, tt.path)
		if status != tt.status || (body == "the page") != (tt.status == 200) {
			t.Errorf("%s %s: got %d %s, want %d", tt.method, tt.path, status, body, tt.status)
		}
	}
}

func TestSlowClientsDoNotBlockTheCallback(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	for i := range 2 * loopback.MaxConns {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			io.WriteString(conn, "GET /callback HTTP/1.1\r\nHost: local")
		}
	}
	answer := signIn(t, port, visit{})
	wantCode(t, done)
	waitHolding(t, srv)
	for range 2 * loopback.MaxConns { // nor do they push out the browser that waits
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
	if got := receive(t, answer); got.body != string(render(t, successPage)) {
		t.Errorf("got %s, want the success page", got.body)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	srv, port := serve(t)
	await(t, srv, loopback.Observer{})
	var conns []net.Conn
	for range 2 * loopback.MaxConns {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	visit{target: "/"}.want(t, port, 404) // all before it were accepted
	if got := srv.OpenConns(); got > loopback.MaxConns {
		t.Errorf("got %d open connections, want at most %d", got, loopback.MaxConns)
	}
	conns[0].SetReadDeadline(time.Now().Add(hang))
	if _, err := conns[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("oldest of %d connections: got %v, want it closed", len(conns), err)
	}
}

func TestLongCodesFitAndHugeHeadersDoNot(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	visit{target: "/callback?code=" + strings.Repeat("a", 1<<20)}.want(t, port, http.StatusRequestHeaderFieldsTooLarge)
	long := strings.Repeat("c", 48<<10)
	answer := signIn(t, port, visit{target: "/callback?code=" + long + "&state=" + state})
	if got := <-done; got.err != nil || got.cb.Code != long {
		t.Errorf("got %v, want a code of %d bytes", got.err, len(long))
	}
	srv.Close()
	receive(t, answer)
}

func TestBodyIsNotWaitedFor(t *testing.T) {
	srv, port := serve(t)
	await(t, srv, loopback.Observer{})
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(hang))
	fmt.Fprintf(conn, "POST /callback HTTP/1.1\r\nHost: localhost:%s\r\nContent-Length: 1000\r\n\r\nx", port)
	answer, err := io.ReadAll(conn) // until the server hangs up
	if err != nil || !strings.Contains(string(answer), " 405 ") {
		t.Errorf("got %d bytes, %v, want 405 and the end of the connection", len(answer), err)
	}
}
