package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// The demo signs in to the stand-in pool that this program carries. It goes through the ordinary
// code path and leaves the person signed in on the reserved profile "demo", whose description lies
// in the cache folder: config.toml and the default profile are never touched.

// demoClientID is the same in every run, so that a new demo replaces the old one's session.
const demoClientID = "1h57kf5cpq17m0eml12EXAMPLE"

// demoCallbacks are all registered with the demo's client: a busy port must not spoil it.
var demoCallbacks = []string{
	"http://localhost:8585/callback", "http://localhost:8586/callback", "http://localhost:8587/callback", "http://localhost:8588/callback",
}

func (a *app) demoCommand() *cobra.Command {
	c := sub("demo", "Try it now: sign in to a stand-in user pool on this machine",
		`Start a stand-in Cognito user pool on the loopback interface, sign in to it as
to any other pool, and leave you signed in on the profile "demo". Nothing leaves
this machine and your configuration is not touched. Without a display, a
built-in HTTP client fills in the sign-in form.

With --serve the pool stays up for other programs: for developing against
Cognito without a network. --pool takes its description from a file.`,
		"  cogauth demo\n  cogauth demo --serve\n  cogauth demo --serve --pool examples/pools/programster.toml", a.demo)
	a.addLoginFlags(c)
	c.Flags().BoolVar(&a.flags.serve, "serve", false, "keep the pool running for other programs and print its settings")
	c.Flags().StringVar(&a.flags.poolFile, "pool", "", "with --serve: TOML file that describes the pool")
	_ = c.MarkFlagFilename("pool", "toml")
	return c
}

func demoPool() (*cognitotest.Pool, error) {
	pool, err := cognitotest.New(cognitotest.Config{
		DomainPrefix: "demo",
		Prefill:      true,
		Clients: []cognitotest.AppClient{{
			ID: demoClientID, Name: "cogauth demo", CallbackURLs: demoCallbacks, Scopes: []string{"openid", "email", "profile"},
		}},
		Users: []cognitotest.User{{
			Username: "alice", Password: "wonderland",
			Attributes: map[string]string{"email": "alice@example.com", "email_verified": "true", "name": "Alice Liddell"},
			Groups:     []string{"admins", "readers"},
		}},
	})
	if err != nil {
		return nil, err
	}
	return pool, pool.Start()
}

func (a *app) demo(ctx context.Context) error {
	if a.flags.poolFile != "" {
		return a.servePool(ctx)
	}
	pool, err := demoPool()
	if err != nil {
		return fmt.Errorf("start the demo pool: %w", err)
	}
	defer pool.Close()
	if a.flags.serve {
		return a.serve(ctx, pool)
	}
	d := &demoProfile{Issuer: pool.Issuer(), ClientID: demoClientID, Store: "keychain"}
	dir, err := a.demoDir()
	if err != nil {
		return err
	}
	store, err := a.demoStore(ctx, d, dir, pool)
	if err != nil {
		return err
	}
	// Whatever an earlier demo left belongs to a pool that has ended.
	for _, name := range []string{"demo/" + demoClientID, "key:demo/" + demoClientID} {
		if err := store.Delete(ctx, name); err != nil {
			return err
		}
	}
	client, err := a.demoClient(d, store)
	if err != nil {
		return err
	}
	a.say("a stand-in user pool is running at %s", pool.Domain())
	session, err := a.demoLogin(ctx, client, pool)
	if err != nil {
		return err
	}
	if err := d.save(dir); err != nil {
		return err
	}
	return a.demoNext(session)
}

// demoLogin is an ordinary login; only who operates the browser may differ.
func (a *app) demoLogin(ctx context.Context, client func(open openFunc) (*cogauth.Client, error), pool *cognitotest.Pool) (*cogauth.Session, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	byItself := func(ctx context.Context, url string) error {
		u := pool.User()
		if _, err := pool.UserAgent().SignIn(ctx, url, u.Username, u.Password); err != nil {
			cancel(fmt.Errorf("the built-in HTTP client could not sign in: %w", err))
		}
		return nil
	}
	open := a.openURL
	switch {
	case a.flags.noBrowser:
		a.say("no browser, as you asked: a built-in HTTP client fills in the form")
		open, a.unattended = byItself, true
	case runtime.GOOS == "linux" && a.getenv("DISPLAY") == "" && a.getenv("WAYLAND_DISPLAY") == "":
		a.say("no display here (DISPLAY, WAYLAND_DISPLAY): a built-in HTTP client fills in the form")
		open, a.unattended = byItself, true
	default:
		open = func(ctx context.Context, url string) error {
			err := a.openURL(ctx, url)
			if err == nil {
				return nil
			}
			a.say("no browser could be opened (%v): a built-in HTTP client fills in the sign-in form", err)
			return byItself(ctx, url)
		}
	}
	a.flags.noBrowser = false // the opener above is the browser
	c, err := client(open)
	if err != nil {
		return nil, err
	}
	s, err := a.signIn(ctx, c, nil)
	if cause := context.Cause(ctx); err != nil && errors.Is(err, context.Canceled) && ended(ctx) == nil && cause != nil {
		return nil, cause
	}
	return s, err
}

