package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/pkg/tokenstore"
	"github.com/cogauth/cogauth/pkg/tokenstore/filestore"
)

// store is where the profile keeps its session.
func (a *app) store(s *config.Settings) tokenstore.Store {
	if s.Store == config.FileStore {
		return filestore.Open(s.StoreDir, s.StoreKey)
	}
	return a.keychain(s.Interactive == config.Always)
}

// placeOf is what the person calls that.
func placeOf(s *config.Settings) string {
	if s != nil && s.Store == config.FileStore {
		return "the file store in " + s.StoreDir
	}
	return "the keychain"
}

// storeAlone reports whether the flags choose a store and nothing else: then the profile stays as it is.
func (f *configureFlags) storeAlone() bool {
	return f.Store != "" && f.from == "" && !f.secretStdin &&
		strings.Join([]string{f.UserPoolID, f.Issuer, f.Domain, f.Region, f.ClientID, f.IdP, f.IdPIdentifier, f.Lang, f.Resource,
			f.LogoutURL, f.Expect, f.RefreshTokenValidity, f.CAFile, f.UsernameClaim, f.Interactive}, "") == "" &&
		len(f.CallbackURLs)+len(f.Scopes) == 0
}

// resolveAs tells what a profile would mean if the file held it.
func (a *app) resolveAs(file *config.File, name string, p config.Profile) (*config.Settings, error) {
	as := &config.File{Path: file.Path, Profiles: map[string]config.Profile{name: p}}
	return as.Resolve(config.Flags{Profile: name}, a.env())
}

// readyStore makes the key of a file store if none was named and none is there yet, and says what it is
// worth.
func (a *app) readyStore(p config.Profile) error {
	if p.Store != config.FileStore || p.StoreKey != "" || a.getenv("COGAUTH_STORE_KEY") != "" {
		return nil
	}
	key, err := config.DefaultStoreKey(a.env())
	if err != nil {
		return err
	}
	switch err := filestore.NewKey(key); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	a.say("made the key %s", key)
	a.say("it lies on the same disk as what it opens: it protects backups of the store alone, not against somebody who can read your files; where you can, mount a secret and name it with --store-key")
	return nil
}

// configureStore moves a profile's session to another store and remembers the choice.
func (a *app) configureStore(ctx context.Context, file *config.File) error {
	if a.getenv("COGAUTH_STORE") != "" {
		return &usageError{errors.New("COGAUTH_STORE chooses the store in this environment: unset it first")}
	}
	was, err := a.settings()
	if err != nil {
		return err
	}
	unlock, err := a.lockConfig(ctx, file, was.Profile)
	if err != nil {
		return err
	}
	defer unlock()
	f := a.flags.configure
	profile := file.Profiles[was.Profile]
	profile.Store, profile.StoreKey, profile.StoreDir = f.Store, f.StoreKey, f.StoreDir
	if f.Store == config.Keychain {
		profile.Store = "" // a default is not written down
	}
	if err := profile.Validate(); err != nil {
		return err
	}
	if err := file.Check(was.Profile, profile, false); err != nil {
		return err
	}
	if err := a.readyStore(profile); err != nil {
		return err
	}
	will, err := a.resolveAs(file, was.Profile, profile)
	if err != nil {
		return err
	}
	put := func() error { return file.Put(ctx, was.Profile, profile, f.makeDefault) }
	if samePlace(was, will) {
		return a.stays(ctx, was, put)
	}
	if err := a.relocate(ctx, was, will, put); err != nil {
		return err
	}
	s, err := a.open(will)
	if err != nil {
		return err
	}
	if who, err := s.Session(ctx); err == nil {
		a.say("you stay signed in as %s", who.Username)
	} else {
		a.say("next: %s login --profile %s", a.name(), was.Profile)
	}
	return nil
}

// stays is the way out for who has lost the key of a file store: choosing it once more.
func (a *app) stays(ctx context.Context, s *config.Settings, put func() error) error {
	if err := put(); err != nil {
		return err
	}
	opened, err := a.open(s)
	if err != nil {
		return err
	}
	if _, err := opened.Session(ctx); s.Store == config.FileStore && errors.Is(err, tokenstore.ErrBroken) {
		if err := opened.Discard(ctx); err != nil {
			return err
		}
		a.say("what profile %s had in %s could not be read and is gone: %s", s.Profile, placeOf(s), oneLine(err.Error()))
		a.say("next: %s login --profile %s", a.name(), s.Profile)
		return nil
	}
	a.say("profile %s keeps its session in %s already", s.Profile, placeOf(s))
	return nil
}

// lockConfig keeps other programs from changing a profile of the file. It fails if one has since the file
// was read.
func (a *app) lockConfig(ctx context.Context, file *config.File, profile string) (unlock func(), err error) {
	unlock, err = file.Lock(ctx)
	if err != nil {
		return nil, err
	}
	now, err := config.Load(file.Path)
	if err == nil && !reflect.DeepEqual(now.Profiles[profile], file.Profiles[profile]) {
		err = &hintError{fmt.Errorf("another program has just changed the profile %s", profile), "nothing was done; look at it with {cogauth} config explain{profile}, then run this again"}
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func samePlace(a, b *config.Settings) bool {
	return a.Store == b.Store && a.StoreDir == b.StoreDir && a.StoreKey == b.StoreKey
}

// relocate moves the session to where will keeps it; commit remembers the choice. From then on there is one
// session, in the chosen place: what was in the other one is removed, or it would be found there, out of
// date, when somebody chooses that again. A store that cannot be read is what people leave: then what the
// new one holds from an earlier time goes as well.
func (a *app) relocate(ctx context.Context, was, will *config.Settings, commit func() error) error {
	from, err := a.open(was)
	if err != nil {
		return err
	}
	to, err := a.open(will)
	if err != nil {
		return err
	}
	_, readErr := from.Session(ctx)
	unreadable := readErr != nil && !errors.Is(readErr, cogauth.ErrLoginRequired) && !errors.Is(readErr, cogauth.ErrMisconfigured)
	if unreadable && was.Store == will.Store && was.StoreDir == will.StoreDir {
		if _, err := to.Session(ctx); err == nil {
			return commit() // a change of the key that was cut off here
		}
		return &hintError{readErr, "what is in the folder cannot be encrypted for the new key without the old one; start anew in another folder with --store-dir"}
	}
	if err := to.CheckStore(ctx); err != nil {
		return err
	}
	done := false
	remember := func() error {
		err := commit()
		done = err == nil
		return err
	}
	if unreadable {
		a.say("warning: nothing could be taken along from %s: %s", placeOf(was), oneLine(readErr.Error()))
		err = errors.Join(to.Discard(ctx), remember())
	} else {
		err = from.MoveTo(ctx, to.Client, remember)
	}
	if err != nil && !done {
		return fmt.Errorf("move the session: %w", err)
	}
	if err != nil {
		a.say("warning: something was left in %s: %s", placeOf(was), oneLine(err.Error()))
	}
	a.say("profile %s keeps its session in %s from now on", will.Profile, placeOf(will))
	return nil
}

// absolute makes paths of flags full ones: on the command line a relative path means this folder.
func absolute(paths ...*string) error {
	for _, p := range paths {
		if *p == "" || strings.HasPrefix(*p, "~") {
			continue
		}
		full, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = full
	}
	return nil
}
