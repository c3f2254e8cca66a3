package cogauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// A session is two entries of the store, deliberately apart.
//
// The record ("profile/client") is what must not be lost: the refresh token, the session's ID, and
// what it was made for. It holds no endpoint and no claim, and with a refresh token of 1,900 bytes
// it fits the 2,560 bytes that an entry has on Windows.
//
// The key ("key:profile/client") opens the token cache. It is new at every login and carries the
// session's ID, so that the warm path reads this one small entry and nothing else. In a keychain it is
// one of the keychain's own entries, below the two slots in which a Keyring keeps what must not be lost:
// it is deleted before it is written, and one call reads it.

// record is the stored session.
type record struct {
	refresh  secret.Secret // empty if the login brought none
	session  string        // random, new at every login
	issuer   string        // as in the tokens
	purpose  purpose       // Client.purpose at login
	signedIn time.Time
	rotation rotation
	// unanswered: the refresh token was sent, and no answer came. If it turns out to be spent, that is why.
	unanswered bool
	noSecret   bool // at the login the app client had no secret, so there is none to be read
}

// rotation is whether the server replaces refresh tokens, as far as it has been seen.
type rotation byte

const (
	rotationUnknown rotation = iota
	rotationOff
	rotationOn
)

const recordVersion = 2

type recordJSON struct {
	Version      int     `json:"v"`
	RefreshToken string  `json:"refresh_token,omitempty"`
	Session      string  `json:"session"`
	Issuer       string  `json:"issuer"`
	Purpose      purpose `json:"for"`
	SignedIn     int64   `json:"signed_in"`
	// Rotation is absent from records of before it was kept, which then is unknown.
	Rotation rotation `json:"rotation,omitempty"`
	NoSecret bool     `json:"no_secret,omitempty"`
	// Unanswered is absent unless the last request went without an answer.
	Unanswered bool `json:"unanswered,omitempty"`
}

func (r *record) encode() []byte {
	b, err := json.Marshal(recordJSON{recordVersion, r.refresh.Reveal(), r.session, r.issuer, r.purpose, r.signedIn.Unix(), r.rotation, r.noSecret, r.unanswered})
	if err != nil {
		panic("cogauth: record: " + err.Error()) // strings and numbers always marshal
	}
	return b
}

// errBadEntry: what the store holds under our name was not written by this version of cogauth.
var errBadEntry = errors.New("an entry in the store is not one of this version's")

func decodeRecord(b []byte) (*record, error) {
	var j recordJSON
	if json.Unmarshal(b, &j) != nil || j.Version != recordVersion || j.Session == "" {
		return nil, errBadEntry
	}
	return &record{
		refresh: secret.New(j.RefreshToken), session: j.Session, issuer: j.Issuer, purpose: j.Purpose, signedIn: time.Unix(j.SignedIn, 0),
		rotation: j.Rotation, noSecret: j.NoSecret, unanswered: j.Unanswered,
	}, nil
}

// keyEntry is the cache's key and the session it belongs to.
type keyEntry struct {
	session string
	key     [32]byte
}

const keyEntryVersion = "1"

func newKeyEntry(session string) *keyEntry {
	k := &keyEntry{session: session}
	rand.Read(k.key[:])
	return k
}

func (k *keyEntry) encode() []byte {
	return []byte(keyEntryVersion + " " + k.session + " " + base64.StdEncoding.EncodeToString(k.key[:]))
}

func decodeKeyEntry(b []byte) (*keyEntry, error) {
	f := strings.Split(string(b), " ")
	if len(f) != 3 || f[0] != keyEntryVersion || f[1] == "" {
		return nil, errBadEntry
	}
	raw, err := base64.StdEncoding.DecodeString(f[2])
	k := &keyEntry{session: f[1]}
	if err != nil || copy(k.key[:], raw) != len(k.key) || len(raw) != len(k.key) {
		return nil, errBadEntry
	}
	return k, nil
}

func newSessionID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// readRecord returns nil without an error if there is no record. One that cannot be decoded counts
// as absent: it can only be replaced by a login.
func (c *Client) readRecord(ctx context.Context) (*record, error) {
	b, err := c.get(ctx, c.credential())
	if b == nil || err != nil {
		return nil, err
	}
	r, err := decodeRecord(b)
	if err != nil {
		return nil, nil
	}
	return r, nil
}

// readKey returns nil without an error if there is no key.
func (c *Client) readKey(ctx context.Context) (*keyEntry, error) {
	b, err := get(ctx, c.keys, c.keyName())
	if b == nil || err != nil {
		return nil, err
	}
	k, err := decodeKeyEntry(b)
	if err != nil || c.disowns(k.session) {
		return nil, nil
	}
	return k, nil
}

// disowns reports whether a stored session is older than a login of this Client that could not be saved:
// then it is nobody's here.
func (c *Client) disowns(session string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.disowned != "" && c.disowned == session
}

// putKey replaces the key without overwriting it.
func (c *Client) putKey(ctx context.Context, k *keyEntry) error {
	if err := c.keys.Delete(ctx, c.keyName()); err != nil {
		return err
	}
	return c.keys.Put(ctx, c.keyName(), k.encode())
}

func (c *Client) keyName() string { return "key:" + c.credential() }

// testName is the entry that testStore writes and removes. A crash in between leaves it, until the next
// test or the end of the session.
func (c *Client) testName() string { return "test:" + c.credential() }

// keysOf is where the keys and the test entry go: below what splits values, if the store does that.
func keysOf(store tokenstore.Store) tokenstore.Store {
	switch s := store.(type) {
	case *tokenstore.Keyring:
		return s.Entries()
	case *tokenstore.Split:
		return s.Entries
	}
	return store
}

func (c *Client) get(ctx context.Context, name string) ([]byte, error) {
	return get(ctx, c.store, name)
}

// get returns nil without an error if there is nothing.
func get(ctx context.Context, store tokenstore.Store, name string) ([]byte, error) {
	b, err := store.Get(ctx, name)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	return b, nil
}

// lock takes the credential's lock: the kernel's if the store is shared between processes.
func (c *Client) lock(ctx context.Context) (release func(), err error) {
	if l, ok := c.store.(tokenstore.Locker); ok {
		release, err := l.Lock(ctx, c.credential())
		if err != nil {
			return nil, fmt.Errorf("lock session: %w", err)
		}
		return release, nil
	}
	select {
	case c.inner <- struct{}{}:
		return func() { <-c.inner }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
