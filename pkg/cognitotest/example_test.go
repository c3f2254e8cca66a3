package cognitotest_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// A program under test listens for its callback, a UserAgent signs in where a person would, and the
// program redeems the code.
func Example() {
	if err := signIn(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// the last page says: signed in
	// the pool answered 200 with a Bearer token for 3600 s, an ID token and a refresh token
	// the pool saw 1 token request and honours the refresh token: true
}

func signIn(ctx context.Context) error {
	// The callback listener of the program under test.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	codes := make(chan string, 1)
	program := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		codes <- r.URL.Query().Get("code")
		io.WriteString(w, "signed in")
	})}
	go program.Serve(listener)
	defer program.Close()
	callback := "http://" + listener.Addr().String() + "/callback"

	pool, err := cognitotest.New(cognitotest.Config{
		Clients: []cognitotest.AppClient{{CallbackURLs: []string{callback}}},
	})
	if err != nil {
		return err
	}
	if err := pool.Start(); err != nil {
		return err
	}
	defer pool.Close()

	verifier := rand.Text() + rand.Text() // 52 characters; RFC 7636 §4.1 wants at least 43
	challenge := sha256.Sum256([]byte(verifier))
	authorize := pool.Domain() + "/oauth2/authorize?" + url.Values{
		"response_type":         {"code"},
		"client_id":             {pool.Client().ID},
		"redirect_uri":          {callback},
		"scope":                 {"openid email"},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}.Encode()
	page, err := pool.UserAgent().SignIn(ctx, authorize, pool.User().Username, pool.User().Password)
	if err != nil {
		return err
	}
	fmt.Println("the last page says:", page.Body)

	return redeem(pool, <-codes, callback, verifier)
}

func redeem(pool *cognitotest.Pool, code, callback, verifier string) error {
	resp, err := pool.HTTPClient().PostForm(pool.Domain()+"/oauth2/token", url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {pool.Client().ID},
		"code":          {code},
		"redirect_uri":  {callback},
		"code_verifier": {verifier},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var tokens struct {
		ID      string `json:"id_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil {
		return err
	}
	if tokens.ID == "" || tokens.Refresh == "" {
		return fmt.Errorf("the answer lacks a token")
	}
	fmt.Printf("the pool answered %d with a %s token for %d s, an ID token and a refresh token\n",
		resp.StatusCode, tokens.Type, tokens.Expires)
	fmt.Printf("the pool saw %d token request and honours the refresh token: %v\n",
		pool.Count("token"), pool.Active(tokens.Refresh))
	return nil
}
