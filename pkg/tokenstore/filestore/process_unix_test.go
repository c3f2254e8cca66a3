//go:build unix

package filestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// Other processes are this test binary again, which does one thing to a store.
const childVar = "FILESTORE_CHILD" // its value is "VERB DIR KEY NUMBER"

func TestMain(m *testing.M) {
	if task := os.Getenv(childVar); task != "" {
		var verb, dir, key string
		var n int
		fmt.Sscan(task, &verb, &dir, &key, &n)
		if err := childDo(verb, Open(dir, key), n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childDo(verb string, s *Store, n int) error {
	ctx := context.Background()
	switch verb {
	case "put":
		return s.Put(ctx, entry, []byte(pattern(n)))
	case "read": // so many times
		for range n {
			got, err := s.Get(ctx, entry)
			if err != nil {
				return err
			}
			if _, err := whichPattern(got); err != nil {
				return err
			}
		}
		return nil
	case "write": // from n on, for ever
		for ; ; n++ {
			fmt.Println("begin", n)
			if err := s.Put(ctx, entry, []byte(pattern(n))); err != nil {
				return err
			}
			fmt.Println("done", n)
		}
	case "small":
		return onSmallDisk(ctx, s)
	}
	return fmt.Errorf("no verb %q", verb)
}

const entry = "p/client"

// pattern is the n-th of many values of different sizes; a torn one is none of them.
func pattern(n int) string {
	return strconv.Itoa(n) + ":" + strings.Repeat(strconv.Itoa(n)+",", n%7*400)
}

func whichPattern(value []byte) (int, error) {
	number, _, _ := strings.Cut(string(value), ":")
	n, err := strconv.Atoi(number)
	if err != nil || string(value) != pattern(n) {
		return 0, fmt.Errorf("got a torn value of %d bytes: %.40q", len(value), value)
	}
	return n, nil
}

func child(t *testing.T, verb string, s *Store, n int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %d", childVar, verb, s.dir, s.keyFile, n))
	return c
}

// D6: readers of other processes never fail while a writer replaces the entry again and again.
func TestD6ReadersNeverFail(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, entry, pattern(0))
	writer := child(t, "write", s, 1)
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if out, err := child(t, "read", s, 1000).CombinedOutput(); err != nil {
				t.Errorf("a reader: %v: %s", err, out)
			}
		})
	}
	wg.Wait()
	writer.Process.Kill()
	writer.Wait()
	got, err := s.Get(t.Context(), entry)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := whichPattern(got); err != nil || n == 0 {
		t.Errorf("got value %d, %v: the writer has not written", n, err)
	}
}

