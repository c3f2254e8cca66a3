//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonblock: opening a pipe must not wait for its other end.
const nonblock = unix.O_NONBLOCK

// folderFault and fileFault say why what was opened is not accepted, or "".
func folderFault(info fs.FileInfo) string {
	if !info.IsDir() {
		return "is not a folder"
	}
	return privateFault(owner(info), os.Geteuid(), info.Mode().Perm(), "0700")
}

func fileFault(info fs.FileInfo) string {
	if !info.Mode().IsRegular() {
		return "is not a file"
	}
	return privateFault(owner(info), os.Geteuid(), info.Mode().Perm(), "0600")
}

func privateFault(by, user int, mode fs.FileMode, want string) string {
	switch {
	case by != user:
		return fmt.Sprintf("belongs to user %d, not to user %d", by, user)
	case mode&0o077 != 0:
		return fmt.Sprintf("is open to others than its owner (mode %04o): chmod %s it", mode, want)
	}
	return ""
}

// trusted reports whether a link is the work of this user or of root.
func trusted(info fs.FileInfo) bool {
	by := owner(info)
	return by == os.Geteuid() || by == 0
}

// keyFault says why a key file is not accepted, or "".
func keyFault(f *os.File, info fs.FileInfo) string {
	return keyFaultOf(owner(info), os.Geteuid(), info.Mode().Perm(), func() bool { return inMemory(f) })
}

func keyFaultOf(by, user int, mode fs.FileMode, inMemory func() bool) string {
	mounted := by == 0 || mode&0o200 == 0 // as secrets are, with 0444 or, by Kubernetes, 0644
	switch {
	case by != user && by != 0:
		return fmt.Sprintf("belongs to user %d: it must be yours, or root's", by)
	case mode&0o022 != 0:
		return fmt.Sprintf("can be changed by others than its owner (mode %04o): chmod 600 it", mode)
	case mode&0o077 == 0:
		return ""
	case by == 0 && mode&0o007 == 0: // root has chosen the group, and so do systemd and Kubernetes
		return ""
	case mounted && inMemory():
		return ""
	}
	return fmt.Sprintf("can be read by others than its owner (mode %04o): chmod 600 it", mode)
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// openEntry opens a file of the folder and follows no link.
func openEntry(root *os.Root, file string) (*os.File, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for {
		fd, err := unix.Openat(int(d.Fd()), file, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), file), nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK): // EMLINK is FreeBSD's
			return nil, errLink
		}
		return nil, err
	}
}

// syncFolder: file systems that cannot do that for a folder say so, and there is nothing else to do.
func syncFolder(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

func inUse(error) bool { return false }
