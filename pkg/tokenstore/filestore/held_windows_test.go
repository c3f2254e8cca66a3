package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// D7: another process has the entry open and does not share it, as os.Open does not, until our first pause.
func TestD7HeldHandle(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "old")
	path, err := windows.UTF16PtrFromString(filepath.Join(s.dir, fileName("a")))
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"replace", "remove", "open"} {
		held, err := windows.CreateFile(path, windows.GENERIC_READ, 0, nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
		if err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		try := func() error {
			f, err := openEntry(root, fileName("a"))
			if err == nil {
				f.Close()
			}
			return err
		}
		switch what {
		case "replace":
			next, err := newTemporary(root, "a")
			if err != nil {
				t.Fatal(err)
			}
			next.f.Close()
			try = func() error { return root.Rename(next.name, fileName("a")) }
		case "remove":
			try = func() error { return root.Remove(fileName("a")) }
		}
		var first error
		err = retry(func() error {
			err := try()
			first = errors.Join(first, err)
			return err
		}, inUse, func(time.Duration) {
			if held != 0 {
				windows.CloseHandle(held)
				held = 0
			}
		})
		if err != nil || first == nil {
			t.Errorf("%s: got %v, after %v, want it to fail and then not", what, err, first)
		}
		root.Close()
		mustPut(t, s, "a", what)
	}
}
