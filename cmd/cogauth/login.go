package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
)

// login signs in. Without any profile, on a terminal, it first asks what configure asks.
func (a *app) login(ctx context.Context) error {
	if a.asked() == config.Reserved {
		return &usageError{fmt.Errorf("the profile %q belongs to the demo", config.Reserved)}
	}
	if a.flags.timeout < 0 {
		return &usageError{errors.New("--timeout is not a positive duration such as 5m")}
	}
	s, err := a.session()
	if errors.Is(err, config.ErrNoProfile) && a.asks() {
		a.say("no profile is configured yet")
		if err = a.configure(ctx); err == nil {
			s, err = a.session()
		}
	}
	if err != nil {
		return err
	}
	session, err := a.signIn(ctx, s.Client, nil)
	if errors.Is(err, cogauth.ErrNotSaved) {
		// The person has signed in; that is not thrown away for want of a place to keep it.
		if t, tokenErr := s.Token(ctx, nil); tokenErr == nil {
			a.say("signed in as %s, but the session could not be stored; the ID token follows on standard output", session.Username)
			if printErr := a.print(t.Reveal() + "\n"); printErr != nil {
				return printErr
			}
		}
	}
	return err
}

// signIn runs one login, or joins the one that is running, and tells the person how it goes. wanted is
// the token that it is for, nil if a person has asked to sign in.
func (a *app) signIn(ctx context.Context, client *cogauth.Client, wanted *cogauth.TokenOptions) (*cogauth.Session, error) {
	ctx, stop := whileParentLives(ctx)
	defer stop()
	o := a.loginOptions()
	o.For = wanted
	s, err := client.Login(ctx, o)
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errParentGone) {
		return nil, errParentGone
	}
	if err != nil {
		return s, err
	}
	a.welcome(s)
	return s, nil
}

func (a *app) loginOptions() *cogauth.LoginOptions {
	timeout := a.flags.timeout
	if timeout == 0 {
		timeout = cogauth.DefaultLoginTimeout
	}
	return &cogauth.LoginOptions{
		Prompt:           a.flags.prompt,
		LoginHint:        a.flags.loginHint,
		IdentityProvider: a.flags.idp,
		Lang:             a.flags.lang,
		SwitchUser:       a.flags.switchUser,
		Timeout:          timeout,
		NoBrowser:        a.flags.noBrowser,
		Pasted:           a.pasted(),
		Joined: func(url string) {
			if url == "" {
				a.say("a sign-in to this profile is already running; waiting for it (up to %s; Ctrl-C to stop)", words(timeout))
				return
			}
			a.say("joined a sign-in that is already running; its address, if no browser shows it:")
			fmt.Fprintf(a.err, "\n%s\n\n", url)
			a.say("waiting for you to sign in (up to %s; Ctrl-C to stop)", words(timeout))
		},
		ShowURL: func(url string) {
			switch {
			case a.unattended:
				a.say("signing in at")
				fmt.Fprintf(a.err, "\n%s\n\n", url)
				return
			case a.flags.noBrowser:
				a.say("open this address in a browser on this machine:")
			default:
				a.say("your browser should open; if it does not, open this address:")
			}
			// One undecorated line: a terminal that wraps it still copies it whole.
			fmt.Fprintf(a.err, "\n%s\n\n", url)
			a.say("waiting for you to sign in (up to %s; Ctrl-C to stop)", words(timeout))
			if a.asks() {
				a.say("if the browser ends on an error, or cannot come back to this machine, paste its address here")
			}
		},
	}
}

func (a *app) welcome(s *cogauth.Session) {
	a.say("signed in as %s (profile %s)", s.Username, s.Profile)
	if !s.Refreshable {
		a.say("warning: this sign-in brought no refresh token: it ends %s", until(s.IDTokenExpires, time.Now()))
	}
}

// pasted reads what the person pastes while a login waits, or is nil if nobody can.
func (a *app) pasted() func(context.Context) (string, error) {
	if a.unattended || !a.asks() {
		return nil
	}
	return func(context.Context) (string, error) {
		for {
			line, err := a.input().ReadString('\n')
			if err != nil {
				return "", err
			}
			if line = strings.TrimSpace(line); line != "" {
				return line, nil
			}
		}
	}
}

// input is what the person types. There is one buffer for all of a run's questions.
func (a *app) input() *bufio.Reader {
	if a.lines == nil {
		a.lines = bufio.NewReader(a.in)
	}
	return a.lines
}

// logout ends the session and says honestly what happened to it.
func (a *app) logout(ctx context.Context) error {
	s, err := a.session()
	if err != nil {
		return err
	}
	if !a.flags.browser {
		return a.endSession(ctx, s)
	}
	if s.demo {
		return &usageError{errors.New("the demo's sign-in page has ended with its pool: there is nothing to sign out of in the browser")}
	}
	// A missing sign-out URL is said before anything is ended; trouble with the network keeps nobody
	// from ending the session here.
	address, err := s.SignOutURL(ctx)
	if errors.Is(err, cogauth.ErrMisconfigured) {
		return err
	}
	err = errors.Join(a.endSession(ctx, s), err)
	if address == "" {
		return err
	}
	if a.flags.noBrowser {
		a.say("to sign the browser out too, open this address in it:")
	} else {
		a.say("your browser should open to be signed out too; if it does not, open this address:")
	}
	fmt.Fprintf(a.err, "\n%s\n\n", address)
	if !a.flags.noBrowser {
		if openErr := a.openURL(ctx, address); openErr != nil {
			a.say("warning: no browser was opened: %s", oneLine(openErr.Error()))
		}
	}
	return err
}

func (a *app) endSession(ctx context.Context, s *session) error {
	res, err := s.Logout(ctx)
	switch {
	case !res.Found && err == nil:
		a.say("not signed in (profile %s)", s.profile)
	case res.Removed && res.Revoked:
		a.say("signed out: removed from this machine, and the server has revoked the session (profile %s)", s.profile)
	case res.Removed && res.RevokeErr == nil:
		a.say("signed out: removed from this machine; there was no refresh token to revoke (profile %s)", s.profile)
	case res.Removed && s.demo:
		a.say("signed out: removed from this machine; the demo pool has ended, and the session with it")
		return nil
	case res.Removed:
		a.say("signed out on this machine only (profile %s)", s.profile)
		return &hintError{fmt.Errorf("the server could not be told: %w", res.RevokeErr),
			"until it expires the refresh token still works for whoever has a copy; an administrator can revoke it"}
	}
	return err
}

// words writes a duration as people say it: "10 minutes", "1 hour 5 minutes", "30 seconds".
func words(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Second {
		return "less than a second"
	}
	var parts []string
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		n := int(d / u.size)
		if n == 0 {
			continue
		}
		d -= time.Duration(n) * u.size
		if n > 1 {
			u.name += "s"
		}
		if parts = append(parts, fmt.Sprintf("%d %s", n, u.name)); len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// until says when something ends.
func until(t, now time.Time) string {
	switch left := t.Sub(now); {
	case t.IsZero():
		return "at a time that is not known"
	case left <= 0:
		return "expired " + words(-left) + " ago"
	default:
		return fmt.Sprintf("in %s (%s)", words(left), t.Local().Format("2006-01-02 15:04"))
	}
}
