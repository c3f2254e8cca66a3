package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
)

// configureFlags are the profile as far as flags give it, and what to do with it.
type configureFlags struct {
	config.Profile
	from        string
	secretStdin bool
	makeDefault bool
}

func (a *app) configureCommand() *cobra.Command {
	c := sub("configure", "Write a profile: which pool to sign in to",
		`Add a profile to config.toml, or replace it. What is not given as a flag is
asked for, if this is a terminal, and the result is shown before it is written.

Any of these is enough, together with --client-id; the rest is discovered:
  --user-pool-id eu-west-1_AbCdEfGhI
  --domain myapp --region eu-west-1      where the pool's ID is not known
  --issuer https://id.example.com        any OpenID provider

--from takes them from what you have: amplify_outputs.json, the JSON of
"aws cognito-idp describe-user-pool-client", the outputs of CloudFormation or
Terraform as JSON, or the URL of an OpenMetadata or Collate server. "-" is
standard input.

The app client must have the callback URL registered, byte for byte:
http://localhost:8585/callback unless you name others. A client secret is never a
flag: it is asked for, or read from standard input with --client-secret-stdin, and
kept where the session is.

The session is kept in the keychain. Where there is none, as on servers, in
containers and in WSL, --store file keeps it in encrypted files, opened by an age
or SSH key without a passphrase: --store-key /run/secrets/cogauth. Without
--store-key a key is made beside config.toml, which protects backups alone.`,
		`  cogauth configure
  cogauth configure --user-pool-id eu-west-1_AbCdEfGhI --client-id 1h57kf5cpq17m0eml12EXAMPLE
  cogauth configure --from amplify_outputs.json
  cogauth configure --from http://localhost:8585 --profile openmetadata
  cogauth configure --client-secret-stdin --profile work < secret.txt
  cogauth configure --store file --store-key /run/secrets/cogauth`, a.configure)
	f := &a.flags.configure
	text := func(p *string, name, usage string) { c.Flags().StringVar(p, name, "", usage) }
	text(&f.UserPoolID, "user-pool-id", "ID of the Cognito user pool, such as eu-west-1_AbCdEfGhI")
	text(&f.Issuer, "issuer", "issuer URL of another OpenID provider")
	text(&f.Domain, "domain", "domain of the pool's sign-in page: a prefix or a host, without the pool's ID")
	text(&f.Region, "region", "AWS Region of the domain")
	text(&f.ClientID, "client-id", "ID of the app client")
	c.Flags().StringArrayVar(&f.CallbackURLs, "callback-url", nil, "registered loopback callback URL; repeat it to have spare ports")
	c.Flags().StringArrayVar(&f.Scopes, "scope", nil, "scope to ask for; repeat it (default openid)")
	text(&f.IdP, "idp", "identity provider of the pool to go to at once")
	text(&f.IdPIdentifier, "idp-identifier", "the same, by one of its identifiers, such as an e-mail domain")
	text(&f.Lang, "lang", "language of the sign-in page, such as de")
	text(&f.Resource, "resource", "API that the access token is for (RFC 8707)")
	text(&f.LogoutURL, "logout-url", "registered sign-out URL, for logout --browser")
	text(&f.Expect, "expect", "who must sign in: a@b, @b or sub:…; anybody else is refused")
	text(&f.RefreshTokenValidity, "refresh-token-validity", "how long a sign-in lasts at this app client, such as 30d")
	text(&f.CAFile, "ca-file", "PEM file with a certificate authority to trust as well")
	text(&f.UsernameClaim, "username-claim", "ID token claim that names you")
	text(&f.Store, "store", "where the session is kept: keychain or file; without other settings, moves the profile as it is")
	text(&f.StoreKey, "store-key", "age or SSH key that opens the file store, such as a mounted secret")
	text(&f.StoreDir, "store-dir", "folder of the file store")
	c.Flags().StringVar(&a.flags.interactive, "interactive", "", "whether token may open a browser: never, auto or always")
	c.Flags().BoolVar(&f.makeDefault, "default", false, "make it the default profile")
	text(&f.from, "from", "file, server URL or - to take the settings from")
	c.Flags().BoolVar(&f.secretStdin, "client-secret-stdin", false, "read the app client's secret from standard input and keep it; without other settings, of the profile as it is")
	_ = c.RegisterFlagCompletionFunc("interactive", fixed(config.Never, config.Auto, config.Always))
	_ = c.RegisterFlagCompletionFunc("store", fixed(config.Keychain, config.FileStore))
	_ = c.MarkFlagFilename("from", "json")
	return c
}

// proposal is what configure is going to write.
type proposal struct {
	name    string
	profile config.Profile
	secret  secret.Secret // "" leaves the keychain as it is
	confirm bool          // it was put together from more than flags
	advice  []advice      // what the pool still needs
}

