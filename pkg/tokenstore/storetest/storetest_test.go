package storetest_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/pkg/tokenstore"
	"github.com/cogauth/cogauth/pkg/tokenstore/storetest"
)

func TestDeps(t *testing.T) {
	deptest.Only(t, "github.com/cogauth/cogauth/pkg/tokenstore", "github.com/cogauth/cogauth/internal/flock", "github.com/cogauth/cogauth/internal/turns",
		"github.com/zalando/go-keyring", "github.com/godbus/dbus/v5", "golang.org/x/sys")
}

// limited is a keychain with a limit: it takes no more, and calls are counted.
type limited struct {
	tokenstore.Memory
	limit int
	puts  atomic.Int32
}

func (l *limited) Put(ctx context.Context, name string, value []byte) error {
	if len(value) > l.limit {
		return fmt.Errorf("%w: %d bytes", tokenstore.ErrTooLarge, len(value))
	}
	if _, err := l.Get(ctx, name); err == nil {
		return fmt.Errorf("%w: an entry was to be overwritten, which makes KeePassXC ask", tokenstore.ErrBroken)
	}
	l.puts.Add(1)
	return l.Memory.Put(ctx, name, value)
}

func TestMemory(t *testing.T) {
	var m tokenstore.Memory
	storetest.Run(t, func(*testing.T) tokenstore.Store { return &m })
}

// C1, C2: the limits of Windows' and macOS' keychains, and one that nobody has, with values to 16 KB. The
// store below also refuses to overwrite.
func TestC1C2LimitedEntries(t *testing.T) {
	for _, limit := range []int{128, 1000, 2560, 2850} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			l := &limited{limit: limit}
			s := &tokenstore.Split{Entries: l, Limit: limit}
			storetest.Run(t, func(*testing.T) tokenstore.Store { return s })
			// Other handles have the entries' lock in common.
			storetest.Run(t, func(*testing.T) tokenstore.Store { return &tokenstore.Split{Entries: l, Limit: limit} })
		})
	}
}

// C2: one entry where one is enough, and a value that is kept already is not written again.
func TestC2OneEntryWhereOneIsEnough(t *testing.T) {
	l := &limited{limit: 2560}
	s := &tokenstore.Split{Entries: l, Limit: 2560}
	for n, want := range map[int]int32{100: 1, 2400: 1, 2560: 2, 2561: 2, 5200: 3} {
		l.puts.Store(0)
		value := make([]byte, n)
		for i := range value {
			value[i] = 'x'
		}
		for range 3 {
			if err := s.Put(t.Context(), "a", value); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.puts.Load(); got != want {
			t.Errorf("%d bytes took %d entries, want %d", n, got, want)
		}
	}
}
