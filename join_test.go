package cogauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/flock"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/loopback"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// sharedStore is a store in memory whose lock files are real, as those of a store that several processes
// share: Clients on it meet over sockets.
type sharedStore struct {
	*faultyStore
	dir string
}

func (s *sharedStore) LockPath(name string) (string, error) {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:8])+".lock"), nil
}

// on puts Clients on a store, with browsers that open and do nothing by themselves.
func (l *lab) on(store tokenstore.Store) func(*Config) {
	return func(cfg *Config) {
		cfg.Store = store
		cfg.OpenURL = func(_ context.Context, url string) error {
			l.opened <- url
			return nil
		}
	}
}

// eachStore runs f with both kinds of store; edit puts a Client on it.
func eachStore(t *testing.T, f func(t *testing.T, l *lab, edit func(*Config))) {
	t.Run("of this process", func(t *testing.T) {
		l := newLab(t, nil)
		f(t, l, l.on(l.store))
	})
	t.Run("shared", func(t *testing.T) {
		l := newLab(t, nil)
		f(t, l, l.on(&sharedStore{l.store, t.TempDir()}))
	})
}

// attempted is a login under way.
type attempted struct {
	session *Session
	err     error
}

func begin(c *Client, ctx context.Context, o LoginOptions) <-chan attempted {
	done := make(chan attempted, 1)
	go func() {
		s, err := c.Login(ctx, &o)
		done <- attempted{s, err}
	}()
	return done
}

// open starts a login that nobody completes yet, and returns its URL when a browser has it.
func (l *lab) open(ctx context.Context, edit func(*Config), o LoginOptions) (string, <-chan attempted) {
	l.t.Helper()
	done := begin(l.client(edit), ctx, o)
	select {
	case u := <-l.opened:
		return u, done
	case a := <-done:
		l.t.Fatalf("the login ended with %v before a browser was opened", a.err)
	case <-time.After(30 * time.Second):
		l.t.Fatal("no browser is opened")
	}
	return "", nil
}

// answer is what the person does at the URL.
func (l *lab) answer(u string) {
	l.t.Helper()
	if _, err := l.UserAgent().SignIn(l.t.Context(), u, l.User().Username, l.User().Password); err != nil {
		l.t.Error("the browser: " + strings.ReplaceAll(err.Error(), u, "(address)"))
	}
}

// D3: twenty programs want a token and nobody is signed in. One opens the browser, the others wait for it.
func TestD3TwentyCallersOneBrowser(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		const callers = 20
		waiting := make(chan string, callers)
		cache := t.TempDir()
		var logins [callers]<-chan attempted
		var clients [callers]*Client
		for i := range logins {
			clients[i] = l.client(func(cfg *Config) {
				cfg.CacheDir = cache
				edit(cfg)
			})
			logins[i] = begin(clients[i], t.Context(), LoginOptions{For: &TokenOptions{}, Joined: func(u string) { waiting <- u }})
		}
		u := <-l.opened
		for range callers - 1 {
			if got := <-waiting; got != u {
				t.Error("somebody who waits was told another URL than the one that is open")
			}
		}
		l.answer(u)
		for i, login := range logins {
			a := <-login
			if a.err != nil || a.session.Username != "ada@example.com" {
				t.Errorf("caller %d: got %+v and %v, want the session", i, a.session, a.err)
			}
			if _, err := clients[i].IDToken(t.Context()); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		}
		if n := len(l.opened) + 1; n != 1 {
			t.Errorf("%d browsers were opened, want 1", n)
		}
		if n := l.Count("token"); n != 1 {
			t.Errorf("%d requests to the token endpoint, want 1", n)
		}
		// A latecomer finds the session, and nobody needs to be asked.
		if a := <-begin(l.client(edit), t.Context(), LoginOptions{For: &TokenOptions{}}); a.err != nil || len(l.opened) != 0 {
			t.Errorf("a latecomer: got %v, and %d browsers, want the session and none", a.err, len(l.opened))
		}
	})
}

