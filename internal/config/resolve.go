package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The defaults of a profile.
const (
	defaultCallback = "http://localhost:8585/callback"
	defaultScope    = "openid"
)

// Flags are the command-line flags that Resolve knows; "" means not given.
type Flags struct{ Profile, Interactive string }

// Asked returns the name of the profile that --profile or COGAUTH_PROFILE asks for, without a look
// at any file, or "". The caller needs it for the profile Reserved, which no file defines.
func (f Flags) Asked(env Env) string {
	name, _ := f.asked(env)
	return name
}

func (f Flags) asked(env Env) (name, key string) {
	if f.Profile != "" {
		return f.Profile, "--profile"
	}
	if name := env.get("COGAUTH_PROFILE"); name != "" {
		return name, "COGAUTH_PROFILE"
	}
	return "", ""
}

// Settings are the values in force for one profile: checked, with defaults filled in and paths
// expanded. The slices are the caller's.
type Settings struct {
	Profile string // its name

	UserPoolID   string   // exactly one of this, Issuer and Domain is not ""
	Issuer       string   //
	Domain       string   //
	Region       string   // "" unless it was needed or given
	ClientID     string   // never ""
	CallbackURLs []string // at least one
	Scopes       []string // openid among them

	IdP           string // "" if not set, like those below
	IdPIdentifier string
	Lang          string
	Resource      string
	LogoutURL     string
	Expect        string
	// RefreshTokenValidity is how long a sign-in lasts at the app client; zero if that is not set.
	RefreshTokenValidity time.Duration

	CAFile      string // of ca_file or COGAUTH_CA_FILE, "" if neither is set
	AWSCABundle string // of AWS_CA_BUNDLE
	SSLCertFile string // of SSL_CERT_FILE

	UsernameClaim string // "" if not set
	Interactive   string // Never, Auto or Always

	Store    string // Keychain or FileStore
	StoreKey string // full path of the key that opens a FileStore
	StoreDir string // full path of a FileStore's folder

	Serve []Serve // who may be handed a token; nil if nobody

	origins map[string]string // by key; a key that is missing has its default
}

