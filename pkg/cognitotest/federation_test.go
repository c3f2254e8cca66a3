package cognitotest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func providers() []IdentityProvider {
	grace := User{Username: "grace", Password: "Nanoseconds-1906", Attributes: map[string]string{"email": "grace@acme.example"}}
	return []IdentityProvider{
		{Name: "Acme", Identifiers: []string{"acme.example"}, Users: []User{grace}},
		{Name: "Corp", Type: "SAML", Users: []User{grace}},
	}
}

// atProvider goes to a provider's page and signs in there; a SAML provider has one more button.
func (h *person) atProvider(page *Page, name string) *Page {
	h.t.Helper()
	if !strings.Contains(page.Body, "stands for <strong>"+name+"</strong>") || strings.HasPrefix(page.URL, h.p.Domain()) {
		h.t.Fatalf("got %q on the pool's own origin, want the page that stands for %s", title(page), name)
	}
	page = h.submit(page, "username", "Grace", "password", "Nanoseconds-1906")
	if name == "Corp" {
		page = h.submit(page)
	}
	return page
}

func TestFederatedSignIn(t *testing.T) {
	clk := newClock()
	for i, name := range []string{"Acme", "Corp"} {
		h := withPeople(t, Config{Now: clk.Now, IdentityProviders: providers()})
		got := h.enters(h.atProvider(h.click(h.open(), "Continue with "+name), name))
		c := payload(t, got.ID)
		for claim, want := range map[string]any{
			"cognito:username": name + "_grace", "email": "grace@acme.example", "sub": nameUUID(name + "_grace"),
		} {
			if c[claim] != want {
				t.Errorf("%s: got %s %v, want %v", name, claim, c[claim], want)
			}
		}
		if listed(c["amr"]) != "fed" || listed(c["cognito:groups"]) != h.p.PoolID()+"_"+name {
			t.Errorf("%s: got amr %v and groups %v, want fed and the provider's group", name, c["amr"], c["cognito:groups"])
		}
		identities, err := json.Marshal(c["identities"])
		want := fmt.Sprintf(`[{"dateCreated":"%d","issuer":null,"primary":"true","providerName":"%s","providerType":"%s","userId":"grace"}]`,
			clk.Now().UnixMilli(), name, []string{"OIDC", "SAML"}[i])
		if err != nil || string(identities) != want {
			t.Errorf("%s: got identities %s, want %s", name, identities, want)
		}
		h.enters(h.open()) // the browser is signed in to the pool
	}
}

func TestProviderOfTheRequestComesAtOnce(t *testing.T) {
	h := withPeople(t, Config{IdentityProviders: providers()})
	h.enters(h.atProvider(h.open("idp_identifier", "acme.example"), "Acme"))
	other := h.again()
	other.enters(other.atProvider(other.open("identity_provider", "Corp"), "Corp"))
	direct := h.again()
	login := strings.Replace(direct.address("identity_provider", "Acme"), "/oauth2/authorize?", "/login?", 1)
	direct.enters(direct.atProvider(direct.must(direct.u.Open(t.Context(), login)), "Acme"))
	if n := h.p.Count("login"); n != 1 {
		t.Errorf("got %d requests for the sign-in page, want 1", n)
	}
	for _, name := range []string{"Acme", "Corp"} {
		at := h.address("identity_provider", name)
		other := h.again()
		other.enters(other.must(other.u.SignIn(t.Context(), at, "grace", "Nanoseconds-1906")))
		if _, err := h.again().u.SignIn(t.Context(), at, "grace", "wrong-password"); err != ErrRefused {
			t.Errorf("SignIn at %s: got %v, want %v", name, err, ErrRefused)
		}
	}
}

