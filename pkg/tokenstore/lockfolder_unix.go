//go:build unix

package tokenstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func lockFolder() (string, error) { return lockFolderIn("/run/user", "/tmp", os.Geteuid()) }

// lockFolderIn is cogauth's folder in the user's runtime folder below run or, where the system
// keeps none, a private one below tmp.
func lockFolderIn(run, tmp string, uid int) (string, error) {
	folder := filepath.Join(tmp, "cogauth-"+strconv.Itoa(uid))
	if own := filepath.Join(run, strconv.Itoa(uid)); private(own, uid, 0o022) {
		folder = filepath.Join(own, "cogauth")
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", untrusted(folder, "cannot be made: "+errors.Unwrap(err).Error())
	}
	// Anybody may have made the one in /tmp before us.
	if !private(folder, uid, 0o077) {
		return "", untrusted(folder, "is not a folder that only this user can enter (owner "+strconv.Itoa(uid)+", mode 0700)")
	}
	return folder, nil
}

// private reports whether path is itself a folder, of that user, with none of the bits forbidden.
func private(path string, uid int, forbidden fs.FileMode) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&forbidden != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}
