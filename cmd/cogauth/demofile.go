package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// demoFile keeps the demo's session on a machine without a keychain: a private file, in the clear.
// What makes that harmless is that it accepts only a session that a pool started by this very
// process has issued, which is worthless once the pool has ended. Nothing but the demo selects it.
type demoFile struct {
	path   string
	issued func(refreshToken string) bool // the running pool's; nil when there is none: then nothing is accepted

	mu sync.Mutex
}

// Get implements tokenstore.Store.
func (f *demoFile) Get(_ context.Context, name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, err := f.load()
	if err != nil {
		return nil, err
	}
	v, ok := entries[name]
	if !ok {
		return nil, tokenstore.ErrNotFound
	}
	return v, nil
}

// Put implements tokenstore.Store.
func (f *demoFile) Put(_ context.Context, name string, value []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, err := f.load()
	if err != nil {
		return err
	}
	if !f.accepts(name, value, entries) {
		return fmt.Errorf("%w: the demo's file keeps only sessions of a pool that this program runs", tokenstore.ErrUnavailable)
	}
	entries[name] = value
	return f.save(entries)
}

// accepts judges by what the pool knows, not by what the entry says of itself.
func (f *demoFile) accepts(name string, value []byte, entries map[string][]byte) bool {
	if f.issued == nil {
		return false
	}
	switch kind, _, _ := strings.Cut(name, ":"); kind {
	case "test": // the probe of Login: a constant text
		return true
	case "key": // belongs to a session that was accepted before
		var r demoRecord
		return json.Unmarshal(entries[strings.TrimPrefix(name, "key:")], &r) == nil &&
			r.Session != "" && strings.Contains(string(value), " "+r.Session+" ")
	default:
		var r demoRecord
		return json.Unmarshal(value, &r) == nil && f.issued(r.RefreshToken)
	}
}

type demoRecord struct {
	RefreshToken string `json:"refresh_token"`
	Session      string `json:"session"`
}

// Delete implements tokenstore.Store.
func (f *demoFile) Delete(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, err := f.load()
	if err != nil || len(entries) == 0 {
		return err
	}
	delete(entries, name)
	if len(entries) == 0 {
		return os.Remove(f.path)
	}
	return f.save(entries)
}

// Lock implements tokenstore.Locker with the keychain's kernel lock, which needs no keychain.
func (f *demoFile) Lock(ctx context.Context, name string) (func(), error) {
	return (&tokenstore.Keyring{Service: "cogauth demo file"}).Lock(ctx, name)
}

func (f *demoFile) load() (map[string][]byte, error) {
	entries := map[string][]byte{}
	raw, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return entries, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %v", tokenstore.ErrBroken, err)
	}
	if json.Unmarshal(raw, &entries) != nil {
		return map[string][]byte{}, nil // worthless, and soon replaced
	}
	return entries, nil
}

func (f *demoFile) save(entries map[string][]byte) error {
	raw, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	return writePrivate(f.path, raw)
}

// writePrivate replaces a file that only its owner may read, in a folder that only its owner may enter.
func writePrivate(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed
	if _, err = tmp.Write(b); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
