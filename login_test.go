package cogauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/cognitotest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

func TestLoginEndToEnd(t *testing.T) {
	l := newLab(t, nil)
	c := l.client(nil)
	s, err := c.Login(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Username != "ada@example.com" || !s.Refreshable || s.Issuer != l.Issuer() || s.Claims["token_use"] != "id" {
		t.Errorf("got %+v", s)
	}
	// Another program with the same profile uses the session without a browser or a request.
	before := len(l.Requests())
	other := l.client(func(cfg *Config) { cfg.CacheDir = c.cfg.CacheDir })
	tok, err := other.IDToken(t.Context())
	if err != nil || len(strings.Split(tok, ".")) != 3 {
		t.Errorf("got a token of %d bytes and %v", len(tok), err)
	}
	if got := len(l.Requests()); got != before {
		t.Errorf("the warm path made %d requests, want 0", got-before)
	}
	src, err := other.TokenSource(t.Context()).Token()
	if err != nil || !src.Valid() || src.Extra("id_token") != tok {
		t.Errorf("TokenSource: %v, or not the same session", err)
	}
}

// The warm path reads one entry of the store and takes no lock.
func TestWarmPathReadsOneEntry(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	l.store.reset()
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"get key:" + c.credential()}; !slices.Equal(l.store.calls, want) {
		t.Errorf("got store calls %q, want %q", l.store.calls, want)
	}
}

// S4: state, nonce and verifier are fresh for every login, long, and independent of each other.
func TestS4RequestParameters(t *testing.T) {
	l := newLab(t, nil)
	p, err := l.client(nil).discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 50 {
		a := newAttempt(p, l.client(nil).cfg, l.callback, LoginOptions{Prompt: "login", LoginHint: "a b&c"})
		u, err := url.Parse(a.url)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for name, want := range map[string]string{
			"response_type": "code", "client_id": l.Client().ID, "redirect_uri": l.callback, "scope": "openid email",
			"state": a.state.Reveal(), "nonce": a.nonce.Reveal(), "code_challenge": a.verifier.Challenge(),
			"code_challenge_method": "S256", "prompt": "login", "login_hint": "a b&c",
		} {
			if q.Get(name) != want {
				t.Fatalf("%s is %q, want %q", name, q.Get(name), want)
			}
		}
		if strings.Contains(a.url, a.verifier.Reveal()) || strings.Contains(u.RawQuery, "+") {
			t.Fatal("the URL holds the verifier, or a plus for a space")
		}
		for _, v := range []string{a.state.Reveal(), a.nonce.Reveal(), a.verifier.Reveal()} {
			if len(v) < 43 || seen[v] {
				t.Fatalf("a value of %d characters, or one used before", len(v))
			}
			seen[v] = true
		}
	}
}

