package cognitotest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// client is a program that waits for its callback; path /done is its last page.
func client(t *testing.T) (callbackURL string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/done", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "welcome") })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL + "/callback"
}

func TestSignInEndsOnTheLastPage(t *testing.T) {
	cb := client(t)
	p := start(t, Config{Clients: []AppClient{{CallbackURLs: []string{cb}}}})
	u := p.UserAgent()
	for _, password := range []string{p.User().Password, "not needed the second time"} {
		page, err := u.SignIn(t.Context(), authorizeURL(p, "redirect_uri", cb), p.User().Username, password)
		if err != nil {
			t.Fatal(err)
		}
		if page.Body != "welcome" || page.Status != 200 || !strings.HasSuffix(page.URL, "/done") {
			t.Errorf("got %d %q at %s, want welcome at /done", page.Status, page.Body, page.URL)
		}
	}
	if got := p.Count("login"); got != 2 {
		t.Errorf("got %d requests for the sign-in page, want 2", got)
	}
}

func TestSignInErrors(t *testing.T) {
	p := start(t, Config{})
	u := p.UserAgent()
	page, err := u.SignIn(t.Context(), authorizeURL(p, "redirect_uri", "http://localhost:1/"), "ada", "x")
	if !errors.Is(err, ErrNoSignInPage) || !strings.Contains(page.Body, "redirect_mismatch") {
		t.Errorf("got %v, want %v and the error page", err, ErrNoSignInPage)
	}
	for _, foreign := range []string{"http://example.com/oauth2/authorize", p.Issuer(), "http://user@" + strings.TrimPrefix(p.Domain(), "http://"), "%"} {
		if _, err := u.SignIn(t.Context(), foreign, "ada", "x"); !errors.Is(err, ErrForeignPage) {
			t.Errorf("%s: got %v, want %v", foreign, err, ErrForeignPage)
		}
	}
}

func TestPasswordGoesNowhereElse(t *testing.T) {
	p := start(t, Config{})
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); bytes.Contains(body, []byte("Engine")) {
			t.Error("got the password at a stranger's")
		}
	}))
	defer stranger.Close()
	p.Fail("login", Failure{Times: 1, ContentType: "text/html", Body: `<form method=post action="` + stranger.URL +
		`/"><input name=username><input name=password></form>`})
	if _, err := p.UserAgent().SignIn(t.Context(), authorizeURL(p), p.User().Username, p.User().Password); !errors.Is(err, ErrForeignPage) {
		t.Errorf("foreign form: got %v, want %v", err, ErrForeignPage)
	}
	// A redirect of the form, even one that asks for the method to be kept, is followed without it.
	u := p.UserAgent()
	page, _, err := u.hop(t.Context(), http.MethodGet, loginURL(p), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Fail("login", Failure{Status: http.StatusTemporaryRedirect, Location: stranger.URL})
	f := parseForm(page.Body)
	f.values.Set("password", p.User().Password)
	if page, err := u.follow(t.Context(), http.MethodPost, p.Domain()+f.action, f.values); err != nil || page.URL != stranger.URL {
		t.Errorf("got %v, want to end at the stranger's without the password", err)
	}
}

func TestErrorsHoldNoURL(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{CallbackURLs: []string{"http://localhost:1/callback"}}}})
	_, err := p.UserAgent().SignIn(t.Context(), authorizeURL(p, "redirect_uri", "http://localhost:1/callback"), p.User().Username, p.User().Password)
	if err == nil {
		t.Fatal("got no error from a callback where nobody listens, want one")
	}
	for _, s := range p.Secrets() {
		if strings.Contains(err.Error(), s) {
			t.Errorf("got a secret in %q, want none", err)
		}
	}
}

func TestStepByStep(t *testing.T) {
	h := withPeople(t, Config{Users: []User{imported()}})
	page := h.open()
	for name, fields := range map[string]map[string]string{"no such field": {"otp": "1"}, "no such button": {"signUp": ""}} {
		if _, err := h.u.Submit(t.Context(), page, fields); err != ErrNotOnPage {
			t.Errorf("%s: got %v, want %v", name, err, ErrNotOnPage)
		}
	}
	if _, err := h.u.Follow(t.Context(), page, "Sign up"); err != ErrNotOnPage {
		t.Errorf("no such link: got %v, want %v", err, ErrNotOnPage)
	}
	h.submit(page, "signInSubmitButton", "", "username", "ada", "password", "x")
	requests := h.p.Requests()
	if got := strings.Join(requests[len(requests)-1].Form, " "); got != "_csrf cognitoAsfData password signInSubmitButton username" {
		t.Errorf("got a form of %s, want the fields of Cognito's", got)
	}
}

func TestSubmitGoesNowhereElse(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("got a form at a stranger's") }))
	defer stranger.Close()
	p := start(t, Config{})
	body := `<form method=post action="` + stranger.URL + `"><input name=password></form>`
	for name, page := range map[string]*Page{
		"foreign form": {URL: loginURL(p), Body: body}, "foreign page": {URL: stranger.URL, Body: `<form method=post action="` + p.Domain() + `/login"><input name=password></form>`},
		"foreign both": {URL: stranger.URL, Body: body},
	} {
		if _, err := p.UserAgent().Submit(t.Context(), page, map[string]string{"password": "x"}); err != ErrForeignPage {
			t.Errorf("%s: got %v, want %v", name, err, ErrForeignPage)
		}
	}
}

func TestFormsAndLinks(t *testing.T) {
	forms := parseForms(`<form action=a><button name=b value="1">x</button><button name=c></form><button name=late><form><input name=d></form>`)
	if len(forms) != 2 || forms[0].button != [2]string{"b", "1"} || !forms[0].has("b") || forms[0].has("c") || !forms[1].has("d") || forms[1].has("late") {
		t.Errorf("got %d forms, want two with their own", len(forms))
	}
	const page = `<a>no</a><a href="/1">One &amp;
		<b>only</b></a><a href="/2">Two</a> <a href="/3">Two</a>`
	for text, want := range map[string]string{"One & only": "/1", " Two ": "/2", "no": "", "Tw": "", "": ""} {
		if got, ok := findLink(page, text); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzFindLink(f *testing.F) {
	for _, seed := range []string{"<a href=x>text</a>", "<a href=x", "<a href=x><<", "</a>"} {
		f.Add(seed, "text")
	}
	f.Fuzz(func(t *testing.T, page, text string) {
		if _, ok := findLink(page, text); ok && !strings.Contains(strings.ToLower(page), "<a") {
			t.Errorf("got a link out of %q, want none", page)
		}
	})
}
