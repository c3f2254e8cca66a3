package filestore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/tokenstore"
	"github.com/cogauth/cogauth/pkg/tokenstore/storetest"
)

func TestDeps(t *testing.T) {
	const module = "github.com/cogauth/cogauth"
	deptest.Only(t, module+"/internal/flock", module+"/internal/turns", module+"/pkg/tokenstore",
		"github.com/zalando/go-keyring", "github.com/godbus/dbus/v5", // tokenstore's own
		"filippo.io/age", "golang.org/x/crypto/ssh", "golang.org/x/sys")
	deptest.Never(t, "testing", "flag", "os/signal")
}

// DBUS_SESSION_BUS_ADDRESS is tokenstore's.
func TestQuiet(t *testing.T) { deptest.Quiet(t, "os.Getenv") }

// newStore is an empty store with a key of its own.
func newStore(t testing.TB) *Store {
	t.Helper()
	tmp := t.TempDir()
	key := filepath.Join(tmp, "key")
	if err := NewKey(key); err != nil {
		t.Fatal(err)
	}
	return Open(filepath.Join(tmp, "state", "store"), key)
}

func mustPut(t testing.TB, s *Store, name, value string) {
	t.Helper()
	if err := s.Put(t.Context(), name, []byte(value)); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func wantGet(t testing.TB, s *Store, name, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), name); err != nil || string(got) != want {
		t.Errorf("got %.40q, %v, want %.40q", got, err, want)
	}
}

// wantError checks kind and words, and that the words tell nothing of a key.
func wantError(t testing.TB, err, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want it to say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "SECRET-KEY-1") {
		t.Errorf("the error shows a key: %q", err)
	}
}

// litter lists what a store's folder holds besides entries and locks.
func litter(t testing.TB, s *Store) (left []string) {
	t.Helper()
	files, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".age") && f.Name() != locksFolder {
			left = append(left, f.Name())
		}
	}
	return left
}

func TestContract(t *testing.T) {
	s := newStore(t)
	storetest.Run(t, func(*testing.T) tokenstore.Store { return Open(s.dir, s.keyFile) })
}

func TestOpenAndGetMakeNothing(t *testing.T) {
	s := newStore(t)
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	if _, err := os.Lstat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestPrepareWritesNothingUntilPut(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "old")
	put, release, err := s.Prepare(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, "a", "old")
	for _, value := range []string{"first", "second"} {
		if err := put(t.Context(), []byte(value)); err != nil {
			t.Errorf("put: %v", err)
		}
		wantGet(t, s, "a", value)
	}
	release()
	release()

	_, release, err = s.Prepare(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	release() // unused
	wantGet(t, s, "a", "second")
	if left := litter(t, s); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestPutWaitsForAPreparedOne(t *testing.T) {
	s := newStore(t)
	_, release, err := s.Prepare(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "b", "others need not wait")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Put(ctx, "a", []byte("x")) }()
	select {
	case err := <-done:
		t.Fatalf("Put while another is prepared: got %v, want it to wait", err)
	case <-time.After(20 * time.Millisecond): // it may be late, never wrong
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	release()
	mustPut(t, s, "a", "y")
}

func TestPutWhileTheCallerHoldsTheLock(t *testing.T) {
	s := newStore(t)
	release, err := s.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	mustPut(t, s, "a", "x")
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestLockPathIsOneForEveryWayToTheFolder(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "x")
	path, err := s.LockPath("a")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(s.dir))
	ways := []string{"store", "./store/", s.dir + "/../store"}
	if os.Symlink("store", "link") == nil {
		ways = append(ways, "link")
	}
	for _, way := range ways {
		if got, err := Open(way, s.keyFile).LockPath("a"); got != path || err != nil {
			t.Errorf("%s: got %s, %v, want %s", way, got, err, path)
		}
		wantGet(t, Open(way, s.keyFile), "a", "x")
	}
	if other, _ := s.LockPath("b"); other == path {
		t.Error("two entries share a lock")
	}
}

// S13: nothing of a value or a name is in the clear on the disk, however it is written.
func TestS13NothingInTheClear(t *testing.T) {
	s := newStore(t)
	const name, value = "canary-name-of-a-profile", "canary-value-of-a-refresh-token"
	mustPut(t, s, name, value)
	put, release, err := s.Prepare(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := put(t.Context(), []byte(value+"2")); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	files := 0
	err = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		for _, secret := range []string{name, value} {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))[:30], hex.EncodeToString([]byte(secret))} {
				if bytes.Contains(content, []byte(form)) || strings.Contains(path, form) {
					t.Errorf("%s shows %q", path, form)
				}
			}
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("looked at %d files: %v", files, err)
	}
}

