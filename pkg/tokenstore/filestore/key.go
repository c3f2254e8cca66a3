package filestore

import (
	"bytes"
	"crypto/rand"
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
// That something is there already is fs.ErrExist, and nobody ever finds half a key there.
func NewKey(path string) error {
	if err := newKey(path); err != nil {
		return fmt.Errorf("make the key %s: %w", path, reason(err))
	}
	return nil
}

func newKey(path string) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	text := fmt.Sprintf("# opens cogauth's file store\n# public key: %s\n%s\n", identity.Recipient(), identity)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// A link, other than a rename, replaces nothing.
	temporary := path + "." + rand.Text() + temporarySuffix
	if err := writeNew(temporary, text); err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return writeNew(path, text) // not every file system has links
}

// writeNew leaves nothing behind if it fails, but for a crash.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// readKeys reads the key file. Every error is ErrUnavailable and holds nothing of its content.
func readKeys(file string) (*keys, error) {
	if file == "" {
		return nil, unavailable("it has no key file")
	}
	text, err := readKeyFile(file)
	if err != nil {
		return nil, fault(tokenstore.ErrUnavailable, err, "the key file %s %v", file, err)
	}
	k := &keys{file: file}
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0:
		err = errors.New("is empty")
	case bytes.Contains(text, []byte("PRIVATE KEY-----")):
		err = k.parseSSH(text)
	default:
		err = k.parseAge(text)
	}
	if err != nil {
		return nil, unavailable("the key file %s %v", file, err)
	}
	return k, nil
}

// readKeyFile judges the file that was opened, whatever has become of its name.
func readKeyFile(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	if fact := keyFault(f, info); fact != "" {
		return nil, errors.New(fact)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", reason(err))
	}
	return text, nil
}

func (k *keys) parseAge(text []byte) error {
	identities, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		// What age says may quote a line.
		switch {
		case bytes.HasPrefix(text, []byte("age-encryption.org/")), bytes.HasPrefix(text, []byte("-----BEGIN AGE ENCRYPTED FILE")):
			return errors.New("is itself encrypted: it has to be an age identity in the clear")
		case bytes.HasPrefix(text, []byte("ssh-")), bytes.HasPrefix(text, []byte("age1")):
			return errors.New("is a public key: it has to be the private one")
		}
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
	if bytes.Contains(pem, []byte("BEGIN ENCRYPTED PRIVATE KEY")) {
		return errPassphrase
	}
	identity, err := agessh.ParseIdentity(pem)
	if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		return errPassphrase
	}
	k.identities = []age.Identity{identity}
	switch identity := identity.(type) {
	case *agessh.Ed25519Identity:
		k.recipient = identity.Recipient()
	case *agessh.RSAIdentity:
		k.recipient = identity.Recipient()
		if _, err := k.recipient.Wrap(make([]byte, 16)); err != nil { // it would be found out at the first Put
			return errors.New("is an RSA key that is too short: it needs 2048 bits")
		}
	default:
		return errors.New("is no SSH key of a kind that is supported, ed25519 or RSA")
	}
	return nil
}

var errPassphrase = errors.New("is an SSH key with a passphrase, which nobody is there to type: use one without, or an age identity")
