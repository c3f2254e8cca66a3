//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// demo --serve keeps a pool for other programs, on loopback only, and prints what they need.
func TestDemoServe(t *testing.T) {
	cmd := exec.Command(rig.Build(t), "demo", "--serve")
	cmd.Env = rig.DeadBus(t)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	settings := map[string]string{}
	lines := bufio.NewScanner(stdout)
	for settings["callback_urls"] == "" && lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if name, value, ok := strings.Cut(line, " = "); ok {
			settings[strings.TrimSpace(name)] = value
		} else if name, value, ok := strings.Cut(line, "  "); ok {
			settings[name] = strings.TrimSpace(value)
		}
	}
	for _, name := range []string{"issuer", "hosted UI", "client ID", "user", "password", "client_id", "callback_urls"} {
		if settings[name] == "" {
			t.Errorf("%s is not among the settings: %v", name, settings)
		}
	}
	issuer := strings.Trim(settings["issuer"], `"`)
	if !strings.HasPrefix(issuer, "http://127.0.0.1:") {
		t.Fatalf("the issuer is %q, not on loopback", issuer)
	}
	resp, err := http.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct{ Issuer string }
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil || doc.Issuer != issuer {
		t.Errorf("got issuer %q and %v, want %q", doc.Issuer, err, issuer)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 130 {
		t.Errorf("after Ctrl-C: exit status %d, want 130", got)
	}
}

// demo --serve --pool runs any pool that a file describes; each of the examples is one that a program
// can sign in to.
func TestDemoServePool(t *testing.T) {
	files, err := filepath.Glob("../../examples/pools/*.toml")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %v, %v, want five pools", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cmd := exec.Command(rig.Build(t), "demo", "--serve", "--pool", file)
			cmd.Env = rig.DeadBus(t)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			issuer, page := "", ""
			for lines := bufio.NewScanner(stdout); page == "" && lines.Scan(); {
				if value, ok := strings.CutPrefix(lines.Text(), "issuer "); ok {
					issuer = strings.TrimSpace(value)
				}
				if value, ok := strings.CutPrefix(lines.Text(), "outbox "); ok {
					page = strings.TrimSpace(value)
				}
			}
			for _, address := range []string{issuer + "/.well-known/openid-configuration", page} {
				resp, err := http.Get(address)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s: got %d, want 200", address, resp.StatusCode)
				}
			}
		})
	}
}
