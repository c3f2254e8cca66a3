package filestore

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const nonblock = 0

// On Windows a file inherits the access of its folder, and those of a profile are its user's.

func folderFault(info fs.FileInfo) string {
	if !info.IsDir() {
		return "is not a folder"
	}
	return ""
}

func fileFault(info fs.FileInfo) string {
	if !info.Mode().IsRegular() {
		return "is not a file"
	}
	return ""
}

func trusted(fs.FileInfo) bool { return true }

func keyFault(*os.File, fs.FileInfo) string { return "" }

// openEntry refuses links, which take a privilege to make. The file can be replaced and removed while it
// is open: os.Root shares it for that, as os.Open does not.
func openEntry(root *os.Root, file string) (*os.File, error) {
	info, err := root.Lstat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
		return nil, errLink
	}
	return root.Open(file)
}

// syncFolder: Windows has no such thing.
func syncFolder(*os.Root) error { return nil }

// inUse reports whether err is what Windows says while another process has the file open.
func inUse(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}
