// Package storetest holds a tokenstore.Store to its contract, as the tests of this module hold theirs:
//
//	func TestMyStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) tokenstore.Store { return mystore.Open(dir) })
//	}
//
// The names it uses begin with "storetest", and it removes what it has put.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// hang is how long a call may take that nothing stands in the way of.
const hang = 2 * time.Minute

// Run tests a store. open returns a handle to it and is called several times in one test: what one handle
// puts, the others get. With -short there are fewer sizes and writers.
func Run(t *testing.T, open func(t *testing.T) tokenstore.Store) {
	for name, test := range map[string]func(*bench){
		"absent":     (*bench).absent,
		"lifecycle":  (*bench).lifecycle,
		"sizes":      (*bench).sizes,
		"names":      (*bench).names,
		"copies":     (*bench).copies,
		"contexts":   (*bench).contexts,
		"crowd":      (*bench).crowd,
		"readers":    (*bench).readers,
		"lock":       (*bench).lock,
		"preparer":   (*bench).preparer,
		"no residue": (*bench).residue,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), hang)
			defer cancel()
			b := &bench{t: t, ctx: ctx, open: open, store: open(t)}
			t.Cleanup(b.clean)
			test(b)
		})
	}
}

// bench is one test of one store.
type bench struct {
	t     *testing.T
	ctx   context.Context
	open  func(*testing.T) tokenstore.Store
	store tokenstore.Store
	mu    sync.Mutex
	used  []string
}

// name is one of this test's own.
func (b *bench) name(s string) string {
	name := "storetest " + b.t.Name() + " " + s
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = append(b.used, name)
	return name
}

func (b *bench) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	for _, name := range b.used {
		if err := b.store.Delete(ctx, name); err != nil {
			b.t.Errorf("clean up: %v", err)
			return
		}
	}
}

func (b *bench) put(name string, value []byte) {
	b.t.Helper()
	if err := b.store.Put(b.ctx, name, value); err != nil {
		b.t.Fatalf("put %d bytes: got %v, want nil", len(value), err)
	}
}

func (b *bench) delete(name string) {
	b.t.Helper()
	if err := b.store.Delete(b.ctx, name); err != nil {
		b.t.Fatalf("delete: got %v, want nil", err)
	}
}

// holds expects the value, through the handle and through a new one.
func (b *bench) holds(name string, want []byte) {
	b.t.Helper()
	for _, s := range []tokenstore.Store{b.store, b.open(b.t)} {
		got, err := s.Get(b.ctx, name)
		if err != nil || !bytes.Equal(got, want) {
			b.t.Fatalf("get: got %d bytes and %v, want the %d bytes that were put", len(got), err, len(want))
		}
	}
}

func (b *bench) empty(name string) {
	b.t.Helper()
	for _, s := range []tokenstore.Store{b.store, b.open(b.t)} {
		if got, err := s.Get(b.ctx, name); !errors.Is(err, tokenstore.ErrNotFound) || got != nil {
			b.t.Fatalf("get of what is not there: got %d bytes and %v, want ErrNotFound", len(got), err)
		}
	}
}

// text is a value of n printable bytes, different each time.
func text(n int) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	v := make([]byte, n)
	rand.Read(v)
	for i := range v {
		v[i] = letters[v[i]%64]
	}
	return v
}

func (b *bench) absent() {
	name := b.name("a")
	b.empty(name)
	b.delete(name) // which is no error
	b.delete(name)
	b.empty(name)
}

func (b *bench) lifecycle() {
	name := b.name("a")
	for _, n := range []int{90, 2500, 10, 5000, 5000, 1} {
		v := text(n)
		b.put(name, v)
		b.holds(name, v)
		b.put(name, v) // the same again
		b.holds(name, v)
	}
	b.put(name, nil)
	b.holds(name, nil)
	b.delete(name)
	b.empty(name)
	v := text(100)
	b.put(name, v)
	b.holds(name, v)
}

// sizes has the borders of the systems' keychains among them: 2,560 bytes on Windows, 4,096 for a command
// line on macOS.
func (b *bench) sizes() {
	sizes := []int{0, 1, 1900, 2047, 2048, 2400, 2559, 2560, 2561, 2800, 3000, 3072, 4095, 4096, 5120, 8192, 16384}
	if testing.Short() {
		sizes = []int{0, 2560, 2561, 16384}
	}
	name := b.name("a")
	for _, n := range sizes {
		b.put(name, text(n))
		v := text(n)
		b.put(name, v)
		b.holds(name, v)
		// What keychains have been seen to lose: ends, line ends, what looks like an escape, zero bytes.
		for _, awkward := range []string{" \t", "\n", "\\n\\", "\x00\xff\xfe", "é\u2028", "'\"`$;"} {
			v := append([]byte(awkward), text(n)...)
			v = append(v, awkward...)
			b.put(name, v)
			b.holds(name, v)
			if testing.Short() || n > 3000 {
				break
			}
		}
	}
	every := make([]byte, 16<<10)
	for i := range every {
		every[i] = byte(i)
	}
	b.put(name, every)
	b.holds(name, every)
}

func (b *bench) names() {
	values := map[string][]byte{}
	for _, s := range []string{
		"default/1h57kf5cpq17m0eml12EXAMPLE", "key:default/1h57", "secret:default/1h57", "default/1h57", "Default/1h57", "a", "a ", "a~", "a~b", "a~b2", "a~~", "a~~b", "a~2",
		"a#2", "é", "e\u0301", "../a", "a/../a", `a\b`, "a'b", `a"b`, "$(a)", strings.Repeat("long", 30),
	} {
		name := b.name(s)
		values[name] = text(40)
		if strings.Contains(s, "~") { // long enough to take several entries where they are small
			values[name] = text(400)
		}
		b.put(name, values[name])
	}
	for name, want := range values {
		b.holds(name, want)
	}
	for name := range values {
		b.delete(name)
		b.empty(name)
		delete(values, name)
		for other, want := range values {
			if got, err := b.store.Get(b.ctx, other); err != nil || !bytes.Equal(got, want) {
				b.t.Fatalf("after %q was deleted, %q: got %v, want its value", name, other, err)
			}
			break // any one will do
		}
	}
}

func (b *bench) copies() {
	name := b.name("a")
	v := text(100)
	want := bytes.Clone(v)
	b.put(name, v)
	clear(v)
	b.holds(name, want)
	got, err := b.store.Get(b.ctx, name)
	if err != nil {
		b.t.Fatal(err)
	}
	clear(got)
	b.holds(name, want)
}

// contexts: one that has ended is the answer, and changes nothing.
func (b *bench) contexts() {
	name := b.name("a")
	v := text(100)
	b.put(name, v)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := b.store.Get(ctx, name); !errors.Is(err, context.Canceled) {
		b.t.Errorf("get: got %v, want the context's error", err)
	}
	if err := b.store.Put(ctx, name, text(100)); !errors.Is(err, context.Canceled) {
		b.t.Errorf("put: got %v, want the context's error", err)
	}
	if err := b.store.Delete(ctx, name); !errors.Is(err, context.Canceled) {
		b.t.Errorf("delete: got %v, want the context's error", err)
	}
	b.holds(name, v)
}

// residue: what was large and was deleted does not come back when a small value follows.
func (b *bench) residue() {
	name := b.name("a")
	for i := range 4 {
		b.put(name, text(16000))
		if i%2 == 0 {
			b.delete(name)
			b.empty(name)
		}
		v := []byte(fmt.Sprint("small ", i))
		b.put(name, v)
		b.holds(name, v)
		b.delete(name)
		b.empty(name)
	}
}
