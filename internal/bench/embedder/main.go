// Command embedder is a small program that embeds cogauth, for tests and benchmarks: it prints an ID token,
// and one more for each line of its standard input, as a program does that runs for days. It can sign in
// or say who is signed in instead.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "embedder:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	profile := flag.String("profile", "", "name of the session")
	issuer := flag.String("issuer", "", "issuer of the pool")
	clientID := flag.String("client-id", "", "ID of the app client")
	callback := flag.String("callback-url", "", "callback URL of the app client")
	limit := flag.Int("limit", 0, "most bytes of an entry of the keychain, if not what the system sets")
	login := flag.Bool("login", false, "sign in, and print the address to go to on standard error")
	session := flag.Bool("session", false, "print who is signed in")
	refresh := flag.Bool("refresh", false, "ask for new tokens")
	flag.Parse()

	ring := &tokenstore.Keyring{Timeout: 30 * time.Second}
	cfg := cogauth.Config{
		Profile:      *profile,
		Issuer:       *issuer,
		ClientID:     *clientID,
		CallbackURLs: []string{*callback},
		Store:        ring,
		Logger:       slog.New(slog.NewTextHandler(os.Stderr, nil)),
		OpenURL:      func(context.Context, string) error { return nil },
	}
	if *limit > 0 {
		cfg.Store = &tokenstore.Split{Entries: ring.Entries(), Limit: *limit}
	}
	client, err := cogauth.New(cfg)
	if err != nil {
		return err
	}
	switch {
	case *session:
		s, err := client.Session(ctx)
		if err == nil {
			fmt.Println(s.Username)
		}
		return err
	case *login:
		_, err := client.Login(ctx, &cogauth.LoginOptions{
			ShowURL: func(url string) { fmt.Fprintln(os.Stderr, url) },
		})
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); ; {
		token, err := client.Token(ctx, &cogauth.TokenOptions{Refresh: *refresh})
		if err != nil {
			return err
		}
		fmt.Println(token.Reveal())
		if !lines.Scan() {
			return lines.Err()
		}
	}
}
