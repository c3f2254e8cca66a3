package rendezvous

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/flock"
)

const module = "github.com/cogauth/cogauth"

func TestDeps(t *testing.T) {
	deptest.Only(t, module+"/internal/flock", module+"/internal/turns", "golang.org/x/sys")
}
func TestQuiet(t *testing.T) { deptest.Quiet(t) }

// meetings are both kinds of place, as functions that meet there.
func meetings(t *testing.T) map[string]func() (*Lead, *Follow) {
	var local Local
	dir := t.TempDir()
	return map[string]func() (*Lead, *Follow){
		"process": func() (*Lead, *Follow) { return local.Meet("x") },
		"files": func() (*Lead, *Follow) {
			lead, follow, err := Meet(filepath.Join(dir, "x.lock"), filepath.Join(dir, "x.sock"))
			if err != nil {
				t.Error(err)
			}
			return lead, follow
		},
	}
}

func TestEveryFollowerHearsEverything(t *testing.T) {
	for name, meet := range meetings(t) {
		t.Run(name, func(t *testing.T) {
			lead, follow := meet()
			if lead == nil || follow != nil {
				t.Fatal("the first to come does not lead")
			}
			defer lead.Close()
			lead.Say([]byte("one"))
			var wg sync.WaitGroup
			heard := make(chan string, 20)
			for range cap(heard) {
				_, follow := meet()
				if follow == nil {
					t.Fatal("got no follower while somebody leads")
				}
				wg.Go(func() {
					defer follow.Close()
					var all []string
					for {
						line, err := follow.Next(t.Context())
						if errors.Is(err, io.EOF) {
							break
						}
						if err != nil {
							t.Error(err)
							break
						}
						if all = append(all, string(line)); len(all) == 1 {
							heard <- ""
						}
					}
					if got := strings.Join(all, " "); got != "one two three" {
						t.Errorf("got %q, want all that was said, in its order", got)
					}
				})
			}
			for range cap(heard) {
				<-heard
			}
			lead.Say([]byte("two"))
			lead.Say([]byte("three"))
			lead.Close() // nobody misses what was said just before
			lead.Close()
			lead.Say([]byte("four"))
			wg.Wait()
			next, _ := meet()
			if next == nil {
				t.Fatal("nobody can lead after the leader has closed")
			}
			next.Close()
		})
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	for name, meet := range meetings(t) {
		t.Run(name, func(t *testing.T) {
			lead, _ := meet()
			defer lead.Close()
			_, follow := meet()
			defer follow.Close()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := follow.Next(ctx)
				ended <- err
			}()
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
	}
}

// A leader that was killed leaves its socket behind, and no lock.
func TestSocketOfADeadLeader(t *testing.T) {
	dir := t.TempDir()
	lock, socket := filepath.Join(dir, "x.lock"), filepath.Join(dir, "x.sock")
	dead, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	release, ok, err := flock.Try(lock)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if lead, follow, err := Meet(lock, socket); lead != nil || follow != nil || err != nil {
		t.Errorf("a leader that does not listen: got %v, %v, %v, want neither", lead, follow, err)
	}
	release()
	lead, _, err := Meet(lock, socket)
	if lead == nil || err != nil {
		t.Fatalf("got %v, %v, want to lead", lead, err)
	}
	if info, err := os.Stat(socket); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a socket for this user alone", info, err)
	}
	_, follow, err := Meet(lock, socket)
	if follow == nil || err != nil {
		t.Fatalf("got %v, %v, want to follow", follow, err)
	}
	lead.Say([]byte("x"))
	if line, err := follow.Next(t.Context()); string(line) != "x" {
		t.Errorf("got %q, %v", line, err)
	}
	follow.Close()
	lead.Close()
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is left behind")
	}
}

// Where no socket can be made the leader leads, and the others find that it cannot be heard.
func TestNoSocketCanBeMade(t *testing.T) {
	dir := t.TempDir()
	for _, socket := range []string{filepath.Join(dir, "missing", "x.sock"), filepath.Join(dir, strings.Repeat("x", maxSocketPath))} {
		lead, _, err := Meet(filepath.Join(dir, "x.lock"), socket)
		if lead == nil || err != nil {
			t.Fatalf("got %v, %v, want to lead", lead, err)
		}
		if second, follow, err := Meet(filepath.Join(dir, "x.lock"), socket); second != nil || follow != nil || err != nil {
			t.Errorf("got %v, %v, %v, want neither", second, follow, err)
		}
		lead.Say([]byte("x"))
		lead.Close()
	}
}

// A follower that reads nothing, and one that has left, hold up nobody.
func TestFollowersThatDoNotListen(t *testing.T) {
	dir := t.TempDir()
	lock, socket := filepath.Join(dir, "x.lock"), filepath.Join(dir, "x.sock")
	lead, _, err := Meet(lock, socket)
	if err != nil {
		t.Fatal(err)
	}
	_, left, _ := Meet(lock, socket)
	left.Close()
	_, deaf, _ := Meet(lock, socket)
	defer deaf.Close()
	for range 100 {
		lead.Say([]byte(strings.Repeat("x", maxLine/2)))
	}
	lead.Close() // hangs here otherwise
}
