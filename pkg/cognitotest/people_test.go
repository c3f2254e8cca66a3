package cognitotest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// person is somebody with a browser of their own who signs in to a program, step by step.
type person struct {
	t        *testing.T
	p        *Pool
	u        *UserAgent
	callback string
}

// withPeople starts a pool for a program that is there to be called back.
func withPeople(t *testing.T, cfg Config) *person {
	t.Helper()
	return begin(t, cfg, func(p *Pool) error { return p.Start() })
}

func begin(t *testing.T, cfg Config, start func(*Pool) error) *person {
	t.Helper()
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "landed") }))
	t.Cleanup(program.Close)
	if cfg.Clients == nil {
		cfg.Clients = []AppClient{{}}
	}
	for i := range cfg.Clients {
		cfg.Clients[i].CallbackURLs = []string{program.URL}
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := start(p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return &person{t, p, p.UserAgent(), program.URL}
}

// again is the person with another browser.
func (h *person) again() *person { return &person{h.t, h.p, h.p.UserAgent(), h.callback} }

func (h *person) address(pairs ...string) string {
	return authorizeURL(h.p, append([]string{"redirect_uri", h.callback}, pairs...)...)
}

func (h *person) open(pairs ...string) *Page {
	h.t.Helper()
	return h.must(h.u.Open(h.t.Context(), h.address(pairs...)))
}

func (h *person) submit(page *Page, pairs ...string) *Page {
	h.t.Helper()
	fields := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	return h.must(h.u.Submit(h.t.Context(), page, fields))
}

func (h *person) click(page *Page, text string) *Page {
	h.t.Helper()
	return h.must(h.u.Follow(h.t.Context(), page, text))
}

func (h *person) must(page *Page, err error) *Page {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	return page
}

// signs signs in with name and password, and returns the page after it.
func (h *person) signs(username, password string, pairs ...string) *Page {
	h.t.Helper()
	return h.submit(h.open(pairs...), "username", username, "password", password)
}

// landed returns what the program was called back with.
func (h *person) landed(page *Page) url.Values {
	h.t.Helper()
	u, err := url.Parse(page.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	if page.Body != "landed" {
		h.t.Fatalf("got to the page %q, want the program's callback", title(page))
	}
	return u.Query()
}

// enters fails the test unless page is the program's and it got a code, which it returns the tokens for.
func (h *person) enters(page *Page) tokens {
	h.t.Helper()
	q := h.landed(page)
	got := redeem(h.t, h.p, q.Get("code"), "redirect_uri", h.callback)
	if got.status != http.StatusOK || q.Get("state") != "canary-state" {
		h.t.Fatalf("got error %q, state right %t, then %d %s; want a code that is good", q.Get("error"), q.Get("state") == "canary-state", got.status, got.Error)
	}
	return got
}

func title(page *Page) string {
	_, rest, _ := strings.Cut(page.Body, "<title>")
	text, _, _ := strings.Cut(rest, "</title>")
	return text
}

// told fails the test unless the page shows that problem.
func (h *person) told(page *Page, problem string) {
	h.t.Helper()
	if page.Status != http.StatusBadRequest || !strings.Contains(page.Body, `role="alert">`+esc(problem)) || !strings.HasPrefix(title(page), "Error: ") {
		h.t.Errorf("got %d %q, want 400 and %q", page.Status, title(page), problem)
	}
}

func listed(v any) string {
	list, _ := v.([]any)
	var out []string
	for _, s := range list {
		text, _ := s.(string)
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func imported() User {
	return User{Username: "grace", Imported: true, Attributes: map[string]string{"email": "grace@example.com"}}
}

func TestUpdateUserShowsInTheNextToken(t *testing.T) {
	p := start(t, Config{})
	got := login(t, p)
	if err := p.UpdateUser("ADA", func(u *User) { u.Groups = append(u.Groups, "admins"); u.Attributes["name"] = "Ada King" }); err != nil {
		t.Fatal(err)
	}
	c := payload(t, refresh(t, p, got.Refresh).ID)
	if got := listed(c["cognito:groups"]); got != "engineers admins" || c["name"] != "Ada King" {
		t.Errorf("got groups %q and name %v after the refresh, want the new ones", got, c["name"])
	}
	if err := p.UpdateUser("ada", func(u *User) { u.Disabled = true }); err != nil {
		t.Fatal(err)
	}
	if again := refresh(t, p, got.Refresh); again.Error != "invalid_grant" {
		t.Errorf("disabled: got %d %s, want invalid_grant", again.status, again.Error)
	}
}

func TestUpdateUserIsAllOrNothing(t *testing.T) {
	p := start(t, Config{Users: []User{DefaultUser(), {Username: "bob", Groups: []string{"before"}}}})
	var kept *User
	for name, err := range map[string]error{
		"nobody":         p.UpdateUser("nobody", func(*User) { t.Error("got a change of nobody") }),
		"taken name":     p.UpdateUser("bob", func(u *User) { u.Username, u.Password = "Ada", "changed-all-the-same" }),
		"no TOTP secret": p.UpdateUser("bob", func(u *User) { u.TOTPSecret, u.Groups[0] = "not base32!", "changed-all-the-same" }),
	} {
		if err == nil || strings.Contains(err.Error(), "base32!") {
			t.Errorf("%s: got error %v, want one without a secret", name, err)
		}
	}
	if got := p.Users()[1]; got.Username != "bob" || got.Password != DefaultUser().Password || got.TOTPSecret != "" || got.Groups[0] != "before" {
		t.Error("got bob changed by halves, want him as he was")
	}
	if err := p.UpdateUser("bob", func(u *User) { kept, u.Groups = u, []string{"a"} }); err != nil {
		t.Fatal(err)
	}
	kept.Groups[0], kept.Password = "b", "x"
	if got := p.Users()[1]; got.Groups[0] != "a" || got.Password == "x" {
		t.Error("got a change from outside after UpdateUser, want none")
	}
}

// Run with -race: tokens are read while an administrator is at work.
func TestUpdateUserWhilePeopleSignIn(t *testing.T) {
	p := start(t, Config{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got := login(t, p)
			refresh(t, p, got.Refresh)
		})
		wg.Go(func() {
			p.UpdateUser("ada", func(u *User) { u.Groups, u.Attributes["name"] = append(u.Groups, "more"), "Ada" })
		})
		wg.Go(func() { p.User(); p.Users() })
	}
	wg.Wait()
	if got := len(p.User().Groups); got != 5 {
		t.Errorf("got %d groups, want 5", got)
	}
}

func TestPeopleMustMakeSense(t *testing.T) {
	for name, cfg := range map[string]Config{
		"SignInLifetime":      {SignInLifetime: -1},
		"TOTPSecret":          {Users: []User{{TOTPSecret: "1"}}},
		"group":               {Groups: []Group{{Name: "a"}, {Name: "a"}}},
		"Precedence":          {Groups: []Group{{Name: "a", Precedence: -1}}},
		"no name":             {IdentityProviders: []IdentityProvider{{}}},
		"long name":           {IdentityProviders: []IdentityProvider{{Name: strings.Repeat("x", 33)}}},
		"slash":               {IdentityProviders: []IdentityProvider{{Name: "a/b"}}},
		"path":                {IdentityProviders: []IdentityProvider{{Name: ".."}}},
		"space":               {IdentityProviders: []IdentityProvider{{Name: "a b"}}},
		"twice":               {IdentityProviders: []IdentityProvider{{Name: "a"}, {Name: "a"}}},
		"the pool itself":     {IdentityProviders: []IdentityProvider{{Name: "COGNITO"}}},
		"type":                {IdentityProviders: []IdentityProvider{{Name: "a", Type: "LDAP"}}},
		"identifier":          {IdentityProviders: []IdentityProvider{{Name: "a", Identifiers: []string{"x"}}, {Name: "b", Identifiers: []string{"x"}}}},
		"identifiers":         {IdentityProviders: []IdentityProvider{{Name: "a", Identifiers: make([]string, 51)}}},
		"its users":           {IdentityProviders: []IdentityProvider{{Name: "a", Users: []User{{}, {}}}}},
		"a name of theirs":    {IdentityProviders: []IdentityProvider{{Name: "Acme"}}, Users: []User{{Username: "acme_ada"}}},
		"client's, not there": {Clients: []AppClient{{IdentityProviders: []string{"Acme"}}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	if _, err := New(Config{Clients: []AppClient{{IdentityProviders: []string{"COGNITO", "Ä-1"}}}, IdentityProviders: []IdentityProvider{{Name: "Ä-1"}}}); err != nil {
		t.Errorf("got %v, want it taken", err)
	}
}

func TestImportedUserGetsInByForgottenPassword(t *testing.T) {
	h := withPeople(t, Config{Users: []User{imported(), DefaultUser()}})
	const chosen = "chosen by grace"
	h.told(h.signs("grace", h.p.User().Password), "Incorrect username or password.")

	page := h.submit(h.click(h.open(), "Forgot your password?"), "username", " Grace ")
	sent := h.p.Outbox()
	if len(sent) != 1 || sent[0].To != "grace@example.com" || len(sent[0].Code) != 6 || !only(sent[0].Code, digits) {
		t.Fatalf("got %d messages, want one code of 6 digits for grace", len(sent))
	}
	outbox := h.must(h.again().u.Open(t.Context(), h.p.Domain()+"/outbox"))
	if !strings.Contains(outbox.Body, sent[0].Code) || !strings.Contains(outbox.Body, "stands for the person’s e-mail") {
		t.Error("got no code on the outbox's page, want it there")
	}
	landed := h.submit(page, "code", sent[0].Code[:3]+" "+sent[0].Code[3:], "new_password", chosen)
	if !slices.Contains(h.p.Secrets(), chosen) {
		t.Error("got the new password missing from Secrets, want it there")
	}
	if got := payload(t, h.enters(landed).ID); got["cognito:username"] != "grace" || listed(got["amr"]) != "pwd" {
		t.Errorf("got %v by %v, want grace by pwd", got["cognito:username"], got["amr"])
	}
	h.enters(h.open()) // the browser is signed in
	h.enters(h.again().signs("grace", chosen))
	h.told(h.submit(page, "code", sent[0].Code, "new_password", "another one"), "That code is wrong or no longer valid.")
}

func TestResetCodeLimits(t *testing.T) {
	clk := newClock()
	h := withPeople(t, Config{Now: clk.Now, SignInLifetime: 24 * time.Hour, Users: []User{imported(), DefaultUser()}})
	ask := func(name string) (page *Page, code string) {
		t.Helper()
		page = h.submit(h.click(h.open(), "Forgot your password?"), "username", name)
		sent := h.p.Outbox()
		return page, sent[len(sent)-1].Code
	}
	const bad, chosen = "That code is wrong or no longer valid.", "chosen by grace"
	wrong := func(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

	page, code := ask("grace")
	clk.add(time.Hour)
	h.told(h.submit(page, "code", code, "new_password", chosen), bad)

	page, code = ask("grace")
	for range maxWrong {
		h.told(h.submit(page, "code", wrong(code), "new_password", chosen), bad)
	}
	h.told(h.submit(page, "code", code, "new_password", chosen), bad)

	page, first := ask("grace")
	page, code = ask("grace")
	if first != code {
		h.told(h.submit(page, "code", first, "new_password", chosen), bad)
	}
	_, adas := ask("ada")
	if adas != code {
		h.told(h.submit(page, "code", adas, "new_password", chosen), bad)
	}
	// A password that is too short costs no try, and the code need not be typed again.
	for range maxWrong {
		short := h.submit(page, "code", code, "new_password", "1234567")
		h.told(short, "The new password needs 8 to 256 characters.")
		if f := parseForm(short.Body); f.values.Get("code") != code || f.values.Get("new_password") != "" {
			t.Error("got another code or the password on the page, want the code alone")
		}
	}
	clk.add(time.Hour - 1)
	// It can be entered in another browser, which has to say for whom.
	other := h.again()
	page = other.must(other.u.Open(t.Context(), strings.Replace(h.address(), "/oauth2/authorize?", "/confirmforgotPassword?", 1)))
	h.enters(other.submit(page, "username", "grace", "code", code, "new_password", chosen))
}

// The pool's own users cannot come that way to a client that is not for them.
func TestForgottenPasswordNeedsAClientOfThePoolsUsers(t *testing.T) {
	h := withPeople(t, Config{Users: []User{imported()}, IdentityProviders: []IdentityProvider{{Name: "Acme"}}, Clients: []AppClient{
		{IdentityProviders: []string{"Acme"}}, {ID: "both"},
	}})
	asked := h.submit(h.click(h.open("client_id", "both"), "Forgot your password?"), "username", "grace")
	f := parseForm(asked.Body)
	f.values.Set("code", h.p.Outbox()[0].Code)
	f.values.Set("new_password", "chosen by grace")
	for _, path := range []string{"/forgotPassword?", "/confirmforgotPassword?"} {
		target := strings.Replace(h.address(), "/oauth2/authorize?", path, 1)
		for what, page := range map[string]*Page{
			"GET": h.must(h.u.Open(t.Context(), target)), "POST": h.must(h.u.follow(t.Context(), http.MethodPost, target, f.values)),
		} {
			if !strings.Contains(page.URL, "/login?") || page.Status != http.StatusOK {
				t.Errorf("%s %s got %d %q, want the sign-in page", what, path, page.Status, title(page))
			}
		}
	}
	if got := len(h.p.Outbox()); got != 1 {
		t.Errorf("got %d messages, want the one from before", got)
	}
	if h.landed(h.submit(asked, "code", f.values.Get("code"), "new_password", "chosen by grace")).Get("code") == "" {
		t.Error("got no code for the client that is for grace, want one")
	}
}

// Another site's form asks for no code and sets no password (RFC 6749 §10.12).
func TestForgottenPasswordNeedsItsCSRFToken(t *testing.T) {
	h := withPeople(t, Config{Users: []User{imported()}})
	forgot := h.click(h.open(), "Forgot your password?")
	h.told(h.submit(forgot, "username", "grace", "_csrf", "x"), dictionary[0].expired)
	if got := len(h.p.Outbox()); got != 0 {
		t.Errorf("got %d messages, want none", got)
	}
	page := h.submit(forgot, "username", "grace")
	code := h.p.Outbox()[0].Code
	h.told(h.submit(page, "code", code, "new_password", "chosen by another", "_csrf", "x"), dictionary[0].expired)
	h.enters(h.submit(page, "code", code, "new_password", "chosen by grace"))
}

func TestOutboxPageBeginsWithTheNewest(t *testing.T) {
	h := withPeople(t, Config{Users: []User{imported(), DefaultUser()}})
	forgot := h.click(h.open(), "Forgot your password?")
	h.submit(forgot, "username", "grace")
	h.submit(forgot, "username", "ada")
	page := h.must(h.u.Open(t.Context(), h.p.Domain()+"/outbox"))
	newest, older := strings.Index(page.Body, "ada@example.com"), strings.Index(page.Body, "grace@example.com")
	if newest < 0 || older < newest {
		t.Errorf("got ada's message at %d and grace's, sent before it, at %d; want hers first", newest, older)
	}
	if sent := h.p.Outbox(); len(sent) != 2 || sent[0].To != "grace@example.com" {
		t.Errorf("got %d messages, want two, grace's first", len(sent))
	}
}

// A disabled user gets no code, and the outbox is the only place where that shows.
func TestForgottenPasswordTellsNobodyWhoIsThere(t *testing.T) {
	clk := newClock()
	h := withPeople(t, Config{Now: clk.Now, Users: []User{imported(), DefaultUser(), {Username: "mallory", Disabled: true}}})
	same := func(page *Page, username string) string {
		body := strings.ReplaceAll(page.Body, username, "NAME")
		before, rest, _ := strings.Cut(body, `name="_csrf" value="`)
		_, after, _ := strings.Cut(rest, `"`)
		return before + after
	}
	var asked, refused, signIn []string
	for _, username := range []string{"grace", "nobody", "mallory"} {
		h := h.again()
		signIn = append(signIn, same(h.signs(username, "wrong-password"), username))
		page := h.submit(h.click(h.open(), "Forgot your password?"), "username", username)
		asked = append(asked, same(page, username))
		refused = append(refused, same(h.submit(page, "code", "x", "new_password", "12345678"), username))
	}
	for what, pages := range map[string][]string{"sign-in": signIn, "code": asked, "wrong code": refused} {
		if pages[0] != pages[1] || pages[0] != pages[2] {
			t.Errorf("%s: got pages that differ, want the same for everybody", what)
		}
	}
	if got := h.p.Outbox(); len(got) != 1 || got[0].To != "grace@example.com" {
		t.Errorf("got %d messages, want one for grace", len(got))
	}
}

func TestTemporaryPasswordMustBeChanged(t *testing.T) {
	const temporary, chosen = "Temporary-1848", "chosen by mary"
	h := withPeople(t, Config{Users: []User{{Username: "mary", Password: temporary, MustChangePassword: true}}})
	page := h.signs("mary", temporary)
	if page.Status != http.StatusOK || !strings.Contains(page.Body, `autocomplete="new-password"`) {
		t.Fatalf("got %d %q, want the page for a new password", page.Status, title(page))
	}
	if h.p.browser(&http.Request{Header: http.Header{"Cookie": {cookies(t, h)}}}) != nil {
		t.Error("got the browser signed in before the password was changed, want it not")
	}
	page = h.submit(page, "new_password", "1234567")
	h.told(page, "The new password needs 8 to 256 characters.")
	h.enters(h.submit(page, "new_password", chosen))
	h.told(h.submit(page, "new_password", "once more, please"), "That took too long, or too many tries. Please sign in again.")
	other := h.again()
	h.told(other.signs("mary", temporary), "Incorrect username or password.")
	h.enters(other.signs("mary", chosen))
}

func cookies(t *testing.T, h *person) string {
	t.Helper()
	u, err := url.Parse(h.p.Domain())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range h.u.client.Jar.Cookies(u) {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

// RFC 6238 Appendix B.
func TestTOTPVectors(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	key, ok := totpKey(secret)
	if !ok {
		t.Fatal("got no key, want one")
	}
	for seconds, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := hotp(key, seconds/30, 8); got != want {
			t.Errorf("%d: got %s, want %s", seconds, got, want)
		}
		at := time.Unix(seconds, 0)
		for _, same := range []string{secret, strings.ToLower(secret), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"} {
			if got := TOTP(same, at); got != want[2:] {
				t.Errorf("%d, %s: got %s, want %s", seconds, same, got, want[2:])
			}
		}
	}
	if got := TOTP("MFRGG===", time.Unix(0, 0)); len(got) != 6 {
		t.Errorf("with padding: got %q, want 6 digits", got)
	}
	for _, none := range []string{"", "1", "abc!"} {
		if got := TOTP(none, time.Unix(0, 0)); got != "" {
			t.Errorf("%q: got %s, want nothing", none, got)
		}
	}
}

func TestOneTimePassword(t *testing.T) {
	const secret, password = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "Colossus-1943"
	const wrong, over = "That code is wrong or was used before. Wait for the next one.", "That took too long, or too many tries. Please sign in again."
	clk := newClock()
	h := withPeople(t, Config{Now: clk.Now, Users: []User{{Username: "tom", Password: password, TOTPSecret: secret}}})
	at := func(d time.Duration) string { return TOTP(secret, clk.Now().Add(d)) }
	ask := func() (*person, *Page) {
		t.Helper()
		h := h.again()
		page := h.signs("tom", password)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, `autocomplete="one-time-code"`) {
			t.Fatalf("got %d %q, want the page for a code", page.Status, title(page))
		}
		return h, page
	}

	b, page := ask()
	for name, code := range map[string]string{"none": "", "two steps ago": at(-time.Minute), "in two steps": at(time.Minute)} {
		if code == at(0) || code == at(-30*time.Second) || code == at(30*time.Second) {
			continue
		}
		if again := b.submit(page, "code", code); again.Status != http.StatusBadRequest {
			t.Errorf("%s: got %d %q, want 400", name, again.Status, title(again))
		}
	}
	now := at(0)
	got := b.enters(b.submit(page, "code", now[:3]+" "+now[3:]))
	for _, token := range []string{got.ID, got.Access} {
		if c := payload(t, token); listed(c["amr"]) != "pwd otp mfa" {
			t.Errorf("got amr %v, want pwd, otp and mfa", c["amr"])
		}
	}
	b, page = ask()
	b.told(b.submit(page, "code", now), wrong)                 // used
	b.told(b.submit(page, "code", at(-30*time.Second)), wrong) // older than the one that was used
	b.enters(b.submit(page, "code", at(30*time.Second)))       // one step ahead
	b.told(b.submit(page, "code", at(60*time.Second)), over)   // the challenge was met
	clk.add(2 * time.Minute)
	b, page = ask()
	b.enters(b.submit(page, "code", at(-30*time.Second))) // one step behind
	b, page = ask()
	for range maxWrong - 1 {
		b.told(b.submit(page, "code", "x"), wrong)
	}
	b.told(b.submit(page, "code", "x"), over)
	b.told(b.submit(page, "code", at(0)), over)
	b, page = ask()
	clk.add(challengeLifetime)
	b.told(b.submit(page, "code", at(0)), over)
}

// A challenge is one page's and one client's, and nobody comes to its page without one.
func TestChallengeIsNothingElse(t *testing.T) {
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	clk := newClock()
	h := withPeople(t, Config{Now: clk.Now, Clients: []AppClient{{}, {ID: "other"}}, Users: []User{
		{Username: "mary", MustChangePassword: true, TOTPSecret: secret},
	}})
	page := h.signs("mary", DefaultUser().Password)
	f := parseForm(page.Body)
	post := func(path, client string, pairs ...string) *Page {
		t.Helper()
		values := url.Values{"_csrf": f.values["_csrf"], "session": f.values["session"]}
		for i := 0; i < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		target := strings.Replace(h.address("client_id", client), "/oauth2/authorize?", path+"?", 1)
		return h.must(h.u.follow(t.Context(), http.MethodPost, target, values))
	}
	const over = "That took too long, or too many tries. Please sign in again."
	id := h.p.Client().ID
	h.told(post("/mfa", id, "code", TOTP(secret, clk.Now())), over) // the new password would be left out
	h.told(post("/newPassword", "other", "new_password", "chosen by mary"), over)
	h.told(post("/newPassword", id, "new_password", "chosen by mary", "session", "x"), over)
	h.told(post("/newPassword", id, "new_password", "chosen by mary", "_csrf", "x"), dictionary[0].expired)
	for _, path := range []string{"/mfa?", "/newPassword?"} {
		back := h.must(h.u.Open(t.Context(), strings.Replace(h.address(), "/oauth2/authorize?", path, 1)))
		if !strings.Contains(back.URL, "/login?") || back.Status != http.StatusOK {
			t.Errorf("%s: got %d %q, want the sign-in page", path, back.Status, title(back))
		}
	}
	page = h.submit(page, "new_password", "chosen by mary") // and then the second factor
	h.enters(h.submit(page, "code", TOTP(secret, clk.Now())))
}

func TestDisabledUserIsToldOnceThePasswordWasRight(t *testing.T) {
	h := withPeople(t, Config{Users: []User{{Username: "ada", Disabled: true}}})
	h.told(h.signs("ada", "wrong-password"), "Incorrect username or password.")
	h.told(h.signs("ada", DefaultUser().Password), "User is disabled.")
}

// A browser that was signed in before gets no code either.
func TestDisabledUserIsAskedAgain(t *testing.T) {
	h := withPeople(t, Config{})
	h.enters(h.signs("ada", DefaultUser().Password))
	disable := func(yes bool) {
		t.Helper()
		if err := h.p.UpdateUser("ada", func(u *User) { u.Disabled = yes }); err != nil {
			t.Fatal(err)
		}
	}
	disable(true)
	if page := h.open(); !strings.Contains(page.URL, "/login?") || page.Status != http.StatusOK {
		t.Errorf("got %d %q, want the sign-in page", page.Status, title(page))
	}
	if q := h.landed(h.open("prompt", "none")); q.Get("error") != "login_required" {
		t.Errorf("prompt=none: got %s, want login_required", q.Encode())
	}
	disable(false)
	h.enters(h.open())
}

func TestTriggerErrorGoesToTheClient(t *testing.T) {
	const trigger = "PreTokenGeneration failed with error no."
	for _, drop := range []bool{false, true} {
		h := withPeople(t, Config{DropErrorState: drop, Users: []User{DefaultUser()}})
		h.enters(h.signs("ada", DefaultUser().Password))
		if err := h.p.UpdateUser("ada", func(u *User) { u.TriggerError = trigger }); err != nil {
			t.Fatal(err)
		}
		want := url.Values{"error": {"invalid_request"}, "error_description": {trigger}, "state": {"canary-state"}}
		if drop {
			want.Del("state")
		}
		other := h.again()
		for what, page := range map[string]*Page{"signed in already": h.open(), "signing in": other.signs("ada", DefaultUser().Password)} {
			if got := h.landed(page); got.Encode() != want.Encode() {
				t.Errorf("%s: got %s, want %s", what, got.Encode(), want.Encode())
			}
		}
		h.told(other.signs("ada", "wrong-password"), "Incorrect username or password.") // and is not signed in
		requests := h.p.Requests()
		if !slices.ContainsFunc(requests, func(r Request) bool { return r.Endpoint == "login" && r.Error == "invalid_request" }) {
			t.Error("got no error on record, want invalid_request")
		}
	}
}

// The time runs from the first page on, whatever comes between.
func TestPagesAreOverAfterTheSignInLifetime(t *testing.T) {
	for _, classic := range []bool{false, true} {
		clk := newClock()
		h := withPeople(t, Config{Now: clk.Now, ClassicUI: classic, SignInLifetime: time.Minute, Users: []User{imported(), DefaultUser(), {Username: "mary", MustChangePassword: true}}})
		want := "Something went wrong"
		if classic {
			want = "An error was encountered with the requested page."
		}
		page := h.open()
		clk.add(time.Minute)
		again := h.submit(page, "username", "ada", "password", "wrong-password")
		h.told(again, "Incorrect username or password.")
		change := h.submit(page, "username", "mary", "password", DefaultUser().Password)
		forgot := h.submit(h.click(page, "Forgot your password?"), "username", "grace")
		before := h.p.Outbox()[0].Code
		clk.add(1)
		for what, over := range map[string]*Page{
			"sign-in":       h.submit(page, "username", "ada", "password", DefaultUser().Password),
			"sign-in again": h.submit(again, "username", "ada", "password", DefaultUser().Password),
			"new password":  h.submit(change, "new_password", "chosen by mary"),
		} {
			if over.Status != http.StatusBadRequest || title(over) != want {
				t.Errorf("%s: got %d %q, want 400 and %q", what, over.Status, title(over), want)
			}
		}
		// Nobody sets the time back.
		_, mac, _ := strings.Cut(parseForm(page.Body).values.Get("_csrf"), ".")
		later := strconv.FormatInt(clk.Now().UnixMilli(), 36) + "." + mac
		h.told(h.submit(page, "username", "ada", "password", DefaultUser().Password, "_csrf", later), dictionary[0].expired)
		clk.add(time.Minute)
		if over := h.submit(forgot, "code", before, "new_password", "chosen by grace"); title(over) != want {
			t.Errorf("forgotten password: got %q, want %q", title(over), want)
		}
		h.enters(h.signs("ada", DefaultUser().Password))
	}
}
