package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/poolfile"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/loopback"
)

// servePool runs a pool that a file describes.
func (a *app) servePool(ctx context.Context) error {
	if !a.flags.serve {
		return &usageError{errors.New("--pool is for demo --serve")}
	}
	cfg, err := poolfile.Load(a.flags.poolFile)
	if err != nil {
		return err
	}
	pool, err := cognitotest.New(cfg)
	if err != nil {
		return &hintError{&badPool{err}, "correct " + clean(a.flags.poolFile)}
	}
	if err := pool.Start(); err != nil {
		return fmt.Errorf("start the pool: %w", err)
	}
	defer pool.Close()
	return a.serve(ctx, pool)
}

// badPool is a description that makes no pool.
type badPool struct{ err error }

func (e *badPool) Error() string {
	return strings.ReplaceAll(strings.ReplaceAll(e.err.Error(), "cognitotest: ", ""), "\n", "; ")
}

// Is makes it exit status 7.
func (e *badPool) Is(target error) bool { return target == config.ErrInvalid }

// serve keeps a pool for other programs, until a signal. What it prints of passwords and secrets is
// the stand-in's own, and worthless anywhere else.
func (a *app) serve(ctx context.Context, pool *cognitotest.Pool) error {
	var b strings.Builder
	row := func(label, value string) { fmt.Fprintf(&b, "%-12s %s\n", label, value) }
	row("issuer", pool.Issuer())
	if pool.Domain() == "" {
		row("hosted UI", "none: this pool has no domain")
	} else {
		row("hosted UI", pool.Domain())
		row("outbox", pool.Domain()+"/outbox")
	}
	for _, c := range pool.Clients() {
		b.WriteByte('\n')
		row("client ID", c.ID)
		for _, s := range c.Secrets {
			row("secret", s)
		}
		for _, u := range c.CallbackURLs {
			row("callback", u)
		}
		row("scopes", strings.Join(c.Scopes, " "))
	}
	b.WriteByte('\n')
	people := func(users []cognitotest.User, at string) {
		for _, u := range users {
			row("user", u.Username+at)
			switch {
			case u.Imported:
				row("password", "none yet: \"Forgot your password?\", and the outbox")
			case u.MustChangePassword:
				row("password", u.Password+"  (to be changed at the first sign-in)")
			default:
				row("password", u.Password)
			}
			if u.TOTPSecret != "" {
				row("TOTP secret", u.TOTPSecret)
			}
		}
	}
	people(pool.Users(), "")
	for _, idp := range pool.IdentityProviders() {
		people(idp.Users, "  (at "+idp.Name+")")
	}
	b.WriteString("\nAs a profile in config.toml:\n\n")
	c := pool.Client()
	fmt.Fprintf(&b, "  [profiles.local]\n  issuer        = %q\n  client_id     = %q\n", pool.Issuer(), c.ID)
	if local := loopbackOnly(c.CallbackURLs); len(local) > 0 {
		fmt.Fprintf(&b, "  callback_urls = [\"%s\"]\n", strings.Join(local, `", "`))
	}
	b.WriteByte('\n')
	if err := a.print(b.String()); err != nil {
		return err
	}
	a.say("the pool runs until you press Ctrl-C; it answers on the loopback interface only")
	<-ctx.Done()
	return ctx.Err()
}

// loopbackOnly keeps the callbacks that cogauth can listen on.
func loopbackOnly(urls []string) []string {
	var local []string
	for _, u := range urls {
		if _, err := loopback.ParseCallbackURL(u); err == nil {
			local = append(local, u)
		}
	}
	return local
}
