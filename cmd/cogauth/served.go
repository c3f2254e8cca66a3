package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cogauth/cogauth"
	credentialhelper "github.com/cogauth/cogauth/credential-helper"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/origin"
)

// served answers helpers: config.toml says who gets what, and the sessions of its profiles have it.
type served struct {
	a   *app
	ctx context.Context // of the whole run, for advice

	profile string // that the command line names: one call may ask for targets of several profiles
	broken  error  // why nobody can say what is served
}

// file loads config.toml. Where that cannot be read nobody knows whether a target is one of ours, and most
// are not: clients are told that there is nothing, and go on to others. The person is told of broken.
func (s *served) file() (*config.File, error) {
	path, err := config.Path(s.a.env())
	if err != nil {
		return nil, s.unknown(err)
	}
	file, err := config.Load(path)
	if err != nil {
		return nil, s.unknown(err)
	}
	return file, nil
}

func (s *served) unknown(err error) error {
	s.broken = err
	f := s.a.findings(s.ctx, err)
	return &credentialhelper.Refusal{Reason: credentialhelper.NotServed, Message: f.fact, Fix: f.hint, Err: err}
}

// resolve finds the profile that serves a request, and its entry.
func (s *served) resolve(r credentialhelper.Request) (*config.Settings, config.Serve, error) {
	file, err := s.file()
	if err != nil {
		return nil, config.Serve{}, err
	}
	flags := s.a.configFlags()
	flags.Profile = s.profile
	if flags.Profile == "" {
		flags.Profile = r.Profile
	}
	settings, entry, err := file.ResolveServing(flags, s.a.env(), r.URL, r.Client)
	if errors.Is(err, config.ErrUnknownProfile) {
		return nil, config.Serve{}, s.unknown(err)
	}
	if err == nil {
		s.a.flags.profile = settings.Profile // advice is about this one from here on
	}
	return settings, entry, err
}

// Token implements credentialhelper.Source.
func (s *served) Token(ctx context.Context, r credentialhelper.Request) (credentialhelper.Credential, error) {
	if err := s.a.tooDeep(); err != nil {
		return credentialhelper.Credential{}, err
	}
	settings, entry, err := s.resolve(r)
	if err != nil {
		return credentialhelper.Credential{}, s.refusal(err)
	}
	t, err := s.token(ctx, settings, entry, r)
	if err != nil {
		return credentialhelper.Credential{}, s.refusal(err)
	}
	return credentialhelper.Credential{
		Token: t.value, Expires: t.expires, Username: entry.Username, Type: t.typ.String(),
	}, nil
}

// soon is how old a token is at most if it is not the one that was refused, or was refused for another
// reason than its age: then a newer one would change nothing.
const soon = time.Minute

func (s *served) token(ctx context.Context, settings *config.Settings, entry config.Serve, r credentialhelper.Request) (given, error) {
	typ := cogauth.IDToken
	if entry.Token == cogauth.AccessToken.String() {
		typ = cogauth.AccessToken
	}
	if file := s.a.getenv(tokenFileVariable); file != "" {
		return s.a.tokenFromFile(ctx, file, settings, typ)
	}
	sess, err := s.a.open(settings)
	if err != nil {
		return given{}, err
	}
	o := &cogauth.TokenOptions{Type: typ, MinTTL: r.MinTTL}
	if s.a.flags.minTTL > 0 {
		o.MinTTL = s.a.flags.minTTL
	}
	t, err := sess.Token(ctx, o)
	if err == nil && r.Refresh && age(t) > soon {
		o.Refresh = true
		t, err = sess.Token(ctx, o)
	}
	if errors.Is(err, cogauth.ErrLoginRequired) && r.Interactive && s.a.mayAsk(sess.interactive) {
		t, err = s.a.loginForToken(ctx, sess, o)
	}
	if err != nil {
		return given{}, sess.explain(err)
	}
	return given{t.Reveal(), typ, t.ExpiresHere(), t.Issued()}, nil
}

// age is how long ago a token was made, also where this machine's clock is wrong.
func age(t cogauth.Token) time.Duration {
	return time.Since(t.Issued().Add(t.ExpiresHere().Sub(t.Expires())))
}

// Origins implements credentialhelper.Source. Docker asks for the credentials of every registry that it is
// told of, and sends them all to its daemon: it is told of those that are served to it by name.
func (s *served) Origins(_ context.Context, r credentialhelper.Request) ([]string, error) {
	if err := s.a.tooDeep(); err != nil {
		return nil, err
	}
	file, err := s.file()
	if err != nil {
		return nil, err
	}
	name := config.Flags{Profile: s.profile}.Asked(s.a.env())
	if name == "" {
		name = r.Profile
	}
	var origins []string
	for profile, p := range file.Profiles {
		for _, entry := range p.Serve {
			pattern, err := origin.Parse(entry.Origin)
			fits := err == nil && !pattern.Wildcard() && (entry.Client == r.Client || entry.Client == "" && r.Client != "docker")
			if fits && (name == "" || name == profile) && !slices.Contains(origins, pattern.String()) {
				origins = append(origins, pattern.String())
			}
		}
	}
	slices.Sort(origins)
	return origins, nil
}

// Reject implements credentialhelper.Source.
func (s *served) Reject(ctx context.Context, r credentialhelper.Request, token string) error {
	if err := s.a.tooDeep(); err != nil {
		return err
	}
	settings, _, err := s.resolve(r)
	if err != nil {
		return s.refusal(err)
	}
	if s.a.getenv(tokenFileVariable) != "" {
		return nil // it is not ours to forget
	}
	sess, err := s.a.open(settings)
	if err != nil {
		return s.refusal(err)
	}
	return s.refusal(sess.Reject(ctx, token))
}

// refusal says an error in the words and the reasons that helpers know.
func (s *served) refusal(err error) error {
	var known *credentialhelper.Refusal
	if err == nil || errors.As(err, &known) {
		return err
	}
	f := s.a.findings(s.ctx, err)
	reason := credentialhelper.Failed
	switch {
	case errors.Is(err, config.ErrNotServed):
		reason = credentialhelper.NotServed
	case f.exit == exitLoginRequired, f.exit == exitIncomplete:
		reason = credentialhelper.LoginRequired
	case f.exit == exitRefused:
		reason = credentialhelper.Refused
	case f.exit == exitKeychain:
		reason = credentialhelper.Unavailable
	case f.exit == exitOffline:
		reason = credentialhelper.Offline
	case f.exit == exitMisconfigured:
		reason = credentialhelper.Misconfigured
	}
	return &credentialhelper.Refusal{Reason: reason, Message: f.fact, Fix: f.hint, Err: err}
}
