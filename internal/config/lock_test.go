package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/flock"
)

// Edits of one file at once, each through a File of its own: none is lost.
func TestEditsAtOnceAreAllKept(t *testing.T) {
	const n = 20
	var src strings.Builder
	for i := range n {
		fmt.Fprintf(&src, "[profiles.old%d]\n%s[profiles.gone%d]\n%s", i, complete, i, complete)
	}
	path := write(t, "[profiles.a]\n"+complete+src.String())
	var all sync.WaitGroup
	for i := range n {
		for _, edit := range []func(*File) error{
			func(f *File) error {
				return f.AddServe(t.Context(), "a", Serve{Origin: fmt.Sprintf("https://r%d.example", i)})
			},
			func(f *File) error { return f.Put(t.Context(), fmt.Sprint("new", i), cognito, false) },
			func(f *File) error { return f.Rename(t.Context(), fmt.Sprint("old", i), fmt.Sprint("renamed", i)) },
			func(f *File) error { return f.Delete(t.Context(), fmt.Sprint("gone", i)) },
			func(f *File) error { return f.Use(t.Context(), "a") },
		} {
			all.Go(func() {
				if err := edit(&File{Path: path}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Profiles) != 2*n+1 || len(f.Profiles["a"].Serve) != n || f.DefaultProfile != "a" {
		t.Errorf("got %d profiles, %d entries and the default %q, want %d, %d and a",
			len(f.Profiles), len(f.Profiles["a"].Serve), f.DefaultProfile, 2*n+1, n)
	}
	for i := range n {
		for name, want := range map[string]bool{"new": true, "old": false, "renamed": true, "gone": false} {
			if _, got := f.Profiles[fmt.Sprint(name, i)]; got != want {
				t.Errorf("%s%d: is there: %v, want %v", name, i, got, want)
			}
		}
	}
	if info, err := os.Stat(path + ".lock"); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a lock of mode 0600", info, err)
	}
}

// Who holds the lock makes several edits under it; all others wait, or give up with their context, also
// those who know the file by another name.
func TestLockHoldsForSeveralEdits(t *testing.T) {
	path := write(t, example)
	link := filepath.Join(t.TempDir(), "link.toml")
	names := []string{path, link}
	if err := os.Symlink(path, link); err != nil {
		names = names[:1]
	}
	for _, name := range names {
		f := &File{Path: name}
		unlock, err := f.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if err := f.Put(t.Context(), fmt.Sprint("a", i), cognito, true); err != nil {
				t.Fatal(err)
			}
			if _, free, err := flock.Try(path + ".lock"); free || err != nil {
				t.Errorf("%s: got the lock: %v, %v, while it is held", name, free, err)
			}
		}
		before := content(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := (&File{Path: path}).Delete(ctx, "a0"); !errors.Is(err, context.Canceled) || content(t, path) != before {
			t.Errorf("%s: got %v, want the end of the context and no change", name, err)
		}
		unlock()
		if err := f.Delete(t.Context(), "a0"); err != nil {
			t.Errorf("%s: after unlock: %v", name, err)
		}
	}
}

// Where the lock cannot be made nothing is written. What is wrong with an edit is said first, and one that
// changes nothing succeeds.
func TestNothingIsWrittenWithoutTheLock(t *testing.T) {
	src := "default_profile = 'a'\n[profiles.a]\n" + complete
	path := write(t, src)
	if err := os.Mkdir(path+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	f := &File{Path: path}
	var at *fs.PathError
	for name, err := range map[string]error{
		"Put": f.Put(t.Context(), "b", cognito, false), "Rename": f.Rename(t.Context(), "a", "b"), "Delete": f.Delete(t.Context(), "a"),
		"AddServe": f.AddServe(t.Context(), "a", Serve{Client: "pnpm"}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "write configuration: ") || !errors.As(err, &at) {
			t.Errorf("%s: got %v, want an error about writing", name, err)
		}
	}
	if err := f.Use(t.Context(), "nobody"); !errors.Is(err, ErrUnknownProfile) {
		t.Errorf("got %v, want ErrUnknownProfile", err)
	}
	if err := f.Use(t.Context(), "a"); err != nil {
		t.Errorf("got %v for what is so already, want none", err)
	}
	if got := content(t, path); got != src {
		t.Errorf("got\n%s\nwant the file untouched", got)
	}
	// Nor is anything made for an edit that cannot be.
	path = filepath.Join(t.TempDir(), "new", "config.toml")
	f = &File{Path: path}
	if err := errors.Join(f.Use(t.Context(), "a"), f.Put(t.Context(), "a", Profile{}, false)); !errors.Is(err, ErrUnknownProfile) || !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrUnknownProfile and ErrInvalid", err)
	}
	if _, err := os.Lstat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no folder", err)
	}
}
