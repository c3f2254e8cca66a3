package cogauth

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// A17: what the hosted UI tells the browser alone is known before a browser opens, by one request.
func TestA17Preflight(t *testing.T) {
	other := []string{"https://app.example.com/callback"}
	for _, tc := range []struct {
		name   string
		pool   func(*cognitotest.Config)
		client func(*Config)
		code   string
		words  string
	}{
		{"callback not registered", func(p *cognitotest.Config) { p.Clients[0].CallbackURLs = other }, nil, "redirect_mismatch", "is not registered"},
		{"unknown client", nil, func(c *Config) { c.ClientID = "nobody" }, "invalid_client", "no app client nobody"},
		{"scope not allowed, told to the client", nil, func(c *Config) { c.Scopes = []string{"openid", "admin"} }, "invalid_scope", ""},
		{"scope not allowed, told to the browser", func(p *cognitotest.Config) { p.ScopeErrorPage = true }, func(c *Config) { c.Scopes = []string{"openid", "admin"} }, "invalid_scope", "openid admin"},
		{"code grant not enabled", func(p *cognitotest.Config) { p.Clients[0].AllowedFlows = []string{"implicit"} }, nil, "unauthorized_client", ""},
	} {
		for _, mode := range []struct {
			name    string
			classic bool
		}{{"managed login", false}, {"classic hosted UI", true}} {
			t.Run(tc.name+", "+mode.name, func(t *testing.T) {
				l := newLab(t, func(p *cognitotest.Config) {
					p.ClassicUI = mode.classic
					if tc.pool != nil {
						tc.pool(p)
					}
				})
				shown := false
				_, err := l.client(tc.client).Login(t.Context(), &LoginOptions{ShowURL: func(string) { shown = true }})
				var e *Error
				if !errors.As(err, &e) || !errors.Is(err, ErrMisconfigured) || e.Code != tc.code || e.CallbackURL != l.callback {
					t.Fatalf("got %#v (%v), want ErrMisconfigured with the code %q and the callback", e, err, tc.code)
				}
				if !strings.Contains(err.Error(), tc.words) {
					t.Errorf("got %q, want %q in it", err, tc.words)
				}
				if shown || len(l.opened) > 0 {
					t.Error("the person was sent to the browser")
				}
				if got := l.Count("authorize"); got != 1 {
					t.Errorf("authorize requests: got %d, want 1", got)
				}
				l.wantNothingStored()
			})
		}
	}
}

// A17: a good login costs one more request, and no unclear answer makes it fail.
func TestA17PreflightIsHarmless(t *testing.T) {
	for _, tc := range []struct {
		name    string
		failure cognitotest.Failure
		opts    *LoginOptions
	}{
		{"a good one", cognitotest.Failure{}, nil},
		{"a firewall that dislikes us", cognitotest.Failure{Times: 1, Status: 403, ContentType: "text/html", Body: "<html><title>Blocked</title></html>"}, nil},
		{"a server error", cognitotest.Failure{Times: 1, Status: 500, Body: "oops"}, nil},
		{"a dropped connection", cognitotest.Failure{Times: 1, CloseBefore: true}, nil},
		{"a page of some other kind", cognitotest.Failure{Times: 1, Status: 200, ContentType: "text/html", Body: "<title>Hello</title>"}, nil},
		{"a redirect to somewhere else", cognitotest.Failure{Times: 1, Location: "https://example.com/error?error=redirect_mismatch"}, nil},
		{"an unknown error on the error page", cognitotest.Failure{Times: 1, Location: "/error?error=whatever"}, nil},
		{"a server error for the client", cognitotest.Failure{Times: 1, Location: "http://localhost:1/callback?error=invalid_scope"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, nil)
			if tc.failure != (cognitotest.Failure{}) {
				l.Fail("authorize", tc.failure)
			}
			if _, err := l.client(nil).Login(t.Context(), tc.opts); err != nil {
				t.Fatalf("got %v, want a login", err)
			}
			if got := l.Count("authorize"); got != 2 {
				t.Errorf("authorize requests: got %d, want ours and the browser's", got)
			}
		})
	}
	t.Run("prompt none is not taken for an error", func(t *testing.T) {
		l := newLab(t, nil)
		u := l.UserAgent()
		l.browser = func(ctx context.Context, url string) {
			u.SignIn(ctx, url, l.User().Username, l.User().Password)
		}
		c := l.client(nil)
		if _, err := c.Login(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Login(t.Context(), &LoginOptions{Prompt: "none"}); err != nil {
			t.Errorf("with a browser that is signed in: %v", err)
		}
	})
}

