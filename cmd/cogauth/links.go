package main

import (
	"context"
	"errors"
	"fmt"
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
On Windows they are hard links or copies: run this again after an update.`,
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
	l, err := newLinker(dir, runtime.GOOS == "windows", names, a.getenv("PATH"))
	if err != nil {
		return err
	}
	if err := l.install(); err != nil {
		return err
	}
	return a.print(strings.Join(l.names, "\n") + "\n")
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
	for _, path := range programs(a.getenv("PATH"), name, runtime.GOOS == "windows") {
		if info, err := os.Stat(path); err == nil && !os.SameFile(info, own) {
			return run(path, append([]string{name}, words...), os.Environ())
		}
	}
	return silent(exitFailed)
}

// programs are the programs of a name, in the order of PATH. Folders that depend on where one is do not count.
func programs(list, name string, windows bool) (paths []string) {
	for _, dir := range filepath.SplitList(list) {
		path := filepath.Join(dir, name)
		if windows {
			path += ".exe"
		}
		info, err := os.Stat(path)
		if err == nil && filepath.IsAbs(path) && !info.IsDir() && (windows || info.Mode()&0o111 != 0) {
			paths = append(paths, path)
		}
	}
	return paths
}
