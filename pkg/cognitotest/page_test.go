package cognitotest

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func loginURL(p *Pool, pairs ...string) string {
	return strings.Replace(authorizeURL(p, pairs...), "/oauth2/authorize?", "/login?", 1)
}

func TestSignInRejectsAndKeepsTheName(t *testing.T) {
	p := start(t, Config{})
	page, err := p.UserAgent().SignIn(t.Context(), authorizeURL(p), `<ada "&>`, "wrong-password")
	if err != ErrRefused {
		t.Fatalf("got error %v, want %v", err, ErrRefused)
	}
	if page.Status != http.StatusBadRequest {
		t.Errorf("got status %d, want 400", page.Status)
	}
	for _, want := range []string{
		`role="alert">Incorrect username or password.`, `value="&lt;ada &#34;&amp;&gt;"`, `aria-invalid="true" aria-describedby="problem"`,
		`aria-describedby="problem" autofocus>`, "<title>Error: ",
	} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("got no %s on the page, want it", want)
		}
	}
	if strings.Contains(page.Body, "wrong-password") {
		t.Error("got the password sent back, want it left out")
	}
}

func TestUsernameIgnoresCaseAndPasswordDoesNot(t *testing.T) {
	p := start(t, Config{})
	for _, tt := range []struct {
		username, password string
		ok                 bool
	}{
		{"ADA", p.User().Password, true},
		{" ada ", p.User().Password, true},
		{"ada", strings.ToLower(p.User().Password), false},
		{"ada", "", false},
		{"bob", p.User().Password, false},
	} {
		if got := submit(t, p, p.UserAgent(), loginURL(p), tt.username, tt.password) != ""; got != tt.ok {
			t.Errorf("%q: got signed in %v, want %v", tt.username, got, tt.ok)
		}
	}
}

func TestFormNeedsItsCSRFToken(t *testing.T) {
	p := start(t, Config{})
	u, other := p.UserAgent(), p.UserAgent()
	open := func(u *UserAgent) *form {
		page, _, err := u.hop(t.Context(), http.MethodGet, loginURL(p), nil)
		if err != nil {
			t.Fatal(err)
		}
		f := parseForm(page.Body)
		f.values.Set("username", p.User().Username)
		f.values.Set("password", p.User().Password)
		return f
	}
	good, foreign := open(u), open(other)
	send := func(u *UserAgent, csrf string) (page *Page, location string) {
		values := url.Values{"username": good.values["username"], "password": good.values["password"], "_csrf": {csrf}}
		page, location, err := u.hop(t.Context(), http.MethodPost, loginURL(p), values)
		if err != nil {
			t.Fatal(err)
		}
		return page, location
	}
	for name, token := range map[string]string{"none": "", "another browser's": foreign.values.Get("_csrf")} {
		if page, location := send(u, token); location != "" || page.Status != 400 || !strings.Contains(page.Body, "This page has expired") {
			t.Errorf("%s: got status %d, want 400 and the form again", name, page.Status)
		}
	}
	if _, location := send(p.UserAgent(), good.values.Get("_csrf")); location != "" {
		t.Error("got a browser without the cookie signed in, want it refused")
	}
	if _, location := send(u, good.values.Get("_csrf")); location == "" {
		t.Error("got the right token refused, want it taken")
	}
}

