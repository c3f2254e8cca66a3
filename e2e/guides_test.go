//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Acceptance 1: each of five guides sets up a user pool for a program of its own and hands its readers a
// few values. None of them has heard of cogauth, so its callback URL is missing everywhere at first.

// A3, A19, A20: Collate, or OpenMetadata, hands out a pool ID and a client ID, tells both to whoever asks
// its server, and listens on the port of our callback.
func TestGuideCollate(t *testing.T) {
	const poolID = "eu-west-1_Collate01"
	g := newGuide(t, cognitotest.Config{PoolID: poolID, DomainPrefix: "collate-demo", Clients: []cognitotest.AppClient{{
		ID: clientID, Name: "Collate", CallbackURLs: []string{"https://collate.example.com/callback"},
		Scopes: []string{"openid", "email", "profile"},
	}}})
	lockPort(t, 8586)
	user := g.pool.User()
	who := user.Attributes["email"]

	g.do("configure", "--user-pool-id", poolID, "--client-id", clientID)
	g.registersCallback(clientID, poolID)
	if kept := g.kept(); len(kept) > 0 {
		t.Errorf("gnome-keyring holds %q before the first sign-in, want nothing", kept)
	}
	tab := g.loginAs(who, g.types(user))
	screenshot(t, tab, "guide-collate")
	if claims := g.claims(); claims["aud"] != clientID || claims["iss"] != g.pool.Issuer() || claims["cognito:username"] != user.Username {
		t.Errorf("claims: got %v, want those of %s's ID token", claims, user.Username)
	}
	if got := g.do("whoami"); !strings.Contains(got, who) {
		t.Errorf("whoami: got %q, want %s in it", got, who)
	}
	g.logsOut("default", clientID)

	server := openMetadata(t, "127.0.0.1:0", g.pool.Issuer(), "https://collate.example.com/callback")
	g.do("configure", "--from", "http://localhost:"+port(server), "--profile", "om")
	if got := g.do("config", "explain", "--profile", "om"); !regexp.MustCompile(`(?m)^username_claim +email `).MatchString(got) {
		t.Errorf("config explain: got\n%s\nwant username_claim as the server has it", got)
	}
	g.loginAs(who, knows, "--profile", "om")
	g.logsOut("om", clientID, "--profile", "om")
	server.Close()
	for _, tunnel := range g.pool.Tunnels() {
		if strings.HasPrefix(tunnel.Target, "localhost:") || strings.HasPrefix(tunnel.Target, "127.") {
			t.Errorf("the proxy was asked for %s, want no loopback call", tunnel.Target)
		}
	}
	g.portTaken(who)
}

// portTaken has the server listen on the port of our callback, on every address, as it does by default.
func (g *guide) portTaken(who string) {
	t := g.t
	server := openMetadata(t, "0.0.0.0:8585", g.pool.Issuer(), ourCallback)
	g.do("configure", "--from", "http://localhost:8585", "--profile", "om")
	opened := g.lastOpened()
	o := g.want(8, "login", "--profile", "om")
	if !strings.Contains(o.stderr, ourCallback) || !strings.Contains(o.stderr, "OpenMetadata") {
		t.Errorf("login said\n%s\nwant the callback URL and whose port it is", stripAddress(o.stderr))
	}
	if g.lastOpened() != opened {
		t.Error("login opened the browser, whose answer OpenMetadata would get")
	}

	const spare = "http://localhost:8586/callback"
	g.do("configure", "--from", "http://localhost:8585", "--profile", "om", "--callback-url", ourCallback, "--callback-url", spare)
	g.register(clientID, spare)
	g.loginAt(8586, who, knows, "--profile", "om")
	before := g.stored("om", clientID)

	server.Close()
	g.loginAs(who, knows, "--profile", "om")
	if g.pool.Active(before) {
		t.Error("the refresh token of the sign-in before is active, want it revoked")
	}
	g.logsOut("om", clientID, "--profile", "om")
}

