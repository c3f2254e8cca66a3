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