func TestCookies(t *testing.T) {
	p := start(t, Config{})
	u := p.UserAgent()
	page, _, err := u.hop(t.Context(), http.MethodGet, loginURL(p), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := page.Header.Get("Set-Cookie"); !regexp.MustCompile(`^XSRF-TOKEN=[0-9a-f-]{36}; Path=/; HttpOnly; SameSite=Lax$`).MatchString(got) {
		t.Errorf("got cookie %q, want XSRF-TOKEN, HttpOnly and Lax", got)
	}
	f := parseForm(page.Body)
	f.values.Set("username", p.User().Username)
	f.values.Set("password", p.User().Password)
	page, _, err = u.hop(t.Context(), http.MethodPost, p.Domain()+f.action, f.values)
	if err != nil {
		t.Fatal(err)
	}
	if got := page.Header.Get("Set-Cookie"); !regexp.MustCompile(`^cognito=[\w-]+; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax$`).MatchString(got) {
		t.Errorf("got cookie %q, want cognito, one hour, HttpOnly and Lax", got)
	}
}

func TestPrefill(t *testing.T) {
	p := start(t, Config{Prefill: true})
	_, body := get(t, p, loginURL(p))
	f := parseForm(body)
	if f.values.Get("username") != p.User().Username || f.values.Get("password") != p.User().Password {
		t.Error("got the form empty, want the demo user filled in")
	}
	if strings.Count(body, esc(p.User().Password)) != 2 || !strings.Contains(body, "Demo user") {
		t.Error("got no demo user shown, want one")
	}
	_, body = get(t, p, loginURL(p, "login_hint", "someone"))
	if f := parseForm(body); f.values.Get("username") != "someone" || f.values.Get("password") != "" {
		t.Error("got the demo user's password beside another name, want it left out")
	}
	p = start(t, Config{})
	if _, body = get(t, p, loginURL(p)); strings.Contains(body, p.User().Password) {
		t.Error("got the password on the page without Prefill, want it left out")
	}
}

func TestPagesAreSafeAndAccessible(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{Name: "<i>app</i>"}}})
	const evil = `"><script>alert(1)</script>`
	for name, target := range map[string]string{
		"sign-in":       loginURL(p, "login_hint", evil, "state", evil),
		"error":         p.Domain() + "/error?error=redirect_mismatch&client_id=" + url.QueryEscape(evil),
		"unknown error": p.Domain() + "/error?error=" + url.QueryEscape(evil),
		"signed out":    p.Domain() + "/signed-out",
		"not found":     p.Domain() + "/" + url.PathEscape(evil),
	} {
		resp, body := get(t, p, target)
		policy := resp.Header.Get("Content-Security-Policy")
		_, style, _ := strings.Cut(body, "<style>")
		style, _, _ = strings.Cut(style, "</style>")
		sum := sha256.Sum256([]byte(style))
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; form-action ") {
			t.Errorf("%s: got policy %q, want one that names the style sheet", name, policy)
		}
		for header, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("%s: got %s %q, want %q", name, header, got, want)
			}
		}
		for _, banned := range []string{"<script", "<i>", "style=", "src=", "http://www", "url("} {
			if strings.Contains(body, banned) {
				t.Errorf("%s: got %q on the page, want none", name, banned)
			}
		}
		for tag, want := range map[string]int{"<h1>": 1, "<main>": 1, `<html lang="en">`: 1, "not AWS": 1, `name="viewport"`: 1} {
			if got := strings.Count(body, tag); got != want {
				t.Errorf("%s: got %d of %s, want %d", name, got, tag, want)
			}
		}
	}
	_, body := get(t, p, loginURL(p))
	for _, want := range []string{`<label for="username">`, `id="username"`, `<label for="password">`, `id="password"`,
		`autocomplete="username"`, `autocomplete="current-password"`, "required"} {
		if !strings.Contains(body, want) {
			t.Errorf("got no %s on the sign-in page, want it", want)
		}
	}
}

// Browsers apply form-action to the redirect that follows the form.
func TestFormMayLeadToTheCallback(t *testing.T) {
	for redirectURI, want := range map[string]string{
		"http://localhost:8585/callback": "http://localhost:8585",
		"http://[::1]:8585/callback":     "http:", // the grammar has no IPv6 literals
		"https://app.example/cb?x=y":     "https://app.example",
		"myapp://callback":               "myapp:",
	} {
		p := start(t, Config{Clients: []AppClient{{CallbackURLs: []string{redirectURI}}}})
		resp, _ := get(t, p, loginURL(p, "redirect_uri", redirectURI))
		if got := resp.Header.Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' "+want+";") {
			t.Errorf("%s: got %q, want form-action %s", redirectURI, got, want)
		}
	}
}

// WCAG 2.2 §1.4.3 wants 4.5:1 for text, §1.4.11 3:1 for the edges of controls.
func TestContrast(t *testing.T) {
	light, dark, ok := strings.Cut(css, "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("got no dark colours, want some")
	}
	for name, sheet := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([\w-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(sheet, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "card", 4.5}, {"soft", "card", 4.5}, {"soft", "page", 4.5}, {"on-accent", "accent", 4.5},
			{"on-accent", "accent-hover", 4.5}, {"ink", "demo", 4.5}, {"soft", "demo", 4.5}, {"bad", "bad-back", 4.5},
			{"field", "card", 3}, {"accent", "card", 3}, {"bad", "card", 3},
		} {
			a, b := colours[pair.front], colours[pair.back]
			if got := (max(a, b) + .05) / (min(a, b) + .05); got < pair.least {
				t.Errorf("%s: got contrast %.2f of %s on %s, want %.1f", name, got, pair.front, pair.back, pair.least)
			}
		}
	}
}

// luminance is WCAG's relative luminance.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	channel := func(shift int) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*channel(16) + .7152*channel(8) + .0722*channel(0)
}

