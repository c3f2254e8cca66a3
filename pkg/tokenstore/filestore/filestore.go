// Package filestore keeps small secrets in encrypted files, for machines without a keychain: servers,
// containers, WSL. It is encrypted with age (https://age-encryption.org), for a key that is a file too.
//
//	store := filestore.Open("/var/lib/me/sessions", "/run/secrets/cogauth")
//
// What that protects against depends on where the key is. A mounted secret (of a container, or systemd's
// LoadCredential) is not on the disk that the data is on: a copy of the disk, a backup or a volume is of
// no use without it. A key file beside the data protects backups and copies of the data alone, and not
// against anybody who can read the user's files. Against a program of the same user there is no
// protection either way, as with most keychains.
//
// The folder and the files in it belong to the user alone and are refused otherwise. No symbolic link in
// the folder is followed. The key may be reached through links, as mounted secrets are; of what they lead
// to, Open says what is accepted.
package filestore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/cogauth/cogauth/internal/flock"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// Store is a folder of encrypted files, one for an entry. Any number of processes may use it at once,
// also from containers that share the folder, if its file system has locks.
type Store struct {
	dir, keyFile string
}

var (
	_ tokenstore.Store  = (*Store)(nil)
	_ tokenstore.Locker = (*Store)(nil)
)

// maxEntry bounds what is read of a file, in bytes: far beyond any token.
const maxEntry = 1 << 20

// Open names a store; it reads and writes nothing. dir is made when something is put into it, for its
// owner alone.
//
// keyFile holds age identities (AGE-SECRET-KEY-…, as age-keygen writes them) or an SSH private key, ed25519
// or RSA, without a passphrase. With several identities all can open, and the first is what new entries
// are encrypted for. The file is read at each use, so that it can be replaced; it must be this user's or
// root's, must not be writable by others, and must not be readable by others unless it is root's, or read-only
// for everybody, as mounted secrets are.
func Open(dir, keyFile string) *Store { return &Store{filepath.Clean(dir), keyFile} }

// Get implements tokenstore.Store. Errors: ErrNotFound; ErrUnavailable if the key cannot be used; ErrBroken
// if the folder cannot, or if the entry was encrypted for another key or is damaged; ctx's.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := s.folder()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, tokenstore.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return s.read(root, name)
}

// Put implements tokenstore.Store. The file is replaced as a whole, and is on the disk when Put returns. A
// value that is kept already is not written again. Errors: those of Get but ErrNotFound; ErrTooLarge.
func (s *Store) Put(ctx context.Context, name string, value []byte) error {
	if len(value) > maxEntry/2 {
		return fmt.Errorf("%w: %d bytes", tokenstore.ErrTooLarge, len(value))
	}
	return s.change(ctx, name, func(root *os.Root) error {
		keys, err := readKeys(s.keyFile)
		if err != nil {
			return err
		}
		if old, err := s.read(root, name); err == nil && bytes.Equal(old, value) {
			return nil
		}
		sealed, err := seal(keys, name, value)
		if err != nil {
			return err
		}
		return s.replace(root, fileName(name), sealed)
	})
}

// Delete implements tokenstore.Store. It needs no key.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := os.Lstat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.change(ctx, name, func(root *os.Root) error {
		err := patiently(func() error { return root.Remove(fileName(name)) })
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return s.broken(err)
		}
		return s.settle()
	})
}

// Lock implements tokenstore.Locker among all who use the folder, by a kernel lock in it.
func (s *Store) Lock(ctx context.Context, name string) (release func(), err error) {
	path, err := s.LockPath(name)
	if err != nil {
		return nil, err
	}
	return flock.Take(ctx, path)
}

// LockPath is the file whose kernel lock is that of name, as tokenstore.Keyring's. Its folder exists when
// LockPath returns.
func (s *Store) LockPath(name string) (string, error) {
	root, err := s.made()
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := root.Mkdir("locks", 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", s.broken(err)
	}
	info, err := root.Lstat("locks")
	if err != nil || !info.IsDir() || !private(info) {
		return "", fmt.Errorf("%w: %s is not a folder of this user alone", tokenstore.ErrBroken, filepath.Join(s.dir, "locks"))
	}
	return filepath.Join(s.dir, "locks", baseName(name)+".lock"), nil
}

// change runs f when nobody else changes the entry.
func (s *Store) change(ctx context.Context, name string, f func(*os.Root) error) error {
	release, err := s.Lock(ctx, "write:"+name) // callers may hold that of name
	if err != nil {
		return err
	}
	defer release()
	root, err := s.folder()
	if err != nil {
		return err
	}
	defer root.Close()
	s.sweep(root, name)
	return f(root)
}

