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