// openMetadata is a server that tells everybody how its own sign-in page signs in.
func openMetadata(t *testing.T, address, issuer, callback string) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/system/config/auth", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"provider": "aws-cognito", "providerName": "", "authority": issuer, "clientId": clientID, "callbackUrl": callback,
			"publicKeyUrls": []string{issuer + "/.well-known/jwks.json"}, "jwtPrincipalClaims": []string{"email", "preferred_username", "sub"},
			"enableSelfSignup": true, "clientType": "public",
		})
	})
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func port(s *httptest.Server) string { return fmt.Sprint(s.Listener.Addr().(*net.TCPAddr).Port) }

// piler knows its pool by Region and domain prefix alone, and has a confidential client. Its users come
// from elsewhere: one has no password yet, another a temporary one.
func TestGuidePiler(t *testing.T) {
	const clientSecret = "piler0example0secret0with0no0worth0at0all"
	imre := cognitotest.User{Username: "imre", Imported: true, Attributes: map[string]string{"email": "imre@example.com", "email_verified": "true"}}
	mona := cognitotest.User{Username: "mona", Password: "Temporary-1848", MustChangePassword: true, Attributes: map[string]string{"email": "mona@example.com", "email_verified": "true"}}
	g := newGuide(t, cognitotest.Config{Region: "eu-west-1", DomainPrefix: "piler-demo", Users: []cognitotest.User{imre, mona},
		Clients: []cognitotest.AppClient{{
			ID: clientID, Name: "piler", Secrets: []string{clientSecret},
			CallbackURLs: []string{"https://piler.example.com/auth/cognito.php"}, Scopes: []string{"openid", "email"},
		}}})

	values := []string{"configure", "--client-id", clientID, "--region", "eu-west-1", "--domain", "piler-demo"}
	g.fed(0, clientSecret+"\n", append(values, "--client-secret-stdin")...)
	if file, err := os.ReadFile(g.Dir + "/home/.config/cogauth/config.toml"); err != nil || strings.Contains(string(file), clientSecret) {
		t.Errorf("config.toml: got %v and the client secret %t, want a file without it", err, err == nil)
	}
	g.registersCallback(clientID, "USER_POOL_ID")
	if kept := g.kept(); !slices.Equal(kept, []string{"secret:default/" + clientID}) {
		t.Errorf("gnome-keyring holds %q before the first sign-in, want the client secret alone", kept)
	}

	imre.Password = "Chosen-By-Imre-1848"
	g.loginAs("imre@example.com", func(tab context.Context) {
		screenshot(t, tab, "guide-piler-sign-in")
		reach(t, tab, `a[href*="forgotPassword"]`)
		press(t, tab, kb.Enter)
		comesTo(t, tab, "/forgotPassword")
		enter(t, tab, "[autocomplete=username]", imre.Username)
		screenshot(t, tab, "guide-piler-forgot")
		press(t, tab, kb.Enter)
		enter(t, tab, "[autocomplete=one-time-code]", g.mailed("imre@example.com", tab))
		enter(t, tab, "[autocomplete=new-password]", imre.Password)
		screenshot(t, tab, "guide-piler-new-password")
		press(t, tab, kb.Enter)
	})
	if got := g.do("whoami"); !strings.Contains(got, "imre@example.com") {
		t.Errorf("whoami: got %q, want imre@example.com in it", got)
	}
	imres := g.stored("default", clientID)

	changed := mona
	changed.Password = "Chosen-By-Mona-1848"
	g.loginAs("mona@example.com", func(tab context.Context) {
		g.types(mona)(tab)
		enter(t, tab, "[autocomplete=new-password]", changed.Password)
		screenshot(t, tab, "guide-piler-change")
		press(t, tab, kb.Enter)
	}, "--switch-user")
	if g.pool.Active(imres) {
		t.Error("the refresh token of the person before is active, want it revoked")
	}
	// What was chosen is what counts from now on.
	g.loginAs("imre@example.com", g.types(imre), "--switch-user")
	g.loginAs("mona@example.com", g.types(changed), "--switch-user")

	// Without the secret nobody can tell before the code comes back.
	g.do(append(values, "--profile", "bare")...)
	o := g.want(7, "login", "--profile", "bare")
	for _, want := range []string{`"invalid_client"`, "configure --client-secret-stdin --profile bare"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("login without the secret said\n%s\nwant %q in it", stripAddress(o.stderr), want)
		}
	}
	tab := g.opened()
	shows(t, tab, "Not signed in", "as it is set up")
	screenshot(t, tab, "guide-piler-no-secret")
	g.fed(0, clientSecret+"\n", "configure", "--client-secret-stdin", "--profile", "bare")
	g.loginAs("mona@example.com", knows, "--profile", "bare")
	g.logsOut("bare", clientID, "--profile", "bare")
	g.logsOut("default", clientID)
	if !g.has("secret:default/"+clientID) || !g.has("secret:bare/"+clientID) {
		t.Errorf("gnome-keyring holds %q after signing out, want the client secrets of both profiles", g.kept())
	}
}

