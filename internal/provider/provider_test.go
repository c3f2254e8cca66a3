package provider

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/secret"
)

func TestDeps(t *testing.T) {
	deptest.Only(t, "golang.org/x/oauth2", "github.com/cogauth/cogauth/internal/secret")
}
func TestQuiet(t *testing.T) { deptest.Quiet(t) }

// idp is a provider that misbehaves as each test says.
type idp struct {
	*httptest.Server
	doc   map[string]any
	token http.HandlerFunc
}

func newIDP(t *testing.T, token http.HandlerFunc) *idp {
	t.Helper()
	p := &idp{token: token}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(p.doc)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) { p.token(w, r) })
	mux.HandleFunc("/revoke", func(w http.ResponseWriter, r *http.Request) { p.token(w, r) })
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	p.doc = map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/jwks", "revocation_endpoint": p.URL + "/revoke", "unknown_member": []int{1},
	}
	return p
}

func (p *idp) discover(t *testing.T) (*Provider, error) {
	t.Helper()
	return Discover(t.Context(), NewHTTPClient(nil, "cogauth-test"), "client", p.URL)
}

func kindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// S5: a document that names another issuer is refused, however close the name.
func TestS5SwitchedIssuerIsRefused(t *testing.T) {
	for _, issuer := range []string{"https://evil.example", "", "/", "#"} {
		p := newIDP(t, nil)
		p.doc["issuer"] = p.URL + issuer
		if issuer == "https://evil.example" || issuer == "" {
			p.doc["issuer"] = issuer
		}
		if _, err := p.discover(t); kindOf(err) != Misconfigured {
			t.Errorf("issuer %q: got %v, want Misconfigured", issuer, err)
		}
	}
}

func TestDiscoveryRefusesUnusableEndpoints(t *testing.T) {
	for name, value := range map[string]any{
		"authorization_endpoint": "http://elsewhere.example/authorize", // plain http to another machine
		"token_endpoint":         "",
		"jwks_uri":               "ftp://x/",
		"revocation_endpoint":    "https://user:pw@x/",
	} {
		p := newIDP(t, nil)
		p.doc[name] = value
		if _, err := p.discover(t); kindOf(err) != Misconfigured || !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %q: got %v, want Misconfigured naming it", name, value, err)
		}
	}
}

// G6: endpoints come from discovery and from nothing else; a host that differs from the issuer's is fine.
func TestG6EndpointsComeFromDiscovery(t *testing.T) {
	var hit atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hit.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"a","token_type":"Bearer"}`)
	}))
	defer other.Close()
	p := newIDP(t, nil)
	p.doc["token_endpoint"] = other.URL + "/a/custom/path"
	prov, err := p.discover(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prov.Refresh(t.Context(), secret.New("r")); err != nil || hit.Load() != 1 {
		t.Errorf("got %v and %d hits on the discovered endpoint, want 1", err, hit.Load())
	}
}

// The token request puts client parameters in the body, sends no Authorization header and probes nothing.
func TestTokenRequestForm(t *testing.T) {
	var requests []url.Values
	p := newIDP(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		requests = append(requests, r.PostForm)
		if r.Header.Get("Authorization") != "" {
			t.Error("an Authorization header was sent")
		}
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_client"}`)
	})
	prov, err := p.discover(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = prov.Exchange(t.Context(), "the-code", "the-verifier", "http://localhost:8585/callback"); kindOf(err) != Refused {
		t.Errorf("got %v, want Refused", err)
	}
	prov.Refresh(t.Context(), secret.New("the-refresh-token"))
	want := []url.Values{
		{"grant_type": {"authorization_code"}, "client_id": {"client"}, "code": {"the-code"}, "code_verifier": {"the-verifier"}, "redirect_uri": {"http://localhost:8585/callback"}},
		{"grant_type": {"refresh_token"}, "client_id": {"client"}, "refresh_token": {"the-refresh-token"}},
	}
	if got := fmt.Sprint(requests); got != fmt.Sprint(want) {
		t.Errorf("got  %s\nwant %s", got, fmt.Sprint(want))
	}
}

// F2: which failures mean "come back later" and which mean no.
func TestF2FailuresAreToldApart(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for _, tc := range []struct {
		name  string
		token http.HandlerFunc
		kind  Kind
		code  string
	}{
		{"invalid_grant", answer(400, `{"error":"invalid_grant"}`), Refused, "invalid_grant"},
		{"unauthorized_client", answer(400, `{"error":"unauthorized_client","error_description":"invalid_redirect"}`), Misconfigured, "unauthorized_client"},
		{"throttled as the API says it", answer(400, `{"error":"TooManyRequestsException"}`), Offline, "TooManyRequestsException"},
		{"throttled as HTTP says it", answer(429, ``), Offline, ""},
		{"server error", answer(500, `oops`), Offline, ""},
		{"unavailable", answer(503, `{"error":"temporarily_unavailable"}`), Offline, "temporarily_unavailable"},
		{"a firewall's page", answer(403, `<html>blocked</html>`), Refused, ""},
		{"success that is a web page", answer(200, `<html>sign in to this Wi-Fi</html>`), Refused, ""},
		{"success without an access token", answer(200, `{}`), Refused, ""},
		{"connection closed", func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			c.Close()
		}, Offline, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newIDP(t, tc.token)
			prov, err := p.discover(t)
			if err != nil {
				t.Fatal(err)
			}
			_, err = prov.Refresh(t.Context(), secret.New("CANARY-refresh"))
			var e *Error
			if !errors.As(err, &e) || e.Kind != tc.kind || e.Code != tc.code {
				t.Fatalf("got %#v (%v), want kind %d and code %q", e, err, tc.kind, tc.code)
			}
			if strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "html") {
				t.Errorf("the error repeats the request or the body: %v", err)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		p := newIDP(t, nil)
		prov, err := p.discover(t)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		// A connection that was kept may end with EOF before a new one is refused.
		if _, err := prov.Refresh(t.Context(), secret.New("r")); kindOf(err) != Offline || !strings.Contains(err.Error(), "cannot reach 127.0.0.1: ") {
			t.Errorf("got %v, want Offline and why", err)
		}
	})
	t.Run("the caller gave up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := newIDP(t, nil).discoverWith(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func (p *idp) discoverWith(ctx context.Context) (*Provider, error) {
	return Discover(ctx, NewHTTPClient(nil, "cogauth-test"), "client", p.URL)
}