// Cognito is never asked for offline_access; a provider that lists it is, with consent (Core §11).
func TestOfflineAccess(t *testing.T) {
	for _, tc := range []struct {
		name, issuer, prompt, wantScope, wantPrompt string
		supported                                   []string
	}{
		{"Cognito", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", "", "openid", "", []string{"openid", "offline_access"}},
		{"does not list it", "https://id.example", "login", "openid", "login", []string{"openid"}},
		{"lists it", "https://id.example", "", "openid offline_access", "consent", []string{"offline_access"}},
		{"lists it, with a prompt", "https://id.example", "login", "openid offline_access", "login consent", []string{"offline_access"}},
		{"lists it, silent", "https://id.example", "none", "openid offline_access", "none", []string{"offline_access"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &provider.Provider{Metadata: provider.Metadata{Issuer: tc.issuer, ScopesSupported: tc.supported, AuthorizationEndpoint: "https://id.example/a"}}
			a := newAttempt(p, Config{Scopes: []string{"openid"}, ClientID: "c"}, "http://localhost:1/", LoginOptions{Prompt: tc.prompt})
			u, _ := url.Parse(a.url)
			if got := u.Query(); got.Get("scope") != tc.wantScope || got.Get("prompt") != tc.wantPrompt {
				t.Errorf("got scope %q and prompt %q, want %q and %q", got.Get("scope"), got.Get("prompt"), tc.wantScope, tc.wantPrompt)
			}
		})
	}
}

// A6: a refresh never touches the callback port.
func TestA6RefreshWithCallbackPortTaken(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	squat(t, l.callback)
	if _, err := c.Token(t.Context(), &TokenOptions{Refresh: true}); err != nil {
		t.Error(err)
	}
	if _, err := c.Login(t.Context(), nil); !errors.Is(err, ErrLoginIncomplete) {
		t.Errorf("a login with the port taken: got %v, want ErrLoginIncomplete", err)
	}
	if n := len(l.opened); n != 1 {
		t.Errorf("%d browsers were opened, want the first login's only", n)
	}
}

// A9, A19: forged answers and a stranger's callback do not end a login; an error without state is
// quoted and becomes the reason only if nothing better comes.
func TestA9LoginSurvivesForgedAnswers(t *testing.T) {
	l := newLab(t, nil)
	genuine := l.browser
	l.browser = func(ctx context.Context, authorize string) {
		for range 20 {
			for _, q := range []string{"?code=stolen&state=wrong", "?error=access_denied", "?code=x", "?error=server_error&state=wrong"} {
				if resp, err := http.Get(l.callback + q); err == nil {
					if resp.StatusCode != http.StatusBadRequest {
						t.Errorf("%s: got %d, want 400", q, resp.StatusCode)
					}
					resp.Body.Close()
				}
			}
		}
		genuine(ctx, authorize)
	}
	if _, err := l.client(nil).Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if log := l.log.String(); !strings.Contains(log, "unconfirmed") || !strings.Contains(log, "another sign-in") {
		t.Errorf("the person was not told:\n%s", log)
	}
	if n := l.Count("token"); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

// A18: a login that nobody finishes ends by itself, and says what the browser brought last.
func TestA18TimeoutGivesTheUnconfirmedReason(t *testing.T) {
	l := newLab(t, nil)
	l.browser = func(context.Context, string) {
		if resp, err := http.Get(l.callback + "?error=invalid_scope&error_description=no%1b[31m"); err == nil {
			resp.Body.Close()
		}
	}
	_, err := l.client(nil).Login(t.Context(), &LoginOptions{Timeout: 500 * time.Millisecond})
	if !errors.Is(err, ErrLoginIncomplete) || !strings.Contains(err.Error(), "invalid_scope") || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("got %q, want ErrLoginIncomplete with a clean reason", err)
	}
}

// A14: when a login ends, however it ends, the port is free again at once.
func TestA14PortIsReleased(t *testing.T) {
	l := newLab(t, nil)
	l.browser = func(context.Context, string) {}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-l.opened
		cancel()
	}()
	c := l.client(nil)
	if _, err := c.Login(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	squat(t, l.callback)
}

// B3: an opener that fails, hangs for a while or does nothing never ends a login.
func TestB3FailingOpenerIsNotFatal(t *testing.T) {
	l := newLab(t, nil)
	c := l.client(func(cfg *Config) {
		cfg.OpenURL = func(context.Context, string) error { return errors.New("no such browser") }
	})
	_, err := c.Login(t.Context(), &LoginOptions{ShowURL: func(u string) { go l.browser(t.Context(), u) }})
	if err != nil {
		t.Fatal(err)
	}
}

// Without an opener of its own a program gets the system's; where there is none the login goes on.
func TestB3DefaultOpenerWithoutADisplay(t *testing.T) {
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} {
		t.Setenv(name, "")
	}
	l := newLab(t, nil)
	c := l.client(func(cfg *Config) { cfg.OpenURL = nil })
	if _, err := c.Login(t.Context(), &LoginOptions{ShowURL: func(u string) { go l.browser(t.Context(), u) }}); err != nil {
		t.Fatal(err)
	}
}

