package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"fyne.io/systray"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/pkg/loopback"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// app is the tray icon and its menu. One goroutine, that of serve, owns the fields in the second group
// and draws; whatever may take its time runs in another one and sends what is to be shown.
type app struct {
	looker *cogauth.Client // never has the keychain ask the person anything
	client *cogauth.Client
	clip   *clipboard
	every  time.Duration
	keep   time.Duration

	status, detail                      *line
	signIn, whoAmI, copy, signOut, quit *line
	iconOn                              bool
	cancel                              context.CancelFunc // ends what is going on; nil if nothing is
	signingIn                           bool               // what is going on is a sign-in
	now                                 sight

	running sync.WaitGroup
	over    <-chan struct{} // closed when the program is about to end
	nudge   chan struct{}   // holds one if watch should look again
	sights  chan sight      // from watch
	clicks  chan *line      // from the menu
	notes   chan string     // from a client's Logger
	ended   chan note       // from what was going on
}

// sight is what a look at the session has found.
type sight struct {
	session *cogauth.Session
	err     error
}

// sameAs reports whether both saw the same sign-in.
func (s sight) sameAs(before sight) bool {
	return s.err == nil && before.err == nil && s.session.SignedInAt.Equal(before.session.SignedInAt)
}

// note is what the second line of the menu says.
type note struct {
	text   string
	person bool // it is about who is signed in, and pointless when somebody else is
}

func newApp(every, keep time.Duration) *app {
	return &app{
		clip: &clipboard{}, every: every, keep: keep,
		nudge: make(chan struct{}, 1), sights: make(chan sight), clicks: make(chan *line), notes: make(chan string, 8), ended: make(chan note),
	}
}

// start builds the menu and serves it until ctx ends or the person quits.
func (a *app) start(ctx context.Context) {
	systray.SetIcon(icon(false))
	a.status, a.detail = newLine("…"), newLine("")
	systray.AddSeparator()
	a.signIn, a.whoAmI = newLine("Sign in…"), newLine("Who am I")
	a.copy, a.signOut = newLine("Copy ID token"), newLine("Sign out")
	systray.AddSeparator()
	a.quit = newLine("Quit")

	ctx, stop := context.WithCancel(ctx)
	a.over = ctx.Done()
	for _, l := range []*line{a.signIn, a.whoAmI, a.copy, a.signOut, a.quit} {
		go l.forward(ctx, a.clicks)
	}
	a.running.Go(func() { a.watch(ctx) })
	go func() {
		defer systray.Quit()
		a.serve(ctx, stop)
	}()
}

// serve owns the menu.
func (a *app) serve(ctx context.Context, stop context.CancelFunc) {
	a.now.err = errLooking
	var n note
	for {
		a.draw(n)
		select {
		case <-ctx.Done():
			a.running.Wait() // they know that it is over
			return
		case s := <-a.sights:
			if n.person && !s.sameAs(a.now) {
				n = note{}
			}
			a.now = s
		case n.text = <-a.notes:
			n.person = false
		case n = <-a.ended:
			a.cancel()
			a.cancel, a.signingIn = nil, false
			a.look()
		case l := <-a.clicks:
			if l.off { // a menu may show what it was a moment ago
				continue
			}
			switch l {
			case a.quit:
				stop()
			case a.signIn:
				if a.signingIn {
					a.cancel()
					continue
				}
				n = note{text: "Your browser shows the sign-in page"}
				a.signingIn = true
				a.do(ctx, a.login)
			case a.whoAmI:
				a.do(ctx, a.describe)
			case a.copy:
				a.do(ctx, a.copyToken)
			case a.signOut:
				a.do(ctx, a.logout)
			}
		}
	}
}

// errLooking is why nothing is known before the first look.
var errLooking = errors.New("looking")

// draw makes the menu say how things are. What is the same already costs nothing.
func (a *app) draw(n note) {
	signedIn := a.now.err == nil
	unknown := !signedIn && a.now.err != errLooking && !errors.Is(a.now.err, cogauth.ErrLoginRequired)
	switch {
	case a.now.err == errLooking:
		a.status.set("…", false)
	case !signedIn && !unknown:
		a.status.set(sentence(a.now.err), false) // that, or why the session is another one
	case !signedIn:
		a.status.set(plain(a.now.err), false)
	case a.now.session.Username == "":
		a.status.set("Signed in", false) // the token that has the name is gone; the next one tells
	default:
		a.status.set("Signed in as "+a.now.session.Username, false)
	}
	a.detail.set(n.text, false)
	idle := a.cancel == nil
	if a.signingIn {
		a.signIn.set("Cancel sign-in", true)
	} else {
		a.signIn.set("Sign in…", idle && !signedIn && a.now.err != errLooking)
	}
	for _, l := range []*line{a.whoAmI, a.copy, a.signOut} {
		l.set(l.title, idle && (signedIn || unknown)) // if unknown, a click may unlock the keychain
	}
	a.quit.set("Quit", true)
	if a.iconOn != signedIn {
		a.iconOn = signedIn
		systray.SetIcon(icon(signedIn))
	}
	systray.SetTooltip("cogauth: " + a.status.title)
}

