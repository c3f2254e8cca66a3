package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// The store on a disk of its own, which a process in a mount namespace of its own makes small and full.
func TestFullAndReadOnlyDisk(t *testing.T) {
	s := Open(t.TempDir(), filepath.Join(t.TempDir(), "key"))
	c := child(t, "small", s, 0)
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.CombinedOutput()
	_, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case strings.Contains(string(out), noMount), err != nil && !ran:
		rig.Missing(t, "mount", fmt.Sprintf("this machine lets nobody mount: %v %s", err, out))
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
}

const noMount = "cannot mount"

func onSmallDisk(ctx context.Context, s *Store) error {
	disk := s.dir
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k,mode=0755"); err != nil {
		return fmt.Errorf("%s: %w", noMount, err)
	}
	// A mounted secret, as Kubernetes does it: root's, in memory, for everybody.
	key := filepath.Join(disk, "key")
	if err := errors.Join(NewKey(key), os.Chmod(key, 0o644)); err != nil {
		return err
	}
	s = Open(filepath.Join(disk, "store"), key)
	get := func(want string) error {
		if got, err := s.Get(ctx, "a"); err != nil || string(got) != want {
			return fmt.Errorf("got %.20q, %w, want %.20q", got, err, want)
		}
		return nil
	}
	put := func(value string) error { return s.Put(ctx, "a", []byte(value)) }
	if err := errors.Join(put("old"), get("old")); err != nil {
		return err
	}

	// Prepared while there was room, written when there is none.
	write, release, err := s.Prepare(ctx, "a")
	if err != nil {
		return err
	}
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("got %v of a full disk", err)
	}
	value := strings.Repeat("prepared ", 1000)
	if err := errors.Join(write(ctx, []byte(value)), get(value)); err != nil {
		return fmt.Errorf("prepared: %w", err)
	}
	release()

	if err := os.WriteFile(filler+"2", make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("got %v of a full disk", err)
	}
	_, _, err = s.Prepare(ctx, "a")
	for _, err := range []error{err, put("new")} {
		if !errors.Is(err, tokenstore.ErrBroken) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left") {
			return fmt.Errorf("full disk: got %w, want ErrBroken and the reason", err)
		}
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*"+temporarySuffix))
	if err != nil || files != nil {
		return fmt.Errorf("full disk: left behind: %v, %w", files, err)
	}
	if err := get(value); err != nil {
		return fmt.Errorf("full disk: %w", err)
	}
	if err := errors.Join(os.Remove(filler), os.Remove(filler+"2"), put("new"), get("new")); err != nil {
		return fmt.Errorf("room again: %w", err)
	}

	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("%s: %w", noMount, err)
	}
	for _, err := range []error{put("newer"), s.Delete(ctx, "a")} {
		if !errors.Is(err, tokenstore.ErrUnavailable) || !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "read-only") {
			return fmt.Errorf("read-only: got %w, want ErrUnavailable and the reason", err)
		}
	}
	return get("new")
}