func (a *app) configure(ctx context.Context) error {
	f := a.flags.configure
	f.Interactive = a.flags.interactive
	file, err := a.file()
	if err != nil {
		return err
	}
	if f.secretStdin && f.from == "" && reflect.DeepEqual(f.Profile, config.Profile{}) {
		return a.configureSecret(ctx)
	}
	if err := absolute(&f.StoreKey, &f.StoreDir, &f.CAFile); err != nil {
		return err
	}
	if a.flags.configure = f; f.storeAlone() {
		return a.configureStore(ctx, file)
	}
	p := &proposal{name: a.asked(), profile: f.Profile}
	if p.name != "" {
		if err := config.CheckName(p.name); err != nil {
			return err
		}
	}
	if f.secretStdin && f.from == "-" {
		return &usageError{errors.New("--from - and --client-secret-stdin both want standard input")}
	}
	if f.from != "" {
		if err := a.take(ctx, f.from, p); err != nil {
			return err
		}
	}
	if f.secretStdin {
		if p.secret, err = a.readSecret(ctx); err != nil {
			return err
		}
	}
	if err := a.complete(ctx, p); err != nil {
		return err
	}
	if p.name == "" {
		p.name = "default"
	}
	if old, ok := file.Profiles[p.name]; ok && p.profile.Store == "" && p.profile.StoreKey+p.profile.StoreDir == "" {
		// The choice of a store is remembered until another one is made.
		p.profile.Store, p.profile.StoreKey, p.profile.StoreDir = old.Store, old.StoreKey, old.StoreDir
	} else if p.profile.Store == config.Keychain {
		p.profile.Store = "" // a default is not written down
	}
	if err := p.profile.Validate(); err != nil {
		return err
	}
	return a.write(ctx, file, p)
}

// write shows what was put together, and writes it.
func (a *app) write(ctx context.Context, file *config.File, p *proposal) error {
	if p.confirm {
		fmt.Fprintf(a.err, "\n%s\n", p.profile.Render(p.name))
		if _, replaces := file.Profiles[p.name]; replaces {
			a.say("this replaces the profile %s", p.name)
		}
		if a.asks() {
			q, done := a.questions(ctx)
			answer := q.text("Write it to "+file.Path+"? (yes/no)", "yes")
			done()
			if q.err != nil {
				return q.err
			}
			if !strings.HasPrefix(strings.ToLower(answer), "y") {
				a.say("nothing was written")
				return silent(exitFailed)
			}
		}
	}
	unlock, err := a.lockConfig(ctx, file, p.name)
	if err != nil {
		return err
	}
	defer unlock()
	// What can be known beforehand is: a secret that was there must not be lost to a file that cannot
	// be edited.
	if err := file.Check(p.name, p.profile, a.flags.configure.makeDefault); err != nil {
		return err
	}
	if err := a.readyStore(p.profile); err != nil {
		return err
	}
	place, err := a.resolveAs(file, p.name, p.profile)
	if err != nil {
		return err
	}
	former := a.former(file, p)
	was, err := a.placeBefore(file, p)
	if err != nil {
		return err
	}
	undo := func() {}
	if was == nil {
		if undo, err = a.keepSecret(ctx, file, p); err != nil {
			return err
		}
	}
	put := func() error { return file.Put(ctx, p.name, p.profile, a.flags.configure.makeDefault) }
	if was != nil {
		// What is moved would take the place of a secret that is new.
		if err = a.relocate(ctx, was, place, put); err == nil {
			_, err = a.keepSecret(ctx, file, p)
		}
	} else {
		err = put()
	}
	if err != nil {
		undo()
		return err
	}
	a.say("profile %s is in %s", p.name, file.Path)
	if former != nil {
		if err := a.retire(ctx, former, true); err != nil {
			return err
		}
	}
	if !p.secret.Empty() {
		a.say("its client secret is in %s", placeOf(place))
	}
	for _, ad := range p.advice {
		a.say("before you can sign in: %s", ad.hint)
		if ad.command != "" {
			fmt.Fprintf(a.err, "\n%s\n\n", ad.command)
		}
	}
	a.say("next: %s login --profile %s", a.name(), p.name)
	return nil
}

// placeBefore is the profile that is being replaced, if it is for the same app client and kept its session
// elsewhere.
func (a *app) placeBefore(file *config.File, p *proposal) (*config.Settings, error) {
	old, ok := file.Profiles[p.name]
	if !ok || old.ClientID != p.profile.ClientID {
		return nil, nil
	}
	was, err := a.resolveAs(file, p.name, old)
	if err != nil {
		return nil, nil // it could not be used, so there is nothing of it
	}
	will, err := a.resolveAs(file, p.name, p.profile)
	if err != nil || samePlace(was, will) {
		return nil, err
	}
	return was, nil
}

// former is the profile that is being replaced, if it is for another app client: no command would find
// its session afterwards.
func (a *app) former(file *config.File, p *proposal) *session {
	old, ok := file.Profiles[p.name]
	if !ok || old.ClientID == p.profile.ClientID {
		return nil
	}
	s, err := a.sessionOf(p.name)
	if err != nil {
		return nil // it could not be used, so there is nothing of it
	}
	return s
}