// B9: what the person chooses is in the URL, and nothing else is.
func TestB9AuthorizeURL(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  func(*Config)
		opts LoginOptions
		want map[string]string
	}{
		{"nothing", nil, LoginOptions{}, map[string]string{"prompt": "", "login_hint": "", "identity_provider": "", "idp_identifier": "", "lang": "", "resource": ""}},
		{"prompt and hint", nil, LoginOptions{Prompt: "login", LoginHint: "ada"}, map[string]string{"prompt": "login", "login_hint": "ada"}},
		{"provider by the profile", func(c *Config) { c.IdentityProvider = "Google" }, LoginOptions{}, map[string]string{"identity_provider": "Google"}},
		{"provider by the command", func(c *Config) { c.IdPIdentifier = "example.com" }, LoginOptions{IdentityProvider: "COGNITO"}, map[string]string{"identity_provider": "COGNITO", "idp_identifier": ""}},
		{"identifier", func(c *Config) { c.IdPIdentifier = "example.com" }, LoginOptions{}, map[string]string{"idp_identifier": "example.com", "identity_provider": ""}},
		{"language", func(c *Config) { c.Lang = "de" }, LoginOptions{Lang: "fr"}, map[string]string{"lang": "fr"}},
		{"resource", func(c *Config) { c.Resource = "https://api.example.com" }, LoginOptions{}, map[string]string{"resource": "https://api.example.com"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := New(Config{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "x"})
			if err != nil {
				t.Fatal(err)
			}
			if tc.cfg != nil {
				tc.cfg(&c.cfg)
			}
			p := provider.FromDomain(nil, "x", "myapp.auth.eu-west-1.amazoncognito.com")
			got, err := url.Parse(newAttempt(p, c.cfg, DefaultCallbackURL, c.withDefaults(&tc.opts)).url)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range tc.want {
				if v := got.Query().Get(name); v != want || got.Query().Has(name) != (want != "") {
					t.Errorf("%s: got %q, want %q", name, v, want)
				}
			}
		})
	}
}

// B9: to sign in as somebody else the browser is signed out on the way, where the provider can do that.
func TestB9SwitchUser(t *testing.T) {
	for _, classic := range []bool{false, true} {
		l := newLab(t, func(p *cognitotest.Config) {
			p.ClassicUI = classic
			p.Users = []cognitotest.User{{Username: "ada", Password: "first-password"}, {Username: "grace", Password: "second-password"}}
		})
		u := l.UserAgent()
		name, password := "ada", "first-password"
		l.browser = func(ctx context.Context, url string) { u.SignIn(ctx, url, name, password) }
		c := l.client(nil)
		if s, err := c.Login(t.Context(), nil); err != nil || s.Username != "ada" {
			t.Fatalf("got %v, %v, want ada", s, err)
		}
		name, password = "grace", "second-password"
		if s, err := c.Login(t.Context(), nil); err != nil || s.Username != "ada" {
			t.Errorf("an ordinary login: got %v, %v, want ada, by the browser's session", s, err)
		}
		if s, err := c.Login(t.Context(), &LoginOptions{SwitchUser: true}); err != nil || s.Username != "grace" {
			t.Errorf("classic %v: got %v, %v, want grace", classic, s, err)
		}
	}
	t.Run("another provider is asked to prompt", func(t *testing.T) {
		p := &provider.Provider{Metadata: provider.Metadata{AuthorizationEndpoint: "https://id.example.com/auth", EndSessionEndpoint: "https://id.example.com/end"}}
		got, _ := url.Parse(newAttempt(p, Config{ClientID: "x"}, DefaultCallbackURL, LoginOptions{SwitchUser: true}).url)
		if got.Path != "/auth" || got.Query().Get("prompt") != "login" {
			t.Errorf("got %s, want the authorization endpoint with prompt=login", got)
		}
	})
}

