package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/secret"
)

func itoa(n int) string { return strconv.Itoa(n) }

// tokenFlags is used by the early dispatch and by cobra alike.
func (a *app) tokenFlags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("token", pflag.ContinueOnError)
	fs.Usage = func() {}
	fs.StringVar(&a.flags.profile, "profile", "", "profile to use (default: COGAUTH_PROFILE, then default_profile)")
	a.addTokenFlags(fs)
	return fs
}

func (a *app) addTokenFlags(fs *pflag.FlagSet) {
	fs.StringVar(&a.flags.tokenType, "type", "id", "token to print: id or access")
	fs.DurationVar(&a.flags.minTTL, "min-ttl", cogauth.MinTTL, "least time the token must be good for, at most half its life")
	fs.BoolVar(&a.flags.refresh, "refresh", false, "get a new token from the server, with the groups and claims of now")
	fs.BoolVar(&a.flags.json, "json", false, "print a JSON object with the token and when it expires")
	fs.StringVar(&a.flags.interactive, "interactive", "", "whether to sign in if need be: never, auto or always (default never)")
}

// token prints a fresh token.
func (a *app) token(ctx context.Context) error {
	typ, err := a.wantedType()
	if err != nil {
		return err
	}
	o := &cogauth.TokenOptions{Type: typ, Refresh: a.flags.refresh, MinTTL: a.flags.minTTL}
	if i := a.flags.interactive; i != "" && !slices.Contains([]string{config.Never, config.Auto, config.Always}, i) {
		return &usageError{fmt.Errorf("--interactive is %q, not never, auto or always", clean(i))}
	}
	if o.MinTTL <= 0 {
		return &usageError{errors.New("--min-ttl is not a positive duration such as 5m")}
	}
	if file := a.getenv(tokenFileVariable); file != "" {
		return a.printFileToken(ctx, file, typ)
	}
	s, err := a.session()
	if err != nil {
		return err
	}
	t, err := s.Token(ctx, o)
	if errors.Is(err, cogauth.ErrLoginRequired) && !s.demo && a.mayAsk(s.interactive) {
		t, err = a.loginForToken(ctx, s, o)
	}
	if err != nil {
		return s.explain(err)
	}
	return a.printToken(s, t)
}

// loginForToken signs in because a token was asked for. A session that cannot be saved still
// yields its token.
func (a *app) loginForToken(ctx context.Context, s *session, o *cogauth.TokenOptions) (cogauth.Token, error) {
	_, err := a.signIn(ctx, s.Client, o)
	if err != nil && !errors.Is(err, cogauth.ErrNotSaved) {
		return cogauth.Token{}, err
	}
	if err != nil {
		a.say("warning: %s", oneLine(err.Error()))
	}
	return s.Token(ctx, &cogauth.TokenOptions{Type: o.Type})
}

func (a *app) printToken(s *session, t cogauth.Token) error {
	return a.printGiven(s.profile, given{t.Reveal(), t.Type(), t.Expires(), t.Issued()})
}

func (a *app) printFileToken(ctx context.Context, file string, typ cogauth.TokenType) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	g, err := a.tokenFromFile(ctx, file, s, typ)
	if err != nil {
		return err
	}
	return a.printGiven(s.Profile, g)
}

func (a *app) printGiven(profile string, g given) error {
	if !a.flags.json {
		return a.print(g.value + "\n")
	}
	return a.printJSON(struct {
		Token     string    `json:"token"`
		Type      string    `json:"type"`
		ExpiresAt time.Time `json:"expires_at"`
		IssuedAt  time.Time `json:"issued_at"`
		Profile   string    `json:"profile"`
	}{g.value, g.typ.String(), g.expires.UTC(), g.issued.UTC(), profile})
}

// print writes the answer, in one piece.
func (a *app) print(answer string) error {
	if _, err := a.out.Write([]byte(answer)); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

func (a *app) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	// Outside strings JSON has nothing that could drive a terminal but newlines.
	text := secret.EscapeJSON(string(b), func(r rune) bool { return r != '\n' && invisible(r) })
	return a.print(text + "\n")
}
