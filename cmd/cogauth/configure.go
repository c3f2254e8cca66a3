package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
)

// configureFlags mirror the keys of a profile.
type configureFlags struct {
	userPoolID, issuer, clientID, caFile, usernameClaim string
	callbackURLs, scopes                                []string
	makeDefault                                         bool
}

func (a *app) configureCommand() *cobra.Command {
	c := sub("configure", "Write a profile: which pool to sign in to",
		`Add a profile to config.toml, or replace it. What is not given as a flag is
asked for, if this is a terminal. A user pool ID and a client ID are enough:
the rest is discovered. The app client must have the callback URL registered,
http://localhost:8585/callback unless you name others.`,
		"  cogauth configure\n  cogauth configure --user-pool-id eu-west-1_AbCdEfGhI --client-id 1h57kf5cpq17m0eml12EXAMPLE", a.runConfigure)
	f := &a.flags.configure
	c.Flags().StringVar(&f.userPoolID, "user-pool-id", "", "ID of the Cognito user pool, such as eu-west-1_AbCdEfGhI")
	c.Flags().StringVar(&f.issuer, "issuer", "", "issuer URL of another OpenID provider")
	c.Flags().StringVar(&f.clientID, "client-id", "", "ID of the app client, a public one")
	c.Flags().StringArrayVar(&f.callbackURLs, "callback-url", nil, "registered loopback callback URL; repeat it to have spare ports")
	c.Flags().StringArrayVar(&f.scopes, "scope", nil, "scope to ask for; repeat it (default openid)")
	c.Flags().StringVar(&f.caFile, "ca-file", "", "PEM file with a certificate authority to trust as well")
	c.Flags().StringVar(&f.usernameClaim, "username-claim", "", "ID token claim that names you")
	c.Flags().StringVar(&a.flags.interactive, "interactive", "", "whether token may open a browser: never, auto or always")
	c.Flags().BoolVar(&f.makeDefault, "default", false, "make it the default profile")
	return c
}

func (a *app) runConfigure(ctx context.Context) error {
	f := a.flags.configure
	name := a.asked()
	if f.userPoolID != "" && f.issuer != "" {
		return &usageError{errors.New("--user-pool-id and --issuer exclude each other")}
	}
	if (f.userPoolID == "" && f.issuer == "") || f.clientID == "" {
		if !a.asks() {
			return &usageError{errors.New("--user-pool-id (or --issuer) and --client-id are needed when there is no terminal to ask on")}
		}
		if err := a.ask(ctx, &name, &f); err != nil {
			return err
		}
	}
	if name == "" {
		name = "default"
	}
	path, err := config.Path(a.env())
	if err != nil {
		return err
	}
	file, err := config.Load(path)
	if err != nil {
		return err
	}
	if f.caFile != "" && !strings.HasPrefix(f.caFile, "~") {
		// On the command line a relative path means this folder; in the file, the file's.
		if f.caFile, err = filepath.Abs(f.caFile); err != nil {
			return err
		}
	}
	p := config.Profile{
		UserPoolID: f.userPoolID, Issuer: f.issuer, ClientID: f.clientID, CallbackURLs: f.callbackURLs,
		Scopes: f.scopes, CAFile: f.caFile, UsernameClaim: f.usernameClaim, Interactive: a.flags.interactive,
	}
	if err := file.Put(name, p, f.makeDefault); err != nil {
		return err
	}
	a.say("profile %s is in %s", name, path)
	a.say("next: %s login --profile %s", a.name(), name)
	return nil
}

// ask fills in what the flags left open.
func (a *app) ask(ctx context.Context, name *string, f *configureFlags) error {
	// Questions go to the terminal itself, wherever standard error goes.
	q := &questions{out: a.err, ctx: ctx, lines: bufio.NewReader(a.in)}
	if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		defer tty.Close()
		q.out = tty
	}
	if *name == "" {
		*name = q.text("Profile name", "default")
	}
	if f.userPoolID == "" && f.issuer == "" {
		answer := q.text("User pool ID (eu-west-1_AbCdEfGhI), or issuer URL of another provider", "")
		if strings.Contains(answer, "://") {
			f.issuer = answer
		} else {
			f.userPoolID = answer
		}
	}
	if f.clientID == "" {
		f.clientID = q.text("App client ID", "")
	}
	if len(f.callbackURLs) == 0 {
		answer := strings.Fields(strings.ReplaceAll(q.text("Registered callback URL", cogauth.DefaultCallbackURL), ",", " "))
		if !slices.Equal(answer, []string{cogauth.DefaultCallbackURL}) { // a default is not written down
			f.callbackURLs = answer
		}
	}
	return q.err
}

// questions asks on the terminal. After the first error it asks no more.
type questions struct {
	out   io.Writer
	ctx   context.Context
	lines *bufio.Reader
	err   error
}

// text asks until there is an answer; an empty one takes the default.
func (q *questions) text(question, otherwise string) string {
	for q.err == nil {
		if otherwise != "" {
			fmt.Fprintf(q.out, "%s [%s]: ", question, otherwise)
		} else {
			fmt.Fprintf(q.out, "%s: ", question)
		}
		answer := q.line()
		if answer == "" {
			answer = otherwise
		}
		if answer != "" {
			return answer
		}
	}
	return ""
}

// line reads one line, or gives up when the program is told to end.
func (q *questions) line() string {
	type result struct {
		text string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := q.lines.ReadString('\n')
		read <- result{text, err}
	}()
	select {
	case r := <-read:
		if r.err != nil && (r.text == "" || !errors.Is(r.err, io.EOF)) {
			q.err = &usageError{errors.New("the questions were not answered; nothing was written")}
		}
		return strings.TrimSpace(r.text)
	case <-q.ctx.Done():
		fmt.Fprintln(q.out)
		q.err = q.ctx.Err()
		return ""
	}
}