// D3: a person who asks to sign in while a sign-in is open is shown that one. It may be for a program in
// the background, whose output nobody sees.
func TestD3LoginJoinsTheRunningOne(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		u, first := l.open(t.Context(), edit, LoginOptions{For: &TokenOptions{}})
		shown := make(chan string, 1)
		second := begin(l.client(edit), t.Context(), LoginOptions{Prompt: "login", ShowURL: func(u string) { shown <- u }})
		if got := <-shown; got != u {
			t.Error("the URL is another one than that of the running login")
		}
		l.answer(u)
		for _, login := range []<-chan attempted{first, second} {
			if a := <-login; a.err != nil || a.session.Subject == "" {
				t.Errorf("got %+v and %v, want the session", a.session, a.err)
			}
		}
		if n := l.Count("token") - l.Redemptions(); len(l.opened) != 0 || n != 1 {
			t.Errorf("got %d more browsers and %d exchanges, want none and 1", len(l.opened), n)
		}
		if n := strings.Count(l.log.String(), "other options (prompt)"); n != 1 {
			t.Errorf("got %d warnings of the other options, want 1\n%s", n, l.log)
		}
	})
}

// D3: where the running login has opened no browser, because it was told not to or because there is none,
// that of the person who joins may show it. A program that joins opens nothing.
func TestD3PersonWhoJoinsBringsTheBrowser(t *testing.T) {
	for name, leads := range map[string]struct {
		o    LoginOptions
		fail bool
	}{
		"told not to open one": {o: LoginOptions{NoBrowser: true}},
		"could not open one":   {fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
				shown := make(chan string, 3)
				leads.o.ShowURL = func(u string) { shown <- u }
				first := begin(l.client(func(cfg *Config) {
					edit(cfg)
					if leads.fail {
						cfg.OpenURL = func(context.Context, string) error { return errors.New("no browser here") }
					}
				}), t.Context(), leads.o)
				u := <-shown
				program := begin(l.client(edit), t.Context(), LoginOptions{For: &TokenOptions{}, Joined: func(u string) { shown <- u }})
				<-shown
				person := begin(l.client(edit), t.Context(), LoginOptions{})
				if got := <-l.opened; got != u {
					t.Error("another URL was opened")
				}
				l.answer(u)
				for _, login := range []<-chan attempted{first, program, person} {
					if a := <-login; a.err != nil {
						t.Error(a.err)
					}
				}
				if n := len(l.opened); n != 0 {
					t.Errorf("%d more browsers were opened, want none", n)
				}
			})
		})
	}
}

// D3: the one who leads gives up before the person has answered. One of those who wait goes on.
func TestD3WhoWaitsTakesOver(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		_, first := l.open(ctx, edit, LoginOptions{})
		joined := make(chan string, 1)
		second := begin(l.client(edit), t.Context(), LoginOptions{For: &TokenOptions{}, Joined: func(u string) { joined <- u }})
		<-joined
		giveUp()
		if a := <-first; !errors.Is(a.err, context.Canceled) {
			t.Errorf("the first: got %v, want its context's error", a.err)
		}
		l.answer(<-l.opened)
		if a := <-second; a.err != nil {
			t.Errorf("the second: %v", a.err)
		}
	})
}

// D3: whoever waits can leave at any time, and only they.
func TestD3WhoWaitsMayLeave(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		u, first := l.open(t.Context(), edit, LoginOptions{})
		ctx, leave := context.WithCancel(t.Context())
		left := begin(l.client(edit), ctx, LoginOptions{Joined: func(string) { leave() }})
		if a := <-left; !errors.Is(a.err, context.Canceled) {
			t.Errorf("left: got %v, want its context's error", a.err)
		}
		if a := <-begin(l.client(edit), t.Context(), LoginOptions{Timeout: 50 * time.Millisecond}); !errors.Is(a.err, ErrLoginIncomplete) {
			t.Errorf("out of patience: got %v, want ErrLoginIncomplete", a.err)
		}
		if a := <-begin(l.client(edit), t.Context(), LoginOptions{Timeout: 50 * time.Millisecond, For: &TokenOptions{}}); !errors.Is(a.err, ErrLoginRequired) {
			t.Errorf("a program out of patience: got %v, want ErrLoginRequired", a.err)
		}
		l.answer(u)
		if a := <-first; a.err != nil {
			t.Errorf("the login that they left: %v", a.err)
		}
	})
}

