package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/rig"
)

// Scripts set up many clients at once: every entry that was said to be written is in the file.
func TestSetupAtOnceKeepsEveryEntry(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	text := "[profiles.a]\nissuer = \"https://id.example\"\nclient_id = \"x\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, env := rig.Build(t), append(os.Environ(), "COGAUTH_CONFIG="+path, "HOME="+dir)
	const n = 20
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			cmd := exec.CommandContext(t.Context(), exe, "setup", "docker", fmt.Sprintf("https://r%d.corp.example", i), "--write")
			cmd.Env = env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	all.Wait()
	f, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(f.Profiles["a"].Serve); got != n {
		t.Errorf("got %d entries, want %d", got, n)
	}
}
