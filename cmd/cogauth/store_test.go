package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// C5: the same move, twice at once and back again: there is one session, and it is never lost. Who comes
// second finds it moved, or the profile changed.
func TestC5TwoMovesAtOnce(t *testing.T) {
	p := setup{client: func(c *cognitotest.AppClient) { c.RefreshTokenRotation = true }}.start(t)
	if status, _, errs := p.run("login", "--no-browser"); status != 0 {
		t.Fatalf("login: status %d\n%s", status, errs)
	}
	for round := range 6 {
		args := []string{"configure", "--store", "file", "--store-dir", filepath.Join(p.dir, "store")}
		if round%2 == 1 {
			args = []string{"configure", "--store", "keychain"}
		}
		var wg sync.WaitGroup
		outcomes := make([]error, 4)
		for i := range outcomes {
			cmd := exec.Command(p.exe, args...)
			cmd.Env = slices.Concat(p.env, []string{"HOME=" + p.dir})
			wg.Go(func() { outcomes[i] = cmd.Run() })
		}
		wg.Wait()
		moved := 0
		for _, err := range outcomes {
			if err == nil {
				moved++
			}
		}
		if moved == 0 {
			t.Fatalf("round %d: nobody moved it", round)
		}
		if status, out, errs := p.run("token", "--refresh"); status != 0 || out == "" {
			t.Fatalf("round %d: token: status %d\n%s", round, status, errs)
		}
	}
}