func TestFilesCannotBeSwapped(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "of a")
	mustPut(t, s, "b", "of b")
	if err := os.Rename(filepath.Join(s.dir, fileName("b")), filepath.Join(s.dir, fileName("a"))); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "a")
	wantError(t, err, tokenstore.ErrBroken, "another entry")
	mustPut(t, s, "a", "new")
	wantGet(t, s, "a", "new")
}

func TestDamagedEntry(t *testing.T) {
	s := newStore(t)
	path := filepath.Join(s.dir, fileName("a"))
	mustPut(t, s, "a", "value")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	for what, content := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-3], "flipped": flipped, "foreign": []byte("hello"), "too large": make([]byte, maxFile+1),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "a")
		if !errors.Is(err, tokenstore.ErrBroken) || errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrBroken", what, err)
		}
	}
	mustPut(t, s, "a", "new")
	wantGet(t, s, "a", "new")
}

func TestTooLarge(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", strings.Repeat("x", maxValue))
	wantGet(t, s, "a", strings.Repeat("x", maxValue))
	wantError(t, s.Put(t.Context(), "a", make([]byte, maxValue+1)), tokenstore.ErrTooLarge)
}

func TestWrongKey(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "value")
	other := Open(s.dir, s.keyFile+"2")
	if err := NewKey(other.keyFile); err != nil {
		t.Fatal(err)
	}
	_, err := other.Get(t.Context(), "a")
	wantError(t, err, tokenstore.ErrBroken, "another key", other.keyFile)
	if err := other.Delete(t.Context(), "a"); err != nil {
		t.Errorf("Delete needs no key: %v", err)
	}
}

func TestKeyIsReplacedWhileTheStoreIsInUse(t *testing.T) {
	s := newStore(t)
	mustPut(t, s, "a", "value")
	old, err := os.ReadFile(s.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.keyFile); err != nil {
		t.Fatal(err)
	}
	if err := NewKey(s.keyFile); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.ReadFile(s.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.keyFile, append(bytes.Clone(fresh), old...), 0o600); err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, "a", "value")
	mustPut(t, s, "a", "next")
	if err := os.WriteFile(s.keyFile, fresh, 0o600); err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, "a", "next")
}

// sshKey has OpenSSH make a key.
func sshKey(t testing.TB, path, passphrase string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		rig.Missing(t, "ssh-keygen", err.Error())
	}
	args = append([]string{"-q", "-N", passphrase, "-C", "", "-f", path}, args...)
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %v: %v %s", args, err, out)
	}
}

func ageKey(t testing.TB) string {
	t.Helper()
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return k.String()
}