// D3: after a login that nobody completed no program opens another one for a while. A person can.
func TestD3IgnoredLoginCoolsDown(t *testing.T) {
	program := LoginOptions{For: &TokenOptions{}, Timeout: 2 * time.Second}
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		const waiters = 5
		joined := make(chan string, waiters)
		_, first := l.open(t.Context(), edit, program)
		waits := program
		waits.Timeout, waits.Joined = 0, func(u string) { joined <- u }
		all := []<-chan attempted{first}
		for range waiters {
			all = append(all, begin(l.client(edit), t.Context(), waits))
		}
		for range waiters {
			<-joined
		}
		for _, login := range all {
			if a := <-login; !errors.Is(a.err, ErrLoginRequired) || errors.Is(a.err, ErrLoginIncomplete) {
				t.Errorf("got %v, want ErrLoginRequired", a.err)
			}
		}
		refused := func() {
			t.Helper()
			_, err := l.client(edit).Login(t.Context(), &program)
			if !errors.Is(err, ErrLoginRequired) || !strings.Contains(err.Error(), "ago") {
				t.Errorf("within the window: got %v, want ErrLoginRequired that says why", err)
			}
		}
		refused()
		l.clock.Advance(coolDown - time.Minute)
		refused()
		if n := len(l.opened); n != 0 {
			t.Fatalf("%d browsers were opened after an ignored login, want none", n)
		}
		l.clock.Advance(time.Minute)
		// The window is over; the next login is declined, and another window begins.
		u, declined := l.open(t.Context(), edit, program)
		l.cancelAt(u)
		if a := <-declined; !errors.Is(a.err, ErrRefused) {
			t.Errorf("declined: got %v, want ErrRefused", a.err)
		}
		refused()
		// A person is not kept from signing in; then all is well.
		u, explicit := l.open(t.Context(), edit, LoginOptions{})
		l.answer(u)
		if a := <-explicit; a.err != nil {
			t.Fatal(a.err)
		}
		c := l.client(edit)
		if _, err := c.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		u, again := l.open(t.Context(), edit, program)
		l.answer(u)
		if a := <-again; a.err != nil {
			t.Errorf("after a login with success: %v", a.err)
		}
	})
}

// cancelAt answers the login as a person who declines does: the pool sends the browser back with an error.
func (l *lab) cancelAt(u string) {
	l.t.Helper()
	request, err := url.Parse(u)
	if err != nil {
		l.t.Fatal(err)
	}
	back := l.callback + "?" + url.Values{"error": {"access_denied"}, "state": {request.Query().Get("state")}}.Encode()
	if _, err := l.UserAgent().Open(l.t.Context(), back); err != nil {
		l.t.Error("the browser: " + err.Error())
	}
}

// D3: what is no answer of the person's is no reason to keep programs from asking.
func TestD3OtherFailuresDoNotCoolDown(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		program := LoginOptions{For: &TokenOptions{}}
		u, offline := l.open(t.Context(), edit, program)
		l.Fail("token", cognitotest.Failure{Status: 503})
		l.answer(u)
		if a := <-offline; !errors.Is(a.err, ErrOffline) {
			t.Errorf("offline: got %v", a.err)
		}
		l.Fail("token", cognitotest.Failure{})
		u, last := l.open(t.Context(), edit, program)
		l.answer(u)
		if a := <-last; a.err != nil {
			t.Errorf("got %v, want a login", a.err)
		}
	})
}