// /logout ends the pool's session and not the provider's; prompt=login and select_account ask there again.
func TestProviderKeepsThePersonSignedIn(t *testing.T) {
	h := withPeople(t, Config{IdentityProviders: providers()})
	h.enters(h.atProvider(h.open("identity_provider", "Acme"), "Acme"))
	signedOut := h.p.Domain() + "/signed-out"
	signOut := func() {
		t.Helper()
		h.must(h.u.Open(t.Context(), h.p.Domain()+"/logout?client_id="+h.p.Client().ID+"&logout_uri="+url.QueryEscape(signedOut)))
	}
	signOut()
	if page := h.open(); !strings.Contains(page.URL, "/login?") {
		t.Error("got signed in to the pool after signing out, want the sign-in page")
	}
	h.enters(h.open("identity_provider", "Acme"))
	h.enters(h.atProvider(h.open("identity_provider", "Acme", "prompt", "login"), "Acme"))
	signOut()
	h.enters(h.open("identity_provider", "Acme", "prompt", "consent"))
	signOut()
	h.enters(h.atProvider(h.open("identity_provider", "Acme", "prompt", "consent select_account"), "Acme"))
	// One cookie for both providers, and each knows its own people.
	h.enters(h.atProvider(h.open("identity_provider", "Corp", "prompt", "login"), "Corp"))
	signOut()
	h.enters(h.open("identity_provider", "Acme"))
}

func TestFederatedUserIsUpToDate(t *testing.T) {
	cfg := Config{IdentityProviders: providers()}
	h := withPeople(t, cfg)
	if err := h.p.UpdateUser("Acme_grace", func(*User) {}); err == nil {
		t.Error("before the first sign-in: got no error, want one")
	}
	first := h.enters(h.atProvider(h.open("identity_provider", "Acme"), "Acme"))
	if users := h.p.Users(); len(users) != 2 || users[1].Username != "Acme_grace" {
		t.Errorf("got %d users, want one more", len(users))
	}
	var kept *User
	err := h.p.UpdateUser("acme_Grace", func(u *User) {
		kept = u
		*u = User{Groups: append(u.Groups, "admins"), Attributes: map[string]string{"custom:team": "compilers", "email": "old@acme.example"}, Sub: u.Sub}
	})
	if err != nil {
		t.Fatal(err)
	}
	kept.Groups[0] = "changed from outside"
	again := payload(t, refresh(t, h.p, first.Refresh).ID)
	if again["cognito:username"] != "Acme_grace" || listed(again["cognito:groups"]) != h.p.PoolID()+"_Acme admins" || again["identities"] == nil {
		t.Errorf("got %v in %v, want Acme_grace with one more group", again["cognito:username"], again["cognito:groups"])
	}
	other := h.again() // what the provider says is brought in again, and the rest stays
	c := payload(t, other.enters(other.atProvider(other.open("identity_provider", "Acme"), "Acme")).ID)
	if c["email"] != "grace@acme.example" || c["custom:team"] != "compilers" || c["sub"] != payload(t, first.ID)["sub"] {
		t.Errorf("got %v, %v and another sub; want the provider's address, the team and the same sub", c["email"], c["custom:team"])
	}
	if err := h.p.UpdateUser("Acme_grace", func(u *User) { u.Disabled = true }); err != nil {
		t.Fatal(err)
	}
	other = h.again()
	q := other.landed(other.atProvider(other.open("identity_provider", "Acme"), "Acme"))
	if q.Get("error") != "invalid_request" || q.Get("error_description") != "User is not enabled" {
		t.Errorf("disabled: got %s, want invalid_request", q.Encode())
	}
}

func TestProviderErrorGoesToTheClient(t *testing.T) {
	idps := providers()
	idps[0].Error = "Acme Error - 401 error getting token"
	h := withPeople(t, Config{IdentityProviders: idps})
	q := h.landed(h.atProvider(h.open("identity_provider", "Acme"), "Acme"))
	if q.Get("error") != "invalid_request" || q.Get("error_description") != idps[0].Error || q.Get("state") != "canary-state" {
		t.Errorf("got %s, want invalid_request, the provider's error and the state", q.Encode())
	}
	if page := h.open(); !strings.Contains(page.URL, "/login?") || len(h.p.Users()) != 1 {
		t.Error("got a session or a user out of an error, want neither")
	}
}

