package loopback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/loopback"
)

func TestA8StraysDoNotEndTheLogin(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	prefetch := http.Header{"Sec-Purpose": {"prefetch;prerender"}, "Sec-Fetch-Mode": {"navigate"}}
	image := http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}}
	frame := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}
	for _, tt := range []struct {
		v      visit
		status int
	}{
		{visit{target: "/favicon.ico"}, 404},
		{visit{target: "/"}, 404},
		{visit{target: "/robots.txt"}, 404},
		{visit{method: "HEAD", target: goodTarget}, 405},
		{visit{method: "POST", target: goodTarget}, 405},
		{visit{method: "OPTIONS", target: goodTarget}, 405},
		{visit{target: "/callback"}, 400},
		{visit{target: "/callback?"}, 400},
		{visit{target: goodTarget, header: prefetch}, 400},
		{visit{target: goodTarget, header: image}, 400},
		{visit{target: goodTarget, header: frame}, 400},
	} {
		got := tt.v.want(t, port, tt.status)
		if tt.status == 405 && got.header.Get("Allow") != "GET" {
			t.Errorf("%s: got Allow %q, want GET", tt.v.method, got.header.Get("Allow"))
		}
	}
	stillWaiting(t, done)
	answer := signIn(t, port, visit{header: http.Header{
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"cross-site"},
	}})
	wantCode(t, done)
	srv.Close()
	receive(t, answer)
}

func TestA9BadRequestsDoNotEndTheLogin(t *testing.T) {
	srv, port := serve(t)
	var foreign, unconfirmed atomic.Int32
	done := await(t, srv, loopback.Observer{
		Foreign:     func() { foreign.Add(1) },
		Unconfirmed: func(string, string) { unconfirmed.Add(1) },
	})
	for i := range 100 {
		target := fmt.Sprintf("/callback?code=theirs-%d&state=theirs-%d", i, i)
		if i%2 == 1 {
			target = fmt.Sprintf("/callback?error=access_denied&error_description=number+%d", i)
		}
		visit{target: target}.want(t, port, 400)
	}
	stillWaiting(t, done)
	if n := foreign.Load(); n != 1 {
		t.Errorf("Foreign: got %d calls for 50 requests, want 1", n)
	}
	if n := unconfirmed.Load(); n < 1 || n > 10 {
		t.Errorf("Unconfirmed: got %d calls for 50 requests, want a few", n)
	}
	answer := signIn(t, port, visit{})
	wantCode(t, done)
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
	receive(t, answer)
}