// D3: a program that gives up once its browser is open, as one that is interrupted or whose client has
// died, has asked the person: the next program does not ask again. Who waited for it opens none either:
// a client that starts its helper again and again, and ends each, always has one that waits.
func TestD3CanceledProgramCoolsDown(t *testing.T) {
	program := LoginOptions{For: &TokenOptions{}}
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		// A person who gives up keeps no program from asking.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, person := l.open(ctx, edit, LoginOptions{})
		cancel()
		<-person
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		u, canceled := l.open(ctx, edit, program)
		// While it runs it serves everyone.
		joined := make(chan string, 1)
		waits := program
		waits.Joined = func(u string) { joined <- u }
		waiting := begin(l.client(edit), t.Context(), waits)
		select {
		case got := <-joined:
			if got != u {
				t.Error("who waits was told another URL")
			}
		case a := <-waiting:
			t.Fatalf("while the login runs: got %v, want to join it", a.err)
		}
		cancel()
		if a := <-canceled; !errors.Is(a.err, context.Canceled) {
			t.Errorf("canceled: got %v, want its context's error", a.err)
		}
		refused := func(what string, login <-chan attempted) {
			t.Helper()
			select {
			case a := <-login:
				if !errors.Is(a.err, ErrLoginRequired) || !strings.Contains(a.err.Error(), "ago") {
					t.Errorf("%s: got %v, want ErrLoginRequired that says why", what, a.err)
				}
			case <-l.opened:
				t.Fatalf("%s: a second browser was opened", what)
			}
		}
		refused("who waited", waiting)
		refused("the next", begin(l.client(edit), t.Context(), program))
		// A person who gives up changes nothing now either, and one who signs in ends it.
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		_, person = l.open(ctx, edit, LoginOptions{})
		cancel()
		<-person
		refused("after a person gave up", begin(l.client(edit), t.Context(), program))
		u, person = l.open(t.Context(), edit, LoginOptions{})
		l.answer(u)
		if a := <-person; a.err != nil {
			t.Fatal(a.err)
		}
		if _, err := l.client(edit).Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A program's own success leaves no mark either.
		for range 2 {
			u, again := l.open(t.Context(), edit, program)
			l.answer(u)
			if a := <-again; a.err != nil {
				t.Errorf("after a login with success: %v", a.err)
			}
			if _, err := l.client(edit).Logout(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// D3: those who wait get the error of the login that they waited for, as it was.
func TestD3WhoWaitsGetsTheError(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		u, first := l.open(t.Context(), edit, LoginOptions{})
		joined := make(chan string, 1)
		second := begin(l.client(edit), t.Context(), LoginOptions{For: &TokenOptions{}, Joined: func(u string) { joined <- u }})
		<-joined
		l.Fail("token", cognitotest.Failure{Status: 400, Body: `{"error":"invalid_grant"}`, ContentType: "application/json"})
		l.answer(u)
		want, got := <-first, <-second
		a, okA := errors.AsType[*Error](want.err)
		b, okB := errors.AsType[*Error](got.err)
		if !okA || !okB || !errors.Is(b, ErrRefused) || a.Error() != b.Error() || a.Code != b.Code || a.Op != b.Op || a.Status != b.Status || a.CallbackURL != b.CallbackURL {
			t.Errorf("got %+v, want %+v", got.err, want.err)
		}
	})
}

// Every error that a login may end with keeps its kind on the way.
func TestErrorsReachThoseWhoWait(t *testing.T) {
	for _, err := range []error{
		fail(ErrLoginIncomplete, "", "x"), fail(ErrRefused, "x", "y"), fail(ErrOffline, "", "x"), fail(ErrMisconfigured, "", "x"),
		&Error{fact: "x", kind: ErrLoginIncomplete, cause: loopback.ErrPortBusy},
		&Error{fact: "x", kind: ErrMisconfigured, cause: ErrUntrusted}, &Error{fact: "x", kind: ErrMisconfigured, cause: ErrNoDomain},
		&Error{fact: "x", kind: ErrMisconfigured, cause: ErrNoDiscovery}, &Error{fact: "x", kind: ErrMisconfigured, cause: ErrNoLoginPages},
		&Error{fact: "x", kind: ErrMisconfigured, cause: ErrForeignSecret},
		&Error{fact: "x", kind: ErrRefused, cause: ErrNoIDToken}, &Error{fact: "x", kind: ErrRefused, cause: ErrUnexpectedPerson},
		&Error{Op: "authorize", Code: "c", Description: "d", Status: 400, kind: ErrRefused},
		tokenstore.ErrLocked, tokenstore.ErrUnavailable, tokenstore.ErrTooLarge, tokenstore.ErrBroken,
		&SaveError{tokenstore.ErrLocked},
	} {
		got := newFailedLogin(err).error()
		if got.Error() != err.Error() {
			t.Errorf("got text %q, want %q", got, err)
		}
		for _, is := range append(append([]error{ErrNotSaved}, kinds...), causes...) {
			if errors.Is(got, is) != (errors.Is(err, is) && is != ErrNotSaved) {
				t.Errorf("%v: is it %q: got %v", err, is, errors.Is(got, is))
			}
		}
	}
	if got := newFailedLogin(errors.New("x")).error(); !errors.Is(got, ErrLoginIncomplete) || got.Error() != "x" {
		t.Errorf("another error: got %v, want ErrLoginIncomplete", got)
	}
}

// D5: a login that is open in a browser holds up nobody whose token is good or can be refreshed.
func TestD5TokenDuringALogin(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		c := l.client(edit)
		signIn := begin(c, t.Context(), LoginOptions{})
		l.answer(<-l.opened)
		if a := <-signIn; a.err != nil {
			t.Fatal(a.err)
		}
		u, login := l.open(t.Context(), edit, LoginOptions{})
		warm, err := c.IDToken(t.Context())
		if err != nil {
			t.Fatalf("a warm token: %v", err)
		}
		l.clock.Advance(2 * time.Hour)
		if fresh, err := c.IDToken(t.Context()); err != nil || fresh == warm {
			t.Fatalf("a token that had to be refreshed: got %v, or the old one", err)
		}
		select {
		case a := <-login:
			t.Fatalf("the login has ended meanwhile: %v", a.err)
		default:
		}
		l.answer(u)
		if a := <-login; a.err != nil {
			t.Error(a.err)
		}
	})
}

