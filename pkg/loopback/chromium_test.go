package loopback_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/loopback"
)

// A real browser must show the page, style included, under the policy it is served with.
func TestS17ChromiumShowsThePage(t *testing.T) {
	rig.Require(t, "chromium")
	srv, _ := serve(t)
	done := await(t, srv, loopback.Observer{Foreign: func() { t.Error("Chromium's own requests are taken for a stranger's") }})
	ctx, cancel := context.WithTimeout(t.Context(), 3*hang)
	defer cancel()
	profile := t.TempDir()
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--user-data-dir="+profile, "--enable-logging=stderr", "--dump-dom",
		srv.CallbackURL()+"?code="+code+"&state="+state)
	cmd.Env = rig.Environ("HOME=" + profile)
	cmd.WaitDelay = 5 * time.Second
	var dom, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &dom, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-done:
		if got.err != nil || got.cb.Code != code {
			t.Errorf("Await: got %v, %v, want the code", got.cb, got.err)
		}
	case <-time.After(2 * hang):
		t.Errorf("Await: hangs\n%s", log.String())
	}
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Errorf("Respond: got %v, want nil", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, log.String())
	}
	for _, want := range []string{"<h1>Signed in</h1>", "alice@example.com"} {
		if !strings.Contains(dom.String(), want) {
			t.Errorf("page: got %s, want %s in it", dom.String(), want)
		}
	}
	if strings.Contains(log.String(), "Content Security Policy") {
		t.Errorf("console: got %s, want no complaint about the policy", log.String())
	}
}
