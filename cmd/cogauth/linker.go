package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manifest is the file in which a folder of links on Windows says by which contents they are known: a
// SHA-256 a line, of every version of this program that was put there. After an update nothing else tells
// the links to the old version from somebody else's programs.
const manifest = ".cogauth-links"

// aside is the ending of a program that was running when another one took its place.
const aside = ".old"

// linker makes other names of this program: symbolic links, and on Windows, where those need a privilege
// and clients want an .exe, hard links or else copies.
type linker struct {
	windows bool
	dir     string
	names   []string    // the full paths
	exe     string      // what they lead to
	self    fs.FileInfo // of exe
	hash    string      // of exe, on Windows
	known   []string    // the manifest

	hardLink, rename func(from, to string) error
}

// newLinker takes names below dir, without .exe, and looks for this program on the PATH path.
func newLinker(dir string, windows bool, names []string, path string) (*linker, error) {
	l := &linker{windows: windows, dir: dir, hardLink: os.Link, rename: os.Rename}
	for _, name := range names {
		if windows {
			name += ".exe"
		}
		l.names = append(l.names, filepath.Join(dir, name))
	}
	exe, err := os.Executable()
	if err == nil && windows {
		exe, err = filepath.EvalSymlinks(exe) // a hard link to a link is not one to the program
	}
	if err == nil {
		err = l.leadTo(exe)
	}
	if err == nil && !windows {
		l.exe, err = l.lasting(exe, path)
	}
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return l, nil
}

func (l *linker) leadTo(exe string) (err error) {
	l.exe = exe
	if l.self, err = os.Stat(exe); err == nil && l.windows {
		l.hash, err = hashOf(exe)
	}
	return err
}

// lasting is the name by which PATH finds this program, if it does. What the system tells is where its file
// is, which package managers call by the version: at the next update links to that lead nowhere.
func (l *linker) lasting(exe, path string) (string, error) {
	for _, found := range slices.Concat(programs(path, "cogauth", false), programs(path, filepath.Base(exe), false), []string{exe}) {
		if info, err := os.Stat(found); err == nil && os.SameFile(info, l.self) && !l.circular(found) {
			return found, nil
		}
	}
	return filepath.EvalSymlinks(exe)
}

// circular reports whether path goes through one of the names to be made: a link to it would lead nowhere.
func (l *linker) circular(path string) bool {
	for range 40 { // as Linux does
		here, err := os.Lstat(path)
		if err != nil {
			return true
		}
		for _, name := range l.names {
			if there, err := os.Lstat(name); err == nil && os.SameFile(here, there) {
				return true
			}
		}
		next, err := os.Readlink(path)
		if err != nil {
			return false // the program itself
		}
		if !filepath.IsAbs(next) {
			next = filepath.Dir(path) + string(filepath.Separator) + next
		}
		path = next
	}
	return true
}

// install finds all that is in the way and makes all the links before it puts the first one into its place.
func (l *linker) install() error {
	if l.windows {
		text, err := os.ReadFile(filepath.Join(l.dir, manifest))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return making(err)
		}
		l.known = strings.Fields(string(text))
	}
	for _, name := range l.names {
		if err := l.free(name); err != nil {
			return err
		}
		if !l.windows {
			continue
		}
		if err := l.free(name + aside); err != nil {
			return err
		}
	}
	return making(l.make())
}

func making(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("make the links: %w", err)
}

// free reports as an error that somebody else's file is at name, where a link is to be.
func (l *linker) free(name string) error {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return making(err)
	}
	mine := false
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		mine = l.leadsHere(name)
	case l.windows && info.Mode().IsRegular():
		mine = os.SameFile(info, l.self)
		if !mine {
			hash, err := hashOf(name)
			if err != nil {
				return making(err)
			}
			mine = hash == l.hash || slices.Contains(l.known, hash)
		}
	}
	if mine {
		return nil
	}
	return &hintError{fmt.Errorf("%s is there and is no link to cogauth; nothing was changed", name), "choose another folder, or remove that file"}
}

// leadsHere reports whether a symbolic link is to this program or, going by the name, to another version of it.
func (l *linker) leadsHere(name string) bool {
	if info, err := os.Stat(name); err == nil && os.SameFile(info, l.self) {
		return true
	}
	target, err := os.Readlink(name)
	return err == nil && slices.Contains([]string{"cogauth", "cogauth.exe", filepath.Base(l.exe)}, filepath.Base(target))
}

func (l *linker) make() error {
	if err := os.MkdirAll(filepath.Join(l.dir, shims), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(l.dir, ".cogauth-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if !l.windows {
		return each(l.names, fresh, func(tmp string) error { return os.Symlink(l.exe, tmp) }, os.Rename)
	}
	// First of all: what the manifest does not know would be in the way if we were stopped half-way.
	if err := l.remember(fresh); err != nil {
		return err
	}
	var old []string // a link too many could not be removed: it is this program, and that runs
	for _, name := range l.names {
		os.Remove(name + aside) // of the last time; if that runs still, the next time
		if hash, err := hashOf(name); err != nil || hash != l.hash {
			old = append(old, name)
		}
	}
	from := l.exe
	return each(old, fresh, func(tmp string) error {
		if err := l.hardLink(from, tmp); err == nil {
			return nil
		}
		err := copyFile(l.exe, tmp)
		from = tmp // the program is on another disk, and the copy is not: one copy may do for all
		return err
	}, l.replace)
}

// each makes all links in the folder fresh, and then puts one after the other into its place.
func each(names []string, fresh string, link func(tmp string) error, place func(tmp, name string) error) error {
	tmp := func(name string) string { return filepath.Join(fresh, filepath.Base(name)) }
	for _, name := range names {
		if err := link(tmp(name)); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := place(tmp(name), name); err != nil {
			return err
		}
	}
	return nil
}

// remember adds this program to the manifest.
func (l *linker) remember(fresh string) error {
	if slices.Contains(l.known, l.hash) {
		return nil
	}
	tmp := filepath.Join(fresh, manifest)
	if err := os.WriteFile(tmp, []byte(strings.Join(append(l.known, l.hash), "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return l.rename(tmp, filepath.Join(l.dir, manifest))
}

// replace is for Windows, which lets nobody replace or remove a program that runs, but rename it.
func (l *linker) replace(tmp, name string) error {
	err := l.rename(name, name+aside)
	if errors.Is(err, fs.ErrNotExist) {
		return l.rename(tmp, name)
	}
	if err != nil {
		return err
	}
	if err := l.rename(tmp, name); err != nil {
		return errors.Join(err, l.rename(name+aside, name))
	}
	os.Remove(name + aside)
	return nil
}

func hashOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