// B14: the browser is told of success only after exchange, verification and storage.
func TestB14PageTellsTheTruth(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*lab)
		want  string
		err   error
	}{
		{"success", func(*lab) {}, "ada@example.com", nil},
		{"exchange refused", func(l *lab) {
			l.Fail("token", cognitotest.Failure{Status: 400, Body: `{"error":"invalid_grant"}`, ContentType: "application/json"})
		}, "", ErrRefused},
		{"token does not verify", func(l *lab) {
			l.TamperIDToken(func(_, claims map[string]any) { claims["aud"] = "other" })
		}, "", ErrRefused},
		{"keys cannot be had", func(l *lab) { l.Fail("jwks", cognitotest.Failure{Status: 503}) }, "", ErrOffline},
		{"storing fails", func(l *lab) {
			l.store.before = func(act, name string, _ int) error {
				if act == "put" && !strings.HasPrefix(name, "test:") {
					return tokenstore.ErrBroken
				}
				return nil
			}
		}, "", ErrNotSaved},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, nil)
			tc.spoil(l)
			page := make(chan string, 1)
			l.browser = func(ctx context.Context, u string) {
				res, err := l.UserAgent().SignIn(ctx, u, l.User().Username, l.User().Password)
				if err != nil {
					page <- "error: " + err.Error()
					return
				}
				if strings.Contains(res.URL, "code=") {
					t.Errorf("S17: the last address holds the code")
				}
				page <- res.Body
			}
			_, err := l.client(nil).Login(t.Context(), nil)
			if !errors.Is(err, tc.err) {
				t.Fatalf("got %v, want %v", err, tc.err)
			}
			got := <-page
			if tc.err == nil && (!strings.Contains(got, tc.want) || !strings.Contains(got, "Signed in")) {
				t.Errorf("the page does not say who is signed in:\n%s", got)
			}
			if tc.err != nil && (strings.Contains(got, "<h1>Signed in") || strings.HasPrefix(got, "error:")) {
				t.Errorf("the page claims success, or there is none:\n%s", got)
			}
		})
	}
}

// C4: a store that fails at step n: before the browser opens, or the person still gets the token.
func TestC4StoreFailingAtEveryStep(t *testing.T) {
	for n := 1; ; n++ {
		l := newLab(t, nil)
		c := l.client(nil)
		failed := false
		l.store.before = func(_, _ string, i int) error {
			if i == n {
				failed = true
				return tokenstore.ErrBroken
			}
			return nil
		}
		s, err := c.Login(t.Context(), nil)
		if !failed {
			if n < 6 {
				t.Fatalf("a login makes only %d calls to the store", n-1)
			}
			break
		}
		switch {
		case err == nil:
			// The tokens could not be cached, but the record is there: nothing is lost.
			if l.stored(c) == nil {
				t.Errorf("step %d: success without a record", n)
			}
		case len(l.opened) == 0:
			if !errors.Is(err, tokenstore.ErrBroken) {
				t.Errorf("step %d: got %v, want the store's error", n, err)
			}
		default:
			if !errors.Is(err, ErrNotSaved) || !errors.Is(err, tokenstore.ErrBroken) || s == nil {
				t.Errorf("step %d: after the browser: got %v and session %v, want a SaveError with the session", n, err, s)
			}
			l.store.before = nil
			if tok, err := c.IDToken(t.Context()); err != nil || tok == "" {
				t.Errorf("step %d: the token was lost: %v", n, err)
			}
		}
	}
}

// F6: the new session is stored before the old grant is revoked.
func TestF6SupersededGrantIsRevokedAfterStoring(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	old := l.stored(c).refresh.Reveal()
	l.store.after = func(act, name string) {
		if act == "put" && name == c.credential() && !l.Active(old) {
			t.Error("the old grant was revoked before the new session was stored")
		}
	}
	if _, err := c.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if l.Active(old) {
		t.Error("the old grant is still alive")
	}
	if !l.Active(l.stored(c).refresh.Reveal()) {
		t.Error("the new grant is not alive")
	}
}

// F7: an abandoned or failed login leaves the working session untouched, at whatever stage it ends.
func TestF7AbandonedLoginChangesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*lab, context.CancelFunc){
		"cancelled while the browser is open": func(l *lab, cancel context.CancelFunc) { l.browser = func(context.Context, string) { cancel() } },
		"declined": func(l *lab, _ context.CancelFunc) {
			l.browser = func(_ context.Context, authorize string) {
				u, _ := url.Parse(authorize)
				if resp, err := http.Get(l.callback + "?error=access_denied&state=" + u.Query().Get("state")); err == nil {
					resp.Body.Close()
				}
			}
		},
		"exchange fails":     func(l *lab, _ context.CancelFunc) { l.Fail("token", cognitotest.Failure{Status: 500}) },
		"verification fails": func(l *lab, _ context.CancelFunc) { l.TamperIDToken(func(_, c map[string]any) { c["nonce"] = "x" }) },
		"the record is not accepted": func(l *lab, _ context.CancelFunc) {
			l.store.before = func(act, name string, _ int) error {
				if act == "put" && !strings.Contains(name, ":") {
					return tokenstore.ErrBroken
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			c := l.signedIn(nil)
			before := l.stored(c)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			spoil(l, cancel)
			if _, err := c.Login(ctx, nil); err == nil {
				t.Fatal("the login succeeded")
			}
			l.store.reset()
			l.Fail("token", cognitotest.Failure{})
			l.TamperIDToken(nil)
			after := l.stored(c)
			if after == nil || after.session != before.session || !after.refresh.Equal(before.refresh) {
				t.Fatal("the stored session has changed")
			}
			again := l.client(func(cfg *Config) { cfg.CacheDir = c.cfg.CacheDir })
			if _, err := again.Token(t.Context(), &TokenOptions{Refresh: true}); err != nil {
				t.Errorf("the old session does not work any more: %v", err)
			}
		})
	}
}

