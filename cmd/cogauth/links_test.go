package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// onWindows is what install-links does there for a program that is a few words.
func onWindows(t *testing.T, dir, exe string) *linker {
	t.Helper()
	l, err := newLinker(dir, true, []string{"git-credential-cogauth", "shims/keyring", "pnpm-cogauth-a"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.leadTo(exe); err != nil {
		t.Fatal(err)
	}
	return l
}

// update puts another version of the program into its place, as an installer does.
func update(t *testing.T, exe, text string) {
	t.Helper()
	os.Remove(exe)
	if err := os.WriteFile(exe, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// holds fails t unless dir holds files of these names with this text, our manifest and nothing else.
func holds(t *testing.T, dir, text string, names []string) {
	t.Helper()
	var got []string
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != manifest {
			got = append(got, path)
			if b, err := os.ReadFile(path); err != nil || string(b) != text {
				t.Errorf("%s: got %q, %v, want %q", path, b, err, text)
			}
		}
		return err
	})
	if want := slices.Sorted(slices.Values(names)); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("got the files %q, want %q", got, want)
	}
	if left, _ := filepath.Glob(dir + "/.cogauth-*"); len(left) != min(len(names), 1) {
		t.Errorf("got %q, want the manifest alone", left)
	}
}

// No hard links between disks, or none at all; a program that runs can be renamed but not replaced.
func TestLinksOnWindows(t *testing.T) {
	disks := errors.New("not on the same disk")
	for _, disk := range []string{"one", "two", "no links"} {
		t.Run(disk, func(t *testing.T) {
			exe, dir := filepath.Join(t.TempDir(), "cogauth.exe"), filepath.Join(t.TempDir(), "bin")
			var names []string
			for _, version := range []string{"one", "one", "two", "two", "three", "one"} {
				if b, _ := os.ReadFile(exe); string(b) != version {
					update(t, exe, version)
				}
				l := onWindows(t, dir, exe)
				names = l.names
				l.rename = func(from, to string) error {
					if _, err := os.Lstat(to); err == nil && filepath.Base(to) != manifest {
						return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrPermission}
					}
					return os.Rename(from, to)
				}
				if disk != "one" {
					l.hardLink = func(from, to string) error {
						if from == exe || disk != "two" {
							return disks
						}
						return os.Link(from, to)
					}
				}
				if err := l.install(); err != nil {
					t.Fatalf("%s: %v", version, err)
				}
				holds(t, dir, version, names)
			}
			one, err1 := os.Stat(names[0])
			other, err2 := os.Stat(names[1])
			program, err3 := os.Stat(exe)
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Fatal(err)
			}
			if linked := os.SameFile(one, other); linked != (disk != "no links") {
				t.Errorf("got links of one another: %v", linked)
			}
			if linked := os.SameFile(one, program); linked != (disk == "one") {
				t.Errorf("got links to the program: %v", linked)
			}
		})
	}
}

// What is somebody else's stays, whatever its name, and then nothing is made at all.
func TestLinksOnWindowsLeaveOthersAlone(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "cogauth.exe")
	update(t, exe, "one")
	for i, name := range onWindows(t, "", exe).names {
		for _, ending := range []string{"", aside} {
			dir := t.TempDir()
			theirs := filepath.Join(dir, name+ending)
			if err := os.MkdirAll(filepath.Dir(theirs), 0o700); err != nil {
				t.Fatal(err)
			}
			update(t, theirs, "theirs")
			var hint *hintError
			if err := onWindows(t, dir, exe).install(); !errors.As(err, &hint) || !strings.Contains(err.Error(), theirs) {
				t.Errorf("%s: got %v, want a refusal that names it", theirs, err)
			}
			if b, err := os.ReadFile(theirs); err != nil || string(b) != "theirs" {
				t.Errorf("%s: got %q, %v, want it untouched", theirs, b, err)
			}
			if got, _ := filepath.Glob(dir + "/*cogauth*"); i == 1 && len(got) > 0 || len(got) > 1 {
				t.Errorf("%s: got %q beside it, want nothing", theirs, got)
			}
		}
	}
	// Also in the place of what was ours.
	dir := t.TempDir()
	l := onWindows(t, dir, exe)
	if err := l.install(); err != nil {
		t.Fatal(err)
	}
	update(t, l.names[0], "theirs")
	var hint *hintError
	if err := onWindows(t, dir, exe).install(); !errors.As(err, &hint) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// A link that cannot be put into its place leaves the former one there.
