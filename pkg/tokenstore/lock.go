package tokenstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The lock of an entry is a kernel lock on a file: it ends with the process that holds it, however
// that ends, so it is never stale. Its path depends on the user and the entry only, never on HOME,
// TMPDIR or XDG_RUNTIME_DIR: two processes that see the same keychain must meet at the same lock.
// The file is empty and is never deleted, or two processes could hold two files of one name.

const (
	firstRetry = time.Millisecond
	lastRetry  = 25 * time.Millisecond
)

// locking orders the goroutines of this process, so that one of them at a time asks the kernel:
// they wake each other, and Go's memory model and race detector know nothing of kernel locks.
var locking turns

// Lock implements Locker among all processes of this user, by a kernel lock that needs no
// keychain. It waits without a limit of its own. Errors: ctx's, or that of a folder or file that
// cannot be trusted or used.
func (k *Keyring) Lock(ctx context.Context, name string) (release func(), err error) {
	folder, err := lockFolder()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, lockFile(k.service(), name))
	done, err := locking.take(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("wait for the lock: %w", err)
	}
	f, err := waitLock(ctx, path)
	if err != nil {
		done()
		return nil, err
	}
	return sync.OnceFunc(func() {
		unlock(f)
		done()
	}), nil
}

// waitLock asks again and again: the kernel could wait for us, but not end the wait when ctx does.
func waitLock(ctx context.Context, path string) (*os.File, error) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("wait for the lock: %w", err)
		}
		f, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("take the lock: %w", err)
		}
		if f != nil {
			return f, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// lockFile is the name of the file that stands for an entry. It shows neither service nor name.
func lockFile(service, name string) string {
	sum := sha256.Sum256([]byte(service + "\x00" + name))
	return hex.EncodeToString(sum[:16]) + ".lock"
}

// untrusted says what is wrong with a folder for locks.
func untrusted(folder, fact string) error {
	return fmt.Errorf("lock folder %s: %s", folder, fact)
}

// sameFile reports whether path still names f. Cleaners of /tmp remove files that are in use.
func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(held, named)
}
