package cognitotest

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAuthorizeErrors(t *testing.T) {
	scoped := DefaultClient()
	noCode := AppClient{ID: "nocode", AllowedFlows: []string{"implicit"}}
	p := start(t, Config{Clients: []AppClient{scoped, noCode}})
	const page, client = "page", "client"
	tests := []struct {
		name  string
		where string // who is told
		code  string
		pairs []string
	}{
		{"no client", page, "Required parameters missing", []string{"client_id", "-"}},
		{"no redirect URI", page, "Required parameters missing", []string{"redirect_uri", "-"}},
		{"unknown client before bad redirect URI", page, "invalid_client", []string{"client_id", "x", "redirect_uri", "y"}},
		{"redirect URI with a slash more", page, "redirect_mismatch", []string{"redirect_uri", callback + "/"}},
		{"redirect URI with another port", page, "redirect_mismatch", []string{"redirect_uri", "http://localhost:9999/callback"}},
		{"redirect URI with another loopback name", page, "redirect_mismatch", []string{"redirect_uri", "http://127.0.0.1:8585/callback"}},
		{"redirect URI before the rest", page, "redirect_mismatch", []string{"redirect_uri", "y", "response_type", "-"}},
		{"no response_type", client, "invalid_request", []string{"response_type", "-"}},
		{"unknown response_type", client, "invalid_request", []string{"response_type", "id_token"}},
		{"implicit flow", client, "unauthorized_client", []string{"response_type", "token"}},
		{"client without the code flow", client, "unauthorized_client", []string{"client_id", "nocode"}},
		{"no challenge", client, "invalid_request", []string{"code_challenge", "-"}},
		{"no challenge method", client, "invalid_request", []string{"code_challenge_method", "-"}},
		{"plain challenge", client, "invalid_request", []string{"code_challenge_method", "plain"}},
		{"padded challenge", client, "invalid_request", []string{"code_challenge", challenge() + "="}},
		{"challenge before scope", client, "invalid_request", []string{"code_challenge", "-", "scope", "x"}},
		{"unknown scope", client, "invalid_scope", []string{"scope", "openid x"}},
		{"offline_access", client, "invalid_scope", []string{"scope", "openid offline_access"}},
		{"email without openid", client, "invalid_scope", []string{"scope", "email"}},
		{"prompt none with another", client, "invalid_request", []string{"prompt", "none login"}},
		{"bad max_age", client, "invalid_request", []string{"max_age", "-1"}},
		{"prompt none without a session", client, "login_required", []string{"prompt", "none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			location, err := p.UserAgent().Authorize(t.Context(), authorizeURL(p, tt.pairs...))
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			prefix := callback + "?"
			if tt.where == page {
				prefix = p.Domain() + "/error?"
			}
			if !strings.HasPrefix(location, prefix) {
				t.Fatalf("got a redirect to %s, want %s", location, prefix)
			}
			if got := u.Query().Get("error"); got != tt.code {
				t.Errorf("got error %q, want %q", got, tt.code)
			}
			if got := u.Query().Get("state"); tt.where == client && got != "canary-state" {
				t.Errorf("got state %q, want canary-state", got)
			}
			requests := p.Requests()
			if got := requests[len(requests)-1].Error; got != tt.code {
				t.Errorf("got %q on record, want %q", got, tt.code)
			}
		})
	}
}

func TestRepeatedParameterIsRefused(t *testing.T) {
	p := start(t, Config{})
	for _, tt := range []struct {
		extra, prefix string
		state         bool
	}{
		{"&scope=openid", callback + "?", true},
		{"&state=other", callback + "?", false}, // which one would be anybody's guess
		{"&redirect_uri=x", p.Domain() + "/error?", false},
	} {
		location, err := p.UserAgent().Authorize(t.Context(), authorizeURL(p)+tt.extra)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(location, tt.prefix) || !strings.Contains(location, "error=invalid_request") {
			t.Errorf("%s: got %s, want invalid_request at %s", tt.extra, location, tt.prefix)
		}
		if got := strings.Contains(location, "state="); got != tt.state {
			t.Errorf("%s: got a state %v, want %v", tt.extra, got, tt.state)
		}
	}
}

func TestDropErrorState(t *testing.T) {
	p := start(t, Config{DropErrorState: true})
	for _, tt := range []struct{ name, value, state string }{{"scope", "x", ""}, {"prompt", "none", "canary-state"}} {
		location, err := p.UserAgent().Authorize(t.Context(), authorizeURL(p, tt.name, tt.value))
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(location)
		if got := u.Query().Get("state"); got != tt.state {
			t.Errorf("%s=%s: got state %q, want %q", tt.name, tt.value, got, tt.state)
		}
	}
}

