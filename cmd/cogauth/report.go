package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cogauth/cogauth"
	credentialhelper "github.com/cogauth/cogauth/credential-helper"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/importer"
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
// In a hint, {login} and {cogauth} stand for commands as this person would type them,
// and {profile} for the flag that names the profile in force, if one was given.
// TestHintsAreComplete fails if an exported error is missing here.
var hints = []struct {
	is   error
	exit int
	hint string
}{
	{config.ErrNoProfile, exitMisconfigured, "run {cogauth} configure, or try {cogauth} demo"},
	{config.ErrUnknownProfile, exitMisconfigured, "run {cogauth} configure --profile NAME to add a profile"},
	{config.ErrNotServed, exitMisconfigured, ""},
	{config.ErrInvalid, exitMisconfigured, ""},
	{cogauth.ErrNotSaved, exitKeychain, "the token is good until it expires; see that the keychain is unlocked and accepts entries, then sign in again"},
	{tokenstore.ErrLocked, exitKeychain, "unlock the keychain, or run this in a terminal of your desktop session, where it can ask you to"},
	{tokenstore.ErrUnavailable, exitKeychain, "on a server, in a container or in WSL keep the session in encrypted files: {cogauth} configure --store file{profile}; on a desktop see that GNOME Keyring, KWallet or KeePassXC runs, and over SSH that DBUS_SESSION_BUS_ADDRESS is set"},
	{tokenstore.ErrTooLarge, exitKeychain, "the session is larger than this system's keychain can hold; ask the pool's administrator about smaller tokens"},
	{tokenstore.ErrBroken, exitKeychain, "the keychain program may be hanging: restart it, or sign out of the desktop and in again"},
	{tokenstore.ErrNotFound, exitKeychain, "run {login}"},
	{cogauth.ErrAnswerLost, exitLoginRequired, "run {login}; a pool that rotates refresh tokens should have a grace period, with which this cannot happen"},
	{cogauth.ErrLoginRequired, exitLoginRequired, "run {login}"},
	{loopback.ErrPortBusy, exitIncomplete, "stop that program for a moment, or register a second callback URL and add it to callback_urls"},
	{cogauth.ErrLoginIncomplete, exitIncomplete, "run {login} again; if the browser shows an error, its address bar says which (error=…), and you can paste that address into the waiting {login}"},
	{cogauth.ErrOffline, exitOffline, "check the network, HTTPS_PROXY and VPN, then try again; a session that was there is kept"},
	{cogauth.ErrNoDomain, exitMisconfigured, "the user pool needs a domain for its sign-in page: ask its administrator"},
	{cogauth.ErrNoDiscovery, exitMisconfigured, "a user pool's issuer is https://cognito-idp.REGION.amazonaws.com/POOLID; if what you have is the address of its sign-in page, set that as domain, with region, in place of issuer"},
	{cogauth.ErrNoLoginPages, exitMisconfigured, "the app client needs a managed login style: ask the pool's administrator"},
	{cogauth.ErrForeignSecret, exitMisconfigured, "it is not sent there; give the one for this app client: {cogauth} configure --client-secret-stdin{profile}"},
	{cogauth.ErrNoLogoutURL, exitMisconfigured, "register a sign-out URL for the app client and set it as logout_url, byte for byte; or run {cogauth} logout{profile} without --browser"},
	{cogauth.ErrUntrusted, exitMisconfigured, "if your network inspects TLS, put its certificate in a PEM file and name it with ca_file"},
	{cogauth.ErrMisconfigured, exitMisconfigured, "{cogauth} config explain{profile} shows what is set and where"},
	{cogauth.ErrUnexpectedPerson, exitRefused, "run {login} --switch-user and sign in as the right person, or change expect in the profile"},
	{cogauth.ErrNoIDToken, exitRefused, "enable the scope openid for the app client, and leave it in scopes"},
	{cogauth.ErrRefused, exitRefused, ""},
}

