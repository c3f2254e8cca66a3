//go:build unix

package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private reports whether a file or folder is this user's and gives nobody else anything.
func private(info fs.FileInfo) bool {
	return owner(info) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}

// keyFault says why a key file is not accepted, or "".
func keyFault(info fs.FileInfo) string {
	by, mode := owner(info), info.Mode().Perm()
	switch {
	case by != os.Geteuid() && by != 0:
		return fmt.Sprintf("belongs to user %d: it must be yours, or root's", by)
	case mode&0o022 != 0:
		return fmt.Sprintf("can be changed by others than its owner (mode %04o): chmod 600 it", mode)
	case mode&0o077 != 0 && by == os.Geteuid() && mode&0o222 != 0:
		return fmt.Sprintf("can be read by others than its owner (mode %04o): chmod 600 it", mode)
	}
	return ""
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// settle makes what was renamed or removed in the folder last.
func (s *Store) settle() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return s.broken(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return s.broken(err)
	}
	return nil
}

func inUse(error) bool { return false }
