package tokenstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// lockName is an entry of this test process alone.
func lockName(t *testing.T) string { return fmt.Sprintf("%s-%d", t.Name(), os.Getpid()) }

func removeLock(t *testing.T, name string) {
	t.Cleanup(func() {
		if folder, err := lockFolder(); err == nil {
			os.Remove(filepath.Join(folder, lockFile(defaultService, name)))
		}
	})
}

func TestD4LockEndsWithItsHolder(t *testing.T) {
	name := lockName(t)
	removeLock(t, name)
	env := rig.NoBus(t)
	holder := startChild(t, env, helper)
	holder.want("ok", "lock %s", name)
	next := startChild(t, env, helper)
	locked := make(chan string, 1)
	go func() {
		got, detail := next.ask("lock %s", name)
		locked <- got + " " + detail
	}()
	// It waits while the holder lives: here for as long as the holder takes to do something else.
	holder.want("ok", "lock %s-other", name)
	removeLock(t, name+"-other")
	select {
	case got := <-locked:
		t.Fatalf("got %q while the lock is held, want it to wait", got)
	default:
	}
	if err := holder.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := <-locked; got != "ok " {
		t.Errorf("after kill -9 of the holder: got %q, want the lock", got)
	}
}

func TestD4EightProcessesTakeTurns(t *testing.T) {
	name := lockName(t)
	removeLock(t, name)
	file := filepath.Join(t.TempDir(), "counter")
	var wg sync.WaitGroup
	for range 8 {
		c := startChild(t, rig.NoBus(t), helper)
		wg.Go(func() { c.want("ok", "count %s 25 %s", name, file) })
	}
	wg.Wait()
	if got, err := os.ReadFile(file); string(got) != "200" {
		t.Errorf("got counter %q, %v, want 200", got, err)
	}
}

func TestD2LockIsTheUsersWhateverTheEnvironment(t *testing.T) {
	name := lockName(t)
	removeLock(t, name)
	file := filepath.Join(t.TempDir(), "counter")
	var wg sync.WaitGroup
	for range 4 {
		c := startChild(t, append(rig.NoBus(t), "TMPDIR="+t.TempDir()), helper) // and HOME and XDG folders of its own
		wg.Go(func() { c.want("ok", "count %s 25 %s", name, file) })
	}
	wg.Wait()
	if got, err := os.ReadFile(file); string(got) != "100" {
		t.Errorf("got counter %q, %v, want 100", got, err)
	}
}

func TestLockFolderMustBeOurs(t *testing.T) {
	uid := os.Geteuid()
	id := strconv.Itoa(uid)
	mkdir := func(t *testing.T, path string, mode os.FileMode) {
		t.Helper()
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	link := func(t *testing.T, target, path string) {
		t.Helper()
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	chown := func(t *testing.T, path string) {
		t.Helper()
		if uid != 0 {
			t.Skip("only root can give files away")
		}
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	inTmp := func(_, tmp string) string { return tmp + "/cogauth-" + id }
	inRun := func(run, _ string) string { return run + "/" + id + "/cogauth" }
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, run, tmp string)
		want    func(run, tmp string) string // nil: refused
	}{
		{"nothing there", func(*testing.T, string, string) {}, inTmp},
		{"runtime folder", func(t *testing.T, run, _ string) { mkdir(t, run+"/"+id, 0o700) }, inRun},
		{"made before", func(t *testing.T, _, tmp string) { mkdir(t, tmp+"/cogauth-"+id, 0o700) }, inTmp},
		{"runtime folder others write to", func(t *testing.T, run, _ string) { mkdir(t, run+"/"+id, 0o777) }, inTmp},
		{"runtime folder of another", func(t *testing.T, run, _ string) { mkdir(t, run+"/"+id, 0o700); chown(t, run+"/"+id) }, inTmp},
		{"runtime folder a symlink", func(t *testing.T, run, tmp string) { mkdir(t, tmp+"/t", 0o700); link(t, tmp+"/t", run+"/"+id) }, inTmp},
		{"runtime folder a file", func(t *testing.T, run, _ string) { os.WriteFile(run+"/"+id, nil, 0o700) }, inTmp},
		{"folder open to others", func(t *testing.T, _, tmp string) { mkdir(t, tmp+"/cogauth-"+id, 0o755) }, nil},
		{"folder of another", func(t *testing.T, _, tmp string) { mkdir(t, tmp+"/cogauth-"+id, 0o700); chown(t, tmp+"/cogauth-"+id) }, nil},
		{"folder a symlink", func(t *testing.T, _, tmp string) { mkdir(t, tmp+"/t", 0o700); link(t, tmp+"/t", tmp+"/cogauth-"+id) }, nil},
		{"folder a dangling symlink", func(t *testing.T, _, tmp string) { link(t, tmp+"/t", tmp+"/cogauth-"+id) }, nil},
		{"folder a file", func(t *testing.T, _, tmp string) { os.WriteFile(tmp+"/cogauth-"+id, nil, 0o700) }, nil},
		{"no place at all", func(t *testing.T, _, tmp string) { os.Remove(tmp) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			run, tmp := t.TempDir(), t.TempDir()
			c.prepare(t, run, tmp)
			got, err := lockFolderIn(run, tmp, uid)
			if c.want == nil {
				if err == nil || !strings.Contains(err.Error(), tmp+"/cogauth-"+id) {
					t.Errorf("got %q, %v, want an error that names the folder", got, err)
				}
				return
			}
			if want := c.want(run, tmp); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
			if info, err := os.Lstat(got); err == nil && info.Mode() != os.ModeDir|0o700 {
				t.Errorf("got mode %v, want %v", info.Mode(), os.ModeDir|os.FileMode(0o700))
			}
		})
	}
}

func TestLockFilesTellNothingAndDiffer(t *testing.T) {
	names := map[string]bool{}
	for _, c := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"a", "bd"}, {"", "abc"}} {
		name := lockFile(c[0], c[1])
		if len(name) != 32+len(".lock") || names[name] {
			t.Errorf("service %q, name %q: got file %q, want 32 hexadecimal digits of its own", c[0], c[1], name)
		}
		names[name] = true
	}
}