// D3: a leader that cannot be heard, as in another container, is waited for all the same; what it has
// stored is found.
func TestD3UnheardLeaderIsWaitedFor(t *testing.T) {
	l := newLab(t, nil)
	c := l.client(l.on(&sharedStore{l.store, t.TempDir()}))
	at, err := c.loginPlace()
	if err != nil {
		t.Fatal(err)
	}
	release, ok, err := flock.Try(at.lock)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer release()
	waiting := make(chan string, 1)
	login := begin(c, t.Context(), LoginOptions{Joined: func(u string) { waiting <- u }})
	if u := <-waiting; u != "" {
		t.Error("got a URL from nowhere")
	}
	p, err := c.discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &record{session: newSessionID(), issuer: l.Issuer(), purpose: c.purpose(), signedIn: l.clock.Now()}
	if _, err := c.commit(t.Context(), p, r, sampleTokens(), nil); err != nil {
		t.Fatal(err)
	}
	release()
	if a := <-login; a.err != nil || a.session == nil || len(l.opened) != 0 {
		t.Errorf("got %+v, %v and %d browsers, want the other's session and none", a.session, a.err, len(l.opened))
	}
}

// D3, D2: locks are the user's, but a keychain may be of one desktop session. Who has waited for a login
// that has stored its session elsewhere makes one of its own.
func TestD3SessionStoredElsewhere(t *testing.T) {
	l := newLab(t, nil)
	dir := t.TempDir()
	here := l.client(l.on(&sharedStore{l.store, dir}))
	earlier := begin(here, t.Context(), LoginOptions{})
	l.answer(<-l.opened)
	if a := <-earlier; a.err != nil {
		t.Fatal(a.err)
	}
	before := l.stored(here).session
	u, first := l.open(t.Context(), l.on(&sharedStore{&faultyStore{}, dir}), LoginOptions{})
	joined := make(chan string, 1)
	second := begin(here, t.Context(), LoginOptions{Joined: func(u string) { joined <- u }})
	<-joined
	l.answer(u)
	if a := <-first; a.err != nil {
		t.Error(a.err)
	}
	select {
	case u := <-l.opened:
		l.answer(u)
	case a := <-second:
		t.Fatalf("got %v without a login, want one of its own", a.err)
	}
	if a := <-second; a.err != nil || a.session == nil || l.stored(here).session == before {
		t.Errorf("got %+v, %v, want a new session", a.session, a.err)
	}
}

// A profile that is configured for two pools, as in two files, has a login to each.
func TestLoginsToDifferentPoolsDoNotJoin(t *testing.T) {
	eachStore(t, func(t *testing.T, l *lab, edit func(*Config)) {
		_, _ = l.open(t.Context(), edit, LoginOptions{})
		other := l.client(func(cfg *Config) {
			edit(cfg)
			cfg.Scopes = []string{"openid"}
		})
		// It does not wait: it finds the port taken.
		if _, err := other.Login(t.Context(), nil); !errors.Is(err, loopback.ErrPortBusy) {
			t.Errorf("got %v, want ErrPortBusy", err)
		}
	})
}

// D10: while a login is open, what guards it is in no file, and all files and sockets are this user's.
func TestD10NothingOfARunningLoginIsInAFile(t *testing.T) {
	l := newLab(t, nil)
	shared := &sharedStore{l.store, t.TempDir()}
	u, login := l.open(t.Context(), l.on(shared), LoginOptions{Timeout: time.Second})
	address, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	look := func() (files int) {
		t.Helper()
		err := filepath.WalkDir(shared.dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Type() == fs.ModeSocket {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				if strings.Contains(string(b), address.Query().Get(name)) {
					t.Errorf("%s holds the %s", path, name)
				}
			}
			if len(b) != 0 {
				t.Errorf("%s holds %d bytes, want none", path, len(b))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	if look() == 0 {
		t.Error("there is no lock file")
	}
	<-login
	if look() < 2 {
		t.Error("an ignored login has left no mark")
	}
}

// A socket's path is short in any folder.
func TestSocketPathFitsEverywhere(t *testing.T) {
	for _, dir := range []string{"/run/user/1000/cogauth", "/home/" + strings.Repeat("x", 200)} {
		if got := socketPath(filepath.Join(dir, strings.Repeat("0", 32))); len(got) > 100 {
			t.Errorf("got %s of %d bytes, want at most 100", got, len(got))
		}
	}
}
