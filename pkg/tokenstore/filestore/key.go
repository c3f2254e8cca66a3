package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// keys are what a key file holds.
type keys struct {
	file       string
	identities []age.Identity
	recipient  age.Recipient // of the first identity
}

// maxKey bounds what is read of a key file, in bytes.
const maxKey = 64 << 10

// NewKey makes a file with a new age identity at path, for its owner alone; the folder is made if need be.
// That a file is there already is fs.ErrExist.
func NewKey(path string) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	_, err = fmt.Fprintf(f, "# opens cogauth's file store\n# public key: %s\n%s\n", identity.Recipient(), identity)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("make a key: %w", err)
	}
	return nil
}

// readKeys reads the key file. Every error is ErrUnavailable and holds nothing of its content.
func readKeys(file string) (*keys, error) {
	unusable := func(format string, args ...any) (*keys, error) {
		return nil, fmt.Errorf("%w: the key file %s %s", tokenstore.ErrUnavailable, file, fmt.Sprintf(format, args...))
	}
	if file == "" {
		return nil, fmt.Errorf("%w: the file store has no key file", tokenstore.ErrUnavailable)
	}
	f, err := os.Open(file)
	if err != nil {
		return unusable("cannot be read: %v", causeOf(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unusable("cannot be read: %v", causeOf(err))
	}
	if !info.Mode().IsRegular() {
		return unusable("is not a file")
	}
	if fault := keyFault(info); fault != "" {
		return unusable("%s", fault)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return unusable("cannot be read: %v", causeOf(err))
	}
	k := &keys{file: file}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		err = k.parseSSH(text)
	} else {
		err = k.parseAge(text)
	}
	if err != nil {
		return unusable("%v", err)
	}
	return k, nil
}

func (k *keys) parseAge(text []byte) error {
	identities, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		// age's own error may quote a line.
		return errors.New("is neither an age identity (AGE-SECRET-KEY-…) nor an SSH private key")
	}
	k.identities = identities
	switch first := identities[0].(type) {
	case *age.X25519Identity:
		k.recipient = first.Recipient()
	case *age.HybridIdentity:
		k.recipient = first.Recipient()
	default:
		return errors.New("holds an age identity of a kind that is not supported")
	}
	return nil
}

func (k *keys) parseSSH(pem []byte) error {
	identity, err := agessh.ParseIdentity(pem)
	if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		return errors.New("is an SSH key with a passphrase, which nobody is there to type: use one without, or an age identity")
	}
	if err != nil {
		return errors.New("is not an SSH private key of a kind that is supported: ed25519 or RSA")
	}
	k.identities = []age.Identity{identity}
	switch identity := identity.(type) {
	case *agessh.Ed25519Identity:
		k.recipient = identity.Recipient()
	case *agessh.RSAIdentity:
		k.recipient = identity.Recipient()
	default:
		return errors.New("is an SSH key of a kind that is not supported: use ed25519 or RSA")
	}
	return nil
}

// causeOf is an error of the file system without the path.
func causeOf(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
