package filestore

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cogauth/cogauth/internal/flock"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// folder opens the store's folder if it is this user's alone, which is judged by the opened folder itself.
// It is nil, without an error, if there is none.
func (s *Store) folder() (*os.Root, error) {
	if s.dir == "" {
		return nil, unavailable("it has no folder")
	}
	named, err := os.Lstat(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failed("open its folder", err)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, s.failed("open its folder", err)
	}
	info, err := root.Stat(".")
	if err != nil {
		root.Close()
		return nil, s.failed("open its folder", err)
	}
	fact := folderFault(info)
	if named.Mode()&fs.ModeSymlink != 0 && !trusted(named) {
		fact = "is reached by a symbolic link that is another user's"
	}
	if fact != "" {
		root.Close()
		return nil, unavailable("the folder %s %s", s.dir, fact)
	}
	return root, nil
}

// madeFolder is folder, which it makes if need be.
func (s *Store) madeFolder() (*os.Root, error) {
	root, err := s.folder()
	if root != nil || err != nil {
		return root, err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, s.failed("make its folder", err)
	}
	root, err = s.folder()
	if root == nil && err == nil {
		err = unavailable("the folder %s was removed as soon as it was made", s.dir)
	}
	return root, err
}

// readFile reads all of a file of the folder that is no link and this user's alone, which is judged by the
// opened file itself. That there is none is ErrNotFound.
func (s *Store) readFile(root *os.Root, file string) ([]byte, error) {
	var content []byte
	var fact string
	err := patiently(func() error {
		f, err := openEntry(root, file)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if fact = fileFault(info); fact != "" {
			return nil
		}
		content, err = io.ReadAll(io.LimitReader(f, maxFile+1))
		return err
	})
	path := filepath.Join(s.dir, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, tokenstore.ErrNotFound
	case errors.Is(err, errLink):
		return nil, unavailable("%s is a symbolic link", path)
	case err != nil:
		return nil, s.failed("read an entry", err)
	case fact != "":
		return nil, unavailable("%s %s", path, fact)
	case len(content) > maxFile:
		return nil, fault(tokenstore.ErrBroken, nil, "%s is no entry: it is too large", path)
	}
	return content, nil
}

// errLink: an entry's file is a symbolic link.
var errLink = errors.New("symbolic link")

// temporary is a file that has yet to become an entry. Its name tells whose, so that others can find out
// whether its writer lives.
type temporary struct {
	root *os.Root
	name string
	f    *os.File
}

func newTemporary(root *os.Root, entry string) (*temporary, error) {
	t := &temporary{root: root, name: baseName(entry) + "." + rand.Text() + temporarySuffix}
	var err error
	t.f, err = root.OpenFile(t.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return t, err
}

// become replaces a file by this one: a reader sees the one or the other, also after a power cut.
func (t *temporary) become(file string, content []byte) error {
	if _, err := t.f.WriteAt(content, 0); err != nil {
		return err
	}
	if err := t.f.Truncate(int64(len(content))); err != nil {
		return err
	}
	if err := t.f.Sync(); err != nil {
		return err
	}
	if err := t.f.Close(); err != nil {
		return err
	}
	return patiently(func() error { return t.root.Rename(t.name, file) })
}

func (t *temporary) discard() {
	t.f.Close()
	_ = patiently(func() error { return t.root.Remove(t.name) })
}

const temporarySuffix = ".tmp"

// sweep removes what writers that were killed have left. The caller has the write lock of its own entry,
// and of another one's leftovers whoever gets that entry's.
func (s *Store) sweep(root *os.Root, own string) {
	files, _ := fs.ReadDir(root.FS(), ".")
	for _, file := range files {
		entry, rest, ok := strings.Cut(file.Name(), ".")
		if !ok || !strings.HasSuffix(rest, temporarySuffix) || len(entry) != len(baseName("")) {
			continue
		}
		if entry != baseName(own) {
			release, ok, err := flock.Try(filepath.Join(s.dir, locksFolder, entry+writeLock))
			if !ok || err != nil {
				continue
			}
			defer release()
		}
		_ = root.Remove(file.Name())
	}
}

// settle makes what was renamed or removed in the folder last.
func (s *Store) settle(root *os.Root) error {
	if err := syncFolder(root); err != nil {
		return s.failed("write its folder", err)
	}
	return nil
}

// baseName tells nothing of the entry's name.
func baseName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

func fileName(name string) string { return baseName(name) + ".age" }