func TestProviderAsksForTheRightPassword(t *testing.T) {
	idps := providers()
	idps[0].Users = append(idps[0].Users, User{Username: "mallory", Disabled: true})
	h := withPeople(t, Config{IdentityProviders: idps})
	page := h.open("identity_provider", "Acme", "login_hint", "grace")
	if got := parseForm(page.Body).values.Get("username"); got != "grace" {
		t.Errorf("got username %q filled in, want the hint", got)
	}
	h.told(h.submit(page, "username", "grace", "password", "wrong-password"), "Incorrect username or password.")
	h.told(h.submit(page, "username", "ada", "password", h.p.User().Password), "Incorrect username or password.") // the pool's own
	h.told(h.submit(page, "username", "mallory", "password", DefaultUser().Password), "User is disabled.")
	h.told(h.submit(page, "username", "grace", "password", "Nanoseconds-1906", "_csrf", "x"), dictionary[0].expired)
	own := h.again()
	own.told(own.signs("Acme_grace", "Nanoseconds-1906"), "Incorrect username or password.")
	h.enters(h.atProvider(page, "Acme"))
}

// A client without the pool's own users has no form for them, and takes none.
func TestClientOfOneProvider(t *testing.T) {
	h := withPeople(t, Config{IdentityProviders: providers(), Clients: []AppClient{{IdentityProviders: []string{"Acme"}}, {ID: "both"}}})
	page := h.open()
	if strings.Contains(page.Body, "<form") || strings.Contains(page.Body, "Corp") {
		t.Error("got a form or another provider, want one way only")
	}
	if _, err := h.u.Submit(t.Context(), page, nil); err != ErrNotOnPage {
		t.Errorf("got %v, want %v", err, ErrNotOnPage)
	}
	f := parseForm(h.open("client_id", "both").Body)
	f.values.Set("username", "ada")
	f.values.Set("password", h.p.User().Password)
	refused := h.must(h.u.follow(t.Context(), http.MethodPost, page.URL, f.values))
	h.told(refused, "Incorrect username or password.")
	h.enters(h.atProvider(h.click(page, "Continue with Acme"), "Acme"))
}

// A stranger must not be able to sign a person in as somebody else (RFC 6749 §10.12), or use an answer twice.
func TestProviderAnswersOneBrowserOnce(t *testing.T) {
	clk := newClock()
	h := withPeople(t, Config{Now: clk.Now, IdentityProviders: providers()})
	// answer signs in at Acme and returns where that leads, without going there.
	answer := func(h *person) string {
		t.Helper()
		page := h.open("identity_provider", "Acme", "prompt", "login")
		f := parseForm(page.Body)
		f.values.Set("username", "grace")
		f.values.Set("password", "Nanoseconds-1906")
		action, err := resolve(page.URL, f.action)
		if err != nil {
			t.Fatal(err)
		}
		_, location, err := h.u.hop(t.Context(), http.MethodPost, action, f.values)
		if err != nil || !strings.HasPrefix(location, h.p.Domain()+"/oauth2/idpresponse?code=") {
			t.Fatalf("got %v, want to be sent back to the pool", err)
		}
		return location
	}
	wentWrong := func(what string, h *person, target string) {
		t.Helper()
		if page := h.must(h.u.Open(t.Context(), target)); page.Status != http.StatusBadRequest || title(page) != "Something went wrong" {
			t.Errorf("%s: got %d %q, want 400 and “Something went wrong”", what, page.Status, title(page))
		}
	}
	other := h.again()
	good := answer(h)
	wentWrong("another browser", other, good)
	answer(other) // which has a cookie now
	wentWrong("another browser that has a cookie", other, good)
	second := answer(h)
	wentWrong("another sign-in's code", h, strings.Split(good, "&state=")[0]+"&state="+strings.Split(second, "&state=")[1])
	wentWrong("no state", h, strings.Split(good, "&state=")[0])
	wentWrong("nothing", h, h.p.Domain()+"/oauth2/idpresponse")
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	saml := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(u.Query().Get("code")))}, "RelayState": {u.Query().Get("state")}}
	if page := h.must(h.u.follow(t.Context(), http.MethodPost, h.p.Domain()+"/saml2/idpresponse", saml)); title(page) != "Something went wrong" {
		t.Errorf("an OIDC answer for SAML: got %q, want “Something went wrong”", title(page))
	}
	h.enters(h.must(h.u.Open(t.Context(), good)))
	wentWrong("again", h, good)
	clk.add(5*time.Minute + 1)
	wentWrong("late", h, second)
	answer(h)
	h.p.mu.Lock()
	said, asked := len(h.p.signIns.assertions), len(h.p.signIns.relays)
	h.p.mu.Unlock()
	if said != 1 || asked != 1 {
		t.Errorf("got %d answers and %d states kept, want the one of each that is still good", said, asked)
	}
	_, others, _ := strings.Cut(h.open("identity_provider", "Acme", "prompt", "login").URL, "&state=")
	others, _, _ = strings.Cut(others, "&")
	if page := h.must(h.u.Open(t.Context(), h.p.where().idp+"/Corp/sso?RelayState="+others)); page.Status != http.StatusBadRequest {
		t.Errorf("another provider's state: got %d, want 400", page.Status)
	}
	page := h.must(h.u.Open(t.Context(), h.p.where().idp+"/Acme/authorize?state=forged&redirect_uri="+url.QueryEscape("http://evil.example/")))
	if page.Status != http.StatusBadRequest || strings.Contains(page.Body, "evil") {
		t.Errorf("a forged state at the provider: got %d, want 400", page.Status)
	}
}

