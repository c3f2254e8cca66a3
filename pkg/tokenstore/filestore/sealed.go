package filestore

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"filippo.io/age"

	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// An entry's plaintext is a line with a version and the entry's name, so that no file can be taken for
// another, and then the value.
const plainMagic = "cogauth-file-1 "

func header(name string) []byte { return []byte(plainMagic + strconv.Quote(name) + "\n") }

func seal(keys *keys, name string, value []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, keys.recipient)
	if err == nil {
		_, err = w.Write(header(name))
	}
	if err == nil {
		_, err = w.Write(value)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, unavailable("nothing can be encrypted for the key file %s: %v", keys.file, err)
	}
	return b.Bytes(), nil
}

func open(keys *keys, name string, sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), keys.identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, fault(tokenstore.ErrBroken, nil, "an entry was encrypted for another key than that of %s", keys.file)
	}
	var plain []byte
	if err == nil {
		plain, err = io.ReadAll(r)
	}
	if err != nil {
		return nil, fault(tokenstore.ErrBroken, nil, "an entry is damaged")
	}
	value, ok := bytes.CutPrefix(plain, header(name))
	switch {
	case ok:
		return value, nil
	case bytes.HasPrefix(plain, []byte(plainMagic)):
		return nil, fault(tokenstore.ErrBroken, nil, "a file holds another entry than its name says")
	}
	return nil, fault(tokenstore.ErrBroken, nil, "an entry is of a kind that this version does not know")
}