func TestA9ErrorWithoutStateIsQuotedAtOnceAndExplainsTheTimeout(t *testing.T) {
	srv, port := serve(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	type quoted struct{ code, description string }
	quotes := make(chan quoted, 10)
	deadline, stop := context.WithDeadline(ctx, time.Now().Add(hang))
	defer stop()
	done := awaitCtx(deadline, t, srv, loopback.Observer{
		Foreign:     func() { t.Error("an error without state is called foreign") },
		Unconfirmed: func(code, description string) { quotes <- quoted{code, description} },
	})
	const target = "/callback?error=unauthorized_client&error_description=no+scope%1b%5B2J"
	got := visit{target: target}.want(t, port, 400)
	if strings.Contains(got.body, "unauthorized_client") {
		t.Error("page: got the error in it")
	}
	visit{target: target}.want(t, port, 400) // a reload is no news
	if want := (quoted{"unauthorized_client", "no scope\x1b[2J"}); len(quotes) != 1 || <-quotes != want {
		t.Errorf("Unconfirmed: got %d more calls, want one with %q", len(quotes), want)
	}
	stillWaiting(t, done)
	cancel(errors.New("enough"))
	out := <-done
	var unconfirmed *loopback.UnconfirmedError
	if !errors.As(out.err, &unconfirmed) || unconfirmed.Code != "unauthorized_client" || unconfirmed.Description != "no scope\x1b[2J" {
		t.Fatalf("Await: got %v, want the unconfirmed error as the reason", out.err)
	}
	if !errors.Is(out.err, context.Canceled) {
		t.Errorf("Await: got %v, want it to match the context's error", out.err)
	}
	if strings.ContainsRune(out.err.Error(), 0x1b) {
		t.Errorf("Await: got an escape sequence in %q", out.err)
	}
	visit{target: target + "+again"}.want(t, port, 400)
	if len(quotes) != 0 {
		t.Error("Unconfirmed: got a call after Await returned")
	}
	visit{target: goodTarget}.want(t, port, 410) // nobody waits for the code any more
}

func TestA9ErrorWithAForeignStateIsForeign(t *testing.T) {
	srv, port := serve(t)
	var foreign atomic.Int32
	done := await(t, srv, loopback.Observer{
		Foreign:     func() { foreign.Add(1) },
		Unconfirmed: func(string, string) { t.Error("got an error of another login quoted") },
	})
	visit{target: "/callback?error=access_denied&state=theirs"}.want(t, port, 400)
	stillWaiting(t, done)
	if n := foreign.Load(); n != 1 {
		t.Errorf("Foreign: got %d calls, want 1", n)
	}
}

func TestA10TwoIdenticalCallbacksInParallel(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	answers := []<-chan response{signIn(t, port, visit{}), signIn(t, port, visit{})}
	wantCode(t, done)
	first, second := answers[0], answers[1]
	var early response
	select {
	case early = <-first:
		first = second
	case early = <-second:
	case <-time.After(hang):
		t.Fatal("neither browser is answered; want one of them to be")
	}
	if early.status != 200 || early.body != string(loopback.ConstantPages()["duplicate"]) {
		t.Errorf("loser: got %d %s, want the harmless page", early.status, early.body)
	}
	// And again while the winner waits, and while its page waits to be fetched.
	if got := (visit{target: goodTarget}).want(t, port, 200); got.body != early.body {
		t.Errorf("third: got %s, want the harmless page", got.body)
	}
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
	if got := receive(t, first); got.body != string(render(t, successPage)) {
		t.Errorf("winner: got %s, want the success page", got.body)
	}
	if cb, err := srv.Await(t.Context(), state, loopback.Observer{}); err == nil {
		t.Errorf("second Await: got %v, want an error: there is one callback", cb)
	}
}

func TestA10ReplayWhileThePageWaits(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	redirect := make(chan response, 1)
	go func() {
		got, _ := visit{target: goodTarget}.do(t, port) // a browser that stops before the redirect
		redirect <- got
	}()
	wantCode(t, done)
	waitHolding(t, srv)
	responded := make(chan error, 1)
	go func() { responded <- srv.Respond(t.Context(), successPage) }()
	got := receive(t, redirect)
	if got.status != 303 || got.body != "" {
		t.Fatalf("callback: got %d %q, want an empty 303", got.status, got.body)
	}
	if dup := (visit{target: goodTarget}).want(t, port, 200); dup.body != string(loopback.ConstantPages()["duplicate"]) {
		t.Errorf("replay: got %s, want the harmless page", dup.body)
	}
	path := got.header.Get("Location")
	visit{method: "HEAD", target: path}.want(t, port, 405) // does not use it up
	page := visit{target: path}.want(t, port, 200)
	if page.body != string(render(t, successPage)) {
		t.Errorf("page: got %s, want the success page", page.body)
	}
	if err := <-responded; err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
}

func waitHolding(t *testing.T, srv *loopback.Server) {
	t.Helper()
	for deadline := time.Now().Add(hang); !srv.Holding(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no browser waits")
		}
	}
}

func TestA10ReloadTakesTheWaitingPlace(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	ctx, reload := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:"+port+goodTarget, nil)
	if err != nil {
		t.Fatal(err)
	}
	var gone sync.WaitGroup
	gone.Go(func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			t.Error("got an answer to the request that was given up")
		}
	})
	wantCode(t, done)
	reload()
	gone.Wait()
	for deadline := time.Now().Add(hang); srv.Holding(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the place of a closed connection is kept")
		}
	}
	answer := signIn(t, port, visit{})
	waitHolding(t, srv)
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
	if got := receive(t, answer); got.body != string(render(t, successPage)) {
		t.Errorf("after a reload: got %s, want the success page", got.body)
	}
	if cb := srv.Delivered(); cb != nil {
		t.Errorf("after a reload: got a second callback, want one in all")
	}
}

func TestA18AwaitEndsWithItsContext(t *testing.T) {
	srv, _ := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	select {
	case got := <-awaitCtx(ctx, t, srv, loopback.Observer{}):
		var unconfirmed *loopback.UnconfirmedError
		if !errors.Is(got.err, context.DeadlineExceeded) || errors.As(got.err, &unconfirmed) {
			t.Errorf("got %v, want the deadline and no other reason", got.err)
		}
	case <-time.After(hang):
		t.Fatal("Await outlives its context")
	}
}

func TestCloseEndsAwait(t *testing.T) {
	srv, _ := serve(t)
	done := await(t, srv, loopback.Observer{})
	srv.Close()
	if err := srv.Close(); err != nil {
		t.Errorf("second Close: got %v, want nil", err)
	}
	if got := <-done; !errors.Is(got.err, loopback.ErrClosed) {
		t.Errorf("Await: got %v, want ErrClosed", got.err)
	}
	if err := srv.Respond(t.Context(), successPage); !errors.Is(err, loopback.ErrClosed) {
		t.Errorf("Respond: got %v, want ErrClosed", err)
	}
}

