package storetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// crowd: C17, many writers of one name leave the whole value of one of them, and of another name its own.
func (b *bench) crowd() {
	writers := 50
	if testing.Short() {
		writers = 10
	}
	name, other := b.name("a"), b.name("b")
	calm := text(300)
	b.put(other, calm)
	values := make(map[string]bool)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range writers {
		s := b.open(b.t)
		wg.Go(func() {
			v := text(3000)
			mu.Lock()
			values[string(v)] = true
			mu.Unlock()
			if err := s.Put(b.ctx, name, v); err != nil {
				b.t.Errorf("put: %v", err)
			}
		})
	}
	wg.Wait()
	got, err := b.store.Get(b.ctx, name)
	if err != nil || !values[string(got)] {
		b.t.Errorf("after %d writers: got %d bytes and %v, want the value of one of them", writers, len(got), err)
	}
	b.holds(other, calm)
}

// readers: while a value is replaced, again and again, by longer and shorter ones, there is always one of
// them, and it is whole.
func (b *bench) readers() {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	name := b.name("a")
	value := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 100+i%3*2700) }
	b.put(name, value(0))
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		s := b.open(b.t)
		wg.Go(func() {
			for !done.Load() {
				got, err := s.Get(b.ctx, name)
				if err != nil {
					b.t.Errorf("get during rewrites: %v", err)
					return
				}
				if len(got) == 0 || bytes.Count(got, got[:1]) != len(got) || (len(got)-100)%2700 != 0 {
					b.t.Errorf("get during rewrites: got %d bytes that were never put", len(got))
					return
				}
			}
		})
	}
	for i := range rounds {
		if err := b.store.Put(b.ctx, name, value(i)); err != nil {
			b.t.Errorf("put: %v", err)
			break
		}
	}
	done.Store(true)
	wg.Wait()
}

// lock, of those who have one: it excludes others under the same name and nobody under another.
func (b *bench) lock() {
	l, ok := b.store.(tokenstore.Locker)
	if !ok {
		b.t.Skip("the store is no Locker")
	}
	name, other := b.name("a"), b.name("b")
	release, err := l.Lock(b.ctx, name)
	if err != nil {
		b.t.Fatal(err)
	}
	releaseOther, err := l.Lock(b.ctx, other)
	if err != nil {
		b.t.Fatalf("the lock of another name: %v", err)
	}
	releaseOther()
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := l.Lock(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
		b.t.Errorf("a lock that is held: got %v, want the context's error", err)
	}
	// Its holder reads and writes.
	v := text(3000)
	b.put(name, v)
	b.holds(name, v)
	b.delete(name)
	release()
	release()
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			release, err := l.Lock(b.ctx, name)
			if err != nil {
				b.t.Errorf("lock: %v", err)
				return
			}
			if n := inside.Add(1); n > 1 {
				most.Store(n)
			}
			time.Sleep(time.Millisecond)
			inside.Add(-1)
			release()
		})
	}
	wg.Wait()
	if most.Load() > 1 {
		b.t.Errorf("%d held the lock at once", most.Load())
	}
}

// preparer, of those who are one.
func (b *bench) preparer() {
	p, ok := b.store.(tokenstore.Preparer)
	if !ok {
		b.t.Skip("the store is no Preparer")
	}
	name := b.name("a")
	for _, before := range [][]byte{nil, text(100), text(5000)} {
		if before != nil {
			b.put(name, before)
		}
		put, release, err := p.Prepare(b.ctx, name)
		if err != nil {
			b.t.Fatal(err)
		}
		if before != nil {
			b.holds(name, before)
		}
		v := text(4000)
		for range 2 { // it may be tried again
			if err := put(b.ctx, v); err != nil {
				b.t.Fatal(err)
			}
		}
		release()
		release()
		b.holds(name, v)
	}
	_, release, err := p.Prepare(b.ctx, name)
	if err != nil {
		b.t.Fatal(err)
	}
	release() // unused
	v := text(10)
	b.put(name, v)
	b.holds(name, v)
}
