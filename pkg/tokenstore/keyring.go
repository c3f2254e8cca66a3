package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/cogauth/cogauth/internal/turns"
)

// Rules of this file, each there because of a keychain that did otherwise:
//
//   - Every go-keyring call runs in a goroutine with a recover, and is left behind when its time is
//     up: go-keyring has no deadline, waits for ever on a frozen daemon, and panics when the bus
//     dies during a prompt.
//   - A call that was left behind writes nothing that it has not begun to write, and a later write
//     of the same entry waits for it: an old value never lands on a newer one.
//   - A Get goes before every Set in the same process: gnome-keyring can abort when OpenSession is
//     a connection's first call, which is how go-keyring's Set begins.

const (
	defaultService = "cogauth"
	defaultTimeout = 3 * time.Second
	patience       = time.Second            // before Waiting is called
	farewell       = 200 * time.Millisecond // for the keychain to take its window down
)

// Keyring keeps values of any size in the operating system's keychain: the Secret Service on Linux and
// the BSDs (default collection "login"), the login keychain on macOS, the Credential Manager on
// Windows. It keeps them as Split does: in one entry where that is enough, and without overwriting.
// The zero value is ready to use. Its fields must not be changed while it is in use.
type Keyring struct {
	// Service is what the entries are filed under; "" means "cogauth".
	Service string
	// Timeout bounds each call to the keychain, and so each method but Lock, which only ctx bounds: one
	// that fails is the last of its method; waiting for another writer of the same name, which has this bound
	// too, comes on top. Zero means 3 seconds. What the keychain has not answered by
	// then is ErrBroken, or ErrLocked if it was asking the person.
	Timeout time.Duration
	// Prompt says whether the keychain may ask the person to unlock it. If false, a locked
	// collection of the Secret Service is ErrLocked at once and no window comes up. One that opens
	// without a question, such as one without a password, is opened. macOS has no such question to ask
	// beforehand: there the system decides. A window that has not been answered in time is taken back,
	// which GNOME's heeds and those of KWallet and KeePassXC do not.
	Prompt bool
	// Waiting, if set, is called when a call has not been answered within 1 second: once per call,
	// from another goroutine, and possibly just after the call returned.
	Waiting func()
}

var (
	_ Store    = (*Keyring)(nil)
	_ Locker   = (*Keyring)(nil)
	_ Preparer = (*Keyring)(nil)
)

// writing orders the writes of each entry in this process. It is not part of Keyring because what
// it guards, the keychain, is one for all Keyrings.
var writing turns.Turns

// Get implements Store. Errors: ErrNotFound, ErrLocked, ErrUnavailable, ErrBroken, ctx's.
func (k *Keyring) Get(ctx context.Context, name string) ([]byte, error) {
	return k.split(name).Get(ctx, name)
}

// Put implements Store. A value that is stored already is not written again. What was written is read
// back. Errors: ErrLocked, ErrUnavailable, ErrBroken, ctx's.
func (k *Keyring) Put(ctx context.Context, name string, value []byte) error {
	return k.split(name).Put(ctx, name, value)
}

// Delete implements Store. Errors: ErrLocked, ErrUnavailable, ErrBroken, ctx's.
func (k *Keyring) Delete(ctx context.Context, name string) error {
	return k.split(name).Delete(ctx, name)
}

// Prepare implements Preparer.
func (k *Keyring) Prepare(ctx context.Context, name string) (put func(context.Context, []byte) error, release func(), err error) {
	return k.split(name).Prepare(ctx, name)
}

func (k *Keyring) split(name string) *Split {
	return &Split{Entries: entries{k}, Limit: entryLimit(k.service(), name)}
}

// Entries is the store of the keychain's own entries, one for a value, below what Keyring itself does:
// one call where Keyring needs several. A value above the system's limit is ErrTooLarge, and Put
// replaces in place. It is for what is written once, or can be lost. It implements Locker, with the
// same locks. Its names must not be those of values that are kept in Keyring.
func (k *Keyring) Entries() Store { return entries{k} }

// entries are the keychain's own.
type entries struct{ k *Keyring }

var _ Locker = entries{}

// Lock implements Locker.
func (e entries) Lock(ctx context.Context, name string) (release func(), err error) {
	return e.k.Lock(ctx, name)
}

// Get implements Store.
func (e entries) Get(ctx context.Context, name string) ([]byte, error) {
	k := e.k
	value, err := k.call(ctx, func(a *attempt) (string, error) {
		value, err := a.get(k, name)
		// Reading again is harmless: only the successor of a keychain that died knows whether it is locked
		// now, and KeePassXC calls a collection locked, which is not, while it saves.
		for range 3 {
			if !died(err) && !fickle(err) || a.ctx.Err() != nil {
				break
			}
			if fickle(err) {
				time.Sleep(breath)
			}
			value, err = a.get(k, name)
		}
		return value, err
	})
	if err != nil {
		return nil, err
	}
	return []byte(value), nil
}

