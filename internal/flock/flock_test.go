//go:build unix

package flock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestLockFileThatWasRemovedIsNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	f, err := try(path)
	if err != nil || f == nil {
		t.Fatalf("got %v, %v, want the lock", f, err)
	}
	defer unlock(f)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if sameFile(f, path) {
		t.Error("got a removed file taken for the lock file")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if sameFile(f, path) {
		t.Error("got a replaced file taken for the lock file")
	}
}

func TestLockFileIsNeverASymlink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.lock")
	if err := os.Symlink(filepath.Join(dir, "target"), path); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := Try(path); ok || err == nil {
		t.Errorf("got %v, %v for a symlink, want an error", ok, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "target")); err == nil {
		t.Error("the symlink's target was made")
	}
}

func TestTryAndTakeExclude(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	release, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := Try(path); ok || err != nil {
		t.Errorf("Try of a lock that is held: got %v, %v, want false", ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Take(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("Take with a context that has ended: got %v, want its error", err)
	}
	release()
	release()
	again, ok, err := Try(path)
	if !ok || err != nil {
		t.Fatalf("Try of a free lock: got %v, %v, want it", ok, err)
	}
	again()
}