func TestScopeErrorPage(t *testing.T) {
	p := start(t, Config{ScopeErrorPage: true})
	location, err := p.UserAgent().Authorize(t.Context(), authorizeURL(p, "scope", "x"))
	if err != nil {
		t.Fatal(err)
	}
	if want := p.Domain() + "/error?error=invalid_scope&client_id=" + p.Client().ID; location != want {
		t.Errorf("got %s, want %s", location, want)
	}
}

func TestAuthorizeLeadsToLoginWithTheSameQuery(t *testing.T) {
	p := start(t, Config{})
	target := authorizeURL(p)
	location, err := p.UserAgent().Authorize(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(target, "/oauth2/authorize?", "/login?", 1); location != want {
		t.Errorf("got %s, want %s", location, want)
	}
}

func TestCallbackKeepsItsOwnQuery(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{CallbackURLs: []string{callback + "?a=b"}}}})
	got := signIn(t, p, p.UserAgent(), "redirect_uri", callback+"?a=b")
	if !strings.HasPrefix(got.String(), callback+"?a=b&code=") || !strings.HasSuffix(got.String(), "&state=canary-state") {
		t.Errorf("got %s, want a code and the state after a=b", got)
	}
}

func TestBrowserSession(t *testing.T) {
	c := newClock()
	p := start(t, Config{Now: c.Now})
	u := p.UserAgent()
	signIn(t, p, u)

	leads := func(what, want string, pairs ...string) {
		t.Helper()
		location, err := u.Authorize(t.Context(), authorizeURL(p, pairs...))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(location, want) {
			t.Errorf("%s: got %s, want %s…", what, location, want)
		}
	}
	login := p.Domain() + "/login?"
	c.add(59 * time.Minute)
	leads("within the hour", callback+"?code=")
	leads("prompt=none", callback+"?code=", "prompt", "none")
	leads("prompt=login", login, "prompt", "login")
	leads("young enough", callback+"?code=", "max_age", "3540")
	leads("too old", login, "max_age", "3539")
	leads("too old, silently", callback+"?error=login_required", "max_age", "60", "prompt", "none")
	// Use does not extend the session.
	c.add(time.Minute)
	leads("after the hour", login)
}

func TestLogout(t *testing.T) {
	const bye = "https://app.example/bye"
	p := start(t, Config{Clients: []AppClient{{LogoutURLs: []string{bye}}}})
	id := p.Client().ID
	tests := []struct {
		name, query, want string
		out               bool
	}{
		{"logout_uri", "client_id=" + id + "&logout_uri=" + url.QueryEscape(bye), bye, true},
		{"logout_uri wins", "client_id=" + id + "&logout_uri=" + url.QueryEscape(bye) + "&redirect_uri=" + url.QueryEscape(callback), bye, true},
		{"redirect_uri", "client_id=" + id + "&response_type=code&redirect_uri=" + url.QueryEscape(callback), p.Domain() + "/login?client_id=" + id, true},
		{"own page", "client_id=" + id + "&logout_uri=" + url.QueryEscape(p.Domain()+"/signed-out"), p.Domain() + "/signed-out", true},
		{"unregistered", "client_id=" + id + "&logout_uri=https://evil.example/", p.Domain() + "/error?error=Required", false},
		{"OpenID Connect's way", "post_logout_redirect_uri=" + url.QueryEscape(bye), p.Domain() + "/error?error=Required", false},
		{"unknown client", "client_id=x&logout_uri=" + url.QueryEscape(bye), p.Domain() + "/error?error=Required", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := p.UserAgent()
			signIn(t, p, u)
			location, err := u.Authorize(t.Context(), p.Domain()+"/logout?"+tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(location, tt.want) {
				t.Errorf("got %s, want %s…", location, tt.want)
			}
			location, err = u.Authorize(t.Context(), authorizeURL(p))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.HasPrefix(location, p.Domain()+"/login?"); got != tt.out {
				t.Errorf("got signed out %v, want %v", got, tt.out)
			}
		})
	}
}

func TestLogoutEndsTheSessionAtThePool(t *testing.T) {
	p := start(t, Config{})
	u := p.UserAgent()
	signIn(t, p, u)
	root, _ := url.Parse(p.Domain() + "/")
	kept := u.client.Jar.Cookies(root)
	if _, err := u.Authorize(t.Context(), p.Domain()+"/logout?client_id="+p.Client().ID+"&logout_uri="+url.QueryEscape(p.Domain()+"/signed-out")); err != nil {
		t.Fatal(err)
	}
	u.client.Jar.SetCookies(root, kept) // a thief's copy
	location, err := u.Authorize(t.Context(), authorizeURL(p))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(location, p.Domain()+"/login?") {
		t.Errorf("got %s, want the sign-in page", location)
	}
}