// Put implements Store. A value that is stored already is not written again.
func (e entries) Put(ctx context.Context, name string, value []byte) error {
	k := e.k
	text := string(value) // the caller may reuse value while an abandoned call still runs
	return k.write(ctx, name, func(a *attempt) error {
		old, err := keyring.Get(k.service(), name)
		if err == nil && old == text {
			return nil
		}
		if err != nil && !isAbsent(err) {
			return err
		}
		defer pace(a.ctx)()
		if err := a.ctx.Err(); err != nil {
			return err
		}
		return keyring.Set(k.service(), name, text)
	})
}

// create implements creator: the Get that goes before every Set has found that nothing is there, over the
// same connection.
func (e entries) create(ctx context.Context, name string, value []byte) error {
	k, text := e.k, string(value)
	_, err := k.call(ctx, func(a *attempt) (string, error) {
		if err := open(a.ctx, k.Prompt, &a.asking); err != nil { // or go-keyring would ask
			return "", err
		}
		done, err := writing.Take(a.ctx, k.service()+"\x00"+name)
		if err != nil {
			return "", err
		}
		defer done()
		defer pace(a.ctx)()
		if err := a.ctx.Err(); err != nil {
			return "", err
		}
		return "", keyring.Set(k.service(), name, text)
	})
	return err
}

// Delete implements Store.
func (e entries) Delete(ctx context.Context, name string) error {
	k := e.k
	return k.write(ctx, name, func(a *attempt) error {
		defer pace(a.ctx)()
		if err := a.ctx.Err(); err != nil {
			return err
		}
		err := keyring.Delete(k.service(), name)
		if isAbsent(err) {
			return nil
		}
		return err
	})
}

// isAbsent reports whether err says that there is no such entry: go-keyring knows it on macOS by the
// English text only.
func isAbsent(err error) bool { return err != nil && errors.Is(classify(err), ErrNotFound) }

func (k *Keyring) service() string {
	if k.Service == "" {
		return defaultService
	}
	return k.Service
}

func (k *Keyring) timeout() time.Duration {
	if k.Timeout <= 0 {
		return defaultTimeout
	}
	return k.Timeout
}

// write runs f, which changes the entry, when no other write of it is under way in this process.
func (k *Keyring) write(ctx context.Context, name string, f func(*attempt) error) error {
	_, err := k.call(ctx, func(a *attempt) (string, error) {
		if err := open(a.ctx, k.Prompt, &a.asking); err != nil {
			return "", err
		}
		done, err := writing.Take(a.ctx, k.service()+"\x00"+name)
		if err != nil {
			return "", err
		}
		defer done()
		return "", f(a)
	})
	return err
}

// attempt is one call to the keychain.
type attempt struct {
	ctx    context.Context // ends when nobody waits for the answer any more
	asking atomic.Bool     // the person has been asked to unlock the keychain, and has not answered
}

func (a *attempt) get(k *Keyring, name string) (string, error) {
	if err := open(a.ctx, k.Prompt, &a.asking); err != nil {
		return "", err
	}
	return keyring.Get(k.service(), name)
}

// call runs f in a goroutine and waits for its answer until the timeout, or until ctx ends.
func (k *Keyring) call(ctx context.Context, f func(*attempt) (string, error)) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	inner, cancel := context.WithTimeout(ctx, k.timeout())
	defer cancel()
	if k.Waiting != nil {
		defer time.AfterFunc(patience, k.Waiting).Stop()
	}
	type answer struct {
		value string
		err   error
	}
	a := &attempt{ctx: inner}
	answers := make(chan answer, 1)
	go func() {
		ans := answer{err: fmt.Errorf("%w: it went away during a call", ErrBroken)}
		defer func() {
			recover() // what panicked is not quoted: it may hold anything
			answers <- ans
		}()
		value, err := f(a)
		ans = answer{value, err}
	}()
	select {
	case ans := <-answers:
		if ans.err == nil {
			return ans.value, nil
		}
		if inner.Err() == nil {
			return "", classify(ans.err)
		}
	case <-inner.Done():
		if a.asking.Load() {
			select { // a window that nobody waits for is closed first: the program may be about to end
			case <-answers:
			case <-time.After(farewell):
			}
		}
	}
	return "", k.late(ctx, a)
}

// late explains why a call was given up.
func (k *Keyring) late(ctx context.Context, a *attempt) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the keychain: %w", err)
	}
	if a.asking.Load() {
		return fmt.Errorf("%w: nobody unlocked it within %v", ErrLocked, k.timeout())
	}
	return fmt.Errorf("%w: no answer within %v", ErrBroken, k.timeout())
}