// B10: anybody but the expected person is refused; nothing is stored, nothing is left alive, and what
// was there stays.
func TestB10ExpectedPerson(t *testing.T) {
	const sub = "11111111-2222-3333-4444-555555555555"
	for _, tc := range []struct {
		expect string
		ok     bool
	}{
		{"ada@example.com", true}, {"ADA@Example.com", true}, {"@example.com", true}, {"@EXAMPLE.com", true}, {"sub:" + sub, true},
		{"grace@example.com", false}, {"da@example.com", false}, {"@ample.com", false}, {"@example.co", false}, {"@sub.example.com", false},
		{"sub:" + strings.ToUpper("a"+sub), false}, {"sub:ada@example.com", false},
	} {
		t.Run(tc.expect, func(t *testing.T) {
			l := newLab(t, func(p *cognitotest.Config) {
				p.Users = []cognitotest.User{{Username: "ada", Sub: sub, Attributes: map[string]string{"email": "ada@example.com"}}}
			})
			s, err := l.client(func(c *Config) { c.Expect = tc.expect }).Login(t.Context(), nil)
			if tc.ok {
				if err != nil || s.Username != "ada@example.com" {
					t.Errorf("got %v, %v, want a login", s, err)
				}
				return
			}
			if !errors.Is(err, ErrRefused) || !errors.Is(err, ErrUnexpectedPerson) || s != nil {
				t.Fatalf("got %v, %v, want ErrRefused and ErrUnexpectedPerson", s, err)
			}
			l.wantNothingStored()
			for _, secret := range l.Secrets() {
				if l.Active(secret) {
					t.Error("the refused person's session is alive at the server")
				}
			}
		})
	}
	t.Run("a session made before is kept, and used no more", func(t *testing.T) {
		l := newLab(t, nil)
		c := l.signedIn(nil)
		before := l.stored(c)
		strict := l.client(func(cfg *Config) { cfg.CacheDir, cfg.Expect = c.cfg.CacheDir, "somebody@else.example" })
		if _, err := strict.IDToken(t.Context()); !errors.Is(err, ErrLoginRequired) || !strings.Contains(err.Error(), "expected person") {
			t.Errorf("got %v, want ErrLoginRequired that names what changed", err)
		}
		if _, err := strict.Login(t.Context(), nil); !errors.Is(err, ErrUnexpectedPerson) {
			t.Errorf("got %v, want ErrUnexpectedPerson", err)
		}
		if now := l.stored(c); now == nil || now.session != before.session {
			t.Error("the session before is gone")
		}
	})
	for _, bad := range []string{"ada", "ada@", "@", "sub:", "a@b@c", "a b@c"} {
		if _, err := New(Config{UserPoolID: "eu-west-1_A", ClientID: "x", Expect: bad}); !errors.Is(err, ErrMisconfigured) {
			t.Errorf("Expect %q: got %v, want ErrMisconfigured", bad, err)
		}
	}
}

