//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// ourCallback is the callback URL of a profile that names none.
const ourCallback = "http://localhost:8585/callback"

// guide is a user pool under its AWS names, set up as a guide says, and the desktop of a person who is
// handed a few values by it and runs nothing but cogauth.
type guide struct {
	*desktop
	pool *cognitotest.Pool
	env  []string // leads to the pool

	window context.Context // of the browser, once it has been opened
	seen   map[target.ID]bool
}

// newGuide starts the pool of cfg. Its browser reaches that pool alone.
func newGuide(t *testing.T, cfg cognitotest.Config) *guide {
	t.Helper()
	lockPort(t, 8585)
	pool := startAWS(t, cfg)
	d := newDesktop(t, "--proxy-server="+pool.ProxyURL(), "--ignore-certificate-errors-spki-list="+pool.SPKIPin())
	g := &guide{desktop: d, seen: map[target.ID]bool{}}
	g.lead(pool)
	return g
}

func startAWS(t *testing.T, cfg cognitotest.Config) *cognitotest.Pool {
	t.Helper()
	pool, err := cognitotest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.StartAWS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

// lead makes the AWS names lead to pool for the programs of the person, by the network's settings
// alone: what they are told to type has nothing to do with this test.
func (g *guide) lead(pool *cognitotest.Pool) {
	g.t.Helper()
	g.pool = pool
	g.write("ca.pem", string(pool.CertPEM()), 0o600)
	g.env = []string{"HTTPS_PROXY=" + pool.ProxyURL(), "HTTP_PROXY=" + pool.ProxyURL(), "AWS_CA_BUNDLE=" + g.Dir + "/ca.pem"}
}

// do runs cogauth to its end, which must be a success, and returns its standard output.
func (g *guide) do(args ...string) string {
	g.t.Helper()
	return g.want(0, args...).stdout
}

// want runs cogauth and expects it to exit with status.
func (g *guide) want(status int, args ...string) result {
	g.t.Helper()
	return g.fed(status, "", args...)
}

// fed is want with text on standard input.
func (g *guide) fed(status int, stdin string, args ...string) result {
	g.t.Helper()
	o := begin(g.t, g.cogauth(g.env, args...), strings.NewReader(stdin)).end()
	if o.status != status {
		g.t.Fatalf("cogauth %s: got exit status %d, want %d\n%s", strings.Join(args, " "), o.status, status, stripAddress(o.stderr))
	}
	return o
}

// refused is a login that ends before the browser opens, because of what only the pool's administrator
// can mend: standard error matches each pattern, and no session is left behind.
func (g *guide) refused(args []string, patterns ...string) {
	g.t.Helper()
	opened, kept := g.lastOpened(), g.kept()
	o := g.want(7, append([]string{"login"}, args...)...)
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(o.stderr) {
			g.t.Errorf("login said\n%s\nwant %s in it", stripAddress(o.stderr), p)
		}
	}
	if o.stdout != "" {
		g.t.Errorf("login printed %d bytes on standard output, want none", len(o.stdout))
	}
	if g.lastOpened() != opened || strings.Contains(o.stderr, "your browser should open") {
		g.t.Error("login opened the browser at a sign-in page that cannot work")
	}
	if now := g.kept(); !slices.Equal(now, kept) {
		g.t.Errorf("gnome-keyring holds %q after the login, want %q as before", now, kept)
	}
}

// registersCallback expects the first login to name what is missing and the command that mends it, and
// does what its administrator would: the callback URL is registered besides those of the guide.
func (g *guide) registersCallback(client, poolID string, args ...string) {
	g.t.Helper()
	g.refused(args, `the callback URL `+regexp.QuoteMeta(ourCallback)+` is not registered`, `hint: .*byte for byte`,
		`(?m)^aws cognito-idp update-user-pool-client .*--user-pool-id '?`+poolID+`'? .*`+regexp.QuoteMeta(ourCallback))
	g.register(client, ourCallback)
}

// register has the administrator add callback URLs to the app client.
func (g *guide) register(client string, urls ...string) {
	g.t.Helper()
	g.update(client, func(c *cognitotest.AppClient) { c.CallbackURLs = append(c.CallbackURLs, urls...) })
}

func (g *guide) update(client string, change func(*cognitotest.AppClient)) {
	g.t.Helper()
	if err := g.pool.UpdateClient(client, change); err != nil {
		g.t.Fatal(err)
	}
}