// S5: the answer must come from the issuer that was asked (RFC 9207), and the nonce must come back.
func TestS5MixUpAndMissingNonce(t *testing.T) {
	l := newLab(t, nil)
	genuine := l.browser
	l.browser = func(_ context.Context, authorize string) {
		u, _ := url.Parse(authorize)
		if resp, err := http.Get(l.callback + "?code=x&iss=https%3A%2F%2Fevil.example&state=" + u.Query().Get("state")); err == nil {
			resp.Body.Close()
		}
	}
	if _, err := l.client(nil).Login(t.Context(), nil); !errors.Is(err, ErrRefused) {
		t.Errorf("another issuer: got %v, want ErrRefused", err)
	}
	if n := l.Count("token"); n != 0 {
		t.Errorf("the code was sent to the token endpoint %d times, want 0", n)
	}
	l.browser = genuine
	l.TamperIDToken(func(_, claims map[string]any) { delete(claims, "nonce") })
	if _, err := l.client(nil).Login(t.Context(), nil); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "nonce") {
		t.Errorf("no nonce: got %v, want a refusal that names it", err)
	}
}

// Two logins at once: the second to finish is not stored over the first.
func TestSecondLoginToFinishIsNotStored(t *testing.T) {
	l := newLab(t, nil)
	c := l.client(nil)
	first := make(chan error, 1)
	genuine := l.browser
	l.browser = func(ctx context.Context, u string) {
		other := l.client(func(cfg *Config) {
			cfg.CacheDir = c.cfg.CacheDir
			cfg.OpenURL = func(ctx context.Context, u string) error { go genuine(ctx, u); return nil }
		})
		// The other program's login runs to its end while ours is open. It needs a port of its own,
		// so it goes through commit alone.
		r := &record{refresh: secret.New("other"), session: newSessionID(), issuer: l.Issuer(), purpose: other.purpose(), signedIn: l.clock.Now()}
		p, err := other.discover(ctx)
		if err == nil {
			_, err = other.commit(ctx, p, r, sampleTokens(), nil)
		}
		first <- err
		genuine(ctx, u)
	}
	_, err := c.Login(t.Context(), nil)
	if err1 := <-first; err1 != nil {
		t.Fatal(err1)
	}
	if !errors.Is(err, ErrLoginIncomplete) || l.stored(c).refresh.Reveal() != "other" {
		t.Errorf("got %v, want ErrLoginIncomplete and the first session kept", err)
	}
}

// N3: a login without a refresh token says so, works while its tokens do, and then asks for a login.
func TestN3LoginWithoutRefreshToken(t *testing.T) {
	l := newLab(t, func(cfg *cognitotest.Config) { cfg.OmitRefreshToken = true })
	c := l.client(nil)
	s, err := c.Login(t.Context(), nil)
	if err != nil || s.Refreshable {
		t.Fatalf("got %+v and %v, want a session that is not refreshable", s, err)
	}
	if _, err := c.IDToken(t.Context()); err != nil {
		t.Error(err)
	}
	l.clock.Advance(2 * time.Hour)
	if _, err := c.IDToken(t.Context()); !errors.Is(err, ErrLoginRequired) || !strings.Contains(err.Error(), "no refresh token") {
		t.Errorf("got %v, want ErrLoginRequired that says why", err)
	}
}

// squat takes the callback's port for the rest of the test.
func squat(t *testing.T, callback string) {
	t.Helper()
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Addr: "127.0.0.1:" + u.Port(), Handler: http.NotFoundHandler()}
	ln, err := listen(srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
}
