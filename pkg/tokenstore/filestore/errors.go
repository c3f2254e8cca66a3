package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// storeError is one of tokenstore's errors in the words of a file store, which is no keychain.
type storeError struct {
	text        string
	kind, cause error
}

func (e *storeError) Error() string { return "file store: " + e.text }

func (e *storeError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

func fault(kind, cause error, format string, args ...any) error {
	return &storeError{fmt.Sprintf(format, args...), kind, cause}
}

func unavailable(format string, args ...any) error {
	return fault(tokenstore.ErrUnavailable, nil, format, args...)
}

// failed explains an error of the file system. One that lasts until somebody changes something is
// ErrUnavailable.
func (s *Store) failed(what string, err error) error {
	kind := tokenstore.ErrBroken
	for _, lasting := range []error{fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, syscall.EROFS, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, lasting) {
			kind = tokenstore.ErrUnavailable
		}
	}
	return fault(kind, err, "cannot %s in %s: %v", what, s.dir, reason(err))
}

// reason is an error of the file system without a path, which the text around it tells.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