// mailed is the newest code that the pool has sent to an address, where the person reads it: on the page
// that stands for their mail, in another tab.
func (g *guide) mailed(to string, back context.Context) string {
	t := g.t
	t.Helper()
	var newest cognitotest.Message
	eventually(t, func() bool {
		for _, m := range g.pool.Outbox() {
			if m.To == to && !m.Time.Before(newest.Time) {
				newest = m
			}
		}
		return newest.Code != ""
	}, func() { t.Fatalf("the pool has sent nothing to %s", to) })
	tab, cancel := chromedp.NewContext(g.window)
	defer cancel()
	if err := chromedp.Run(tab); err != nil { // without a deadline, which would be the tab's
		t.Fatalf("open a tab: %v", err)
	}
	g.seen[chromedp.FromContext(tab).Target.TargetID] = true
	act(t, tab, chromedp.Navigate(g.pool.Domain()+"/outbox"))
	if text := pageText(tab); !strings.Contains(text, to) || !strings.Contains(text, newest.Code) {
		t.Errorf("the outbox shows\n%s\nwant the code for %s", text, to)
	}
	screenshot(t, tab, "guide-piler-outbox")
	act(t, back, cdppage.BringToFront())
	return newest.Code
}

// Pydio Cells knows its pool by the issuer, has a confidential client, goes by e-mail addresses, and
// wants its users signed out in the browser as well.
func TestGuidePydioCells(t *testing.T) {
	const (
		clientSecret = "cells0example0secret0with0no0worth0at0all"
		poolID       = "eu-west-1_Cells0001"
		bye          = "https://cells.example.com/logout"
	)
	g := newGuide(t, cognitotest.Config{PoolID: poolID, DomainPrefix: "cells-demo", Clients: []cognitotest.AppClient{{
		ID: clientID, Name: "Pydio Cells", Secrets: []string{clientSecret},
		CallbackURLs: []string{"https://cells.example.com/auth/dex/callback"}, LogoutURLs: []string{bye},
	}}})
	user := g.pool.User()
	who := user.Attributes["email"]

	values := []string{"configure", "--issuer", g.pool.Issuer(), "--client-id", clientID, "--username-claim", "email"}
	g.fed(0, clientSecret+"\n", append(values, "--logout-url", bye, "--client-secret-stdin")...)
	g.registersCallback(clientID, poolID)
	if kept := g.kept(); !slices.Equal(kept, []string{"secret:default/" + clientID}) {
		t.Errorf("gnome-keyring holds %q before the first sign-in, want the client secret alone", kept)
	}
	g.loginAs(who, g.types(user))
	if got := g.do("whoami"); !regexp.MustCompile(`(?m)^user +` + regexp.QuoteMeta(who) + `$`).MatchString(got) {
		t.Errorf("whoami: got %q, want %s for the user", got, who)
	}

	// Signing out on this machine leaves the browser signed in; --browser does not.
	g.logsOut("default", clientID)
	g.loginAs(who, knows)
	refresh := g.stored("default", clientID)
	if o := g.want(0, "logout", "--browser"); !strings.Contains(o.stderr, "the server has revoked the session") {
		t.Errorf("logout said\n%s\nwant that the server has revoked the session", stripAddress(o.stderr))
	}
	if g.pool.Active(refresh) || g.has("default/"+clientID) {
		t.Errorf("after logout: refresh token active %t, record found %t, want neither", g.pool.Active(refresh), g.has("default/"+clientID))
	}
	g.sentTo(g.opened(), bye)
	g.loginAs(who, g.types(user))

	// The same with an address that nobody has registered: nothing ends.
	refresh = g.stored("default", clientID)
	g.do(append(values, "--logout-url", "https://cells.example.com/bye")...)
	opened := g.lastOpened()
	o := g.want(7, "logout", "--browser")
	for _, want := range []string{"https://cells.example.com/bye is not among the app client's sign-out URLs", "register a sign-out URL"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("logout said\n%s\nwant %q in it", stripAddress(o.stderr), want)
		}
	}
	if g.lastOpened() != opened {
		t.Error("logout opened the browser at an address that the pool refuses")
	}
	if !g.pool.Active(refresh) || g.stored("default", clientID) != refresh {
		t.Error("the session was ended although the browser's could not be")
	}
	if claims := g.claims("--refresh"); claims["email"] != who {
		t.Errorf("claims after it: got %v, want %s's", claims, who)
	}
	g.loginAs(who, knows)
	g.logsOut("default", clientID)
}

