package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	credentialhelper "github.com/cogauth/cogauth/credential-helper"
	"github.com/cogauth/cogauth/internal/config"
)

// shims is the folder for names that are somebody else's: it goes on PATH only where they are wanted.
const shims = "shims"

func (a *app) linksCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "install-links DIR",
		Short: "Make the names by which other programs call cogauth as their helper",
		Long: `Make links to this program in DIR: git-credential-cogauth, docker-credential-cogauth
and so on, and for clients that can pass no arguments one for each profile, such as
docker-credential-cogauth-corp. DIR must be on PATH. The name keyring, by which pip
and uv call a helper, goes into DIR/` + shims + `: put that first on PATH where you want it.
On Windows they are copies: run this again after an update.`,
		Example: "  cogauth install-links ~/.local/bin",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("install-links needs the folder to put the links into")}
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.installLinks(args[0]) },
	}
	return c
}

// links are the names below DIR.
func (a *app) links() ([]string, error) {
	path, err := config.Path(a.env())
	if err != nil {
		return nil, err
	}
	file, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range credentialhelper.Protocols() {
		switch {
		case p.Name == "keyring":
			names = append(names, filepath.Join(shims, p.Program))
		case p.Program != "":
			names = append(names, p.Program)
		}
		if !p.Suffixed {
			continue
		}
		for profile := range file.Profiles {
			// A profile can have a name that no file can.
			if !strings.ContainsAny(profile, `/\:*?"<>| `) && !strings.HasPrefix(profile, ".") {
				names = append(names, p.Program+"-"+profile)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

func (a *app) installLinks(dir string) error {
	names, err := a.links()
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// All that is in the way is found before anything is changed.
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
		if runtime.GOOS == "windows" {
			names[i] += ".exe"
		}
		if err := ours(names[i]); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, shims), 0o755); err != nil {
		return fmt.Errorf("make the links: %w", err)
	}
	for _, name := range names {
		if err := link(exe, name); err != nil {
			return fmt.Errorf("make the links: %w", err)
		}
	}
	return a.print(strings.Join(names, "\n") + "\n")
}

// ours refuses to put a link where somebody else's program is.
func ours(name string) error {
	if target, err := os.Readlink(name); err == nil {
		base := strings.TrimSuffix(strings.ToLower(filepath.Base(target)), ".exe")
		if strings.HasPrefix(base, "cogauth") {
			return nil
		}
		return inTheWay(name)
	}
	_, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("make the links: %w", err)
	case runtime.GOOS == "windows" && strings.Contains(filepath.Base(name), "cogauth"):
		return nil // a copy of an earlier version
	}
	return inTheWay(name)
}

func inTheWay(name string) error {
	return &hintError{fmt.Errorf("%s is there and is no link to cogauth; nothing was changed", name), "choose another folder, or remove that file"}
}

// link makes name another name of the program, at once or not at all.
func link(exe, name string) error {
	tmp := name + ".new"
	os.Remove(tmp)
	make := os.Symlink
	if runtime.GOOS == "windows" {
		make = copyFile // links need a privilege there, and clients want an .exe
	}
	if err := make(exe, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, name); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
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

// passOn has the next program of this name on PATH answer: keyring is a name that is not ours alone.
func (a *app) passOn(_ context.Context, words []string) error {
	const name = "keyring"
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	own, err := os.Stat(self)
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	for _, dir := range filepath.SplitList(a.getenv("PATH")) {
		path := filepath.Join(dir, name)
		if runtime.GOOS == "windows" {
			path += ".exe"
		}
		info, err := os.Stat(path)
		if err != nil || !filepath.IsAbs(path) || info.IsDir() || os.SameFile(info, own) ||
			runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
			continue
		}
		return run(path, append([]string{name}, words...), os.Environ())
	}
	return silent(exitFailed)
}
