package cogauth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// The cache is one file per profile, disposable at any time. Its layout:
//
//	"cogauth-cache-3\n"
//	for each token: type (1 byte), issued and expires (Unix seconds, 8 bytes each, big endian),
//	                skew and boot (nanoseconds and Unix nanoseconds, 8 bytes each), length (4 bytes),
//	                nonce (12 bytes) and AES-256-GCM ciphertext
//
// The times are in the clear so that a reader can tell at once that nothing useful is there; the
// additional data binds them, the profile, the session's ID, what it was made for and the token's
// type, so that no part can be edited, swapped or carried over.
const cacheMagic = "cogauth-cache-3\n"

const (
	cacheTimes  = 1 + 8 + 8 + 8 + 8 // what the additional data binds
	cacheHeader = cacheTimes + 4
)

// maxCache bounds what is read: Cognito's tokens stay far below.
const maxCache = 1 << 20

// cache holds the sealed bytes; what is in them is no business of its.
type cache interface {
	read() ([]byte, error) // nil, nil if there is nothing
	write([]byte) error    // all or nothing
	remove() error
}

// tokens are a session's ID and access token, each possibly absent.
type tokens struct {
	id, access Token
}

func (t *tokens) get(typ TokenType) Token {
	if t == nil {
		return Token{}
	}
	if typ == AccessToken {
		return t.access
	}
	return t.id
}

// usable reports whether sealed could hold a token of the type that is good for at least ttl,
// judging by the clear, unauthenticated header.
func usable(sealed []byte, typ TokenType, now moment, ttl time.Duration) bool {
	found := false
	eachSealed(sealed, func(t Token, _, _ []byte) {
		found = found || t.typ == typ && t.goodFor(now, ttl)
	})
	return found
}

// seal encrypts t under the session's key.
func (c *Client) seal(k *keyEntry, t *tokens) []byte {
	out := []byte(cacheMagic)
	aead := newAEAD(k)
	for _, tok := range []Token{t.id, t.access} {
		if tok.value.Empty() {
			continue
		}
		head := []byte{byte(tok.typ)}
		head = binary.BigEndian.AppendUint64(head, uint64(tok.issued.Unix()))
		head = binary.BigEndian.AppendUint64(head, uint64(tok.expires.Unix()))
		head = binary.BigEndian.AppendUint64(head, uint64(tok.skew))
		head = binary.BigEndian.AppendUint64(head, uint64(unixNano(tok.boot)))
		nonce := make([]byte, aead.NonceSize())
		rand.Read(nonce)
		body := aead.Seal(nonce, nonce, []byte(tok.value.Reveal()), c.additionalData(k, head))
		out = append(out, head...)
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		out = append(out, body...)
	}
	return out
}

// open decrypts what seal wrote. Anything that does not fit is skipped: the cache is disposable.
func (c *Client) open(k *keyEntry, sealed []byte) *tokens {
	t := &tokens{}
	aead := newAEAD(k)
	eachSealed(sealed, func(tok Token, head, body []byte) {
		if len(body) < aead.NonceSize() {
			return
		}
		plain, err := aead.Open(nil, body[:aead.NonceSize()], body[aead.NonceSize():], c.additionalData(k, head))
		if err != nil {
			return
		}
		tok.value = secret.New(string(plain))
		switch tok.typ {
		case IDToken:
			t.id = tok
		case AccessToken:
			t.access = tok
		}
	})
	return t
}

// eachSealed visits the tokens of a cache, as yet without their values.
func eachSealed(b []byte, f func(t Token, head, body []byte)) {
	if len(b) < len(cacheMagic) || string(b[:len(cacheMagic)]) != cacheMagic {
		return
	}
	for b = b[len(cacheMagic):]; len(b) >= cacheHeader; {
		head, n := b[:cacheTimes], int64(binary.BigEndian.Uint32(b[cacheTimes:cacheHeader]))
		b = b[cacheHeader:]
		if n > int64(len(b)) {
			return
		}
		f(Token{
			typ:     TokenType(head[0]),
			issued:  time.Unix(int64(binary.BigEndian.Uint64(head[1:])), 0),
			expires: time.Unix(int64(binary.BigEndian.Uint64(head[9:])), 0),
			skew:    time.Duration(binary.BigEndian.Uint64(head[17:])),
			boot:    fromUnixNano(int64(binary.BigEndian.Uint64(head[25:]))),
		}, head, b[:n])
		b = b[n:]
	}
}

// unixNano keeps the zero time.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromUnixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// additionalData is length-prefixed, so that no two different bindings have the same bytes.
func (c *Client) additionalData(k *keyEntry, head []byte) []byte {
	var ad []byte
	for _, s := range append([]string{cacheMagic, c.credential(), k.session}, c.purpose().fields()...) {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(s)))
		ad = append(ad, s...)
	}
	return append(ad, head...)
}

func newAEAD(k *keyEntry) cipher.AEAD {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		panic("cogauth: cache: " + err.Error()) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("cogauth: cache: " + err.Error())
	}
	return aead
}

// cacheName is a file name for a credential that no file system can fold, refuse or mistake.
func cacheName(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(sum[:16]) + ".tokens"
}

type fileCache struct{ dir, name string }

func (f fileCache) path() string { return filepath.Join(f.dir, f.name) }

func (f fileCache) read() ([]byte, error) {
	b, err := os.ReadFile(f.path())
	if errors.Is(err, fs.ErrNotExist) || len(b) > maxCache {
		return nil, nil
	}
	return b, err
}

// write replaces the file: a reader sees the old one or the new one.
func (f fileCache) write(b []byte) (err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return fmt.Errorf("write token cache: %w", err)
	}
	f.sweep()
	tmp, err := os.CreateTemp(f.dir, f.name+".*")
	if err != nil {
		return fmt.Errorf("write token cache: %w", err)
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
			err = fmt.Errorf("write token cache: %w", err)
		}
	}()
	if _, err := tmp.Write(b); err != nil {
		return err
	}
	// No fsync: a cache that a power cut empties costs one refresh.
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.path())
}

// sweep removes what writers that were killed have left. Whoever writes holds the session's lock.
func (f fileCache) sweep() {
	left, _ := filepath.Glob(filepath.Join(globEscape(f.dir), f.name+".*"))
	for _, name := range left {
		os.Remove(name)
	}
}

// globEscape makes a path match itself alone.
func globEscape(path string) string {
	if filepath.Separator == '\\' {
		return path // Windows has no escape, and no file name with an asterisk
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// offlineMark has the time at which a refresh last failed because the server could not be asked. The next
// token removes it.
func (f fileCache) offlineMark() string { return f.path() + ".offline" }

func (f fileCache) noteFailure() {
	if os.MkdirAll(f.dir, 0o700) == nil && os.WriteFile(f.offlineMark(), nil, 0o600) == nil {
		now := time.Now()
		os.Chtimes(f.offlineMark(), now, now)
	}
}

func (f fileCache) failedSince(t time.Time) bool {
	info, err := os.Stat(f.offlineMark())
	return err == nil && info.ModTime().After(t) && !info.ModTime().After(time.Now())
}

func (f fileCache) remove() error {
	f.sweep()
	err := os.Remove(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// memoryCache keeps the sealed bytes beside the session when that lives in memory anyway.
type memoryCache struct {
	m    *tokenstore.Memory
	name string
}

func (c memoryCache) read() ([]byte, error) {
	b, err := c.m.Get(context.Background(), c.name)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

func (c memoryCache) write(b []byte) error { return c.m.Put(context.Background(), c.name, b) }
func (c memoryCache) remove() error        { return c.m.Delete(context.Background(), c.name) }