// sentTo waits until the tab has gone to address, where nobody answers: the pool's proxy lets nothing
// through but the pool.
func (g *guide) sentTo(tab context.Context, address string) {
	t := g.t
	t.Helper()
	var last string
	eventually(t, func() bool {
		err := chromedp.Run(tab, chromedp.ActionFunc(func(ctx context.Context) error {
			at, entries, err := cdppage.GetNavigationHistory().Do(ctx)
			if err == nil && int(at) < len(entries) {
				last = entries[at].URL
			}
			return err
		}))
		return err == nil && last == address
	}, func() { t.Fatalf("the browser is at %q, want %q", strip(last), address) })
	host := strings.TrimPrefix(strings.TrimSuffix(address, "/logout"), "https://") + ":443"
	if !slices.Contains(g.pool.Tunnels(), cognitotest.Tunnel{Target: host, Refused: true}) {
		t.Errorf("the proxy was asked for %v, want %s among it", g.pool.Tunnels(), host)
	}
}

// F9: Programster's guide sets up a pool from scratch, and its readers forget a step each. Its users have
// groups with roles, one has a second factor, and tokens are short-lived.
func TestGuideProgramster(t *testing.T) {
	const (
		poolID = "eu-west-2_Prog00001"
		admin  = "arn:aws:iam::123456789012:role/admins"
		editor = "arn:aws:iam::123456789012:role/editors"
	)
	rose := cognitotest.User{Username: "rose", Password: "Enigma-At-Bletchley-1", Groups: []string{"admins", "editors"}, Attributes: map[string]string{"email": "rose@example.com"}}
	tom := cognitotest.User{Username: "tom", Password: "Colossus-At-Bletchley-1", Groups: []string{"editors"}, Attributes: map[string]string{"email": "tom@example.com"}, TOTPSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
	cfg := cognitotest.Config{
		PoolID: poolID, DomainPrefix: "programster", Users: []cognitotest.User{rose, tom},
		Groups: []cognitotest.Group{{Name: "admins", Role: admin, Precedence: 1}, {Name: "editors", Role: editor, Precedence: 2}},
		Clients: []cognitotest.AppClient{{
			ID: clientID, Name: "Programster", CallbackURLs: []string{"https://programster.example.com/callback"},
			Scopes: []string{"openid", "email"}, AllowedFlows: []string{"implicit"}, IDTokenValidity: 5 * time.Minute,
		}},
	}
	g := newGuide(t, cfg)
	pool := g.pool
	cfg.NoDomain = true
	g.lead(startAWS(t, cfg))

	g.do("configure", "--user-pool-id", poolID, "--client-id", clientID)
	g.refused(nil, `the user pool has no domain`, `(?m)^aws cognito-idp create-user-pool-domain --region eu-west-2 --user-pool-id `+poolID+` `)
	g.lead(pool) // the same, with the domain that it has been given
	g.registersCallback(clientID, poolID)
	g.refused(nil, `unauthorized_client`, `hint: enable the authorization code grant`, `(?m)^aws cognito-idp update-user-pool-client `)
	g.update(clientID, func(c *cognitotest.AppClient) { c.AllowedFlows = []string{"code"} })
	if kept := g.kept(); len(kept) > 0 {
		t.Errorf("gnome-keyring holds %q before the first sign-in, want nothing", kept)
	}

	g.loginAs("rose@example.com", g.types(rose))
	got := g.do("whoami")
	for _, want := range []string{`groups +admins, editors`, `roles +` + admin + `, ` + editor} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(got) {
			t.Errorf("whoami: got\n%s\nwant %s in it", got, want)
		}
	}
	claims := g.claims()
	if life, ok := lifetime(claims); !ok || life != 300 {
		t.Errorf("the ID token lives %v s, want 300", life)
	}
	if out := g.do("whoami", "--require-group", "admins"); out != "" {
		t.Errorf("whoami --require-group printed %q, want nothing", out)
	}

	g.loginAs("tom@example.com", func(tab context.Context) {
		g.types(tom)(tab)
		reach(t, tab, "[autocomplete=one-time-code]")
		screenshot(t, tab, "guide-programster-totp")
		press(t, tab, cognitotest.TOTP(tom.TOTPSecret, time.Now())+kb.Enter)
	}, "--switch-user", "--profile", g.also("tom", poolID))
	if o := g.want(4, "whoami", "--require-group", "admins", "--profile", "tom"); !strings.Contains(o.stderr, "tom@example.com is not in the group admins") || o.stdout != "" {
		t.Errorf("whoami --require-group of somebody else: got %q and\n%s\nwant the fact on standard error", o.stdout, o.stderr)
	}

	if err := pool.UpdateUser("rose", func(u *cognitotest.User) { u.Groups = []string{"editors"} }); err != nil {
		t.Fatal(err)
	}
	if err := pool.UpdateUser("tom", func(u *cognitotest.User) { u.Groups = []string{"editors", "admins"} }); err != nil {
		t.Fatal(err)
	}
	g.do("token", "--refresh")
	g.do("token", "--refresh", "--profile", "tom")
	if got := g.do("whoami"); !regexp.MustCompile(`(?m)^groups +editors$`).MatchString(got) || strings.Contains(got, admin) {
		t.Errorf("whoami after the change: got\n%s\nwant the group editors alone", got)
	}
	g.want(4, "whoami", "--require-group", "admins")
	g.do("whoami", "--require-group", "admins", "--profile", "tom")

	g.logsOut("default", clientID)
	g.logsOut("tom", clientID, "--profile", "tom")
}