// report prints err for the person and returns the exit status.
func (a *app) report(ctx context.Context, err error) int {
	var quiet silent
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &quiet):
		return int(quiet)
	case ended(ctx) != nil && errors.Is(err, context.Canceled):
		fmt.Fprintf(a.err, "cogauth: %v\n", ended(ctx))
		return ended(ctx).status()
	}
	f := a.findings(ctx, err)
	var b strings.Builder
	fmt.Fprintf(&b, "cogauth: error: %s\n", f.fact)
	if f.hint != "" {
		fmt.Fprintf(&b, "cogauth: hint: %s\n", f.hint)
	}
	if f.command != "" {
		fmt.Fprintf(&b, "\n%s\n\n", f.command)
	}
	io.WriteString(a.err, b.String())
	return f.exit
}

// findings are what there is to say about an error, each in a line that is safe for a terminal.
type findings struct {
	exit                int
	fact, hint, command string // hint and command may be ""
}

// findings looks an error up.
func (a *app) findings(ctx context.Context, err error) findings {
	var (
		usage *usageError
		hint  *hintError
		oauth *cogauth.Error
	)
	exit, text := exitFailed, ""
	if errors.As(err, &usage) {
		exit, text = exitUsage, "run {cogauth} --help"
	}
	var refusal *credentialhelper.Refusal
	if errors.As(err, &refusal) && refusal.Err == nil {
		// A protocol's own, and not one that was made of an error of ours.
		exit, text = refusalExits[refusal.Reason], refusal.Fix
	}
	for _, h := range hints {
		if exit == exitFailed && errors.Is(err, h.is) {
			exit, text = h.exit, h.hint
		}
	}
	if exit == exitKeychain && a.opened != nil && a.opened.settings != nil && a.opened.settings.Store == config.FileStore {
		text = "see that the file store's key and folder are there, yours alone, and the right ones: {cogauth} config explain{profile} shows store_key and store_dir; if the key is lost, {cogauth} configure --store file{profile} begins anew"
	}
	command := ""
	if exit == exitRefused || exit == exitMisconfigured {
		known := a.adviseOn(err)
		if known.hint == "" && errors.As(err, &oauth) {
			known = a.advise(ctx, oauth)
		}
		if known.hint != "" {
			text, command = known.hint, known.command
		}
	}
	var bad *config.Error
	if errors.As(err, &bad) && bad.Fix != "" {
		text = bad.Fix
	}
	var foreign *importer.Error
	if errors.As(err, &foreign) {
		exit, text = exitMisconfigured, foreign.Fix
	}
	if errors.As(err, &hint) {
		text = hint.hint
	}
	return findings{exit, visible(oneLine(err.Error())), visible(a.spell(text)), visible(command)}
}

// refusalExits are the exit statuses of what protocols refuse by themselves.
var refusalExits = map[credentialhelper.Reason]int{
	credentialhelper.Failed: exitFailed, credentialhelper.NotServed: exitMisconfigured,
	credentialhelper.LoginRequired: exitLoginRequired, credentialhelper.Refused: exitRefused,
	credentialhelper.Unavailable: exitKeychain, credentialhelper.Offline: exitOffline,
	credentialhelper.Misconfigured: exitMisconfigured,
}

// oneLine keeps joined errors on one line.
func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ") }

// spell fills in commands as this person would type them.
func (a *app) spell(hint string) string {
	login, profile := a.name()+" login", ""
	if p := a.asked(); p != "" {
		profile = " --profile " + quoteArg(p)
		login += profile
		if p == config.Reserved {
			login = a.name() + " demo"
		}
	}
	return strings.NewReplacer("{login}", login, "{cogauth}", a.name(), "{profile}", profile).Replace(hint)
}

// say writes one line to the person.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, "cogauth: %s\n", visible(fmt.Sprintf(format, args...)))
}

// visible takes the power over a terminal out of text that somebody else may have written: names,
// claims, the contents of files.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return ' '
		}
		return r
	}, s)
}

func invisible(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
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