// keepSecret puts the secret into the keychain, before the profile that needs it is written. undo
// takes it out again.
func (a *app) keepSecret(ctx context.Context, file *config.File, p *proposal) (undo func(), err error) {
	if p.secret.Empty() {
		return func() {}, nil
	}
	client, err := a.secretHolder(file, p.name, p.profile)
	if err != nil {
		return nil, err
	}
	before, err := client.HasClientSecret(ctx)
	if err != nil {
		return nil, err
	}
	if err := client.SetClientSecret(ctx, p.secret.Reveal()); err != nil {
		return nil, fmt.Errorf("keep the client secret: %w", err)
	}
	return func() {
		if !before {
			_ = client.SetClientSecret(context.WithoutCancel(ctx), "") // best effort: the file's error is what counts
		}
	}, nil
}

// secretHolder is a Client for nothing but the keychain entry of a profile's secret, which is bound to
// the profile's provider.
func (a *app) secretHolder(file *config.File, name string, p config.Profile) (*cogauth.Client, error) {
	s, err := a.resolveAs(file, name, p)
	if err != nil {
		return nil, err
	}
	cache, err := config.CacheDir(a.env())
	if err != nil {
		return nil, err
	}
	return cogauth.New(cogauth.Config{
		Profile: name, ClientID: p.ClientID, UserPoolID: p.UserPoolID, Issuer: p.Issuer, Domain: p.Domain, Region: p.Region,
		Store: a.store(s), CacheDir: cache, OpenURL: a.openURL,
	})
}

// configureSecret gives the profile in force a client secret, and leaves the file alone.
func (a *app) configureSecret(ctx context.Context) error {
	s, err := a.session()
	if err != nil {
		return err
	}
	if s.demo {
		return &usageError{fmt.Errorf("the profile %q belongs to the demo", config.Reserved)}
	}
	given, err := a.readSecret(ctx)
	if err != nil {
		return err
	}
	if err := s.SetClientSecret(ctx, given.Reveal()); err != nil {
		return fmt.Errorf("keep the client secret: %w", err)
	}
	a.say("the client secret of profile %s is in %s", s.profile, placeOf(s.settings))
	a.say("next: %s login --profile %s", a.name(), s.profile)
	return nil
}

// maxSecret is many times the 64 characters that a user pool's have.
const maxSecret = 1024

// readSecret reads a client secret from standard input: one line, or without echo on a terminal.
func (a *app) readSecret(ctx context.Context) (secret.Secret, error) {
	if a.asks() {
		return a.askSecret(ctx, "Client secret: ")
	}
	raw, err := io.ReadAll(io.LimitReader(a.in, maxSecret+3))
	if err != nil {
		return secret.Secret{}, fmt.Errorf("read the client secret from standard input: %w", err)
	}
	return checkSecret(string(raw))
}

func checkSecret(raw string) (secret.Secret, error) {
	s := strings.TrimRight(raw, "\r\n")
	switch {
	case s == "":
		return secret.Secret{}, &usageError{errors.New("there is no client secret on standard input")}
	case len(s) > maxSecret, strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return secret.Secret{}, &usageError{errors.New("what is on standard input is not a client secret: it has spaces, several lines or other characters that none has")}
	}
	return secret.New(s), nil
}

// complete asks for what is missing.
func (a *app) complete(ctx context.Context, p *proposal) error {
	known := p.profile.UserPoolID+p.profile.Issuer+p.profile.Domain != ""
	if known && p.profile.ClientID != "" {
		return nil
	}
	if !a.asks() || a.flags.configure.from == "-" {
		return &usageError{errors.New("--user-pool-id (or --issuer, or --domain) and --client-id are needed when there is no terminal to ask on")}
	}
	q, done := a.questions(ctx)
	defer done()
	p.confirm = true
	if p.name == "" {
		p.name = q.text("Profile name", "default")
	}
	if !known {
		place(&p.profile, q.text("User pool ID (eu-west-1_AbCdEfGhI), sign-in domain, or issuer URL of another provider", ""))
	}
	if p.profile.Domain != "" && p.profile.Region == "" && provider.HostRegion(p.profile.Domain) == "" {
		p.profile.Region = q.text("AWS Region of the domain (eu-west-1)", "")
	}
	if p.profile.ClientID == "" {
		p.profile.ClientID = q.text("App client ID", "")
	}
	if p.secret.Empty() && q.err == nil {
		p.secret, q.err = a.askSecret(ctx, "Client secret (empty for a public client): ")
	}
	if len(p.profile.CallbackURLs) == 0 {
		answer := strings.Fields(strings.ReplaceAll(q.text("Registered callback URL", cogauth.DefaultCallbackURL), ",", " "))
		if !slices.Equal(answer, []string{cogauth.DefaultCallbackURL}) { // a default is not written down
			p.profile.CallbackURLs = answer
		}
	}
	return q.err
}
