package tokenstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// mortal is a store of small entries whose process dies before its nth change; then nothing works any more.
type mortal struct {
	Memory
	limit int
	lives int // changes until death; negative is for ever
	done  int
}

var errDead = errors.New("dead")

func (m *mortal) change(do func() error) error {
	if m.lives == 0 {
		return errDead
	}
	m.lives--
	m.done++
	return do()
}

func (m *mortal) Put(ctx context.Context, name string, value []byte) error {
	if len(value) > m.limit {
		return ErrTooLarge
	}
	if _, err := m.Memory.Get(ctx, name); err == nil {
		return fmt.Errorf("%w: %s was to be overwritten", ErrBroken, name)
	}
	return m.change(func() error { return m.Memory.Put(ctx, name, value) })
}

func (m *mortal) Delete(ctx context.Context, name string) error {
	if _, err := m.Memory.Get(ctx, name); err != nil {
		return nil
	}
	return m.change(func() error { return m.Memory.Delete(ctx, name) })
}

func (m *mortal) names() (names []string) {
	for name := range m.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// C1, C3: a death before each change that a Put or a Delete makes to the entries leaves the old value or the
// new one, and nothing that the next Put or Delete does not remove. Deaths may follow each other.
func TestC3DeathAtEveryChange(t *testing.T) {
	ctx := context.Background()
	sizes := []int{0, 50, 2000, 3000, 16 << 10}
	kills := 0
	for _, limit := range []int{200, 2560, 2850} {
		for _, oldSize := range sizes {
			for _, newSize := range append(sizes, -1) { // -1 deletes
				old, next := bytes.Repeat([]byte("o"), oldSize), bytes.Repeat([]byte("n"), max(newSize, 0))
				for n, finished := 0, false; !finished; n++ {
					m := &mortal{limit: limit, lives: -1}
					s := &Split{Entries: m, Limit: limit}
					if err := s.Put(ctx, "a", old); err != nil {
						t.Fatal(err)
					}
					act := func() error {
						if newSize < 0 {
							return s.Delete(ctx, "a")
						}
						return s.Put(ctx, "a", next)
					}
					for range 3 { // the next ones die at the same place
						m.lives, m.done = n, 0
						err := act()
						finished = err == nil && m.lives > 0 || m.done < n
						kills++
						m.lives = -1
						got, err := s.Get(ctx, "a")
						isOld, isNew := err == nil && bytes.Equal(got, old), err == nil && bytes.Equal(got, next)
						if newSize < 0 {
							isNew = errors.Is(err, ErrNotFound)
						}
						if finished && !isNew {
							t.Fatalf("limit %d, %d to %d bytes: it succeeded, and the old value is there", limit, oldSize, newSize)
						}
						if !isOld && !isNew {
							t.Fatalf("limit %d, %d to %d bytes, dead before change %d: got %d bytes and %v, want old or new", limit, oldSize, newSize, n+1, len(got), err)
						}
						if finished {
							break
						}
					}
					last := bytes.Repeat([]byte("l"), 60)
					if err := s.Put(ctx, "a", last); err != nil {
						t.Fatal(err)
					}
					if got, err := s.Get(ctx, "a"); err != nil || !bytes.Equal(got, last) || len(m.names()) != 1 && limit > 200 {
						t.Fatalf("afterwards: got %d bytes, %v and the entries %q, want one entry", len(got), err, m.names())
					}
					if err := s.Delete(ctx, "a"); err != nil || len(m.names()) != 0 {
						t.Fatalf("deleted: got %v and the entries %q, want none", err, m.names())
					}
				}
			}
		}
	}
	t.Logf("%d deaths survived", kills)
}

// lying says that it has stored what it has not, or only half of it.
type lying struct {
	Memory
	half bool
}

func (l *lying) Put(ctx context.Context, name string, value []byte) error {
	if l.half {
		return l.Memory.Put(ctx, name, value[:len(value)/2])
	}
	return nil
}

// C10: what was written is read back.
func TestC10ALyingStoreIsFoundOut(t *testing.T) {
	for _, half := range []bool{false, true} {
		s := &Split{Entries: &lying{half: half}}
		if err := s.Put(t.Context(), "a", []byte("a value that matters")); kind(err) != "broken" {
			t.Errorf("half %v: got %v, want ErrBroken", half, err)
		}
	}
}

// C1: what go-keyring makes of a value of the limit fits into one line of security(1), for any name.
func TestC1LimitFitsSecurity(t *testing.T) {
	for _, name := range []string{"a", "default/1h57kf5cpq17m0eml12EXAMPLE", "it's ~ and ~", "very-long-profile-name-of-sixty-four-characters-as-many-as-allowed/1h57kf5cpq17m0eml12EXAMPLE"} {
		limit := securityLimit("cogauth", name)
		quote := func(s string) string {
			return "'" + string(bytes.ReplaceAll([]byte(s), []byte("'"), []byte(`'"'"'`))) + "'"
		}
		entry := slotsOf(name)[1].first + "10000"
		line := fmt.Sprintf("add-generic-password -U -s %s -a %s -w %s\n", quote("cogauth"), quote(entry), quote("go-keyring-base64:"+string(bytes.Repeat([]byte("x"), (limit+2)/3*4))))
		if len(line) > 4096 || limit < 2500 {
			t.Errorf("%s: a value of %d bytes makes a line of %d, want up to 4096 and a useful limit", name, limit, len(line))
		}
	}
}
