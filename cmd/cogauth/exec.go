package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cogauth/cogauth"
)

// Exit statuses of exec for a command that does not run, as shells have them.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

func (a *app) execCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "exec --env NAME=VALUE… -- COMMAND [ARGUMENT…]",
		Short: "Run a command with tokens in environment variables",
		Long: `Run a command that can be told a token by an environment variable and in no better
way. VALUE is id or access for that token, header for "Bearer " and the ID token, or
a text in which {id} and {access} stand for them. The tokens are fresh when the
command starts and do not change while it runs; every program that it starts can
read them. The exit status is the command's.`,
		Example: "  cogauth exec --env NPM_TOKEN=id -- npm install\n" +
			"  cogauth exec --env 'COMPOSER_AUTH={\"bearer\":{\"repo.example.com\":\"{access}\"}}' -- composer install",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.exec(cmd.Context(), args) },
	}
	c.Flags().StringArrayVar(&a.flags.env, "env", nil, "variable to set, NAME=id, NAME=access, NAME=header or NAME=TEXT with {id} or {access}; repeat it to set several")
	c.Flags().DurationVar(&a.flags.minTTL, "min-ttl", 24*time.Hour, "least time the tokens must be good for, at most half their life")
	c.Flags().Lookup("min-ttl").DefValue = "half their life"
	c.Flags().StringVar(&a.flags.interactive, "interactive", "", "whether to sign in if need be: never, auto or always (default never)")
	c.Flags().SetInterspersed(false) // the command's own flags are its own
	return c
}

func (a *app) exec(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return &usageError{errors.New("exec needs a command to run")}
	}
	if len(a.flags.env) == 0 {
		return &hintError{&usageError{errors.New("exec needs to know which variable the token belongs in")}, "such as --env NPM_TOKEN=id"}
	}
	if i := a.flags.interactive; i != "" {
		if err := a.setInteractive(i); err != nil {
			return err
		}
	}
	if a.flags.minTTL <= 0 {
		return a.setMinTTL("")
	}
	if err := a.tooDeep(); err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		a.say("error: %s", oneLine(fmt.Sprintf("%s cannot be run: %v", clean(args[0]), errors.Unwrap(err))))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
			return silent(exitNotFound)
		}
		return silent(exitNotExecutable) // a folder, or not allowed
	}
	env := os.Environ()
	tokens := map[cogauth.TokenType]string{}
	for _, setting := range a.flags.env {
		name, value, ok := strings.Cut(setting, "=")
		if !ok || !variableName(name) {
			return &hintError{&usageError{fmt.Errorf("--env is %q, not NAME=VALUE", clean(name))}, "such as --env NPM_TOKEN=id"}
		}
		value, err := a.fill(ctx, name, value, tokens)
		if err != nil {
			return err
		}
		env = withVariable(env, name, value)
	}
	return run(path, args, env)
}

// fill puts tokens into the text for a variable.
func (a *app) fill(ctx context.Context, name, value string, tokens map[cogauth.TokenType]string) (string, error) {
	switch value {
	case "id", "access":
		value = "{" + value + "}"
	case "header":
		value = "Bearer {id}"
	}
	var pairs []string
	for _, typ := range []cogauth.TokenType{cogauth.IDToken, cogauth.AccessToken} {
		mark := "{" + typ.String() + "}"
		if !strings.Contains(value, mark) {
			continue
		}
		if tokens[typ] == "" {
			t, err := a.give(ctx, typ)
			if err != nil {
				return "", err
			}
			tokens[typ] = t.value
		}
		pairs = append(pairs, mark, tokens[typ])
	}
	if pairs == nil {
		return "", &hintError{&usageError{fmt.Errorf("--env %s has no token in its value", name)}, "the value is id, access, header, or a text with {id} or {access}"}
	}
	return strings.NewReplacer(pairs...).Replace(value), nil
}

// give returns a token of the profile in force.
func (a *app) give(ctx context.Context, typ cogauth.TokenType) (given, error) {
	o := &cogauth.TokenOptions{Type: typ, Refresh: a.flags.refresh, MinTTL: a.flags.minTTL}
	if file := a.getenv(tokenFileVariable); file != "" {
		settings, err := a.settings()
		if err != nil {
			return given{}, err
		}
		return a.tokenFromFile(ctx, file, settings, typ)
	}
	s, err := a.session()
	if err != nil {
		return given{}, err
	}
	t, err := s.Token(ctx, o)
	if errors.Is(err, cogauth.ErrLoginRequired) && !s.demo && a.mayAsk(s.interactive) {
		t, err = a.loginForToken(ctx, s, o)
	}
	if err != nil {
		return given{}, s.explain(err)
	}
	return given{t.Reveal(), typ, t.ExpiresHere(), t.Issued()}, nil
}

func variableName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}) && (s[0] < '0' || s[0] > '9')
}

// withVariable sets a variable in an environment that may have it several times.
func withVariable(env []string, name, value string) []string {
	var rest []string
	for _, kv := range env {
		if n, _, _ := strings.Cut(kv, "="); n != name {
			rest = append(rest, kv)
		}
	}
	return append(rest, name+"="+value)
}
