package tokenstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/deptest"
)

func TestDeps(t *testing.T) {
	deptest.Only(t, "github.com/cogauth/cogauth/internal/flock", "github.com/cogauth/cogauth/internal/turns",
		"github.com/zalando/go-keyring", "github.com/godbus/dbus/v5", "golang.org/x/sys")
}

// DBUS_SESSION_BUS_ADDRESS has to be read before godbus does, which runs dbus-launch without it.
func TestQuiet(t *testing.T) { deptest.Quiet(t, "os.Getenv") }

func TestMemoryKeepsEntriesApart(t *testing.T) {
	ctx := context.Background()
	var m Memory
	if _, err := m.Get(ctx, "a"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("empty store: got %v, want ErrNotFound", err)
	}
	value := []byte("one")
	put := func(name string, value []byte) {
		t.Helper()
		if err := m.Put(ctx, name, value); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(name, want string) {
		t.Helper()
		got, err := m.Get(ctx, name)
		if err != nil || string(got) != want {
			t.Errorf("entry %s: got %q, %v, want %q", name, got, err, want)
		}
	}
	put("a", value)
	put("b", []byte("two"))
	copy(value, "xxx") // the store keeps its own copy
	expect("a", "one")
	got, _ := m.Get(ctx, "a")
	copy(got, "xxx") // and gives copies away
	expect("a", "one")
	put("a", []byte("three"))
	expect("a", "three")
	put("a", nil)
	expect("a", "")
	for range 2 { // the second time it is absent
		if err := m.Delete(ctx, "a"); err != nil {
			t.Errorf("delete: got %v, want nil", err)
		}
	}
	if _, err := m.Get(ctx, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted entry: got %v, want ErrNotFound", err)
	}
	expect("b", "two")
}

func TestACallWhoseContextEndedDoesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range []Store{&Memory{}, &Keyring{}} {
		t.Run(fmt.Sprintf("%T", s), func(t *testing.T) {
			_, get := s.Get(ctx, "a")
			_, lock := s.(Locker).Lock(ctx, "a")
			for what, err := range map[string]error{"get": get, "put": s.Put(ctx, "a", nil), "delete": s.Delete(ctx, "a"), "lock": lock} {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: got %v, want context.Canceled", what, err)
				}
			}
		})
	}
}

// testLock has 8 goroutines increment a counter that nothing but the lock guards.
func testLock(t *testing.T, l Locker) {
	ctx := context.Background()
	counter := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				release, err := l.Lock(ctx, t.Name())
				if err != nil {
					t.Errorf("lock: %v", err)
					return
				}
				counter++
				release()
				release() // again does no harm, and does not release another's
			}
		})
	}
	wg.Wait()
	if counter != 200 {
		t.Errorf("got counter %d, want 200", counter)
	}

	release, err := l.Lock(ctx, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Lock(ctx, t.Name()+" other")
	if err != nil {
		t.Fatalf("another name: %v", err)
	}
	other()
	waiting, cancel := context.WithCancel(ctx)
	errs := make(chan error)
	go func() {
		_, err := l.Lock(waiting, t.Name())
		errs <- err
	}()
	select {
	case err := <-errs:
		t.Fatalf("got %v from a lock that is held, want it to wait", err)
	default:
	}
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled wait: got %v, want context.Canceled", err)
	}
	release()
	again, err := l.Lock(ctx, t.Name())
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again()
}

func TestMemoryLock(t *testing.T)  { testLock(t, &Memory{}) }
func TestKeyringLock(t *testing.T) { testLock(t, &Keyring{Service: "cogauth test"}) }

var answers = map[string]error{
	"notfound": ErrNotFound, "toolarge": ErrTooLarge, "locked": ErrLocked, "unavailable": ErrUnavailable, "broken": ErrBroken,
	"canceled": context.Canceled,
}

// kind names the one answer that err matches.
func kind(err error) string {
	if err == nil {
		return "ok"
	}
	var kinds []string
	for name, answer := range answers {
		if errors.Is(err, answer) {
			kinds = append(kinds, name)
		}
	}
	if len(kinds) != 1 {
		return fmt.Sprintf("%d kinds", len(kinds))
	}
	return kinds[0]
}

func TestC16AnswersAreToldApart(t *testing.T) {
	for _, answer := range answers {
		if got := kind(answer); answers[got] != answer {
			t.Errorf("%v: got %s, want it to match itself alone", answer, got)
		}
	}
}

func TestForeignTextIsQuoted(t *testing.T) {
	err := classify(errors.New("\x1b[31mred\n" + strings.Repeat("x", 1000)))
	if kind(err) != "broken" {
		t.Errorf("unknown error: got %v, want ErrBroken", err)
	}
	if text := err.Error(); bytes.ContainsAny([]byte(text), "\x1b\n") || len(text) > 300 {
		t.Errorf("got %q, want one short line without control characters", text)
	}
}
