package tokenstore

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
)

// open: the Credential Manager is open as long as the person is logged on.
func open(context.Context, bool, *atomic.Bool) error { return nil }

// died: no call here is to a program that runs on.
func died(error) bool { return false }

// classifySystem explains the failures of the Credential Manager.
func classifySystem(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return credentialStatus(uint32(errno))
	}
	return nil
}

// entryLimit is what go-keyring enforces, as older versions of Windows do (CRED_MAX_CREDENTIAL_BLOB_SIZE).
func entryLimit(service, name string) int { return 2560 }
