// Package filestore keeps small secrets in encrypted files, for machines without a keychain: servers,
// containers, WSL. They are encrypted with age (https://age-encryption.org), for a key that is a file too.
//
//	store := filestore.Open("/var/lib/me/sessions", "/run/secrets/cogauth")
//
// What that protects against depends on where the key is. A mounted secret (of a container, or systemd's
// LoadCredential) is not on the disk that the data is on: a copy of the disk, a backup or a volume is of
// no use without it. A key file beside the data protects backups and copies of the data alone, and not
// against anybody who can read the user's files. Against a program of the same user there is no
// protection either way, as with most keychains. Nor is an entry signed: whoever may write into the folder
// can bring back an old one.
//
// The folder and the files in it belong to the user alone and are refused otherwise. No symbolic link in
// the folder is followed. The key may be reached through links, as mounted secrets are; of what they lead
// to, Open says what is accepted. On Windows the access rights of the user's profile take the place of
// owners and modes.
package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/cogauth/cogauth/internal/flock"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// Store is a folder of encrypted files, one for an entry. Any number of processes and goroutines may use
// it at once, also from containers that share the folder, if its file system has locks.
type Store struct {
	dir, keyFile string
}

var (
	_ tokenstore.Store    = (*Store)(nil)
	_ tokenstore.Locker   = (*Store)(nil)
	_ tokenstore.Preparer = (*Store)(nil)
)

// Bounds, in bytes.
const (
	maxValue = 512 << 10
	maxFile  = 1 << 20
	// reserved is the room that Prepare takes on the disk: beyond any session.
	reserved = 16 << 10
)

// Open names a store; it reads and writes nothing. dir is made when something is put into it, for its
// owner alone (0700); a mounted volume is seldom that, a folder in it can be.
//
// keyFile holds age identities (AGE-SECRET-KEY-…, as age-keygen writes them) or an SSH private key, ed25519
// or RSA, without a passphrase. With several identities all can open, and the first is what new values
// are encrypted for: put a new key in front, and remove the old one when every entry has been replaced. The
// file is read at each use.
//
// The key file must be this user's or root's, and nobody else may write it. Others may not read it either,
// with two exceptions: a group, if the file is root's (0440); and anybody, if it is in memory only (tmpfs,
// ramfs), where Docker and Kubernetes mount secrets with mode 0444 or 0644.
func Open(dir, keyFile string) *Store { return &Store{dir, keyFile} }

// Get implements tokenstore.Store. It takes no lock. Errors: ErrNotFound; ErrUnavailable if the key, the
// folder or the file cannot be read or others have access to it; ErrBroken if the entry was encrypted for
// another key or is damaged; ctx's.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys, err := readKeys(s.keyFile)
	if err != nil {
		return nil, err
	}
	root, err := s.folder()
	switch {
	case err != nil:
		return nil, err
	case root == nil:
		return nil, tokenstore.ErrNotFound
	}
	defer root.Close()
	return s.read(root, keys, name)
}

// Put implements tokenstore.Store. The file is replaced as a whole, and is on the disk when Put returns. A
// value that is kept already is not written again. Errors: those of Get but ErrNotFound; ErrTooLarge for
// more than 512 KiB; ErrBroken for a full disk.
func (s *Store) Put(ctx context.Context, name string, value []byte) error {
	w, err := s.writer(ctx, name)
	if err != nil {
		return err
	}
	defer w.release()
	return w.put(ctx, value)
}

// Prepare implements tokenstore.Preparer: afterwards the key has been read, and a file with room for
// 16 KiB is in the folder. Other Puts and Deletes of the name wait until release. Errors: those of Put.
func (s *Store) Prepare(ctx context.Context, name string) (put func(context.Context, []byte) error, release func(), err error) {
	w, err := s.writer(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if err := w.reserve(); err != nil {
		w.release()
		return nil, nil, err
	}
	return w.put, sync.OnceFunc(w.release), nil
}

// Delete implements tokenstore.Store. It needs no key. Errors: ErrUnavailable, ErrBroken, ctx's.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := s.folder()
	if root == nil {
		return err
	}
	defer root.Close()
	release, err := s.lock(ctx, name, writeLock)
	if err != nil {
		return err
	}
	defer release()
	s.sweep(root, name)
	err = patiently(func() error { return root.Remove(fileName(name)) })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return s.failed("remove an entry", err)
	}
	return s.settle(root)
}