func (a *app) demoNext(s *cogauth.Session) error {
	a.say("the pool ends with this command; what it gave %s works for an hour. Try:", s.Username)
	fmt.Fprintln(a.err)
	var b strings.Builder
	for _, command := range []string{"whoami", "token", "status"} {
		fmt.Fprintf(&b, "  %s %s --profile demo\n", a.name(), command)
	}
	if err := a.print(b.String()); err != nil {
		return err
	}
	fmt.Fprintln(a.err)
	return nil
}

// demoProfile is what a later command must know of the demo.
type demoProfile struct {
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	Store    string `json:"store"` // "keychain" or "file"
}

func (a *app) demoDir() (string, error) {
	cache, err := config.CacheDir(a.env())
	return filepath.Join(cache, "demo"), err
}

func (d *demoProfile) save(dir string) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return writePrivate(filepath.Join(dir, "profile.json"), append(b, '\n'))
}

// demoStore is the keychain, or on a machine without one a private file.
func (a *app) demoStore(ctx context.Context, d *demoProfile, dir string, pool *cognitotest.Pool) (tokenstore.Store, error) {
	keychain := a.keychain(false)
	_, err := keychain.Get(ctx, "demo/"+demoClientID)
	switch {
	case err == nil, errors.Is(err, tokenstore.ErrNotFound):
		return keychain, nil
	case !errors.Is(err, tokenstore.ErrUnavailable):
		return nil, err
	}
	d.Store = "file"
	f := &demoFile{path: filepath.Join(dir, "session.json"), issued: pool.Issued}
	a.say("no keychain on this machine: the demo's session, worthless elsewhere, goes to a file;")
	a.say("no other session ever does: %s", f.path)
	return f, nil
}

type openFunc = func(context.Context, string) error

// demoClient returns a maker of the demo's client, for any opener of URLs.
func (a *app) demoClient(d *demoProfile, store tokenstore.Store) (func(openFunc) (*cogauth.Client, error), error) {
	cache, err := config.CacheDir(a.env())
	if err != nil {
		return nil, err
	}
	return func(open openFunc) (*cogauth.Client, error) {
		return cogauth.New(cogauth.Config{
			Profile: config.Reserved, Issuer: d.Issuer, ClientID: d.ClientID, CallbackURLs: demoCallbacks,
			Scopes: []string{"openid", "email", "profile"}, Store: store, CacheDir: cache,
			OpenURL: open, Logger: a.logger(), UserAgent: userAgent(),
		})
	}, nil
}

// demoSession opens the profile that a demo left behind.
func (a *app) demoSession() (*session, error) {
	dir, err := a.demoDir()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "profile.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &demoEnded{"no demo has been run yet"}
	}
	var d demoProfile
	if err != nil || json.Unmarshal(raw, &d) != nil {
		return nil, &demoEnded{"what the demo left behind cannot be read"}
	}
	var store tokenstore.Store = a.keychain(false)
	if d.Store == "file" {
		store = &demoFile{path: filepath.Join(dir, "session.json")}
	}
	client, err := a.demoClient(&d, store)
	if err != nil {
		return nil, err
	}
	c, err := client(a.openURL)
	if err != nil {
		return nil, err
	}
	return &session{Client: c, profile: config.Reserved, interactive: config.Never, demo: true}, nil
}

// demoEnded is the end of the demo's session.
type demoEnded struct{ fact string }

func (e *demoEnded) Error() string { return e.fact }

// Is makes it exit status 3.
func (e *demoEnded) Is(target error) bool { return target == cogauth.ErrLoginRequired }

// explain says of the demo's session what "offline" really means there.
func (s *session) explain(err error) error {
	over := errors.Is(err, cogauth.ErrOffline) || errors.Is(err, cogauth.ErrLoginRequired) || errors.Is(err, cogauth.ErrMisconfigured) || errors.Is(err, cogauth.ErrRefused)
	if !s.demo || !over {
		return err
	}
	return &hintError{&demoEnded{"the demo pool has ended; run demo again"}, "run {cogauth} demo"}
}