// do runs f; there is one at a time.
func (a *app) do(ctx context.Context, f func(context.Context) note) {
	if a.cancel != nil {
		return
	}
	inner, cancel := context.WithCancel(ctx)
	a.cancel = cancel
	a.running.Go(func() {
		n := f(inner)
		select {
		case a.ended <- n:
		case <-ctx.Done():
		}
	})
}

// look has watch look again soon. Anybody may call it.
func (a *app) look() {
	select {
	case a.nudge <- struct{}{}:
	default: // it will anyway
	}
}

// watch tells serve how the session is. Other programs change it without telling; Session makes no
// request and takes no lock, so it can be asked often.
func (a *app) watch(ctx context.Context) {
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for {
		var s sight
		s.session, s.err = a.looker.Session(ctx)
		select {
		case a.sights <- s:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-a.nudge:
		case <-systray.TrayOpenedCh:
		case <-ctx.Done():
			return
		}
	}
}

func (a *app) login(ctx context.Context) note {
	if _, err := a.client.Login(ctx, nil); err != nil {
		return note{text: plain(err)}
	}
	return note{}
}

func (a *app) logout(ctx context.Context) note {
	res, err := a.client.Logout(ctx)
	switch {
	case err == nil:
		return note{}
	case res.Removed:
		return note{text: "Signed out here, but the server was not told: " + plain(res.RevokeErr)}
	}
	return note{text: plain(err)}
}

// describe asks for a token first: groups and name are as old as the newest one.
func (a *app) describe(ctx context.Context) note {
	if _, err := a.client.IDToken(ctx); err != nil {
		return note{text: plain(err)}
	}
	s, err := a.client.Session(ctx)
	if err != nil {
		return note{text: plain(err)}
	}
	text := s.Username
	if groups := s.Groups(); len(groups) > 0 {
		text += ", in " + strings.Join(groups, ", ")
	}
	return note{text + ", token good until " + s.IDTokenExpires.Local().Format("15:04"), true}
}

func (a *app) copyToken(ctx context.Context) note {
	token, err := a.client.IDToken(ctx)
	if err != nil {
		return note{text: plain(err)}
	}
	release, err := a.clip.put(ctx, token)
	if err != nil {
		return note{text: plain(err)}
	}
	a.running.Go(func() { release(a.keep, a.over) })
	return note{"ID token copied; it leaves the clipboard at " + time.Now().Add(a.keep).Format("15:04:05"), true}
}

// plain is an error in a few words, without what only an administrator wants to know.
func plain(err error) string {
	for _, w := range inWords {
		if errors.Is(err, w.err) {
			return w.text
		}
	}
	return sentence(err)
}

func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

var inWords = []struct {
	err  error
	text string
}{
	{context.Canceled, "Cancelled"},
	{loopback.ErrPortBusy, "Another program uses the callback port"},
	{cogauth.ErrNotSaved, "The session could not be saved"},
	{tokenstore.ErrLocked, "The keychain is locked"},
	{tokenstore.ErrUnavailable, "There is no keychain"},
	{tokenstore.ErrBroken, "The keychain does not answer"},
	{cogauth.ErrLoginIncomplete, "The sign-in was not completed"},
	{cogauth.ErrOffline, "Offline: the server cannot be reached"},
	{cogauth.ErrLoginRequired, "Not signed in"},
	{cogauth.ErrUntrusted, "The network replaces the server's certificate"},
}

// toMenu shows a client's warnings, such as that no browser was opened, in the menu as well.
type toMenu struct {
	slog.Handler
	a *app
}

// Handle implements slog.Handler.
func (h toMenu) Handle(ctx context.Context, r slog.Record) error {
	select {
	case h.a.notes <- r.Message:
	default:
	}
	return h.Handler.Handle(ctx, r)
}
