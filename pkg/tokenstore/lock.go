package tokenstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/cogauth/cogauth/internal/flock"
)

// Lock implements Locker among all processes of this user, by a kernel lock that needs no
// keychain. It waits without a limit of its own. Errors: ctx's, or that of a folder or file that
// cannot be trusted or used.
func (k *Keyring) Lock(ctx context.Context, name string) (release func(), err error) {
	path, err := k.LockPath(name)
	if err != nil {
		return nil, err
	}
	return flock.Take(ctx, path)
}

// LockPath is the file whose kernel lock is that of name. It depends on the user, Service and name
// only, never on HOME, TMPDIR or XDG_RUNTIME_DIR: two processes that see the same keychain must meet
// at the same lock. The folder is the user's alone and exists when LockPath returns.
func (k *Keyring) LockPath(name string) (string, error) {
	folder, err := lockFolder()
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, lockFile(k.service(), name)), nil
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
