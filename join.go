package cogauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/cogauth/cogauth/internal/rendezvous"
	"github.com/cogauth/cogauth/pkg/loopback"
)

// Of all who want a login to a profile at once, one leads it and the others follow. The authorization
// URL, whose state nobody else may know, reaches them over a socket of the leader's process, and is in no file.

// coolDown is for how long, after a login that nobody completed, no program opens another one by itself.
// A login for a program counts as one of those from before its browser opens until it succeeds: a client
// that kills its helper and asks again would otherwise open a browser each time.
const coolDown = 10 * time.Minute

// unheard is how long a joiner waits for word of a running login before it says that it waits.
const unheard = 2 * time.Second

// news is a line from the leader to those who follow.
type news struct {
	// URL is the authorization URL; Opened is whether a browser was opened for it.
	URL     string        `json:"url,omitempty"`
	Opened  bool          `json:"opened,omitempty"`
	Refined *refinedLogin `json:"refined,omitempty"`
	// SignedIn is the ID of the session that the login has stored.
	SignedIn string `json:"signed_in,omitempty"`
	// Failed is why there is none.
	Failed *failedLogin `json:"failed,omitempty"`
}

// refinedLogin is what a login was asked for beyond the configuration.
type refinedLogin struct {
	Prompt     string `json:"prompt,omitempty"`
	LoginHint  string `json:"login_hint,omitempty"`
	IdP        string `json:"idp,omitempty"`
	Lang       string `json:"lang,omitempty"`
	SwitchUser bool   `json:"switch_user,omitempty"`
}

func (o *LoginOptions) refined() refinedLogin {
	return refinedLogin{o.Prompt, o.LoginHint, o.IdentityProvider, o.Lang, o.SwitchUser}
}

// loginTogether leads a login, or follows the one that is running.
func (c *Client) loginTogether(ctx context.Context, o LoginOptions) (*Session, error) {
	before, err := c.readRecord(ctx)
	if err != nil {
		return nil, err
	}
	at, err := c.loginPlace()
	if err != nil {
		return nil, err
	}
	j := &joiner{c: c, o: o, before: before}
	waiting, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	pause, began := time.Millisecond, time.Now()
	for {
		lead, follow, err := at.meet()
		if err != nil {
			return nil, fmt.Errorf("meet a running login: %w", err)
		}
		if lead != nil {
			return c.lead(ctx, o, j, &leading{Lead: lead, c: c, at: at, program: o.For != nil, refined: o.refined()})
		}
		j.waited = true
		if follow != nil {
			s, err := j.follow(waiting, follow)
			follow.Close()
			if s != nil || err != nil {
				return s, j.inTime(ctx, err)
			}
		}
		if time.Since(began) > unheard {
			j.joined("")
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 250*time.Millisecond)
		case <-waiting.Done():
			return nil, j.inTime(ctx, waiting.Err())
		}
	}
}

// lead runs a login that others may follow. It tells them the end only of a login that was really tried:
// otherwise each finds out for itself.
func (c *Client) lead(ctx context.Context, o LoginOptions, j *joiner, l *leading) (*Session, error) {
	defer l.Close()
	at := l.at
	before := j.before
	if j.waited {
		now, err := c.readRecord(ctx)
		if err != nil {
			return nil, err
		}
		if another(before, now) && now.purpose == c.purpose() {
			return c.joinedSession(ctx) // the one who led was ended, or was not heard, after it had signed in
		}
		before = now
	}
	if o.For != nil {
		_, err := c.Token(ctx, o.For)
		if err == nil {
			return c.joinedSession(ctx)
		}
		if !errors.Is(err, ErrLoginRequired) {
			return nil, err
		}
		if ago := c.now().Sub(at.ignored()); ago < coolDown && ago > -time.Minute { // not of a clock that was set back
			words := "less than a minute"
			if ago >= time.Minute {
				words = inWords(ago)
			}
			return nil, fail(ErrLoginRequired, "", "the last sign-in that was opened was not completed (%s ago); no program opens another one so soon", words)
		}
	}
	s, err := c.loginAlone(ctx, o, before, l)
	if err != nil && ctx.Err() != nil {
		// Those who wait are told nothing: one of them goes on, if it may. After a login for a program only
		// a person may: the mark stays.
		return s, err
	}
	ignored := l.opened() && (errors.Is(err, ErrLoginIncomplete) || errors.Is(err, ErrRefused))
	if ignored {
		now, readErr := c.readRecord(ctx)
		ignored = readErr == nil && !another(before, now)
	}
	if ignored {
		at.setIgnored(c.now())
	} else {
		l.unmark() // what is no answer of the person's is no reason to keep programs from asking
	}
	l.ends(ctx, err)
	return s, j.forProgram(err)
}

// another reports whether somebody has signed in since before was read.
func another(before, now *record) bool {
	return now != nil && (before == nil || before.session != now.session)
}

// joinedSession is the session that another login has stored. Where that one has another token cache, as
// with another home, this one still has to be filled.
func (c *Client) joinedSession(ctx context.Context) (*Session, error) {
	s, err := c.Session(ctx)
	if err == nil && s.Claims == nil {
		if _, err := c.Token(ctx, nil); err == nil {
			return c.Session(ctx)
		}
	}
	return s, err
}