// D6: every one of many writers succeeds, also the first ones in a folder that is not there yet.
func TestD6FiftyWritersAtOnce(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for i := range 50 {
		c := child(t, "put", s, i)
		wg.Go(func() {
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("writer %d: %v: %s", i, err, out)
			}
		})
	}
	wg.Wait()
	got, err := s.Get(t.Context(), entry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whichPattern(got); err != nil {
		t.Error(err)
	}
	if left := litter(t, s); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// A writer that is killed at any instant leaves the old value or the new one, and what else it leaves is
// gone after the next write, of whichever entry.
func TestKilledWriterLeavesOldOrNew(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, entry, pattern(0))
	next, torn := 0, 0
	for range 40 {
		c := child(t, "write", s, next+1)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		begun, done := next, next
		follow := func() bool {
			ok := lines.Scan()
			verb, number, _ := strings.Cut(lines.Text(), " ")
			n, err := strconv.Atoi(number)
			switch {
			case err != nil:
			case verb == "begin":
				begun = n
			case verb == "done":
				done = n
			}
			return ok
		}
		for range 1 + rand.IntN(4) {
			follow()
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		c.Process.Kill()
		for follow() {
		}
		c.Wait()
		got, err := s.Get(t.Context(), entry)
		if err != nil {
			t.Fatalf("after a kill: %v", err)
		}
		if next, err = whichPattern(got); err != nil || next != begun && next != done {
			t.Fatalf("got value %d, %v, want %d or %d", next, err, done, begun)
		}
		if litter(t, s) != nil {
			torn++
		}
		if rand.IntN(2) == 0 {
			mustPut(t, s, "another entry", strconv.Itoa(next))
		} else {
			next++
			mustPut(t, s, entry, pattern(next))
		}
		if left := litter(t, s); left != nil {
			t.Fatalf("left behind: %v", left)
		}
	}
	t.Logf("40 kills survived, %d of them left a file to remove", torn)
}

// What a writer that lives has begun is not taken for leftovers.
func TestSweepLeavesTheLivingAlone(t *testing.T) {
	s := newStore(t)
	put, release, err := s.Prepare(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	mustPut(t, s, "b", "x")
	if err := put(t.Context(), []byte("value")); err != nil {
		t.Error(err)
	}
	wantGet(t, s, "a", "value")
}

// S13: what others have access to is refused, and said with path and mode.
func TestS13LoosenedModesAreRefused(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "value")
	file, locks := filepath.Join(s.dir, fileName("a")), filepath.Join(s.dir, locksFolder)
	for path, want := range map[string]fs.FileMode{s.dir: 0o700, locks: 0o700, file: 0o600, s.keyFile: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	get := func() error { _, err := s.Get(t.Context(), "a"); return err }
	put := func() error { return s.Put(t.Context(), "a", []byte("next")) }
	lock := func() error {
		release, err := s.Lock(t.Context(), "a")
		if err == nil {
			release()
		}
		return err
	}
	for _, c := range []struct {
		path  string
		mode  fs.FileMode
		calls []func() error
	}{
		{s.dir, 0o750, []func() error{get, put, lock}},
		{s.dir, 0o701, []func() error{get, put, lock}},
		{locks, 0o777, []func() error{put, lock}},
		{file, 0o640, []func() error{get}},
		{file, 0o604, []func() error{get}},
		{file, 0o602, []func() error{get}},
		{s.keyFile, 0o620, []func() error{get, put}},
		{s.keyFile, 0o644, []func() error{get, put}},
		{s.keyFile, 0o604, []func() error{get, put}},
	} {
		info, err := os.Stat(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		for _, call := range c.calls {
			wantError(t, call(), tokenstore.ErrUnavailable, c.path, fmt.Sprintf("mode %04o", c.mode))
		}
		if err := os.Chmod(c.path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	wantGet(t, s, "a", "value")

	// A new value takes the place of a file that was open to others.
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "a", "next")
	wantGet(t, s, "a", "next")
}

func TestS13AnotherUsersFilesAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		rig.Missing(t, "root", "only root can give files away")
	}
	s := newStore(t)
	mustPut(t, s, "a", "value")
	for _, path := range []string{s.dir, filepath.Join(s.dir, fileName("a")), s.keyFile} {
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "a")
		wantError(t, err, tokenstore.ErrUnavailable, path, "user 12345")
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.dir, link); err != nil {
		t.Fatal(err)
	}
	wantGet(t, Open(link, s.keyFile), "a", "value")
	if err := os.Lchown(link, 12345, -1); err != nil {
		t.Fatal(err)
	}
	_, err := Open(link, s.keyFile).Get(t.Context(), "a")
	wantError(t, err, tokenstore.ErrUnavailable, link, "symbolic link")
}

func TestS13WhoseKeyAndWhichModesAreAccepted(t *testing.T) {
	const root, me, another = 0, 1000, 1001
	for _, c := range []struct {
		by, user int
		mode     fs.FileMode
		memory   bool
		want     bool
		what     string
	}{
		{me, me, 0o600, false, true, "as ssh-keygen makes it"},
		{me, me, 0o400, false, true, "read-only"},
		{root, me, 0o440, false, true, "systemd, Kubernetes with fsGroup"},
		{root, me, 0o640, false, true, "root has chosen the group"},
		{root, root, 0o400, false, true, "Kubernetes with defaultMode 0400"},
		{root, me, 0o444, true, true, "Docker's default"},
		{root, root, 0o444, true, true, "Docker's default, as root"},
		{root, root, 0o644, true, true, "Kubernetes' default, as root"},
		{root, me, 0o644, true, true, "Kubernetes' default"},
		{me, me, 0o440, true, true, "Docker with uid and mode"},
		{me, me, 0o644, true, false, "a loose file in a /tmp that is in memory"},
		{me, me, 0o640, false, false, "a group of the user"},
		{me, me, 0o444, false, false, "everybody, on the disk"},
		{root, me, 0o444, false, false, "everybody, on the disk"},
		{root, root, 0o644, false, false, "everybody, on the disk"},
		{root, me, 0o460, true, false, "a group that may write"},
		{root, root, 0o446, true, false, "everybody may write"},
		{another, me, 0o444, true, false, "another user's"},
		{another, root, 0o600, true, false, "another user's, as root"},
	} {
		got := keyFaultOf(c.by, c.user, c.mode, func() bool { return c.memory })
		if (got == "") != c.want {
			t.Errorf("%s (mode %04o): got %q, want accepted=%v", c.what, c.mode, got, c.want)
		}
	}
}

// S14: a link in an entry's place is not followed, not even one to a file that would do.
func TestS14SymlinksAreNotFollowed(t *testing.T) {
	s := newStore(t)
	theirs := Open(filepath.Join(t.TempDir(), "store"), s.keyFile)
	mustPut(t, theirs, "a", "theirs")
	mustPut(t, s, "b", "x") // makes the folder
	path := filepath.Join(s.dir, fileName("a"))
	inside := filepath.Join(s.dir, "inside.age")
	for _, target := range []string{filepath.Join(theirs.dir, fileName("a")), "inside.age", "nowhere"} {
		sealed, err := os.ReadFile(filepath.Join(theirs.dir, fileName("a")))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(inside, sealed, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		_, err = s.Get(t.Context(), "a")
		wantError(t, err, tokenstore.ErrUnavailable, path, "symbolic link")

		mustPut(t, s, "a", "ours") // takes the link's place
		wantGet(t, s, "a", "ours")
		wantGet(t, theirs, "a", "theirs")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), "a"); err != nil { // the link
			t.Fatal(err)
		}
		wantGet(t, theirs, "a", "theirs")
		if _, err := s.Get(t.Context(), "a"); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("after Delete: got %v, want ErrNotFound", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.dir, locksFolder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(theirs.dir, filepath.Join(s.dir, locksFolder)); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Put(t.Context(), "a", nil), tokenstore.ErrUnavailable, locksFolder)
}

// S14: nor is one that comes and goes between any two steps of a reader.
func TestS14SymlinkSwap(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "ours")
	theirs := Open(filepath.Join(t.TempDir(), "store"), s.keyFile)
	mustPut(t, theirs, "a", "theirs")
	path := filepath.Join(s.dir, fileName("a"))
	file, link := filepath.Join(s.dir, "spare-file"), filepath.Join(s.dir, "spare-link")
	stop := make(chan struct{})
	var swaps int
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for ; ; swaps++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := errors.Join(
				// The target is inside the folder, where nothing but O_NOFOLLOW keeps a reader from it.
				os.Link(path, file), copyFile(filepath.Join(theirs.dir, fileName("a")), filepath.Join(s.dir, "target")),
				os.Symlink("target", link), os.Rename(link, path), os.Rename(file, path)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	refused := 0
	for range 1500 {
		switch got, err := s.Get(t.Context(), "a"); {
		case err == nil && string(got) == "ours":
		case errors.Is(err, tokenstore.ErrUnavailable) && strings.Contains(err.Error(), "symbolic link"):
			refused++
		default:
			t.Fatalf("got %q, %v", got, err)
		}
	}
	close(stop)
	swapper.Wait()
	t.Logf("%d swaps, %d reads refused", swaps, refused)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	return errors.Join(err, os.WriteFile(to, b, 0o600))
}

// Whoever puts a pipe in a file's place does not make anybody wait for its other end.
func TestPipesAreNoFiles(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "b", "x")
	path := filepath.Join(s.dir, fileName("a"))
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "a")
	wantError(t, err, tokenstore.ErrUnavailable, path, "not a file")
	if err := os.Remove(s.keyFile); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(s.keyFile, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), "a")
	wantError(t, err, tokenstore.ErrUnavailable, s.keyFile, "not a file")
}

// Kubernetes mounts secrets as links to links.
func TestKeyMayBeReachedThroughLinks(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "value")
	data := filepath.Join(t.TempDir(), "..data")
	if err := errors.Join(os.Symlink(filepath.Dir(s.keyFile), data), os.Symlink(filepath.Join("..data", "key"), data+"-key")); err != nil {
		t.Fatal(err)
	}
	wantGet(t, Open(s.dir, data+"-key"), "a", "value")
	if err := os.Chmod(s.keyFile, 0o644); err != nil { // links have no mode of their own
		t.Fatal(err)
	}
	_, err := Open(s.dir, data+"-key").Get(t.Context(), "a")
	wantError(t, err, tokenstore.ErrUnavailable, "mode 0644")
}
