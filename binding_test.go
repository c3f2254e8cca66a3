package cogauth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/idtoken"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// bodies notes every form that is sent, by host.
type bodies struct {
	next http.RoundTripper
	mu   sync.Mutex
	sent []string
}

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.GetBody != nil {
		body, err := r.GetBody()
		if err == nil {
			text := new(strings.Builder)
			buf := make([]byte, 64<<10)
			for {
				n, err := body.Read(buf)
				text.Write(buf[:n])
				if err != nil {
					break
				}
			}
			b.mu.Lock()
			b.sent = append(b.sent, r.URL.Host+" "+text.String())
			b.mu.Unlock()
		}
	}
	return b.next.RoundTrip(r)
}

// A profile that names another provider by now sends it neither the session's refresh token nor the
// client secret that were the first one's.
func TestNothingIsSentToAnotherProvider(t *testing.T) {
	const clientSecret = "CANARY_secret_CANARY_secret_CANARY"
	for name, edit := range map[string]func(l *lab, c *Config){
		"another domain": func(_ *lab, c *Config) { c.Issuer, c.Domain, c.Region = "", "auth.other.example", "eu-west-1" },
		"another issuer": func(_ *lab, c *Config) { c.Issuer = "https://other.example" },
		"another pool":   func(_ *lab, c *Config) { c.Issuer, c.UserPoolID = "", "eu-west-1_Another01" },
	} {
		t.Run(name, func(t *testing.T) {
			l := awsLab(t, func(p *cognitotest.Config) { p.Clients[0].Secrets = []string{clientSecret} })
			c := l.client(byDomain(l))
			if err := c.SetClientSecret(t.Context(), clientSecret); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Login(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			refresh := l.stored(c).refresh.Reveal()
			watch := &bodies{next: l.HTTPClient().Transport}
			other := l.client(func(cfg *Config) {
				edit(l, cfg)
				cfg.CacheDir, cfg.HTTPClient = c.cfg.CacheDir, &http.Client{Transport: watch}
			})
			if _, err := other.IDToken(t.Context()); !errors.Is(err, ErrLoginRequired) {
				t.Errorf("token: got %v, want ErrLoginRequired", err)
			}
			if _, err := other.Login(t.Context(), &LoginOptions{Timeout: 50 * time.Millisecond, NoBrowser: true}); err == nil {
				t.Error("login: got no error")
			}
			if err := other.Revoke(t.Context()); err == nil || l.stored(c) == nil {
				t.Errorf("revoke: got %v, want an error and the session kept", err)
			}
			if _, err := other.Logout(t.Context()); err == nil {
				t.Error("logout: got no error, though nobody was told")
			}
			for _, sent := range watch.sent {
				host, body, _ := strings.Cut(sent, " ")
				if strings.Contains(body, url.QueryEscape(refresh)) || strings.Contains(body, clientSecret) {
					t.Errorf("%s was sent the refresh token or the client secret", host)
				}
			}
			if _, err := other.clientSecret(t.Context()); !errors.Is(err, ErrForeignSecret) || !errors.Is(err, ErrMisconfigured) {
				t.Errorf("the secret: got %v, want ErrForeignSecret", err)
			}
		})
	}
}

// The pool behind a domain is remembered whatever else of the profile changes.
func TestDomainPinSurvivesOtherChanges(t *testing.T) {
	l := awsLab(t, nil)
	c := l.client(byDomain(l))
	if _, err := c.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	l.TamperIDToken(func(_, claims map[string]any) {
		claims["iss"] = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"
	})
	changed := l.client(func(cfg *Config) { byDomain(l)(cfg); cfg.Scopes = []string{"openid", "profile"} })
	if _, err := changed.Login(t.Context(), nil); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "another user pool") {
		t.Errorf("got %v, want that the domain belongs to another pool", err)
	}
}

// Revoke changes nothing here unless the server has confirmed.
func TestRevokeKeepsWhatTheServerWasNotTold(t *testing.T) {
	l := newLab(t, nil)
	c := l.signedIn(nil)
	l.Fail("revoke", cognitotest.Unavailable())
	if err := c.Revoke(t.Context()); !errors.Is(err, ErrOffline) || l.stored(c) == nil {
		t.Errorf("offline: got %v, want ErrOffline and the session kept", err)
	}
	l.Fail("revoke", cognitotest.Failure{})
	refresh := l.stored(c).refresh.Reveal()
	if err := c.Revoke(t.Context()); err != nil || l.Active(refresh) {
		t.Errorf("got %v, want it dead at the server", err)
	}
	l.wantNothingStored()
	if err := c.Revoke(t.Context()); err != nil {
		t.Errorf("without a session: got %v, want nothing", err)
	}
}