func TestParseForm(t *testing.T) {
	f := parseForm(`<p><input name=outside value=x><FORM Method='post' action="/a?b&amp;c"><input disabled name=a value=1/2>` +
		`<input type="hidden" name='b' value="&lt;&#34;"/><input name="c"><input = ></form><input name=late>`)
	if f == nil || f.method != "POST" || f.action != "/a?b&c" || f.values.Encode() != "a=1%2F2&b=%3C%22&c=" {
		t.Errorf("got %+v, want a POST to /a?b&c with a, b and c", f)
	}
}

func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{"<form>", "<form a", "<input =", `<input name="x`, "<", "<form method=post action='x'><input name=a value=b></form>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, page string) {
		if got := parseForm(page); got != nil && !strings.Contains(strings.ToLower(page), "<form") {
			t.Errorf("got a form out of %q, want none", page)
		}
	})
}

// TestEveryPageOfTheWayIsSafeAndAccessible goes through all the pages that have a form.
func TestEveryPageOfTheWayIsSafeAndAccessible(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	users := []User{DefaultUser(), imported(), {Username: "mary", MustChangePassword: true}, {Username: "tom", TOTPSecret: "JBSWY3DPEHPK3PXP"}}
	for i := range users {
		users[i].Attributes = map[string]string{"email": evil}
	}
	for _, classic := range []bool{false, true} {
		h := withPeople(t, Config{ClassicUI: classic, Users: users, Clients: []AppClient{{Name: "<i>app</i>"}}, IdentityProviders: []IdentityProvider{
			{Name: "<b>Acme"}, {Name: "Corp\"&", Type: "SAML"},
		}})
		password := DefaultUser().Password
		signIn := h.open("state", evil, "login_hint", evil)
		forgot := h.click(signIn, "Forgot your password?")
		code := h.submit(forgot, "username", evil)
		h.submit(forgot, "username", "grace")
		mfa := h.submit(signIn, "username", "tom", "password", password)
		change := h.submit(signIn, "username", "mary", "password", password)
		corp := h.click(signIn, `Continue with Corp"&`)
		pages := map[string]*Page{
			"sign-in": signIn, "refused": h.submit(signIn, "username", evil, "password", evil),
			"forgot": forgot, "code": code, "wrong code": h.submit(code, "code", evil, "new_password", "12345678"),
			"mfa": mfa, "wrong mfa": h.submit(mfa, "code", evil), "change": change, "short": h.submit(change, "new_password", evil[:7]),
			"outbox": h.must(h.u.Open(t.Context(), h.p.Domain()+"/outbox")), "corp": corp, "saml": h.submit(corp, "username", "ada", "password", password),
			"idpresponse": h.must(h.u.Open(t.Context(), h.p.Domain()+"/oauth2/idpresponse?state="+url.QueryEscape(evil))),
			"provider":    h.must(h.u.Open(t.Context(), h.p.where().idp+"/nobody/authorize")),
		}
		for name, page := range pages {
			if policy := page.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src "+styleHash()+"; form-action ") {
				t.Errorf("%s: got policy %q, want one that lets the style sheet in and nothing else", name, policy)
			}
			if strings.Contains(page.Body, `class="classic"`) != classic {
				t.Errorf("%s: got the look of the other generation", name)
			}
			for _, banned := range []string{"<script", "<i>", "<b>", `Corp"&<`, "style=", "src=", "url("} {
				if strings.Contains(page.Body, banned) {
					t.Errorf("%s: got %q on the page, want none", name, banned)
				}
			}
			for tag, want := range map[string]int{"<h1>": 1, "<main>": 1, `<html lang="en">`: 1, "on this computer. This is not": 1, `name="viewport"`: 1} {
				if got := strings.Count(page.Body, tag); got != want {
					t.Errorf("%s: got %d of %s, want %d", name, got, tag, want)
				}
			}
			// Each input that a person fills in has a label, and one thing has the focus.
			inputs := strings.Count(page.Body, "<input ") - strings.Count(page.Body, `type="hidden"`)
			if got := strings.Count(page.Body, "<label for="); got != inputs {
				t.Errorf("%s: got %d labels for %d inputs", name, got, inputs)
			}
			forms := len(parseForms(page.Body))
			if got := strings.Count(page.Body, " autofocus"); got != forms {
				t.Errorf("%s: got %d autofocus, want %d", name, got, forms)
			}
			if alert := strings.Contains(page.Body, `role="alert"`); alert != (page.Status == 400 && forms > 0) {
				t.Errorf("%s: got status %d and an alert %t, want both or neither", name, page.Status, alert)
			}
		}
	}
}

func TestFormFieldsAreCognitos(t *testing.T) {
	p := start(t, Config{})
	_, body := get(t, p, loginURL(p))
	f := parseForm(body)
	for _, name := range []string{"_csrf", "username", "password", "cognitoAsfData", "signInSubmitButton"} {
		if !f.has(name) {
			t.Errorf("got no field %s, want it", name)
		}
	}
}