// G1: a session is used for nothing but what it was made for, pair by pair, and the mismatch is named.
func TestG1NoTwoPurposesShareASession(t *testing.T) {
	variants := []struct {
		name string
		edit func(*Config)
		word string
	}{
		{"plain", func(*Config) {}, ""},
		{"scopes", func(c *Config) { c.Scopes = []string{"openid", "profile"} }, "scopes"},
		{"identity provider", func(c *Config) { c.IdentityProvider = "COGNITO" }, "identity provider"},
		{"identifier", func(c *Config) { c.IdPIdentifier = "COGNITO" }, "identity provider"},
		{"resource", func(c *Config) { c.Resource = "https://api.example.com" }, "resource"},
		{"expected person", func(c *Config) { c.Expect = "ada@example.com" }, "expected person"},
		{"issuer", func(c *Config) { c.Issuer = strings.Replace(c.Issuer, "127.0.0.1", "localhost", 1) }, "user pool or issuer"},
	}
	for _, made := range variants {
		t.Run("made for "+made.name, func(t *testing.T) {
			l := newLab(t, nil)
			c := l.client(made.edit)
			// The record and the cache as a login leaves them, without one: not every variant could sign in.
			r := &record{session: newSessionID(), issuer: c.cfg.Issuer, purpose: c.purpose(), signedIn: l.clock.Now()}
			key, tok := newKeyEntry(r.session), sampleTokens()
			for name, value := range map[string][]byte{c.credential(): r.encode(), "key:" + c.credential(): key.encode()} {
				if err := l.store.Put(t.Context(), name, value); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.cache.write(c.seal(key, tok)); err != nil {
				t.Fatal(err)
			}
			for _, used := range variants {
				other := l.client(func(cfg *Config) { used.edit(cfg); cfg.CacheDir = c.cfg.CacheDir })
				_, err := other.IDToken(t.Context())
				if used.name == made.name {
					if err != nil {
						t.Errorf("the same purpose: %v", err)
					}
					continue
				}
				if !errors.Is(err, ErrLoginRequired) {
					t.Errorf("used for %s: got %v, want ErrLoginRequired", used.name, err)
				} else if !strings.Contains(err.Error(), made.word) || !strings.Contains(err.Error(), used.word) {
					t.Errorf("used for %s: got %q, want what changed", used.name, err)
				}
			}
		})
	}
	t.Run("a pool and its issuer are one", func(t *testing.T) {
		ids := map[purpose]bool{}
		for _, cfg := range []Config{
			{UserPoolID: "eu-west-1_AbC", ClientID: "x"},
			{Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC", ClientID: "x"},
			{Issuer: "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC", ClientID: "x"},
		} {
			c, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ids[c.purpose()] = true
		}
		if len(ids) != 1 {
			t.Errorf("got %v, want one purpose", ids)
		}
	})
}

// byDomain is a Config that knows the hosted UI and nothing of the pool.
func byDomain(l *lab) func(*Config) {
	return func(c *Config) {
		c.Issuer, c.Region = "", "eu-west-1"
		c.Domain = strings.TrimSuffix(strings.TrimPrefix(l.Domain(), "https://"), ".auth.eu-west-1.amazoncognito.com")
	}
}

// Without a pool ID the issuer is learnt from the first ID token and kept with the session; another
// pool behind the same domain is refused.
func TestDomainWithoutPoolID(t *testing.T) {
	l := awsLab(t, func(p *cognitotest.Config) { p.Clients[0].RefreshTokenRotation = true })
	c := l.client(byDomain(l))
	s, err := c.Login(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Issuer != l.Issuer() || l.stored(c).issuer != l.Issuer() {
		t.Errorf("got the issuer %s, want %s", s.Issuer, l.Issuer())
	}
	if l.Count("discovery") != 0 {
		t.Error("discovery was asked, though nobody can know where it is")
	}
	for range 2 {
		if _, err := l.client(byDomain(l)).Token(t.Context(), &TokenOptions{Refresh: true}); err != nil {
			t.Fatalf("refresh: %v", err)
		}
	}
	t.Run("a token of no user pool", func(t *testing.T) {
		for _, issuer := range []string{
			"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Evil", "https://evil.example/eu-west-1_Evil",
			"https://cognito-idp.eu-west-1.amazonaws.com.evil.example/eu-west-1_Evil", "https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_Evil",
			"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Evil/", "http://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Evil", "",
		} {
			l.TamperIDToken(func(_, claims map[string]any) { claims["iss"] = issuer })
			before := len(l.Tunnels())
			_, err := l.client(func(c *Config) { byDomain(l)(c); c.Profile = "fresh" }).Login(t.Context(), nil)
			l.TamperIDToken(nil)
			want := ErrRefused
			if strings.HasPrefix(issuer, "https://cognito-idp.us-east-1.amazonaws.com/") {
				want = ErrMisconfigured // region is wrong
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", issuer, err, want)
			}
			for _, s := range l.Secrets() {
				if l.Active(s) && s != l.stored(c).refresh.Reveal() {
					t.Errorf("%s: what was refused is alive at the server", issuer)
				}
			}
			for _, tunnel := range l.Tunnels()[before:] {
				if tunnel.Refused {
					t.Errorf("%s: somebody was asked for %s", issuer, tunnel.Target)
				}
			}
		}
	})
	t.Run("another pool than before", func(t *testing.T) {
		l.TamperIDToken(func(_, claims map[string]any) {
			claims["iss"] = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"
		})
		defer l.TamperIDToken(nil)
		before := l.stored(c).session
		if _, err := c.Login(t.Context(), nil); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "another user pool") {
			t.Errorf("got %v, want ErrRefused", err)
		}
		if l.stored(c).session != before {
			t.Error("the session before is gone")
		}
	})
	res, err := l.client(byDomain(l)).Logout(t.Context())
	if err != nil || !res.Revoked {
		t.Errorf("logout: got %+v, %v, want it revoked", res, err)
	}
}

// G6: endpoints are built in one place, and only for a domain.
func TestG6DomainForms(t *testing.T) {
	for _, tc := range []struct{ domain, region, want string }{
		{"myapp", "eu-west-1", "https://myapp.auth.eu-west-1.amazoncognito.com/oauth2/authorize"},
		{"myapp", "us-gov-west-1", "https://myapp.auth-fips.us-gov-west-1.amazoncognito.com/oauth2/authorize"},
		{"myapp.auth-fips.us-east-1.amazoncognito.com", "", "https://myapp.auth-fips.us-east-1.amazoncognito.com/oauth2/authorize"},
		{"Auth.Example.com", "eu-west-1", "https://auth.example.com/oauth2/authorize"},
	} {
		c, err := New(Config{Domain: tc.domain, Region: tc.region, ClientID: "x", Store: &faultyStore{}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.discover(t.Context())
		if err != nil || p.AuthorizationEndpoint != tc.want {
			t.Errorf("%s in %s: got %v, %v, want %s", tc.domain, tc.region, p, err, tc.want)
		}
	}
	for _, bad := range []Config{
		{Domain: "auth.example.com", ClientID: "x"}, {Domain: "myapp", ClientID: "x"}, {Domain: "https://myapp", Region: "eu-west-1", ClientID: "x"},
		{Domain: "myapp", Region: "eu-west-1", UserPoolID: "eu-west-1_A", ClientID: "x"},
	} {
		if _, err := New(bad); !errors.Is(err, ErrMisconfigured) {
			t.Errorf("%+v: got %v, want ErrMisconfigured", bad, err)
		}
	}
}

// A person can paste what the address bar shows: the callback, if it is this login's, or the error page.
func TestPasted(t *testing.T) {
	paste := func(lines ...string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			if len(lines) == 0 {
				<-ctx.Done()
				return "", ctx.Err()
			}
			line := lines[0]
			lines = lines[1:]
			return line, nil
		}
	}
	t.Run("the callback, also as https", func(t *testing.T) {
		for _, scheme := range []string{"http", "https"} {
			l := newLab(t, nil)
			u := l.UserAgent()
			l.browser = func(ctx context.Context, url string) { u.SignIn(ctx, url, l.User().Username, l.User().Password) }
			c := l.client(nil)
			if _, err := c.Login(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			// From now on the browser cannot reach this machine.
			l.browser = func(context.Context, string) {}
			shown := make(chan string, 1)
			_, err := c.Login(t.Context(), &LoginOptions{
				ShowURL: func(url string) { shown <- url },
				Pasted: func(ctx context.Context) (string, error) {
					select {
					case url := <-shown:
						location, err := u.Authorize(ctx, url)
						return "  " + strings.Replace(location, "http", scheme, 1) + "#\n", err
					case <-ctx.Done():
						return "", ctx.Err()
					}
				},
			})
			if err != nil || l.Count("token") != 2 {
				t.Errorf("%s: got %v and %d exchanges, want a login", scheme, err, l.Count("token"))
			}
		}
	})
	t.Run("a code without the state, somebody else's, and other addresses are refused", func(t *testing.T) {
		l := newLab(t, nil)
		l.browser = func(context.Context, string) {}
		_, err := l.client(nil).Login(t.Context(), &LoginOptions{
			Timeout: 300 * time.Millisecond,
			Pasted:  paste("0123-code", l.callback+"?code=x", l.callback+"?code=x&state=wrong", "https://evil.example/callback?code=x&state=y", "not a URL \x1b[2J"),
		})
		if !errors.Is(err, ErrLoginIncomplete) || l.Count("token") != 0 {
			t.Errorf("got %v and %d exchanges, want ErrLoginIncomplete and none", err, l.Count("token"))
		}
		if strings.Count(l.log.String(), "paste all of it") != 3 || strings.Count(l.log.String(), "another sign-in") != 2 {
			t.Errorf("the log does not say why:\n%s", l.log)
		}
	})
	t.Run("the error page", func(t *testing.T) {
		l := newLab(t, nil)
		l.browser = func(context.Context, string) {}
		_, err := l.client(nil).Login(t.Context(), &LoginOptions{Pasted: paste(l.Domain() + "/error?error=redirect_mismatch&client_id=x")})
		var e *Error
		if !errors.As(err, &e) || e.Code != "redirect_mismatch" || !errors.Is(err, ErrMisconfigured) || e.CallbackURL != l.callback {
			t.Errorf("got %v, want redirect_mismatch", err)
		}
	})
}

// F5: the browser's own session is ended at the address that the hosted UI has for it; one that is
// not registered is known beforehand.
func TestF5SignOutURL(t *testing.T) {
	const registered = "https://app.example.com/bye"
	l := newLab(t, func(p *cognitotest.Config) { p.Clients[0].LogoutURLs = []string{registered} })
	address, err := l.client(func(c *Config) { c.LogoutURL = registered }).SignOutURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := l.Domain() + "/logout?client_id=" + l.Client().ID + "&logout_uri=" + url.QueryEscape(registered)
	if address != want {
		t.Errorf("got %s, want %s", address, want)
	}
	for _, logoutURL := range []string{"", registered + "/"} {
		_, err := l.client(func(c *Config) { c.LogoutURL = logoutURL }).SignOutURL(t.Context())
		if !errors.Is(err, ErrMisconfigured) || !errors.Is(err, ErrNoLogoutURL) {
			t.Errorf("%q: got %v, want ErrNoLogoutURL", logoutURL, err)
		}
	}
}

// F9: changed groups are there after a forced refresh, and requirements go by them.
func TestF9ChangedGroupsAfterRefresh(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	s, err := c.Session(t.Context())
	if err != nil || !slices.Equal(s.Groups(), []string{"engineers"}) {
		t.Fatalf("got %v, %v, want engineers", s, err)
	}
	if err := l.UpdateUser("ada", func(u *cognitotest.User) { u.Groups = []string{"admins"} }); err != nil {
		t.Fatal(err)
	}
	before := s.Claims["iat"]
	l.clock.Advance(2 * time.Second)
	if _, err := c.Token(t.Context(), &TokenOptions{Refresh: true}); err != nil {
		t.Fatal(err)
	}
	s, err = c.Session(t.Context())
	if err != nil || !slices.Equal(s.Groups(), []string{"admins"}) || s.Claims["iat"] == before {
		t.Errorf("after a refresh: got %v, %v, want admins and a new iat", s.Groups(), err)
	}
}

// G7: a confidential client works with its secret, from the store, and says what is missing without it.
func TestG7ConfidentialClient(t *testing.T) {
	const clientSecret = "0123456789abcdefghijABCDEFGHIJ_CANARY"
	l := newLab(t, func(p *cognitotest.Config) { p.Clients[0].Secrets = []string{clientSecret} })
	c := l.client(nil)
	_, err := c.Login(t.Context(), nil)
	var e *Error
	if !errors.As(err, &e) || e.Code != "invalid_client" || !errors.Is(err, ErrMisconfigured) {
		t.Fatalf("without the secret: got %v, want invalid_client, misconfigured", err)
	}
	l.wantNothingStored()
	if err := c.SetClientSecret(t.Context(), clientSecret); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Login(t.Context(), nil); err != nil {
		t.Fatalf("with the secret: %v", err)
	}
	if _, err := c.Token(t.Context(), &TokenOptions{Refresh: true}); err != nil {
		t.Errorf("refresh: %v", err)
	}
	if res, err := c.Logout(t.Context()); err != nil || !res.Revoked {
		t.Errorf("logout: got %+v, %v, want it revoked", res, err)
	}
	if has, err := l.client(nil).HasClientSecret(t.Context()); !has || err != nil {
		t.Errorf("after logout the secret is there: %v, %v, want true", has, err)
	}
	for _, r := range l.Requests() {
		if r.HasAuthorizationHeader {
			t.Errorf("%s: the secret was sent in a header, want the body", r.Endpoint)
		}
	}
	if strings.Contains(l.log.String(), clientSecret) {
		t.Error("the log holds the client secret")
	}
	if err := c.SetClientSecret(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if has, _ := c.HasClientSecret(t.Context()); has {
		t.Error("the secret is still there")
	}
}

// A profile can be renamed: nobody has to sign in again, and nothing is left under the old name.
func TestMoveTo(t *testing.T) {
	l := newLab(t, func(p *cognitotest.Config) { p.Clients[0].RefreshTokenRotation = true })
	c := l.signedIn(nil)
	if err := c.SetClientSecret(t.Context(), "some-secret-or-other-1234"); err != nil {
		t.Fatal(err)
	}
	want, err := c.IDToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	renamed := l.client(func(cfg *Config) { cfg.Profile = "renamed" })
	if err := c.MoveTo(t.Context(), renamed, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := renamed.IDToken(t.Context()); err != nil || got != want {
		t.Errorf("the cached token did not come along: %v", err)
	}
	if err := renamed.SetClientSecret(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := renamed.Token(t.Context(), &TokenOptions{Refresh: true}); err != nil {
		t.Errorf("refresh: %v", err)
	}
	if _, err := renamed.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.wantNothingStored()
	if err := c.MoveTo(t.Context(), c, nil); !errors.Is(err, ErrMisconfigured) {
		t.Errorf("to itself: got %v, want ErrMisconfigured", err)
	}
}
