package e2e

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// ending is a way for a login to end, and the page that says so.
type ending struct {
	name    string
	arrange func(t *testing.T, l *login) // before the browser goes to the sign-in page; may be nil
	err     error                        // what Login returns
	heading string
	text    string
}

var endings = []ending{
	{"success", nil, nil, "Signed in", "ada@example.com"},
	{"declined", func(_ *testing.T, l *login) {
		q := l.request.Query()
		l.answer = q.Get("redirect_uri") + "?" + url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}.Encode()
	}, cogauth.ErrRefused, "Not signed in", "declined"},
	{"refused", func(_ *testing.T, l *login) {
		l.pool.SignIDTokens(cognitotest.SignatureForeignKey)
	}, cogauth.ErrRefused, "Not signed in", "refused"},
	{"offline", func(_ *testing.T, l *login) {
		l.pool.Fail("token", cognitotest.Failure{CloseBefore: true})
	}, cogauth.ErrOffline, "Not signed in", "could not be reached"},
	{"misconfigured", func(_ *testing.T, l *login) { l.expired.Store(true) }, cogauth.ErrMisconfigured, "Not signed in", "as it is set up"},
	{"not-saved", func(_ *testing.T, l *login) { l.store.broken.Store(true) }, cogauth.ErrNotSaved, "Not signed in", "could not keep the session"},
	{"another-was-first", func(t *testing.T, l *login) {
		user := l.pool.User()
		// Of the profile as it was edited meanwhile: one that is the same would join the login.
		_, err := l.client(t, func(ctx context.Context, address string) error {
			_, err := l.pool.UserAgent().SignIn(ctx, address, user.Username, user.Password)
			return err
		}, "openid", "email").Login(t.Context(), nil)
		if err != nil {
			t.Fatalf("the other sign-in: got %v, want nil", err)
		}
	}, cogauth.ErrLoginIncomplete, "Not signed in", "Another sign-in"},
	{"interrupted", func(_ *testing.T, l *login) {
		l.pool.Fail("token", cognitotest.Failure{Hang: true})
		go func() {
			for l.pool.Count("token") == 0 && l.ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			l.cancel()
		}()
	}, context.Canceled, "Not signed in", "could not be completed"},
}

// login is one login of the façade, and what an ending can spoil.
type login struct {
	ctx     context.Context
	cancel  context.CancelFunc
	pool    *cognitotest.Pool
	store   brokenStore
	expired atomic.Bool // the certificate of the token endpoint
	cache   string

	request *url.URL // what the browser is asked to open
	answer  string   // what it opens instead, unless ""
}

// outcomePages ends a login in each way that has a page, and judges the page.
func outcomePages(t *testing.T, tab context.Context, axe string) {
	for _, o := range endings {
		t.Run(o.name, func(t *testing.T) {
			l := &login{cache: t.TempDir()}
			l.ctx, l.cancel = context.WithCancel(t.Context())
			defer l.cancel()
			l.pool, _ = startPool(t, cognitotest.Config{})
			asked, ended := make(chan string, 1), make(chan error, 1)
			client := l.client(t, func(_ context.Context, address string) error { asked <- address; return nil })
			go func() {
				_, err := client.Login(l.ctx, nil)
				ended <- err
			}()
			select {
			case address := <-asked:
				var err error
				if l.request, err = url.Parse(address); err != nil {
					t.Fatal(err)
				}
			case err := <-ended:
				t.Fatalf("Login: got %v, want it to ask for a browser", err)
			}
			if o.arrange != nil {
				o.arrange(t, l)
			}
			if l.answer != "" {
				act(t, tab, chromedp.Navigate(l.answer))
			} else {
				act(t, tab, network.ClearBrowserCookies(), chromedp.Navigate(l.request.String()))
				focus(t, tab, "#username")
				press(t, tab, l.pool.User().Username+kb.Tab+l.pool.User().Password+kb.Enter)
			}
			shows(t, tab, o.heading, o.text)
			select {
			case err := <-ended:
				if !errors.Is(err, o.err) {
					t.Errorf("Login: got %v, want %v", err, o.err)
				}
			case <-time.After(hang):
				t.Fatal("Login: hangs")
			}
			look(t, tab, axe, "outcome-"+o.name)
		})
	}
}

// client returns a client that shares the login's store.
func (l *login) client(t *testing.T, open func(context.Context, string) error, scopes ...string) *cogauth.Client {
	t.Helper()
	c, err := cogauth.New(cogauth.Config{
		Profile: "work", Issuer: l.pool.Issuer(), ClientID: l.pool.Client().ID, CallbackURLs: l.pool.Client().CallbackURLs,
		Store: &l.store, CacheDir: l.cache, HTTPClient: &http.Client{Transport: l}, OpenURL: open, Scopes: scopes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// RoundTrip implements http.RoundTripper.
func (l *login) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.expired.Load() && strings.HasSuffix(r.URL.Path, "/token") {
		return nil, x509.CertificateInvalidError{Reason: x509.Expired}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// brokenStore is a store that from some moment on takes no session.
type brokenStore struct {
	tokenstore.Memory
	broken atomic.Bool
}

// Put implements tokenstore.Store.
func (s *brokenStore) Put(ctx context.Context, name string, value []byte) error {
	if s.broken.Load() {
		return tokenstore.ErrBroken
	}
	return s.Memory.Put(ctx, name, value)
}