func TestA19ForeignCodeIsRefusedByNameAndTheLoginGoesOn(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	got := visit{target: "/callback?code=4%2F0AX4XfWh&state=" + url.QueryEscape(`{"p":"openmetadata"}`)}.want(t, port, 400)
	if !strings.Contains(got.body, "This is cogauth’s sign-in page") {
		t.Errorf("got %s, want a page that names the program", got.body)
	}
	stillWaiting(t, done)
	answer := signIn(t, port, visit{})
	wantCode(t, done)
	srv.Close()
	receive(t, answer)
}

func TestS4State(t *testing.T) {
	srv, port := serve(t)
	done := await(t, srv, loopback.Observer{})
	q := "/callback?code=" + code
	for name, target := range map[string]string{
		"absent":                  q,
		"empty":                   q + "&state=",
		"wrong":                   q + "&state=another",
		"prefix":                  q + "&state=" + state[:len(state)-1],
		"prefix-equal":            q + "&state=" + state + "x",
		"one bit off":             q + "&state=" + state[:len(state)-1] + "p",
		"other case":              q + "&state=" + strings.ToUpper(state),
		"NUL appended":            q + "&state=" + state + "%00",
		"space appended":          q + "&state=" + state + "+",
		"twice":                   q + "&state=" + state + "&state=" + state,
		"right and wrong":         q + "&state=" + state + "&state=x",
		"code twice":              q + "&code=" + code + "&state=" + state,
		"code and error":          q + "&error=x&state=" + state,
		"error twice":             "/callback?error=x&error=y&state=" + state,
		"neither code nor error":  "/callback?state=" + state,
		"empty code":              "/callback?code=&state=" + state,
		"empty error":             "/callback?error=&state=" + state,
		"code and an empty error": q + "&error=&state=" + state,
		"iss twice":               q + "&iss=a&iss=b&state=" + state,
		"semicolon":               q + ";state=" + state,
		"bad escape":              q + "&state=" + state + "&x=%zz",
		"in the fragment":         q + "%23state=" + state,
		"in the path":             "/callback/" + state + "?code=" + code,
	} {
		got, err := visit{target: target}.do(t, port)
		if want := 400; err != nil || got.status != want && name != "in the path" {
			t.Errorf("%s: got %d, %v, want %d", name, got.status, err, want)
		}
	}
	stillWaiting(t, done)
	answer := signIn(t, port, visit{target: goodTarget + "&scope=a&scope=b&unknown=1"}) // others are ignored
	wantCode(t, done)
	waitHolding(t, srv)
	if got := (visit{target: goodTarget}).want(t, port, 200); got.body != string(loopback.ConstantPages()["duplicate"]) {
		t.Errorf("replayed: got %s, want the harmless page", got.body)
	}
	srv.Close()
	receive(t, answer)
}

// A callback that is faster than the program's way to Await is neither lost nor believed unseen.
func TestCallbackBeforeAwait(t *testing.T) {
	srv, port := serve(t)
	forged := signIn(t, port, visit{target: "/callback?code=x&state="})
	early := signIn(t, port, visit{target: goodTarget})
	if _, err := srv.Await(t.Context(), "", loopback.Observer{}); err == nil {
		t.Error("empty state: got nil, want an error")
	}
	cb, err := srv.Await(t.Context(), state, loopback.Observer{})
	if err != nil || cb.Code != code {
		t.Fatalf("got %v, %v, want the code", cb, err)
	}
	srv.Close()
	receive(t, forged)
	receive(t, early)
}

func TestCallbackDoesNotShowItsCode(t *testing.T) {
	cb := loopback.Callback{Code: code, Issuer: "https://id.example.com"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "cb", cb, "ptr", &cb)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "cb", cb, "ptr", &cb)
	held := struct{ c *loopback.Callback }{&cb}
	for _, got := range []string{
		fmt.Sprint(cb), fmt.Sprint(&cb), fmt.Sprintf("%v %+v %#v %s %q %x %d", cb, cb, cb, cb, cb, cb, cb),
		fmt.Sprintf("%v %+v %#v", &cb, &cb, &cb), fmt.Sprintf("%v %+v %#v", held, held, held), log.String(),
	} {
		if strings.Contains(got, code) || strings.Contains(got, fmt.Sprintf("%x", code)) {
			t.Errorf("got the code in %q", got)
		}
	}
	if b, err := json.Marshal(cb); err == nil {
		t.Errorf("json: got %s, want an error", b)
	}
}