// kept are the names of what gnome-keyring holds of cogauth's, sorted.
func (g *guide) kept() []string {
	g.t.Helper()
	// It fails when nothing is found, as it does without a keychain, which a login would tell.
	out, _ := g.command("secret-tool", "search", "--all", "service", "cogauth").CombinedOutput()
	names := []string{}
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "attribute.username = "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	slices.Sort(names)
	return names
}

// has reports whether gnome-keyring holds something under that name.
func (g *guide) has(name string) bool {
	g.t.Helper()
	return slices.Contains(g.kept(), name)
}

// lastOpened differs after each time that the desktop has opened its browser.
func (g *guide) lastOpened() string {
	pid, _ := os.ReadFile(g.pidFile)
	return string(pid)
}

// opened waits for the next tab that the desktop opens, and looks at it.
func (g *guide) opened() context.Context {
	g.t.Helper()
	return g.openedBy(nil)
}

// openedBy is opened, for a run that opens the tab. It does not wait for one that has failed.
func (g *guide) openedBy(r *run) context.Context {
	g.t.Helper()
	eventually(g.t, func() bool { return g.lastOpened() != "" || r.failed() }, func() { g.t.Fatal("the browser is not opened") })
	if g.window == nil && g.lastOpened() != "" {
		g.connect()
	}
	var found target.ID
	eventually(g.t, func() bool {
		if r.failed() {
			g.t.Fatalf("%s: got %v, want exit status 0\n%s", r, r.err, stripAddress(r.stderr.String()))
		}
		tabs, err := chromedp.Targets(g.window)
		if err != nil {
			g.t.Fatalf("attach to Chromium: %v", err)
		}
		for _, tab := range tabs {
			if tab.Type == "page" && !g.seen[tab.TargetID] && strings.HasPrefix(tab.URL, "http") {
				found = tab.TargetID
				return true
			}
		}
		return false
	}, func() { g.t.Fatal("the browser opens no further tab") })
	g.seen[found] = true
	tab, cancel := chromedp.NewContext(g.window, chromedp.WithTargetID(found))
	g.t.Cleanup(cancel)
	if err := chromedp.Run(tab); err != nil { // without a deadline, which would be the tab's
		g.t.Fatalf("attach to a tab: %v", err)
	}
	act(g.t, tab, cdppage.BringToFront())
	return tab
}

// failed reports whether the run has ended, and not well.
func (r *run) failed() bool {
	if r == nil {
		return false
	}
	select {
	case <-r.ended:
		return r.err != nil
	default:
		return false
	}
}

// connect attaches to the browser that the desktop has opened.
func (g *guide) connect() {
	g.t.Helper()
	// The test's own context ends before its clean-up, by which the browser ends in good order.
	allocator, cancel := chromedp.NewRemoteAllocator(context.WithoutCancel(g.t.Context()), g.endpoint(), chromedp.NoModifyURL)
	g.t.Cleanup(cancel)
	window, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // of events that are newer than chromedp
	g.t.Cleanup(cancel)
	g.window = window
	first := g.lastOpened()
	g.t.Cleanup(func() {
		// Each further tab is opened by a process that hands it to the first and ends.
		g.write("chromium.pid", first, 0o600)
		if c := chromedp.FromContext(window); c.Browser != nil {
			cdpbrowser.Close().Do(cdp.WithExecutor(window, c.Browser))
		}
	})
}

// loginAs runs login, has the person act in the tab that opens, and expects both the page and the
// program to say that who is signed in.
func (g *guide) loginAs(who string, person func(tab context.Context), args ...string) context.Context {
	g.t.Helper()
	return g.loginAt(8585, who, person, args...)
}

// loginAt is loginAs with a callback on another port.
func (g *guide) loginAt(port int, who string, person func(tab context.Context), args ...string) context.Context {
	g.t.Helper()
	login := g.start(g.env, append([]string{"login"}, args...)...)
	tab := g.openedBy(login)
	person(tab)
	lastPage(g.t, tab, regexp.MustCompile(fmt.Sprintf(`^http://localhost:%d/[^?#]{20,}$`, port)), who)
	out, stderr := login.wait()
	if out != "" {
		g.t.Errorf("login printed %d bytes on standard output, want none", len(out))
	}
	if want := "signed in as " + who + " "; !strings.Contains(stderr, want) {
		g.t.Errorf("login said\n%s\nwant %q in it", stripAddress(stderr), want)
	}
	return tab
}

