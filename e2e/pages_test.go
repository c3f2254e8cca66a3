package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/loopback"
)

// foreignHost is a name that only the tests' Chromium knows, as an address of this machine.
const foreignHost = "rebound.test"

// headless is a tab of a Chromium without a window. Whatever the policy of a page forbids there is
// an error.
func headless(t *testing.T) context.Context {
	t.Helper()
	rig.Require(t, "chromium")
	dir, err := os.MkdirTemp("", "e2e") // short: Chromium puts a socket there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.Env("HOME="+dir, "TMPDIR="+dir), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP "+foreignHost+" 127.0.0.1"))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // of events that are newer than chromedp
	t.Cleanup(cancel)
	t.Cleanup(func() { chromedp.Cancel(tab) }) // waits until it has ended
	chromedp.ListenTarget(tab, func(event any) {
		if e, ok := event.(*cdplog.EventEntryAdded); ok && strings.Contains(e.Entry.Text, "Content Security Policy") {
			t.Errorf("Chromium's console: got %q, want no complaint about the policy", e.Entry.Text)
		}
	})
	// Without a deadline, which would be the browser's; with the focus, which a window has.
	if err := chromedp.Run(tab, emulation.SetFocusEmulationEnabled(true)); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return tab
}

// Acceptance 2: every page that a person can meet, in light and dark, breaks none of axe-core's rules.
func TestPagesAccessible(t *testing.T) {
	source := axe(t)
	tab := headless(t)
	// A judge that finds nothing anywhere would prove nothing.
	act(t, tab, chromedp.Navigate(`data:text/html,<body style="color:silver;background:white"><img src="x">pale`))
	var broken []string
	for _, v := range violations(t, tab, source) {
		broken = append(broken, v.ID)
	}
	for _, want := range []string{"color-contrast", "document-title", "image-alt"} {
		if !slices.Contains(broken, want) {
			t.Errorf("a bad page: got %v, want %s among them", broken, want)
		}
	}
	t.Run("pool", func(t *testing.T) { poolPages(t, tab, source) })
	t.Run("prefilled", func(t *testing.T) {
		pool, client := startPool(t, cognitotest.Config{Prefill: true})
		visit(t, tab, authorizeURL(pool, client), "Sign in")
		look(t, tab, source, "pool-sign-in-prefilled")
	})
	t.Run("people", func(t *testing.T) { peoplePages(t, tab, source) })
	t.Run("constant", func(t *testing.T) { constantPages(t, tab, source) })
	t.Run("outcome", func(t *testing.T) { outcomePages(t, tab, source) })
}

const clientID = "1h57kf5cpq17m0eml12EXAMPLE"

// startPool starts a pool whose one client has two callback URLs on free ports.
func startPool(t *testing.T, cfg cognitotest.Config) (*cognitotest.Pool, cognitotest.AppClient) {
	t.Helper()
	cfg.Clients = []cognitotest.AppClient{{ID: clientID, Name: "Collate", CallbackURLs: []string{freeCallback(t), freeCallback(t)}}}
	pool, err := cognitotest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool, pool.Client()
}

func freeCallback(t *testing.T) string {
	t.Helper()
	return "http://localhost:" + strconv.Itoa(rig.FreePort(t)) + "/callback"
}

func authorizeURL(pool *cognitotest.Pool, client cognitotest.AppClient) string {
	return pool.Domain() + "/oauth2/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {client.ID}, "redirect_uri": {client.CallbackURLs[0]}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"},
	}.Encode()
}