// leading is what a login tells those who follow it.
type leading struct {
	*rendezvous.Lead
	c       *Client
	at      loginPlace
	program bool // the login is for one
	refined refinedLogin

	mu     sync.Mutex
	url    bool // has been told
	marked bool // as ignored, until it succeeds
	ended  bool
}

func (l *leading) tell(n news) {
	line, err := json.Marshal(n)
	if err == nil {
		l.Say(line)
	}
}

// opens tells of the authorization URL, before the browser opens. It is said once more if the browser
// could not be opened.
func (l *leading) opens(url string, browser bool) {
	l.mu.Lock()
	l.url = true
	if browser && l.program {
		l.marked = true
		l.at.setIgnored(l.c.now())
	}
	l.mu.Unlock()
	l.tell(news{URL: url, Opened: browser, Refined: &l.refined})
}

// opened reports whether the person has been shown anything.
func (l *leading) opened() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.url
}

// unmark takes the mark back that opens has made, if it has.
func (l *leading) unmark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.marked {
		l.at.setIgnored(time.Time{})
	}
}

// succeeded tells which session is stored now. No earlier login matters any more.
func (l *leading) succeeded(ctx context.Context) {
	l.at.setIgnored(time.Time{})
	if r, err := l.c.readRecord(context.WithoutCancel(ctx)); err == nil && r != nil {
		l.end(news{SignedIn: r.session})
	}
}

// ends tells the end, unless that is known.
func (l *leading) ends(ctx context.Context, err error) {
	if err == nil {
		l.succeeded(ctx)
		return
	}
	l.end(news{Failed: newFailedLogin(err)})
}

func (l *leading) end(n news) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		l.tell(n)
	}
}

// joiner is a call of Login that waits for another one's.
type joiner struct {
	c      *Client
	o      LoginOptions
	before *record

	waited bool            // somebody else was leading
	told   bool            // that it waits
	shown  map[string]bool // URLs
	opened bool
	warned bool
}

// follow returns the session that the login at hand brings, or its error, or neither: then that login
// has ended without a word, or is none of ours.
func (j *joiner) follow(ctx context.Context, f *rendezvous.Follow) (*Session, error) {
	for {
		line, err := f.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		var n news
		if json.Unmarshal(line, &n) != nil {
			return nil, nil
		}
		switch {
		case n.Failed != nil:
			return nil, j.forProgram(n.Failed.error())
		case n.SignedIn != "":
			return j.session(ctx, n.SignedIn)
		case n.URL != "":
			j.show(ctx, n)
		}
	}
}

// session is the one that the leader has stored, or nil if it was stored elsewhere: locks are the user's,
// keychains are of one desktop session.
func (j *joiner) session(ctx context.Context, id string) (*Session, error) {
	r, err := j.c.readRecord(ctx)
	if err != nil || r == nil || r.session != id {
		return nil, err
	}
	return j.c.joinedSession(ctx)
}

// show is called for every line with a URL.
func (j *joiner) show(ctx context.Context, n news) {
	if !j.shown[n.URL] {
		if j.shown == nil {
			j.shown = make(map[string]bool)
		}
		j.shown[n.URL] = true
		j.joined(n.URL)
	}
	if j.o.For != nil {
		return
	}
	if n.Refined != nil && *n.Refined != j.o.refined() && !j.warned {
		j.warned = true
		j.c.cfg.Logger.Warn("joined a sign-in that is already running and was started with other options (" + n.Refined.differs(j.o.refined()) + "): those of this one are not used")
	}
	// Whoever asked for the sign-in at hand may be where no browser is. A person who asks to sign in
	// is served here; programs must not open twenty.
	if !n.Opened && !j.o.NoBrowser && !j.opened {
		j.opened = true
		go j.c.openBrowser(ctx, n.URL)
	}
}

func (r refinedLogin) differs(from refinedLogin) string {
	var names []string
	for _, f := range []struct {
		name   string
		differ bool
	}{
		{"prompt", r.Prompt != from.Prompt},
		{"login hint", r.LoginHint != from.LoginHint},
		{"identity provider", r.IdP != from.IdP},
		{"language", r.Lang != from.Lang},
		{"switch user", r.SwitchUser != from.SwitchUser},
	} {
		if f.differ {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

// joined says that another login serves this call: with its URL, or once that it goes on unheard.
func (j *joiner) joined(url string) {
	if url == "" && j.told {
		return
	}
	j.told = true
	switch {
	case j.o.Joined != nil:
		j.o.Joined(url)
	case j.o.ShowURL != nil && url != "":
		j.o.ShowURL(url)
	}
}

// inTime puts the end of the joiner's own patience into words.
func (j *joiner) inTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return j.forProgram(fail(ErrLoginIncomplete, "", "a sign-in that is already running was not completed within %v", j.o.Timeout))
	}
	return err
}

// forProgram is what a program is told of a login that nobody completed: what it wanted is a token, and
// only a person can help.
func (j *joiner) forProgram(err error) error {
	e, ok := errors.AsType[*Error](err)
	if j.o.For == nil || !ok || e.kind != ErrLoginIncomplete || errors.Is(err, loopback.ErrPortBusy) {
		return err
	}
	required := *e
	required.kind = ErrLoginRequired
	return &required
}