// types is a person who fills in the sign-in page.
func (g *guide) types(user cognitotest.User) func(tab context.Context) {
	return func(tab context.Context) {
		g.t.Helper()
		focus(g.t, tab, "#username")
		press(g.t, tab, user.Username)
		reach(g.t, tab, "#password")
		press(g.t, tab, user.Password+kb.Enter)
	}
}

// knows is a browser in which somebody is signed in to the pool already: nobody is asked anything.
func knows(context.Context) {}

// reach moves the focus with the Tab key until an element has it that selector matches, as a person
// does who has no mouse. It waits for a page that has one.
func reach(t *testing.T, tab context.Context, selector string) {
	t.Helper()
	var there bool
	eventually(t, func() bool {
		script := fmt.Sprintf("document.readyState === 'complete' && document.querySelector(%q) !== null", selector)
		return chromedp.Run(tab, chromedp.Evaluate(script, &there)) == nil && there
	}, func() { t.Fatalf("no page has %s; the last is\n%s", selector, pageText(tab)) })
	for range 40 {
		var has bool
		act(t, tab, chromedp.Evaluate(fmt.Sprintf("document.activeElement.matches(%q)", selector), &has))
		if has {
			return
		}
		press(t, tab, kb.Tab)
	}
	t.Fatalf("the Tab key does not come to %s", selector)
}

// enter types text where reach leads to.
func enter(t *testing.T, tab context.Context, selector, text string) {
	t.Helper()
	reach(t, tab, selector)
	press(t, tab, text)
}

// comesTo waits until the tab is at a path.
func comesTo(t *testing.T, tab context.Context, path string) {
	t.Helper()
	var at string
	eventually(t, func() bool {
		return chromedp.Run(tab, chromedp.Evaluate("document.readyState === 'complete' ? location.pathname : ''", &at)) == nil && at == path
	}, func() { t.Fatalf("the tab is at %q, want %q", at, path) })
}

// pageText is what the tab shows, for a message.
func pageText(tab context.Context) (text string) {
	ctx, cancel := context.WithTimeout(tab, hang)
	defer cancel()
	chromedp.Run(ctx, chromedp.Evaluate("location.origin + location.pathname + '\\n' + document.body.innerText", &text))
	return text
}

// hostAt is the host of the page that the tab shows.
func hostAt(t *testing.T, tab context.Context) string {
	t.Helper()
	var address string
	act(t, tab, chromedp.Location(&address))
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// stored is the refresh token in the keychain's record of a profile.
func (g *guide) stored(profile, client string) (refreshToken string) {
	g.t.Helper()
	var record struct {
		RefreshToken string `json:"refresh_token"`
	}
	entry, found := g.Value(profile + "/" + client)
	if !found {
		g.t.Fatalf("gnome-keyring holds no record of %s", profile)
	}
	if err := json.Unmarshal([]byte(entry), &record); err != nil || record.RefreshToken == "" {
		g.t.Fatalf("gnome-keyring: got a record of %s without a refresh token (%v), want one", profile, err)
	}
	return record.RefreshToken
}

// logsOut ends the session of a profile, and expects neither the keychain nor the pool to know it
// afterwards.
func (g *guide) logsOut(profile, client string, args ...string) {
	g.t.Helper()
	refresh := g.stored(profile, client)
	if !g.pool.Active(refresh) {
		g.t.Error("before logout the refresh token in the keychain is not active at the pool")
	}
	g.want(0, append([]string{"logout"}, args...)...)
	if _, found := g.Value(profile + "/" + client); found || g.pool.Active(refresh) {
		g.t.Errorf("after logout: record found %t, refresh token active %t, want neither", found, g.pool.Active(refresh))
	}
	if o := g.want(3, append([]string{"token"}, args...)...); o.stdout != "" {
		g.t.Errorf("token after logout printed %d bytes, want none", len(o.stdout))
	}
}

// claims verifies the token that cogauth prints, by the standard library alone.
func (g *guide) claims(args ...string) map[string]any {
	g.t.Helper()
	return verify(g.t, g.pool, strings.TrimSuffix(g.do(append([]string{"token"}, args...)...), "\n"))
}

var addresses = regexp.MustCompile(`https?://\S+\?\S+`)

// stripAddress keeps states and nonces out of this test's own messages.
func stripAddress(text string) string {
	return addresses.ReplaceAllStringFunc(text, func(s string) string { return strip(s) + "?…" })
}
