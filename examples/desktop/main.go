// Command desktop is a tray program that embeds cogauth: sign in, who am I, copy the ID token, sign
// out. It shares its session with the cogauth command, and with every other program that uses the
// same profile and client ID: signed in by one, used by the other, signed out by either.
//
//	go run . -user-pool-id eu-west-1_AbCdEfGhI -client-id 1h57kf5cpq17m0eml12EXAMPLE
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fyne.io/systray"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "desktop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	// The first five must be the command's, or it is another session: compare "cogauth config explain".
	profile := flag.String("profile", os.Getenv("COGAUTH_PROFILE"), `profile; "" is "default" (COGAUTH_PROFILE)`)
	pool := flag.String("user-pool-id", "", "ID of the Cognito user pool")
	issuer := flag.String("issuer", "", "issuer of another OpenID provider, in place of a pool")
	clientID := flag.String("client-id", "", "ID of the app client")
	scopes := flag.String("scopes", "openid", "scopes, with spaces between")
	callbacks := flag.String("callback-urls", cogauth.DefaultCallbackURL, "registered callback URLs, with spaces between")
	every := flag.Duration("every", 5*time.Second, "how often to look whether another program has signed in or out")
	keep := flag.Duration("keep", time.Minute, "how long a copied token stays in the clipboard")
	flag.Parse()
	if *every <= 0 || *keep <= 0 {
		return errors.New("-every and -keep must be above zero")
	}
	if err := findBus(); err != nil {
		return err
	}

	a := newApp(*every, *keep)
	config := cogauth.Config{
		Profile:      *profile,
		UserPoolID:   *pool,
		Issuer:       *issuer,
		ClientID:     *clientID,
		Scopes:       strings.Fields(*scopes),
		CallbackURLs: strings.Fields(*callbacks),
		Logger:       slog.New(toMenu{slog.NewTextHandler(os.Stderr, nil), a}),
	}
	// Two clients of one session. The one that looks every few seconds must never raise a window in
	// which the keychain asks for its password; the one that does what a person clicks may.
	var err error
	if a.looker, err = cogauth.New(config); err != nil {
		return err
	}
	config.Store = &tokenstore.Keyring{Prompt: true, Timeout: time.Minute}
	config.OnChange = func(cogauth.Change) { a.look() }
	if a.client, err = cogauth.New(config); err != nil {
		return err
	}
	systray.Run(func() { a.start(ctx) }, func() {
		// There is nothing left to do, and systray would now close a connection to the desktop that it
		// may never have had.
		os.Exit(0)
	})
	return nil
}

// findBus sees that there is a session bus on the systems whose tray needs one: where systray finds
// none, it has dbus-launch start one, on which there is no tray, and which outlives the program.
func findBus() error {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" || os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return nil
	}
	dir := cmp.Or(os.Getenv("XDG_RUNTIME_DIR"), filepath.Join("/run/user", strconv.Itoa(os.Getuid())))
	socket := filepath.Join(dir, "bus")
	if _, err := os.Stat(socket); err != nil {
		return errors.New("no session bus: start this program in a desktop session")
	}
	return os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+socket)
}