// also configures one more profile with the values of the guide.
func (g *guide) also(profile, poolID string) string {
	g.t.Helper()
	g.do("configure", "--profile", profile, "--user-pool-id", poolID, "--client-id", clientID)
	return profile
}

// lifetime is the time between a token's iat and exp, in seconds.
func lifetime(claims map[string]any) (seconds float64, ok bool) {
	iat, ok1 := claims["iat"].(float64)
	exp, ok2 := claims["exp"].(float64)
	return exp - iat, ok1 && ok2
}

// A company signs in with its own identity provider, on a domain of its own, and its programs call an API
// that goes by access tokens.
func TestGuideFederated(t *testing.T) {
	const (
		poolID  = "eu-central-1_Corp00001"
		readAPI = "https://api.example.com/read"
	)
	grace := cognitotest.User{Username: "grace", Password: "Compiler-A-0-1952", Attributes: map[string]string{"email": "grace@example.com", "email_verified": "true"}}
	g := newGuide(t, cognitotest.Config{
		PoolID: poolID, DomainPrefix: "corp-sso", CustomDomain: "auth.example.com",
		ResourceServers:   []cognitotest.ResourceServer{{Identifier: "https://api.example.com", Scopes: []string{"read", "write"}}},
		IdentityProviders: []cognitotest.IdentityProvider{{Name: "Corp", Users: []cognitotest.User{grace}}},
		Clients: []cognitotest.AppClient{{
			ID: clientID, Name: "Corp tools", CallbackURLs: []string{"https://tools.example.com/callback"}, IdentityProviders: []string{"Corp"},
			Scopes: []string{"openid", readAPI, "https://api.example.com/write"},
		}},
	})

	g.do("configure", "--user-pool-id", poolID, "--client-id", clientID, "--scope", "openid", "--scope", readAPI, "--idp", "Corp")
	g.registersCallback(clientID, poolID)
	g.loginAs("grace@example.com", func(tab context.Context) {
		reach(t, tab, "[autocomplete=username]")
		if at := hostAt(t, tab); at == "auth.example.com" || strings.HasSuffix(at, ".amazoncognito.com") {
			t.Errorf("the browser is at %s, want the provider's own sign-in page", at)
		}
		if text := pageText(tab); !strings.Contains(text, "Corp") {
			t.Errorf("the page says\n%s\nwant the provider's name", text)
		}
		screenshot(t, tab, "guide-federated")
		enter(t, tab, "[autocomplete=username]", grace.Username)
		enter(t, tab, "[type=password]", grace.Password)
		press(t, tab, kb.Enter)
	})
	if n := g.pool.Count("login"); n > 0 {
		t.Errorf("the pool's own sign-in page was asked for %d times, want none", n)
	}
	if got := g.pool.Domain(); got != "https://auth.example.com" || !slices.Contains(g.pool.Tunnels(), cognitotest.Tunnel{Target: "auth.example.com:443"}) {
		t.Errorf("the domain is %s, and the proxy was asked for %v, want auth.example.com", got, g.pool.Tunnels())
	}

	claims := g.claims()
	identities, _ := claims["identities"].([]any)
	if len(identities) != 1 {
		t.Fatalf("identities: got %v, want one", claims["identities"])
	}
	if one, _ := identities[0].(map[string]any); one["providerName"] != "Corp" || one["userId"] != "grace" {
		t.Errorf("identities: got %v, want Corp's grace", one)
	}
	if claims["cognito:username"] != "Corp_grace" {
		t.Errorf("cognito:username: got %v, want Corp_grace", claims["cognito:username"])
	}

	api := resourceServer(t, g.pool)
	access := strings.TrimSpace(g.do("token", "--type", "access"))
	for _, tc := range []struct {
		what, path, token string
		status            int
	}{
		{"the access token", "/read", access, http.StatusOK},
		{"the access token, for a scope that was not asked for", "/write", access, http.StatusForbidden},
		{"the ID token", "/read", strings.TrimSpace(g.do("token")), http.StatusUnauthorized},
		{"no token", "/read", "", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tc.token)
		resp, err := api.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.status {
			t.Errorf("the API, given %s: got HTTP %d, want %d", tc.what, resp.StatusCode, tc.status)
		}
	}
	g.logsOut("default", clientID)
}

// resourceServer is an API that takes access tokens of the pool (RFC 6750 §2.1), made for one client and
// with the scope that its path names.
func resourceServer(t *testing.T, pool *cognitotest.Pool) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := pool.HTTPClient().Get(pool.Issuer() + "/.well-known/jwks.json")
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		var set jwks
		if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		claims, err := set.verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		exp, _ := claims["exp"].(float64)
		scope, _ := claims["scope"].(string)
		switch {
		case err != nil, claims["iss"] != pool.Issuer(), claims["token_use"] != "access", claims["client_id"] != clientID, float64(time.Now().Unix()) >= exp:
			w.WriteHeader(http.StatusUnauthorized)
		case !slices.Contains(strings.Fields(scope), "https://api.example.com"+r.URL.Path):
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	return server
}
