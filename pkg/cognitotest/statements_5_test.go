package cognitotest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Callback URLs.

func callbacks(urls ...string) cognitotest.Config {
	return cognitotest.Config{Clients: []cognitotest.AppClient{{CallbackURLs: urls}}}
}

func TestStatement5AbsoluteWithoutFragment(t *testing.T) {
	for _, bad := range []string{"/callback", "localhost", "", home + "#x", home + "#"} {
		refusesConfig(t, bad, callbacks(bad), callbacks(home))
	}
}

func TestStatement5AtMostAHundred(t *testing.T) {
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("http://localhost:%d/callback", 9000+i))
	}
	refusesConfig(t, "101 callback URLs", callbacks(many...), callbacks(many[:100]...))
}

func TestStatement5LengthAndCharacters(t *testing.T) {
	long := "https://example.com/" + strings.Repeat("ä", 1024-len("https://example.com/"))
	refusesConfig(t, "1,025 characters", callbacks(long+"ä"), callbacks(long))
	for _, bad := range []string{"https://example.com/a b", "https://example.com/a\tb"} {
		refusesConfig(t, bad, callbacks(bad), callbacks("https://example.com/a-b"))
	}
}

func TestStatement5HTTPOnLoopbackOnly(t *testing.T) {
	good := []string{"https://example.com/callback"}
	for _, port := range []string{"", ":1", ":8585", ":65535"} {
		good = append(good, "http://localhost"+port+"/x", "http://127.0.0.1"+port+"/x", "http://[::1]"+port+"/x")
	}
	for _, bad := range []string{"http://example.com/callback", "http://localhost.example.com/x", "http://10.0.0.1/x", "http://127.0.0.2/x"} {
		refusesConfig(t, bad, callbacks(bad), callbacks(good...))
	}
}

func TestStatement5MustBeInTheList(t *testing.T) {
	s := house(t)
	for _, other := range []string{
		"https://localhost:8585/callback", "http://127.0.0.1:8586/callback", "http://localhost:8586/callback", "http://localhost:8585/Callback",
		"http://LOCALHOST:8585/callback", home + "/", home + "?x=y", "http://localhost:8585/call%62ack", "http://[::1]:8585/callback",
	} {
		a := s.authorize(t, "redirect_uri", other)
		if a.status != http.StatusFound {
			continue // an error page in place
		}
		u, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if u.Path == "/login" || outside(u) {
			t.Errorf("%s: got sent to %s, want the pool's error page", other, place(u))
		}
	}
}

func TestStatement5CustomScheme(t *testing.T) {
	u := house(t).browser().callback(t, "redirect_uri", "myapp://example")
	if u.Scheme != "myapp" || u.Host != "example" || !u.Query().Has("code") {
		t.Errorf("got %s, want a code at myapp://example", place(u))
	}
}