func TestLinksOnWindowsPutBack(t *testing.T) {
	exe, dir := filepath.Join(t.TempDir(), "cogauth.exe"), t.TempDir()
	update(t, exe, "one")
	if err := onWindows(t, dir, exe).install(); err != nil {
		t.Fatal(err)
	}
	update(t, exe, "two")
	l := onWindows(t, dir, exe)
	l.rename = func(from, to string) error {
		if strings.HasSuffix(to, ".exe") && !strings.HasSuffix(from, aside) {
			return fs.ErrPermission
		}
		return os.Rename(from, to)
	}
	if err := l.install(); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("got %v, want the error", err)
	}
	holds(t, dir, "one", l.names)
	if err := onWindows(t, dir, exe).install(); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "two", l.names)
}

// Which symbolic links are ours: to this program, or to what has its very name.
func TestLinksToOthersStay(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for target, ours := range map[string]bool{
		self: true, "/opt/1.0/bin/cogauth": true, "cogauth.exe": true, "/gone/" + filepath.Base(self): true,
		"/opt/cogauth-wrapper.sh": false, "cogauth2": false, "/opt/cogauth/git": false, "/bin/sh": false,
	} {
		dir := t.TempDir()
		l, err := newLinker(dir, false, []string{"git-credential-cogauth"}, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, l.names[0]); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
		err = l.install()
		got, _ := os.Readlink(l.names[0])
		if ours && (err != nil || got != l.exe) || !ours && (err == nil || got != target) {
			t.Errorf("%s: got %v and a link to %s", target, err, got)
		}
	}
}

// Package managers keep each version in a folder of its own and link to the one in use: ours follow that.
func TestLinksOutliveAnUpdate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has hard links")
	}
	dir := t.TempDir()
	for _, sub := range []string{"opt/1.0", "bin", "links", "other"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	exe, bin, links := dir+"/opt/1.0/cogauth", dir+"/bin/cogauth", dir+"/links"
	if err := copyFile(rig.Build(t), exe); err != nil {
		t.Fatal(err)
	}
	update(t, dir+"/other/cogauth", "#!/bin/sh\n")
	install := func(path string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), bin, "install-links", links)
		cmd.Env = []string{"HOME=" + dir, "PATH=" + path}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("install-links: %v\n%s", err, out)
		}
		target, err := os.Readlink(links + "/shims/keyring")
		if err != nil {
			t.Fatal(err)
		}
		if err := exec.CommandContext(t.Context(), links+"/kubectl-cogauth", "version").Run(); err != nil {
			t.Errorf("a link to %s: %v", target, err)
		}
		return target
	}
	if err := os.Symlink("../opt/1.0/cogauth", bin); err != nil {
		t.Fatal(err)
	}
	if got := install("bin:" + dir + "/other:" + dir + "/bin"); got != bin {
		t.Errorf("got links to %s, want %s", got, bin)
	}
	if got := install(dir + "/other"); got != exe && got != bin {
		t.Errorf("got links to %s, want %s", got, exe)
	}
	// What PATH finds may be one of the links.
	if err := errors.Join(os.Remove(bin), os.Symlink("../links/kubectl-cogauth", bin)); err != nil {
		t.Fatal(err)
	}
	if got := install(dir + "/bin"); got != exe {
		t.Errorf("got links to %s, want %s", got, exe)
	}
}
