package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/pkg/loopback"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// Exit statuses. They are documented in "cogauth help exit-codes" and never change meaning.
const (
	exitOK            = 0
	exitFailed        = 1
	exitUsage         = 2
	exitLoginRequired = 3
	exitRefused       = 4
	exitKeychain      = 5
	exitOffline       = 6
	exitMisconfigured = 7
	exitIncomplete    = 8
)

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// hintError is an error with advice of its own.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// silent is an answer by exit status alone.
type silent int

func (s silent) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// hints is the one place where an error becomes an exit status and advice; the first match counts.
// In a hint, {login} and {cogauth} stand for commands as this person would type them.
// TestHintsAreComplete fails if an exported error is missing here.
var hints = []struct {
	is   error
	exit int
	hint string
}{
	{config.ErrNoProfile, exitMisconfigured, "run {cogauth} configure, or try {cogauth} demo"},
	{config.ErrUnknownProfile, exitMisconfigured, "run {cogauth} configure --profile NAME to add a profile"},
	{config.ErrInvalid, exitMisconfigured, ""},
	{cogauth.ErrNotSaved, exitKeychain, "the token is good until it expires; see that the keychain is unlocked and accepts entries, then sign in again"},
	{tokenstore.ErrLocked, exitKeychain, "unlock the keychain, or run this in a terminal of your desktop session, where it can ask you to"},
	{tokenstore.ErrUnavailable, exitKeychain, "cogauth needs a keychain in this session, such as GNOME Keyring, KWallet or KeePassXC; over SSH, see that DBUS_SESSION_BUS_ADDRESS is set"},
	{tokenstore.ErrTooLarge, exitKeychain, "the session is larger than this system's keychain can hold; ask the pool's administrator about smaller tokens"},
	{tokenstore.ErrBroken, exitKeychain, "the keychain program may be hanging: restart it, or sign out of the desktop and in again"},
	{tokenstore.ErrNotFound, exitKeychain, "run {login}"},
	{cogauth.ErrLoginRequired, exitLoginRequired, "run {login}"},
	{loopback.ErrPortBusy, exitIncomplete, "stop that program for a moment, or register a second callback URL and add it to callback_urls"},
	{cogauth.ErrLoginIncomplete, exitIncomplete, "run {login} again"},
	{cogauth.ErrOffline, exitOffline, "you are still signed in; check the network, HTTPS_PROXY and VPN, then try again"},
	{cogauth.ErrUntrusted, exitMisconfigured, "if your network inspects TLS, put its certificate in a PEM file and name it with ca_file"},
	{cogauth.ErrMisconfigured, exitMisconfigured, "{cogauth} config explain shows what is set and where"},
	{cogauth.ErrRefused, exitRefused, ""},
}

// codeHints are for refusals whose OAuth error code (RFC 6749 §4.1.2.1, §5.2) says what to do.
var codeHints = map[string]string{
	"access_denied":       "the sign-in was declined in the browser; run {login} again",
	"invalid_client":      "the app client must be a public one, without a secret, and client_id must be its ID",
	"invalid_grant":       "the code was used, too old, or the client may not read every attribute of its scopes; run {login} again",
	"invalid_scope":       "ask only for scopes that the app client allows: {cogauth} config explain shows them",
	"unauthorized_client": "enable the authorization code grant for the app client, and register the callback URL exactly as {cogauth} config explain shows it",
	"login_required":      "nobody is signed in in the browser; run {login} without --prompt none",
}

// report prints err for the person and returns the exit status.
func (a *app) report(ctx context.Context, err error) int {
	var (
		quiet silent
		usage *usageError
		hint  *hintError
		oauth *cogauth.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &quiet):
		return int(quiet)
	case ended(ctx) != nil && errors.Is(err, context.Canceled):
		fmt.Fprintf(a.err, "cogauth: %v\n", ended(ctx))
		return ended(ctx).status()
	}
	exit, text := exitFailed, ""
	if errors.As(err, &usage) {
		exit, text = exitUsage, "run {cogauth} --help"
	}
	for _, h := range hints {
		if exit == exitFailed && errors.Is(err, h.is) {
			exit, text = h.exit, h.hint
		}
	}
	if errors.As(err, &oauth) && exit == exitRefused && codeHints[oauth.Code] != "" {
		text = codeHints[oauth.Code]
	}
	var bad *config.Error
	if errors.As(err, &bad) && bad.Fix != "" {
		text = bad.Fix
	}
	if errors.As(err, &hint) {
		text = hint.hint
	}
	var b strings.Builder
	fmt.Fprintf(&b, "cogauth: error: %s\n", oneLine(err.Error()))
	if text != "" {
		fmt.Fprintf(&b, "cogauth: hint: %s\n", a.spell(text))
	}
	io.WriteString(a.err, b.String())
	return exit
}

// oneLine keeps joined errors on one line.
func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ") }

// spell fills in commands as this person would type them.
func (a *app) spell(hint string) string {
	login := a.name() + " login"
	if p := a.asked(); p != "" {
		login += " --profile " + p
		if p == config.Reserved {
			login = a.name() + " demo"
		}
	}
	return strings.NewReplacer("{login}", login, "{cogauth}", a.name()).Replace(hint)
}

// say writes one line to the person.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, "cogauth: "+format+"\n", args...)
}

// warnings is a slog.Handler that says a library's warnings in this program's manner.
type warnings struct{ a *app }

func (w warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (w warnings) WithAttrs([]slog.Attr) slog.Handler           { return w }
func (w warnings) WithGroup(string) slog.Handler                { return w }
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	w.a.say("warning: %s", oneLine(r.Message))
	return nil
}
