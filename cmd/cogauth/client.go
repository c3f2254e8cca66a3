package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/browser"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// flags are those of every command together; each command defines the ones it has.
type flags struct {
	profile     string
	interactive string
	json        bool

	tokenType string
	minTTL    time.Duration
	refresh   bool

	noBrowser  bool
	prompt     string
	loginHint  string
	idp        string
	lang       string
	switchUser bool
	timeout    time.Duration

	browser bool // logout: of the browser as well
	force   bool
	require requirements

	serve    bool
	poolFile string

	env   []string     // exec
	setup config.Serve // setup
	write bool

	configure configureFlags
}

func (a *app) env() config.Env { return config.System(a.getenv) }

func (a *app) configFlags() config.Flags {
	return config.Flags{Profile: a.flags.profile, Interactive: a.flags.interactive}
}

// asked is the profile that a flag or the environment names, or "".
func (a *app) asked() string { return a.configFlags().Asked(a.env()) }

// settings resolves the profile in force. The reserved profile of the demo is not in the file.
func (a *app) settings() (*config.Settings, error) {
	path, err := config.Path(a.env())
	if err != nil {
		return nil, err
	}
	file, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return file.Resolve(a.configFlags(), a.env())
}

// session is a profile in force, ready for use.
type session struct {
	*cogauth.Client
	profile     string
	interactive string // never, auto or always
	demo        bool
	settings    *config.Settings // nil for the demo
}

// session opens the profile in force.
func (a *app) session() (*session, error) {
	if a.asked() == config.Reserved {
		return a.demoSession()
	}
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	return a.open(s)
}

// open makes a profile ready for use.
func (a *app) open(s *config.Settings) (*session, error) {
	cache, err := config.CacheDir(a.env())
	if err != nil {
		return nil, err
	}
	client, err := cogauth.New(cogauth.Config{
		Profile:          s.Profile,
		UserPoolID:       s.UserPoolID,
		Issuer:           s.Issuer,
		Domain:           s.Domain,
		Region:           s.Region,
		ClientID:         s.ClientID,
		CallbackURLs:     s.CallbackURLs,
		Scopes:           s.Scopes,
		IdentityProvider: s.IdP,
		IdPIdentifier:    s.IdPIdentifier,
		Lang:             s.Lang,
		Resource:         s.Resource,
		Expect:           s.Expect,
		LogoutURL:        s.LogoutURL,

		RefreshTokenValidity: s.RefreshTokenValidity,

		UsernameClaim: s.UsernameClaim,
		Store:         a.store(s),
		CacheDir:      cache,
		CAFiles:       s.CAFiles(),
		OpenURL:       a.openURL,
		Logger:        a.logger(),
		UserAgent:     userAgent(),
	})
	if err != nil {
		return nil, err
	}
	opened := &session{Client: client, profile: s.Profile, interactive: s.Interactive, settings: s}
	a.opened = opened
	return opened, nil
}

// keychain is the operating system's. It may ask a person to unlock it only where there is one:
// twenty calls of a helper in the background must not raise twenty windows.
func (a *app) keychain(person bool) *tokenstore.Keyring {
	k := &tokenstore.Keyring{Timeout: 3 * time.Second}
	if person || a.terminal() {
		k.Timeout = time.Minute
		k.Prompt = true
		k.Waiting = func() { a.say("waiting for your keychain to answer; it may be asking for its password in a window") }
	}
	return k
}

func (a *app) logger() *slog.Logger { return slog.New(warnings{a}) }

func (a *app) openURL(ctx context.Context, url string) error {
	browser.GraphicalOnly(a.getenv, os.Setenv)
	return (&browser.Opener{Getenv: a.getenv}).Open(ctx, url)
}

// name is how the person started this program, for suggestions that can be pasted.
func (a *app) name() string {
	exe := os.Args[0]
	if p, _, ok := called(exe); ok && !a.plugin(p) {
		return "cogauth"
	}
	if !strings.Contains(filepath.ToSlash(exe), "/go-build") && !strings.Contains(filepath.ToSlash(exe), "/exe/cogauth") {
		return quoteArg(exe)
	}
	if typed := goRun(); typed != "" {
		return typed
	}
	return "go run ./cmd/cogauth"
}

// goRun reads the command line of the "go run" that built and started this program.
func goRun() string {
	if runtime.GOOS != "linux" {
		return ""
	}
	raw, err := os.ReadFile("/proc/" + itoa(os.Getppid()) + "/cmdline")
	if err != nil {
		return ""
	}
	args := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
	if len(args) < 3 || filepath.Base(args[0]) != "go" || args[1] != "run" {
		return ""
	}
	// The program's own arguments come last.
	own := len(os.Args) - 1
	if own >= len(args)-2 {
		return ""
	}
	typed := args[:len(args)-own]
	typed[0] = "go"
	for i := range typed {
		typed[i] = quoteArg(typed[i])
	}
	return strings.Join(typed, " ")
}

// quoteArg quotes a word for a POSIX shell if it needs it.
func quoteArg(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@,+~\\", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// mayAsk reports whether a login may be started on this person's behalf by a command that is not
// login itself.
func (a *app) mayAsk(interactive string) bool {
	switch interactive {
	case config.Always:
		return true
	case config.Auto:
		return a.terminal()
	}
	return false
}

// errParentGone ends a login whose starter has died.
var errParentGone = errors.New("the program that started this one has ended")