// CAFiles returns the PEM files whose certificates are trusted besides the system's, each once. A
// relative path, which only the environment can hold, means the working directory.
func (s *Settings) CAFiles() []string {
	var files []string
	for _, f := range []string{s.CAFile, s.AWSCABundle, s.SSLCertFile} {
		if f != "" && !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	return files
}

// Value is one line of Explain.
type Value struct {
	Key    string // as in the file, or the name of a variable
	Value  string // a list is written as in TOML; "" means not set
	Origin string // such as "flag --profile", "environment COGAUTH_PROFILE", "file ~/.config/cogauth/config.toml", "default"
}

// Explain tells every value in force and where it came from, always in the same order. Each entry of
// serve is a value of its own. None of them is a secret. A value that is not set and has no default has the origin "not set".
func (s *Settings) Explain() []Value {
	values := []Value{
		{Key: "profile", Value: s.Profile},
		{Key: keyUserPoolID, Value: s.UserPoolID},
		{Key: keyIssuer, Value: s.Issuer},
		{Key: keyDomain, Value: s.Domain},
		{Key: keyRegion, Value: s.Region},
		{Key: keyClientID, Value: s.ClientID},
		{Key: keyCallbackURLs, Value: renderList(s.CallbackURLs)},
		{Key: keyScopes, Value: renderList(s.Scopes)},
		{Key: keyIdP, Value: s.IdP},
		{Key: keyIdPIdentifier, Value: s.IdPIdentifier},
		{Key: keyLang, Value: s.Lang},
		{Key: keyResource, Value: s.Resource},
		{Key: keyLogoutURL, Value: s.LogoutURL},
		{Key: keyExpect, Value: s.Expect},
		{Key: keyValidity, Value: FormatValidity(s.RefreshTokenValidity)},
		{Key: keyCAFile, Value: s.CAFile},
		{Key: "AWS_CA_BUNDLE", Value: s.AWSCABundle},
		{Key: "SSL_CERT_FILE", Value: s.SSLCertFile},
		{Key: keyUsernameClaim, Value: s.UsernameClaim},
		{Key: keyInteractive, Value: s.Interactive},
		{Key: keyStore, Value: s.Store},
		{Key: keyStoreKey, Value: s.StoreKey},
		{Key: keyStoreDir, Value: s.StoreDir},
	}
	for _, serve := range s.Serve {
		values = append(values, Value{Key: keyServe, Value: serve.String()})
	}
	if len(s.Serve) == 0 {
		values = append(values, Value{Key: keyServe})
	}
	for i := range values {
		v := &values[i]
		switch origin := s.origins[v.Key]; {
		case origin != "":
			v.Origin = origin
		case v.Value == "":
			v.Origin = "not set"
		default:
			v.Origin = "default"
		}
	}
	return values
}

// Resolve chooses a profile and applies flags over environment over file. The profile is the one
// that --profile, COGAUTH_PROFILE or default_profile names, in this order, else the only one in the
// file. The error is an *Error: ErrNoProfile if none was asked for and there is none,
// ErrUnknownProfile if the one asked for does not exist, else ErrInvalid.
func (f *File) Resolve(flags Flags, env Env) (*Settings, error) {
	name, origin, err := f.choose(flags, env)
	if err != nil {
		return nil, err
	}
	p := f.Profiles[name]
	if err := p.check(); err != nil {
		return nil, f.place(err, name)
	}
	s := &Settings{
		Profile:       name,
		UserPoolID:    p.UserPoolID,
		Issuer:        p.Issuer,
		Domain:        p.Domain,
		Region:        p.Region,
		ClientID:      p.ClientID,
		CallbackURLs:  slices.Clone(p.CallbackURLs),
		Scopes:        slices.Clone(p.Scopes),
		IdP:           p.IdP,
		IdPIdentifier: p.IdPIdentifier,
		Lang:          p.Lang,
		Resource:      p.Resource,
		LogoutURL:     p.LogoutURL,
		Expect:        p.Expect,
		CAFile:        p.CAFile,
		UsernameClaim: p.UsernameClaim,
		Interactive:   p.Interactive,
		Store:         p.Store,
		StoreKey:      p.StoreKey,
		StoreDir:      p.StoreDir,
		Serve:         slices.Clone(p.Serve),
		origins:       map[string]string{"profile": origin},
	}
	s.RefreshTokenValidity, _ = parseValidity(p.RefreshTokenValidity) // checked above
	s.fromFile(p, f.origin(env))
	if s.CallbackURLs == nil {
		s.CallbackURLs = []string{defaultCallback}
	}
	if s.Scopes == nil {
		s.Scopes = []string{defaultScope}
	}
	if err := s.overrideInteractive(flags, env); err != nil {
		return nil, err
	}
	for _, v := range []struct {
		key, variable string
		field         *string
	}{
		{keyCAFile, "COGAUTH_CA_FILE", &s.CAFile},
		{keyStoreKey, "COGAUTH_STORE_KEY", &s.StoreKey},
		{keyStoreDir, "COGAUTH_STORE_DIR", &s.StoreDir},
	} {
		if env.get(v.variable) != "" {
			continue // what the file says does not count
		}
		if *v.field, err = f.fullPath(*v.field, v.key, name, env); err != nil {
			return nil, err
		}
	}
	if err := s.rootsFromEnv(env); err != nil {
		return nil, err
	}
	if err := s.storeFromEnv(env); err != nil {
		return nil, err
	}
	return s, nil
}

func (f *File) origin(env Env) string { return "file " + env.short(f.Path) }

func (s *Settings) fromFile(p Profile, origin string) {
	for _, key := range profileKeys {
		switch field := p.field(key).(type) {
		case *string:
			if *field != "" {
				s.origins[key] = origin
			}
		case *[]string:
			if *field != nil {
				s.origins[key] = origin
			}
		case *[]Serve:
			if *field != nil {
				s.origins[key] = origin
			}
		}
	}
}

func (s *Settings) overrideInteractive(flags Flags, env Env) error {
	const variable, flag = "COGAUTH_INTERACTIVE", "--interactive"
	switch v := env.get(variable); {
	case flags.Interactive != "":
		s.Interactive, s.origins[keyInteractive] = flags.Interactive, "flag "+flag
		if err := checkInteractive(flags.Interactive, flag); err != nil {
			return err
		}
	case v != "":
		s.Interactive, s.origins[keyInteractive] = v, "environment "+variable
		if err := checkInteractive(v, variable); err != nil {
			return err
		}
	case s.Interactive == "":
		s.Interactive = Never
	}
	return nil
}

// fullPath makes a path of the file absolute: relative means relative to the folder of config.toml,
// because nobody knows in which folder a helper will be started.
func (f *File) fullPath(value, key, profile string, env Env) (string, error) {
	if value == "" {
		return "", nil
	}
	p, err := env.expand(value, key)
	if err != nil {
		return "", f.place(err, profile)
	}
	switch {
	case env.abs(p):
		return p, nil
	case env.windows() && (hasDrive(p) || env.isSeparator(p[0])):
		return "", f.place(invalid(key, "write the full path, drive and backslash included", "%s depends on the current drive", key), profile)
	}
	return env.join(env.dir(f.Path), p), nil
}

// CAFilesFromEnv returns the certificate files that the environment names, for a request before
// there is any profile.
func CAFilesFromEnv(env Env) ([]string, error) {
	s := &Settings{origins: map[string]string{}}
	if err := s.rootsFromEnv(env); err != nil {
		return nil, err
	}
	return s.CAFiles(), nil
}

// rootsFromEnv applies the variables that name certificate files.
func (s *Settings) rootsFromEnv(env Env) error {
	for _, v := range []struct {
		variable, key string
		field         *string
	}{
		{"COGAUTH_CA_FILE", keyCAFile, &s.CAFile},
		{"AWS_CA_BUNDLE", "AWS_CA_BUNDLE", &s.AWSCABundle},
		{"SSL_CERT_FILE", "SSL_CERT_FILE", &s.SSLCertFile},
	} {
		value := env.get(v.variable)
		if value == "" {
			continue
		}
		if !printable(value) {
			return invalid(v.variable, "set it to the path of a PEM file", "%s holds a control character or is not UTF-8", v.variable)
		}
		p, err := env.expand(value, v.variable)
		if err != nil {
			return err
		}
		*v.field, s.origins[v.key] = p, "environment "+v.variable
	}
	return nil
}

// choose returns the name of the profile to use and where that choice came from.
func (f *File) choose(flags Flags, env Env) (name, origin string, err error) {
	name, key := flags.asked(env)
	switch {
	case key == "--profile":
		origin = "flag " + key
	case key != "":
		origin = "environment " + key
	case f.DefaultProfile != "":
		name, key, origin = f.DefaultProfile, keyDefault, f.origin(env)
	case len(f.Profiles) == 1:
		for name := range f.Profiles {
			return name, "only profile in " + env.short(f.Path), nil
		}
	default:
		return "", "", f.noChoice()
	}
	if _, ok := f.Profiles[name]; !ok {
		return "", "", f.unknownProfile(name, key)
	}
	return name, origin, nil
}

func (f *File) noChoice() *Error {
	if len(f.Profiles) == 0 {
		return &Error{File: f.Path, Fact: "no profile is configured", Fix: "run cogauth configure", kind: ErrNoProfile}
	}
	return &Error{
		File: f.Path, Key: keyDefault,
		Fact: fmt.Sprintf("no profile is chosen and the file has %d", len(f.Profiles)),
		Fix:  "choose one by --profile, COGAUTH_PROFILE or default_profile: " + f.names(),
	}
}

// unknownProfile is the error for a profile that key asks for and the file does not have.
func (f *File) unknownProfile(name, key string) *Error {
	e := &Error{File: f.Path, Key: key, kind: ErrUnknownProfile}
	if key == keyDefault {
		e.Line = locate(scan(f.src), keyDefault)
	}
	if !validName(name) { // then it may be anything, a secret included
		e.Fact, e.Fix = key+" is not a possible profile name", "the profiles are "+f.names()
		if len(f.Profiles) == 0 {
			e.Fix = "run cogauth configure"
		}
		return e
	}
	e.Fact = fmt.Sprintf("%s names the profile %s, which does not exist", key, quote(name))
	known := slices.Sorted(maps.Keys(f.Profiles))
	switch near := nearest(name, known); {
	case near != "":
		e.Fix = "did you mean " + near + "?"
	case name == Reserved:
		e.Fix = "run cogauth demo"
	case len(known) == 0:
		e.Fix = "run cogauth configure"
	default:
		e.Fix = "the profiles are " + f.names() + "; cogauth configure adds one"
	}
	return e
}

// names lists the profiles, at most eight of them.
func (f *File) names() string {
	names := slices.Sorted(maps.Keys(f.Profiles))
	if len(names) > 8 {
		names = append(names[:8:8], "…")
	}
	return strings.Join(names, ", ")
}

// place completes an error about a value in the profile name.
func (f *File) place(e *Error, name string) *Error {
	e.File = f.Path
	e.Fact += " (profile " + quote(name) + ")"
	path := []string{keyProfiles, name}
	if e.entry > 0 {
		path = append(path, keyServe, strconv.Itoa(e.entry-1))
	}
	e.Line = Line(f.src, append(path, e.Key)...)
	return e
}
