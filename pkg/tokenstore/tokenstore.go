// Package tokenstore keeps small secrets, such as refresh tokens, under names: in the operating
// system's keychain (Keyring) or in the memory of one process (Memory).
//
//	store := &tokenstore.Keyring{Service: "my-app"}
//	token, err := store.Get(ctx, "work")
//	switch {
//	case errors.Is(err, tokenstore.ErrNotFound):    // nobody has signed in yet
//	case errors.Is(err, tokenstore.ErrLocked):      // the person must unlock the keychain first
//	case errors.Is(err, tokenstore.ErrUnavailable): // this session has no keychain
//	}
//
// "Nothing here", "locked", "missing" and "broken" are four answers. A program that takes one for
// another tells a signed-in person to sign in, or replaces a session that it could not read. A
// store therefore never falls back to another, less safe one.
package tokenstore

import (
	"context"
	"errors"
)

// Store keeps small secrets under names. Safe for concurrent use.
type Store interface {
	// Get returns the value kept under name, or ErrNotFound. The caller owns the slice.
	Get(ctx context.Context, name string) ([]byte, error)
	// Put keeps value under name, replacing what was there: all of it or nothing. A value that the
	// store cannot hold is ErrTooLarge.
	Put(ctx context.Context, name string, value []byte) error
	// Delete removes what is kept under name. That there is nothing is not an error.
	Delete(ctx context.Context, name string) error
}

// Locker is implemented by a Store that several processes (or goroutines) share.
type Locker interface {
	// Lock waits until nobody else holds the lock of that name, or until ctx ends, which is
	// ctx's error. The lock guards nothing by itself: it is for those who read, decide and then
	// write. It is not re-entrant. release may be called more than once and by any goroutine.
	Lock(ctx context.Context, name string) (release func(), err error)
}

// Preparer is implemented by a Store for which a Put is more than one write. Where a value is about to
// come that exists nowhere else, such as a rotated refresh token, all but the writing is done before.
type Preparer interface {
	// Prepare readies the store for a Put of that name. put does it, and may be tried again; release
	// ends it, used or not, and must be called. What was kept under name stays until put has succeeded.
	Prepare(ctx context.Context, name string) (put func(ctx context.Context, value []byte) error, release func(), err error)
}

// The answers of a Store. Errors wrap at most one of them together with a short fact, which holds
// no secret; errors.Is tells them apart. A call that ended because its context did reports that
// context's error instead.
var (
	// ErrNotFound: the store works and holds nothing under this name.
	ErrNotFound = errors.New("not found")
	// ErrTooLarge: the value cannot be held. About 2,560 bytes fit on Windows, 3,000 on macOS.
	ErrTooLarge = errors.New("value too large")
	// ErrLocked: the keychain is there, but has to be unlocked by a person first.
	ErrLocked = errors.New("keychain locked")
	// ErrUnavailable: this machine or session has no keychain.
	ErrUnavailable = errors.New("keychain unavailable")
	// ErrBroken: the keychain is there but does not answer, or answers nonsense. Whether a value
	// was stored or deleted is then unknown.
	ErrBroken = errors.New("keychain broken")
)
