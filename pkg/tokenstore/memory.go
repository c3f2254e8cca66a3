package tokenstore

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/cogauth/cogauth/internal/turns"
)

// Memory keeps entries in this process only, and they end with it. The zero value is an empty
// store, ready to use. It must not be copied.
type Memory struct {
	mu      sync.Mutex
	entries map[string][]byte
	locks   turns.Turns
}

var (
	_ Store  = (*Memory)(nil)
	_ Locker = (*Memory)(nil)
)

// Get implements Store.
func (m *Memory) Get(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.entries[name]
	if !ok {
		return nil, ErrNotFound
	}
	return bytes.Clone(value), nil
}

// Put implements Store. There is no limit on the size.
func (m *Memory) Put(ctx context.Context, name string, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = make(map[string][]byte)
	}
	m.entries[name] = append([]byte{}, value...)
	return nil
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, name)
	return nil
}

// Lock implements Locker among the goroutines that share m.
func (m *Memory) Lock(ctx context.Context, name string) (release func(), err error) {
	release, err = m.locks.Take(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("wait for the lock: %w", err)
	}
	return release, nil
}