func TestLanguages(t *testing.T) {
	h := withPeople(t, Config{Users: []User{DefaultUser(), {Username: "tom", TOTPSecret: "JBSWY3DPEHPK3PXP"}}, IdentityProviders: []IdentityProvider{{Name: "Acme"}}})
	for i := range dictionary {
		w := &dictionary[i]
		v := reflect.ValueOf(*w)
		for j := range v.NumField() {
			text, english := v.Field(j).String(), reflect.ValueOf(dictionary[0]).Field(j).String()
			if text == "" || strings.Count(text, "%s") != strings.Count(english, "%s") {
				t.Errorf("%s: got %q for %q, want a text with as many names", w.lang, text, english)
			}
		}
		h := h.again()
		page := h.open("lang", w.lang)
		for _, want := range []string{`<html lang="` + w.lang + `">`, "<h1>" + esc(w.signIn), esc(w.username), esc(w.password), esc(w.forgot),
			esc(strings.Replace(w.continueWith, "%s", "Acme", 1)), `<p class="note" lang="en">`} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("%s: got no %s, want it", w.lang, want)
			}
		}
		page = h.open() // the cookie remembers
		h.told(h.submit(page, "username", "ada", "password", "wrong-password"), w.wrong)
		if mfa := h.submit(page, "username", "tom", "password", DefaultUser().Password); !strings.Contains(mfa.Body, esc(w.mfaTitle)) {
			t.Errorf("%s: got %q for the second factor, want %q", w.lang, title(mfa), w.mfaTitle)
		}
	}
	// What has no words here is in English, and says so.
	for _, lang := range []string{"nl", "zh-TW", "tlh", `"><i>`} {
		if page := h.again().open("lang", lang); !strings.Contains(page.Body, `<html lang="en">`) || strings.Contains(page.Body, "<i>") {
			t.Errorf("%s: got another page than the English one", lang)
		}
	}
	classic := withPeople(t, Config{ClassicUI: true})
	page := classic.open("lang", "de", "login_hint", "grace")
	if !strings.Contains(page.Body, `<html lang="en">`) || parseForm(page.Body).values.Get("username") != "" {
		t.Error("got lang or login_hint in the classic hosted UI, want both ignored")
	}
}

func TestClassicErrorText(t *testing.T) {
	for classic, want := range map[bool]string{true: "An error was encountered with the requested page.", false: "The callback address is not registered"} {
		p := start(t, Config{ClassicUI: classic})
		_, body := get(t, p, p.Domain()+"/error?error=redirect_mismatch&client_id="+p.Client().ID)
		if !strings.Contains(body, "<h1>"+want+"</h1>") || !strings.Contains(body, "redirect_mismatch") || !strings.Contains(body, p.Client().ID) {
			t.Errorf("classic %t: got another page, want %q and what it is about", classic, want)
		}
	}
}

func TestPrefillAtAProvider(t *testing.T) {
	h := withPeople(t, Config{Prefill: true, Users: []User{imported()}, IdentityProviders: providers()})
	page := h.open()
	if strings.Contains(page.Body, "Demo user") {
		t.Error("got a password shown for somebody who has none, want none")
	}
	h.enters(h.submit(h.click(page, "Continue with Acme"))) // untouched
}

func TestLogoutErrorInPlace(t *testing.T) {
	p := start(t, Config{ErrorPagesInPlace: true})
	resp, body := get(t, p, p.Domain()+"/logout?client_id="+p.Client().ID+"&logout_uri=http%3A%2F%2Flocalhost%2F")
	if resp.StatusCode != 400 || !strings.Contains(body, esc("Required String parameter 'redirect_uri' is not present")) {
		t.Errorf("got %d, want 400 and the text that people look for", resp.StatusCode)
	}
}

// People search for this title, which is all that they see. The classic hosted UI needs no style.
func TestUnbrandedClientHasNoPages(t *testing.T) {
	for _, classic := range []bool{false, true} {
		h := withPeople(t, Config{ClassicUI: classic, Clients: []AppClient{{Unbranded: true}}, IdentityProviders: providers()})
		for _, path := range []string{"/oauth2/authorize?", "/login?", "/forgotPassword?"} {
			page := h.must(h.u.Open(t.Context(), strings.Replace(h.address(), "/oauth2/authorize?", path, 1)))
			if got := title(page) == "Login pages unavailable"; got == classic {
				t.Errorf("classic %t, %s: got %q", classic, path, title(page))
			}
		}
		h.open("identity_provider", "Acme")
		if got := h.p.Count("provider") > 0; got != classic {
			t.Errorf("classic %t: got sent to the provider %t, want %t", classic, got, classic)
		}
	}
}
