package filestore

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/windows"
)

// private: on Windows a file inherits the access of its folder, and those of a profile are its user's.
func private(fs.FileInfo) bool { return true }

// keyFault: as private.
func keyFault(fs.FileInfo) string { return "" }

// settle: Windows needs no such thing for a rename.
func (s *Store) settle() error { return nil }

// inUse reports whether err is what Windows says while another process has the file open.
func inUse(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}
