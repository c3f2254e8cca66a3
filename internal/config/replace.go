package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile writes text to path so that a reader, or a machine that stops at any moment, finds
// the old file or the new one. If path is a symbolic link, its target is replaced: people keep
// config.toml in a folder of dotfiles.
func replaceFile(path, text string) error {
	return writing(replaceTarget(path, text))
}

func replaceTarget(path, text string) (err error) {
	target, err := followLinks(path)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(target); err == nil {
		mode = info.Mode().Perm()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(target)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".config-*.toml") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		tmp.Close() // twice does no harm
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.WriteString(text); err != nil {
		return err
	}
	if err := tmp.Chmod(mode); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), target)
}

// followLinks returns what path finally points to, which need not exist. filepath.EvalSymlinks
// fails for a link whose target is yet to be written.
func followLinks(path string) (string, error) {
	for range 40 { // as Linux does
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		next, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(next) {
			// Not joined by filepath.Join: it would cancel "..", which the system applies to where
			// the folder really is.
			next = filepath.Dir(path) + string(filepath.Separator) + next
		}
		path = next
	}
	return "", &fs.PathError{Op: "follow", Path: path, Err: errors.New("too many symbolic links")}
}