// folder opens the store's folder if it is this user's alone, which is judged by the opened folder itself.
func (s *Store) folder() (*os.Root, error) {
	root, err := os.OpenRoot(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, s.broken(err)
	}
	info, err := root.Stat(".")
	if err == nil && !private(info) {
		err = fmt.Errorf("%w: the folder %s can be entered by others than its owner (want owner %d and mode 0700)", tokenstore.ErrBroken, s.dir, os.Geteuid())
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// made is folder, which it makes if need be.
func (s *Store) made() (*os.Root, error) {
	root, err := s.folder()
	if !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, s.broken(err)
	}
	return s.folder()
}

// read returns the entry of a name.
func (s *Store) read(root *os.Root, name string) ([]byte, error) {
	sealed, err := s.readFile(root, fileName(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, tokenstore.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	keys, err := readKeys(s.keyFile)
	if err != nil {
		return nil, err
	}
	return open(keys, name, sealed)
}

// readFile reads all of a file of the folder that is no link and this user's alone, which is judged by the
// opened file itself.
func (s *Store) readFile(root *os.Root, file string) ([]byte, error) {
	var f *os.File
	err := patiently(func() (err error) {
		f, err = root.Open(file)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		if _, linkErr := root.Lstat(file); linkErr == nil {
			return nil, fmt.Errorf("%w: %s is a link to nowhere", tokenstore.ErrBroken, filepath.Join(s.dir, file))
		}
		return nil, err
	}
	if err != nil {
		return nil, s.broken(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, s.broken(err)
	}
	// A writer may rename another file over this one at any time, and that is none of our concern; a link is.
	if named, err := root.Lstat(file); err == nil && named.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%w: %s is a symbolic link", tokenstore.ErrBroken, filepath.Join(s.dir, file))
	}
	if !info.Mode().IsRegular() || !private(info) {
		return nil, fmt.Errorf("%w: %s can be read by others than its owner (want a file with owner %d and mode 0600)", tokenstore.ErrBroken, filepath.Join(s.dir, file), os.Geteuid())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err != nil {
		return nil, s.broken(err)
	}
	if len(b) > maxEntry {
		return nil, fmt.Errorf("%w: %s is not of this store: it is too large", tokenstore.ErrBroken, filepath.Join(s.dir, file))
	}
	return b, nil
}

// replace puts a file in place of another: a reader sees the one or the other, also after a power cut.
func (s *Store) replace(root *os.Root, file string, content []byte) (err error) {
	var random [8]byte
	rand.Read(random[:])
	temporary := file + "." + hex.EncodeToString(random[:]) + temporarySuffix
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return s.broken(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			root.Remove(temporary)
			err = s.broken(err)
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := patiently(func() error { return root.Rename(temporary, file) }); err != nil {
		return err
	}
	return s.settle()
}

const temporarySuffix = ".tmp"

// sweep removes what writers of this entry that were killed have left: whoever writes holds its lock.
func (s *Store) sweep(root *os.Root, name string) {
	left, _ := fs.Glob(root.FS(), fileName(name)+".*"+temporarySuffix)
	for _, file := range left {
		root.Remove(file)
	}
}

// broken explains an error of the file system, which names the file.
func (s *Store) broken(err error) error {
	for _, ours := range []error{tokenstore.ErrBroken, tokenstore.ErrUnavailable, tokenstore.ErrTooLarge} {
		if errors.Is(err, ours) {
			return err
		}
	}
	cause := err
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		cause = p.Err
	} else if l, ok := errors.AsType[*os.LinkError](err); ok {
		cause = l.Err
	}
	return fmt.Errorf("%w: the file store in %s: %v", tokenstore.ErrBroken, s.dir, cause)
}

// baseName tells nothing of the entry's name.
func baseName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

func fileName(name string) string { return baseName(name) + ".age" }

// An entry's plaintext is a line with the entry's name, so that no file can be taken for another, and then
// the value.
const plainMagic = "cogauth-file-1 "

func seal(keys *keys, name string, value []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, keys.recipient)
	if err == nil {
		_, err = io.WriteString(w, plainMagic+strconv.Quote(name)+"\n")
	}
	if err == nil {
		_, err = w.Write(value)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: encrypt the entry: %v", tokenstore.ErrBroken, err)
	}
	return b.Bytes(), nil
}

func open(keys *keys, name string, sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), keys.identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, fmt.Errorf("%w: the entry was encrypted for another key than %s", tokenstore.ErrBroken, keys.file)
	}
	var plain []byte
	if err == nil {
		plain, err = io.ReadAll(r)
	}
	line, value, ok := strings.Cut(string(plain), "\n")
	if err != nil || !ok || line != plainMagic+strconv.Quote(name) {
		return nil, fmt.Errorf("%w: the entry is damaged", tokenstore.ErrBroken)
	}
	return []byte(value), nil
}