// Whatever is under the new name goes before a copy comes.
func TestMoveToOverwrites(t *testing.T) {
	l := newLab(t, nil)
	stale := l.client(func(c *Config) { c.Profile = "renamed" })
	if _, err := stale.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := stale.SetClientSecret(t.Context(), "stale-secret-stale-secret"); err != nil {
		t.Fatal(err)
	}
	if err := l.client(nil).MoveTo(t.Context(), stale, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := stale.Session(t.Context()); !errors.Is(err, ErrLoginRequired) {
		t.Errorf("got %v, want no session", err)
	}
	if has, err := stale.HasClientSecret(t.Context()); has || err != nil {
		t.Errorf("got %v, %v, want no secret", has, err)
	}
}

// Row 5 where only the domain is known: a name that does not exist is a wrong domain if AWS can be
// reached, and no network if it cannot.
func TestDomainThatDoesNotExist(t *testing.T) {
	for _, online := range []bool{true, false} {
		dial := func(_ context.Context, _, address string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(address)
			if online && host == "cognito-idp.eu-west-1.amazonaws.com" {
				client, server := net.Pipe()
				go func() {
					buf := make([]byte, 1024)
					server.Read(buf)
					server.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
				}()
				return client, nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		transport := &http.Transport{DialContext: dial, DialTLSContext: dial}
		l := newLab(t, nil)
		c := l.client(func(cfg *Config) {
			cfg.Issuer, cfg.Domain, cfg.Region, cfg.HTTPClient = "", "mistyped", "eu-west-1", &http.Client{Transport: transport}
		})
		_, err := c.Login(t.Context(), nil)
		if online && (!errors.Is(err, ErrMisconfigured) || !errors.Is(err, ErrNoDomain) || !strings.Contains(err.Error(), "no hosted UI at mistyped.auth.eu-west-1.amazoncognito.com")) {
			t.Errorf("online: got %v, want ErrNoDomain", err)
		}
		if !online && !errors.Is(err, ErrOffline) {
			t.Errorf("offline: got %v, want ErrOffline", err)
		}
		if len(l.opened) > 0 {
			t.Error("a browser was opened")
		}
		l.wantNothingStored()
	}
}

func TestSwitchUserWithoutAnEndSession(t *testing.T) {
	p := &provider.Provider{Metadata: provider.Metadata{AuthorizationEndpoint: "https://id.example.com/oauth2/authorize"}}
	got, err := url.Parse(newAttempt(p, Config{ClientID: "x"}, DefaultCallbackURL, LoginOptions{SwitchUser: true}).url)
	if err != nil || got.Host != "id.example.com" || got.Query().Get("prompt") != "login" {
		t.Errorf("got %s, %v, want the authorization endpoint with prompt=login", got, err)
	}
}

func TestExpectFoldsASCIIOnly(t *testing.T) {
	e, err := parseExpect("ceo@bank.example")
	if err != nil {
		t.Fatal(err)
	}
	if e.met(idtoken.Claims{"email": "ceo@ban\u212a.example"}) || !e.met(idtoken.Claims{"email": "CEO@Bank.Example"}) {
		t.Error("the Kelvin sign is taken for a k, or case counts")
	}
}

// What an error page says is reported when it is pasted, whatever the code; an error without state is
// quoted, and waits.
func TestPastedErrors(t *testing.T) {
	paste := func(line string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			if line == "" {
				<-ctx.Done()
				return "", ctx.Err()
			}
			s := line
			line = ""
			return s, nil
		}
	}
	l := newLab(t, nil)
	l.browser = func(context.Context, string) {}
	_, err := l.client(nil).Login(t.Context(), &LoginOptions{Pasted: paste(l.Domain() + "/error?error=server_error&error_description=oops")})
	var e *Error
	if !errors.As(err, &e) || e.Code != "server_error" || !errors.Is(err, ErrOffline) {
		t.Errorf("got %v, want server_error", err)
	}
	_, err = l.client(nil).Login(t.Context(), &LoginOptions{Timeout: 300 * time.Millisecond, Pasted: paste(l.callback + "?error=invalid_scope")})
	if !errors.Is(err, ErrLoginIncomplete) || !strings.Contains(err.Error(), "invalid_scope") {
		t.Errorf("got %v, want the unconfirmed error quoted", err)
	}
}

func TestDomainModeIsChecked(t *testing.T) {
	for _, cfg := range []Config{
		{Domain: "..", Region: "eu-west-1"}, {Domain: "myapp", Region: "x@evil.example/"}, {Domain: "myapp", Region: "eu.west"},
		{Domain: "-x", Region: "eu-west-1"}, {UserPoolID: "eu-west-1_A", LogoutURL: "javascript:alert(1)"},
	} {
		cfg.ClientID = "x"
		if _, err := New(cfg); !errors.Is(err, ErrMisconfigured) {
			t.Errorf("%+v: got %v, want ErrMisconfigured", cfg, err)
		}
	}
}
