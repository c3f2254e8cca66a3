package loopback_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cogauth/cogauth/pkg/loopback"
)

// A whole login, with an HTTP client in the browser's place.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	srv, err := loopback.Listen(ctx, []string{"http://localhost:17583/callback", "http://localhost:17584/callback"})
	if errors.Is(err, loopback.ErrPortBusy) {
		fmt.Println("register another callback URL:", err)
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	const loginState = "af0ifjsldkj" // yours comes from crypto/rand, 256 bits, anew for each login
	page := make(chan string)
	go func() { page <- visitAsBrowser(srv.CallbackURL() + "?code=SplxlOBeZQQYbYS6WxSbIA&state=" + loginState) }()

	cb, err := srv.Await(ctx, loginState, loopback.Observer{
		Unconfirmed: func(code, description string) { fmt.Printf("unconfirmed: %q\n", code) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cb) // the code stays hidden
	// Exchange cb.Code, verify the ID token, store the session; only then:
	if err := srv.Respond(ctx, loopback.Page{SignedInAs: "alice@example.com", Profile: "work"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println("browser:", <-page)
	// Output:
	// {Code:[secret] Issuer:""}
	// browser: 200 OK
}

// visitAsBrowser does what the person's browser does when the server redirects it.
func visitAsBrowser(url string) string {
	for {
		resp, err := http.Get(url)
		if err != nil {
			return err.Error()
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest { // which it is until Await has begun
			return resp.Status
		}
	}
}