// H5: no request follows a redirect, so nothing it carries reaches another host.
func TestH5RedirectsAreNotFollowed(t *testing.T) {
	var leaked atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := newIDP(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, status) })
		prov, err := p.discover(t)
		if err != nil {
			t.Fatal(err)
		}
		_, errToken := prov.Refresh(t.Context(), secret.New("r"))
		errRevoke := prov.Revoke(t.Context(), secret.New("r"))
		prov.JWKSURI = p.URL + "/token"
		_, errKeys := prov.FetchKeys(t.Context())
		for what, err := range map[string]error{"token": errToken, "revoke": errRevoke, "JWKS": errKeys} {
			if kindOf(err) != Refused {
				t.Errorf("%d from %s: got %v, want Refused", status, what, err)
			}
		}
	}
	redirecting := httptest.NewServer(http.RedirectHandler(thief.URL, 302))
	defer redirecting.Close()
	if _, err := Discover(t.Context(), NewHTTPClient(nil, ""), "client", redirecting.URL); err == nil {
		t.Error("discovery followed a redirect")
	}
	if n := leaked.Load(); n != 0 {
		t.Errorf("%d requests reached the other host", n)
	}
}

// H4: a host that accepts and never answers, and one that never accepts, both end. The bounds are
// 5 s and 15 s; ten times that is a hang.
func TestH4BlackHolesEnd(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
	defer cancel()
	base := "http://" + silent.Addr().String()
	_, err = Discover(ctx, NewHTTPClient(nil, ""), "client", base)
	if kindOf(err) != Offline || ctx.Err() != nil {
		t.Errorf("got %v (context: %v), want Offline by its own bound", err, ctx.Err())
	}
}

// H1: a private authority is trusted only when it is given, and then besides the system's roots.
func TestH1PrivateAuthority(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := "https://" + r.Host
		json.NewEncoder(w).Encode(map[string]string{"issuer": base, "authorization_endpoint": base, "token_endpoint": base, "jwks_uri": base})
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of the handshake that is refused
	server.StartTLS()
	defer server.Close()
	_, err := Discover(t.Context(), NewHTTPClient(nil, ""), "client", server.URL)
	if kindOf(err) != Misconfigured || !strings.Contains(err.Error(), "authority") {
		t.Errorf("got %v, want Misconfigured that speaks of the authority", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(server.Certificate())
	if _, err := Discover(t.Context(), NewHTTPClient(roots, ""), "client", server.URL); err != nil {
		t.Errorf("got %v with the authority given, want no error", err)
	}
}

// H2 is tested where HTTPS_PROXY is set, in whole processes; here: loopback is never proxied.
func TestPlainHTTPIsForLoopbackOnly(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://cognito-idp.eu-west-1.amazonaws.com/x": true,
		"http://127.0.0.1:8080":                         true,
		"http://[::1]:1/":                               true,
		"http://localhost:9000/x":                       true,
		"http://LOCALHOST/":                             true,
		"http://localhost.evil.example/":                false,
		"http://example.com":                            false,
		"http://10.0.0.1/":                              false,
		"http://127.0.0.1.evil.example/":                false,
		"ftp://localhost/":                              false,
		"https://":                                      false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := SecureURL(u); got != want {
			t.Errorf("SecureURL(%s) = %v, want %v", raw, got, want)
		}
	}
	_, err := NewHTTPClient(nil, "").Get("http://example.com/")
	if err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("got %v, want a refusal before any request", err)
	}
}

func TestPoolIssuers(t *testing.T) {
	for id, want := range map[string]string{
		"eu-west-1_AbCdEfGhI":      "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI",
		"us-gov-west-1_AbCdEfGhI":  "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbCdEfGhI",
		"eusc-de-east-1_AbCdEfGhI": "https://cognito-idp.eusc-de-east-1.amazonaws.eu/eusc-de-east-1_AbCdEfGhI",
	} {
		got := PoolIssuers(id)
		if got[0] != want || got[1] != strings.Replace(want, "https://", "https://issuer-", 1) {
			t.Errorf("PoolIssuers(%s) = %q", id, got)
		}
		if !IsCognito(got[0]) || !IsCognito(got[1]) {
			t.Errorf("%q are not recognised as Cognito's", got)
		}
	}
	for _, other := range []string{"https://id.example.com", "https://cognito-idp.eu-west-1.amazonaws.com.evil.example/x", "https://xcognito-idp.eu-west-1.amazonaws.com/"} {
		if IsCognito(other) {
			t.Errorf("%s was taken for Cognito", other)
		}
	}
}
