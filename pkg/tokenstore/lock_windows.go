package tokenstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lockFolder asks the system and not %LocalAppData%, which a caller may have changed. The profile
// is the user's own, so its folders need no further check.
func lockFolder() (string, error) {
	local, err := windows.KnownFolderPath(windows.FOLDERID_LocalAppData, 0)
	if err != nil {
		return "", fmt.Errorf("find the lock folder: %w", err)
	}
	folder := filepath.Join(local, "cogauth", "locks")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", untrusted(folder, "cannot be made: "+errors.Unwrap(err).Error())
	}
	return folder, nil
}

// tryLock returns the locked file, or nil if somebody else holds the lock.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	switch {
	case err == nil && sameFile(f, path):
		return f, nil
	case err == nil, errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		f.Close()
		return nil, nil
	}
	f.Close()
	return nil, fmt.Errorf("%s: %w", path, err)
}

// unlock releases at once: the system may take its time over the locks of a handle that is only closed.
func unlock(f *os.File) {
	windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, new(windows.Overlapped))
	f.Close()
}
