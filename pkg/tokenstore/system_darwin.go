package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"sync/atomic"
)

// open has nothing to ask: security(1) answers it only by prompting.
func open(context.Context, bool, *atomic.Bool) error { return nil }

// died: no call here is to a program that runs on.
func died(error) bool { return false }

// classifySystem explains the failures of /usr/bin/security, which go-keyring runs.
func classifySystem(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return securityStatus(exit.ExitCode())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: this system has no program for it", ErrUnavailable)
	}
	return nil
}

// entryLimit is what fits into one command of security(1): go-keyring sends it 4,096 bytes at most, in
// which service and name are quoted and the value is in base64.
func entryLimit(service, name string) int { return securityLimit(service, name) }