func TestKeysThatAreAccepted(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(weak, "")
	if err != nil {
		t.Fatal(err)
	}
	for what, make := range map[string]func(t *testing.T, path string){
		"age-keygen": func(t *testing.T, path string) {
			write(t, path, "# created: 2026-11-21T10:00:00Z\n# public key: age1…\n"+ageKey(t)+"\n")
		},
		"one line, no newline": func(t *testing.T, path string) { write(t, path, ageKey(t)) },
		"Windows newlines":     func(t *testing.T, path string) { write(t, path, "# key\r\n"+ageKey(t)+"\r\n") },
		"post-quantum":         func(t *testing.T, path string) { write(t, path, hybrid.String()+"\n") },
		"ssh ed25519":          func(t *testing.T, path string) { sshKey(t, path, "", "-t", "ed25519") },
		"ssh rsa":              func(t *testing.T, path string) { sshKey(t, path, "", "-t", "rsa", "-b", "3072") },
		"ssh rsa, PEM":         func(t *testing.T, path string) { sshKey(t, path, "", "-t", "rsa", "-b", "2048", "-m", "PEM") },
		"rsa 2048":             func(t *testing.T, path string) { write(t, path, string(pem.EncodeToMemory(block))) },
	} {
		t.Run(what, func(t *testing.T) {
			s := Open(filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "key"))
			make(t, s.keyFile)
			for _, value := range []string{"", "short", strings.Repeat("long ", 5000)} {
				mustPut(t, s, "a", value)
				wantGet(t, s, "a", value)
			}
		})
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	canary := ageKey(t)
	for what, c := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"missing":             {func(*testing.T, string) {}, "cannot be read"},
		"empty":               {func(t *testing.T, path string) { write(t, path, "\n") }, "is empty"},
		"a folder":            {func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, ""},
		"nonsense":            {func(t *testing.T, path string) { write(t, path, "hunter2\n") }, "neither"},
		"a damaged key":       {func(t *testing.T, path string) { write(t, path, canary[:len(canary)-3]+"QQQ\n") }, "neither"},
		"a public key":        {func(t *testing.T, path string) { write(t, path, "ssh-ed25519 AAAA\n") }, "public key"},
		"an encrypted age":    {func(t *testing.T, path string) { write(t, path, "age-encryption.org/v1\n-> scrypt\n") }, "itself encrypted"},
		"ssh, passphrase":     {func(t *testing.T, path string) { sshKey(t, path, "hunter2", "-t", "ed25519") }, "with a passphrase"},
		"ssh PEM, passphrase": {func(t *testing.T, path string) { sshKey(t, path, "hunter2", "-t", "rsa", "-b", "2048", "-m", "PEM") }, "with a passphrase"},
		"ssh PKCS8, passphrase": {func(t *testing.T, path string) {
			sshKey(t, path, "hunter2", "-t", "rsa", "-b", "2048", "-m", "PKCS8")
		}, "with a passphrase"},
		"ssh ecdsa":      {func(t *testing.T, path string) { sshKey(t, path, "", "-t", "ecdsa") }, "ed25519 or RSA"},
		"ssh rsa, short": {func(t *testing.T, path string) { sshKey(t, path, "", "-t", "rsa", "-b", "1024") }, "2048 bits"},
	} {
		t.Run(what, func(t *testing.T) {
			s := Open(filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "key"))
			c.make(t, s.keyFile)
			err := s.Put(t.Context(), "a", []byte("x"))
			wantError(t, err, tokenstore.ErrUnavailable, c.says, s.keyFile)
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), canary[20:30]) {
				t.Errorf("the error shows the file's content: %q", err)
			}
			_, err = s.Get(t.Context(), "a")
			wantError(t, err, tokenstore.ErrUnavailable, c.says, s.keyFile)
		})
	}
	_, err := Open(t.TempDir(), "").Get(t.Context(), "a")
	wantError(t, err, tokenstore.ErrUnavailable, "no key file")
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, canary)
	wantError(t, Open("", key).Put(t.Context(), "a", nil), tokenstore.ErrUnavailable, "no folder")
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewKeyReplacesNothing(t *testing.T) {
	key := filepath.Join(t.TempDir(), "a", "b", "key")
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { errs[i] = NewKey(key) })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, fs.ErrExist):
			t.Errorf("got %v, want fs.ErrExist", err)
		}
	}
	if made != 1 {
		t.Errorf("%d have made the key, want 1", made)
	}
	files, err := os.ReadDir(filepath.Dir(key))
	if err != nil || len(files) != 1 {
		t.Errorf("got %v, %v, want the key alone", files, err)
	}
	if _, err := readKeys(key); err != nil {
		t.Error(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]fs.FileMode{key: 0o600, filepath.Dir(key): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

// D7: Windows says 5 or 32 as long as somebody has the file open.
func TestD7RetryIsBounded(t *testing.T) {
	const accessDenied, sharingViolation = syscall.Errno(5), syscall.Errno(32)
	busy := func(err error) bool { return errors.Is(err, accessDenied) || errors.Is(err, sharingViolation) }
	other := errors.New("other")
	for _, c := range []struct {
		answers []error // the last one for ever
		want    error
		calls   int
	}{
		{[]error{nil}, nil, 1},
		{[]error{accessDenied, &fs.PathError{Err: sharingViolation}, nil}, nil, 3},
		{[]error{other, nil}, other, 1},
		{[]error{sharingViolation, other, nil}, other, 2},
		{[]error{accessDenied}, accessDenied, tries},
	} {
		calls := 0
		var slept time.Duration
		err := retry(func() error {
			if calls++; calls > tries {
				t.Fatalf("%v: tried again and again", c.answers)
			}
			return c.answers[min(calls, len(c.answers))-1]
		}, busy, func(d time.Duration) { slept += d })
		if !errors.Is(err, c.want) || calls != c.calls {
			t.Errorf("%v: got %v after %d calls, want %v after %d", c.answers, err, calls, c.want, c.calls)
		}
		if (slept > 0) != (calls > 1) || slept > time.Second {
			t.Errorf("%v: waited %v for %d calls", c.answers, slept, calls)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, kind := range []string{"X25519", "ssh-ed25519", "ssh-rsa-3072"} {
		for _, size := range []int{90, 2200} {
			b.Run(fmt.Sprintf("%s/%dB", kind, size), func(b *testing.B) {
				s := Open(filepath.Join(b.TempDir(), "store"), filepath.Join(b.TempDir(), "key"))
				switch kind {
				case "X25519":
					write(b, s.keyFile, ageKey(b))
				case "ssh-ed25519":
					sshKey(b, s.keyFile, "", "-t", "ed25519")
				default:
					sshKey(b, s.keyFile, "", "-t", "rsa", "-b", "3072")
				}
				mustPut(b, s, "a", strings.Repeat("x", size))
				for b.Loop() {
					if _, err := s.Get(b.Context(), "a"); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := newStore(b)
	for i := 0; b.Loop(); i++ {
		mustPut(b, s, "a", fmt.Sprintf("%02200d", i))
	}
}
