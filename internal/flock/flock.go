// Package flock locks files between processes. It is the kernel's lock: it ends with the process that
// holds it, however that ends, so it is never stale. A lock file is empty and never deleted by those who
// lock it, or two processes could hold two files of one name.
package flock

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cogauth/cogauth/internal/turns"
)

const (
	firstRetry = time.Millisecond
	lastRetry  = 25 * time.Millisecond
)

// here orders the goroutines of this process, so that one of them at a time asks the kernel: they wake
// each other, and Go's memory model and race detector know nothing of kernel locks.
var here turns.Turns

// Take waits for the lock on the file at path, which it makes if need be, or until ctx ends. release may
// be called more than once and by any goroutine.
func Take(ctx context.Context, path string) (release func(), err error) {
	done, err := here.Take(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("wait for the lock: %w", err)
	}
	f, err := wait(ctx, path)
	if err != nil {
		done()
		return nil, err
	}
	return releaser(f, done), nil
}

// Try takes the lock if nobody holds it; ok is whether it did.
func Try(path string) (release func(), ok bool, err error) {
	done, ok := here.Try(path)
	if !ok {
		return nil, false, nil
	}
	f, err := try(path)
	if err != nil || f == nil {
		done()
		if err != nil {
			err = fmt.Errorf("take the lock: %w", err)
		}
		return nil, false, err
	}
	return releaser(f, done), true, nil
}

func releaser(f *os.File, done func()) func() {
	return sync.OnceFunc(func() {
		unlock(f)
		done()
	})
}

// wait asks again and again: the kernel could wait for us, but not end the wait when ctx does.
func wait(ctx context.Context, path string) (*os.File, error) {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("wait for the lock: %w", err)
		}
		f, err := try(path)
		if err != nil {
			return nil, fmt.Errorf("take the lock: %w", err)
		}
		if f != nil {
			return f, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// sameFile reports whether path still names f. Cleaners of /tmp remove files that are in use.
func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(held, named)
}
