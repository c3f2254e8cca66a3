package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cogauth/cogauth/internal/flock"
)

// Lock keeps all others, in this process and elsewhere, from changing the file until unlock is called. The
// methods that change it take the lock by themselves; Lock is for who does several things under one lock.
// It makes the folder if need be. The lock is a file of mode 0600 beside the configuration, which stays.
func (f *File) Lock(ctx context.Context) (unlock func(), err error) {
	if err := f.makeFolder(); err != nil {
		return nil, err
	}
	return f.lock(ctx)
}

// lock locks what replaceFile would replace: a file that is linked to has one lock under all its names.
func (f *File) lock(ctx context.Context) (unlock func(), err error) {
	target, err := followLinks(f.Path)
	if err != nil {
		return nil, writing(err)
	}
	release, err := flock.Take(ctx, target+".lock")
	if err != nil {
		return nil, writing(err)
	}
	f.locked = true
	return func() {
		f.locked = false
		release()
	}, nil
}

func (f *File) makeFolder() error {
	target, err := followLinks(f.Path)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(target), 0o700)
	}
	return writing(err)
}

// alone runs edit, which reads the file again and commits it, while nobody else can do so. Where the lock
// cannot be had edit runs all the same: what is wrong with the edit is said first, and one that changes
// nothing needs no lock.
func (f *File) alone(ctx context.Context, edit func() error) error {
	if f.locked {
		return edit()
	}
	unlock, err := f.lock(ctx)
	switch {
	case ctx.Err() != nil && err != nil:
		return err
	case err != nil:
		f.unlockable = err
		defer func() { f.unlockable = nil }()
	default:
		defer unlock()
	}
	return edit()
}

func writing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write configuration: %w", err)
}