// The locks of an entry: one is for callers, the other one for whoever changes its file, and may be in the
// hands of a caller that holds the first.
const (
	callersLock = ".lock"
	writeLock   = ".write.lock"
)

// Lock implements tokenstore.Locker among all who use the folder, by a kernel lock in it.
func (s *Store) Lock(ctx context.Context, name string) (release func(), err error) {
	return s.lock(ctx, name, callersLock)
}

// LockPath is the file whose kernel lock is that of name, the same for every way to write dir. The folder
// that it is in exists when LockPath returns. Errors: ErrUnavailable, ErrBroken.
func (s *Store) LockPath(name string) (string, error) { return s.lockPath(name, callersLock) }

func (s *Store) lock(ctx context.Context, name, kind string) (release func(), err error) {
	path, err := s.lockPath(name, kind)
	if err != nil {
		return nil, err
	}
	release, err = flock.Take(ctx, path)
	if err != nil && ctx.Err() == nil {
		err = s.failed("lock an entry", err)
	}
	return release, err
}

func (s *Store) lockPath(name, kind string) (string, error) {
	root, err := s.madeFolder()
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := root.Mkdir(locksFolder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", s.failed("make its folder for locks", err)
	}
	info, err := root.Lstat(locksFolder)
	if err != nil {
		return "", s.failed("use its folder for locks", err)
	}
	if fault := folderFault(info); fault != "" {
		return "", unavailable("the folder %s %s", filepath.Join(s.dir, locksFolder), fault)
	}
	// Two that see the same store in different ways are to know that it is the same.
	dir, err := filepath.Abs(s.dir)
	if err == nil {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
	}
	return filepath.Join(dir, locksFolder, baseName(name)+kind), err
}

const locksFolder = "locks"

// read returns the entry of a name.
func (s *Store) read(root *os.Root, keys *keys, name string) ([]byte, error) {
	sealed, err := s.readFile(root, fileName(name))
	if err != nil {
		return nil, err
	}
	value, err := open(keys, name, sealed)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, filepath.Join(s.dir, fileName(name)))
	}
	return value, nil
}

// writer is somebody's turn to change an entry. Not safe for concurrent use.
type writer struct {
	store  *Store
	name   string
	keys   *keys
	root   *os.Root
	unlock func()
	old    []byte // what is kept, nil if that is nothing that can be read
	next   *temporary
}

func (s *Store) writer(ctx context.Context, name string) (*writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys, err := readKeys(s.keyFile)
	if err != nil {
		return nil, err
	}
	root, err := s.madeFolder()
	if err != nil {
		return nil, err
	}
	unlock, err := s.lock(ctx, name, writeLock)
	if err != nil {
		root.Close()
		return nil, err
	}
	s.sweep(root, name)
	w := &writer{store: s, name: name, keys: keys, root: root, unlock: unlock}
	// An entry that cannot be read is what a new sign-in is to replace, and one that the first identity
	// does not open is to be written again: the others may be taken out of the key file.
	first := *keys
	first.identities = keys.identities[:1]
	w.old, _ = s.read(root, &first, name)
	return w, nil
}

// reserve makes the next file beforehand, with room on the disk.
func (w *writer) reserve() error {
	next, err := newTemporary(w.root, w.name)
	if err == nil {
		w.next = next
		_, err = next.f.Write(make([]byte, reserved))
	}
	if err != nil {
		return w.store.failed("write an entry", err)
	}
	return nil
}

func (w *writer) put(ctx context.Context, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(value) > maxValue {
		return fault(tokenstore.ErrTooLarge, nil, "a value of %d bytes is too large", len(value))
	}
	if w.old != nil && bytes.Equal(w.old, value) {
		return nil
	}
	sealed, err := seal(w.keys, w.name, value)
	if err != nil {
		return err
	}
	next := w.next
	w.next = nil
	if next == nil {
		if next, err = newTemporary(w.root, w.name); err != nil {
			return w.store.failed("write an entry", err)
		}
	}
	if err := next.become(fileName(w.name), sealed); err != nil {
		next.discard()
		return w.store.failed("write an entry", err)
	}
	w.old = append([]byte{}, value...)
	return w.store.settle(w.root)
}

func (w *writer) release() {
	if w.next != nil {
		w.next.discard()
	}
	w.unlock()
	w.root.Close()
}
