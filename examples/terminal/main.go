// Command terminal is a terminal program that embeds cogauth: it signs its user in when need be and
// greets them. It shares its session with the cogauth command, if that uses the same profile and
// client ID: signed in by one, used by the other.
//
//	go run ./examples/terminal -user-pool-id eu-west-1_AbCdEfGhI -client-id 1h57kf5cpq17m0eml12EXAMPLE
//	go run ./examples/terminal -sign-out …
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/cogauth/cogauth"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "terminal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	pool := flag.String("user-pool-id", "", "ID of the Cognito user pool")
	issuer := flag.String("issuer", "", "issuer of another OpenID provider, in place of a pool")
	clientID := flag.String("client-id", "", "ID of the app client")
	signOut := flag.Bool("sign-out", false, "end the session")
	flag.Parse()

	client, err := cogauth.New(cogauth.Config{
		UserPoolID: *pool,
		Issuer:     *issuer,
		ClientID:   *clientID,
		Scopes:     []string{"openid", "email"},
		Logger:     slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	if *signOut {
		_, err := client.Logout(ctx)
		return err
	}

	token, err := client.IDToken(ctx)
	if errors.Is(err, cogauth.ErrLoginRequired) {
		_, err = client.Login(ctx, &cogauth.LoginOptions{
			ShowURL: func(url string) { fmt.Fprintf(os.Stderr, "Sign in at\n\n%s\n\n", url) },
		})
		if err == nil {
			token, err = client.IDToken(ctx)
		}
	}
	if err != nil {
		return err
	}
	session, err := client.Session(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Hello %s. Your ID token has %d characters and is good until %s.\n",
		session.Username, len(token), session.IDTokenExpires.Local().Format("15:04"))
	return nil
}
