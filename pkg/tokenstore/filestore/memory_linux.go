package filestore

import (
	"os"

	"golang.org/x/sys/unix"
)

// inMemory reports whether a file is on no disk, as mounted secrets are.
func inMemory(f *os.File) bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &fs) == nil && (fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC)
}