// Under AWS's names the provider is another site: its form comes without cookies that are Lax.
func TestFederationUnderAWSNames(t *testing.T) {
	h := begin(t, Config{IdentityProviders: providers()}, func(p *Pool) error { return p.StartAWS() })
	for _, name := range []string{"Acme", "Corp"} {
		h := h.again()
		_, location, err := h.u.hop(t.Context(), http.MethodGet, h.address("identity_provider", name), nil)
		if err != nil || !strings.HasPrefix(location, "https://idp.example/"+name+"/") {
			t.Fatalf("%s: got %v, want to be sent to idp.example", name, err)
		}
		page, _, err := h.u.hop(t.Context(), http.MethodGet, h.address("identity_provider", name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := page.Header.Get("Set-Cookie"); got != "" {
			t.Errorf("%s: got another cookie the second time, want the first kept", name)
		}
		h.enters(h.atProvider(h.open("identity_provider", name), name))
	}
	fresh, _, err := h.u.hop(t.Context(), http.MethodGet, h.address("identity_provider", "Corp"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fresh.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "csrf-state=") || !strings.HasSuffix(got, "; Path=/; HttpOnly; Secure; SameSite=None") {
		t.Error("got another cookie, want csrf-state, HttpOnly, Secure and SameSite=None")
	}
}

// The prefix domain is complete in itself: a person who came by it stays on it.
func TestFederationStaysOnItsDomain(t *testing.T) {
	h := withPeople(t, Config{CustomDomain: "auth.example.com", IdentityProviders: providers()})
	target := strings.Replace(h.address("identity_provider", "Acme"), h.p.Domain(), h.p.PrefixDomain(), 1)
	h.enters(h.atProvider(h.must(h.u.Open(t.Context(), target)), "Acme"))
	for _, name := range []string{"Acme", "Corp"} {
		h := h.again()
		page := h.must(h.u.Open(t.Context(), strings.Replace(target, "Acme", name, 1)))
		if want := "form-action 'self' " + h.p.PrefixDomain() + " " + h.callback + ";"; !strings.Contains(page.Header.Get("Content-Security-Policy"), want) {
			t.Errorf("%s: got %q, want %s", name, page.Header.Get("Content-Security-Policy"), want)
		}
	}
}