func poolPages(t *testing.T, tab context.Context, axe string) {
	pool, client := startPool(t, cognitotest.Config{})
	visit(t, tab, authorizeURL(pool, client), "Sign in")
	look(t, tab, axe, "pool-sign-in")

	focus(t, tab, "#username")
	press(t, tab, pool.User().Username+kb.Tab+"not the password"+kb.Enter)
	shows(t, tab, "Sign in", "Incorrect username or password.")
	focus(t, tab, "#password") // the name is kept, so this is what to correct
	look(t, tab, axe, "pool-sign-in-wrong")

	act(t, tab, network.ClearBrowserCookies())
	press(t, tab, pool.User().Password+kb.Enter)
	shows(t, tab, "Sign in", "This page has expired")
	look(t, tab, axe, "pool-sign-in-expired")

	for name, code := range map[string]string{
		"callback": "redirect_mismatch", "client": "invalid_client", "scope": "invalid_scope", "request": "invalid_request",
		"missing": "Required parameters missing", "sign-out": "Required String parameter 'redirect_uri' is not present", "other": "?",
	} {
		visit(t, tab, pool.Domain()+"/error?"+url.Values{"error": {code}, "client_id": {client.ID}}.Encode(), "")
		look(t, tab, axe, "pool-error-"+name)
	}
	visit(t, tab, pool.Domain()+"/signed-out", "You are signed out")
	look(t, tab, axe, "pool-signed-out")
}

// constantPages are what the callback server tells visitors that have no part in a login.
func constantPages(t *testing.T, tab context.Context, axe string) {
	const state = "0123456789"
	srv, arrived := serveCallback(t, state)
	callback, err := url.Parse(srv.CallbackURL())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := *callback
	elsewhere.Host = foreignHost + ":" + callback.Port()

	visit(t, tab, callback.String()+"?code=0&state=another", "This is cogauth’s sign-in page")
	look(t, tab, axe, "callback-400-foreign")
	visit(t, tab, callback.String()+"?error=invalid_request&error_description=none", "Unconfirmed error")
	look(t, tab, axe, "callback-400-unconfirmed")
	visit(t, tab, strings.TrimSuffix(callback.String(), callback.Path)+"/nothing", "This is cogauth’s sign-in page")
	look(t, tab, axe, "callback-404")
	visit(t, tab, elsewhere.String(), "This is cogauth’s sign-in page")
	look(t, tab, axe, "callback-421")
	act(t, tab, chromedp.Navigate("about:blank"),
		chromedp.Evaluate(`const f = document.createElement('form'); f.method = 'post'; f.action = `+strconv.Quote(callback.String())+`; document.body.append(f); f.submit()`, nil))
	shows(t, tab, "This is cogauth’s sign-in page", "GET method")
	look(t, tab, axe, "callback-405")

	answer := callback.String() + "?" + url.Values{"code": {"0"}, "state": {state}}.Encode()
	go func() { // the first to bring the answer is kept waiting, so it must be another than the tab
		if resp, err := http.Get(answer); err == nil {
			resp.Body.Close()
		}
	}()
	<-arrived
	visit(t, tab, answer, "Already received")
	look(t, tab, axe, "callback-duplicate")

	srv, arrived = serveCallback(t, state)
	go func() {
		<-arrived
		srv.Close()
	}()
	visit(t, tab, srv.CallbackURL()+"?"+url.Values{"code": {"0"}, "state": {state}}.Encode(), "Not signed in")
	look(t, tab, axe, "callback-incomplete")
}

// serveCallback listens for the answer with that state; arrived is closed when it is there, or will
// never be.
func serveCallback(t *testing.T, state string) (srv *loopback.Server, arrived <-chan struct{}) {
	t.Helper()
	srv, err := loopback.Listen(t.Context(), []string{freeCallback(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Await(t.Context(), state, loopback.Observer{})
	}()
	return srv, done
}

// visit opens address and expects a page with that heading; "" is any.
func visit(t *testing.T, tab context.Context, address, heading string) {
	t.Helper()
	act(t, tab, chromedp.Navigate(address))
	shows(t, tab, heading, "")
}

// shows waits for a page with the heading and the text; "" is any.
func shows(t *testing.T, tab context.Context, heading, text string) {
	t.Helper()
	var got struct{ Heading, Text string }
	eventually(t, func() bool {
		err := chromedp.Run(tab, chromedp.Evaluate("({Heading: document.querySelector('h1')?.textContent ?? '', Text: document.body.innerText})", &got))
		return err == nil && got.Heading != "" && (heading == "" || got.Heading == heading) && strings.Contains(got.Text, text)
	}, func() { t.Fatalf("the page: got %q\n%s\nwant %q with %q", got.Heading, got.Text, heading, text) })
}
