//go:build linux

package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
)

// newerGit is the part that is Debian 13's git: one that takes bearer tokens.
const newerGit = "git-trixie"

// trixieGit puts Debian 13's git first on the PATH of w. It runs outside of its Debian, by that Debian's own
// loader and libraries, so that it needs no root and no mounts, and its helpers see this machine.
func trixieGit(w *world) {
	w.t.Helper()
	made, err := trixie()
	if err != nil {
		w.t.Fatalf("trixie.sh: %v\n%s", err, made.why)
	}
	if made.root == "" {
		rig.Missing(w.t, newerGit, made.why)
	}
	root := made.root
	loaders, _ := filepath.Glob(root + "/usr/lib/*/ld-linux*.so.*")
	if len(loaders) != 1 {
		w.t.Fatalf("%s: got %d loaders %v, want 1", root, len(loaders), loaders)
	}
	// Git finds its own programs in GIT_EXEC_PATH, which comes first on the PATH of all that it starts.
	bin := w.Dir + "/trixie"
	if err := os.Mkdir(bin, 0o700); err != nil {
		w.t.Fatal(err)
	}
	for name, exe := range map[string]string{
		"git":              "/usr/bin/git",
		"git-remote-http":  "/usr/lib/git-core/git-remote-http",
		"git-remote-https": "/usr/lib/git-core/git-remote-https",
	} {
		script := fmt.Sprintf("#!/bin/sh\nGIT_EXEC_PATH='%s' exec '%s' --argv0 \"$0\" --library-path '%s' '%s' \"$@\"\n",
			bin, loaders[0], filepath.Dir(loaders[0]), root+exe)
		if err := os.WriteFile(bin+"/"+name, []byte(script), 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	w.path = append([]string{bin}, w.path...)
	version := strings.TrimPrefix(strings.TrimSpace(w.gitOK("--version").stdout), "git version ")
	rig.Ran(w.t, newerGit, version)
}

// debian is the folder of one, or why there is none.
type debian struct{ root, why string }

// trixie makes a Debian 13 if there is none.
var trixie = sync.OnceValues(func() (debian, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // it may have to be made
	defer cancel()
	cmd := exec.CommandContext(ctx, "./trixie.sh")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 2 {
		return debian{why: strings.TrimSpace(stderr.String())}, nil
	}
	return debian{strings.TrimSpace(string(out)), stderr.String()}, err
})
