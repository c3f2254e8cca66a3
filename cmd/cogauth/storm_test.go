//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// L2: a client kills its helper, which has no time to note anything, and asks again. The person has seen
// the one browser, and is asked no more until they sign in.
func TestL2KilledHelperOpensNoSecondBrowser(t *testing.T) {
	p := setup{toml: serving}.start(t)
	bin := t.TempDir()
	mark := bin + "/opened"
	if err := os.WriteFile(bin+"/xdg-open", []byte("#!/bin/sh\necho >>"+mark+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "COGAUTH_CONFIG="+ownProfile(t, p)) // earlier runs have left their marks
	env := slices.Concat(p.env, []string{"DISPLAY=:99", "PATH=" + bin + ":" + os.Getenv("PATH"), "COGAUTH_INTERACTIVE=always"})
	// ask runs the helper until it ends, or has opened a browser; then it is killed.
	ask := func() (killed bool, stdout, stderr string) {
		t.Helper()
		os.Remove(mark)
		cmd := exec.Command(p.exe, "helper", "git", "get")
		cmd.Env, cmd.Stdin = env, strings.NewReader(gitAsks)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.WaitDelay = time.Second
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		hang := time.After(time.Minute)
		for {
			select {
			case <-ended:
				return false, out.String(), errs.String()
			case <-hang:
				cmd.Process.Kill()
				<-ended
				t.Fatal("the helper neither ends nor opens a browser")
			case <-time.After(10 * time.Millisecond):
			}
			if _, err := os.Stat(mark); err == nil {
				cmd.Process.Kill()
				<-ended
				return true, out.String(), ""
			}
		}
	}
	if killed, _, errs := ask(); !killed {
		t.Fatalf("the first opens no browser\n%s", errs)
	}
	for range 3 {
		killed, out, errs := ask()
		if killed {
			t.Fatal("another browser was opened")
		}
		if strings.Contains(out, "password") || !strings.Contains(errs, " ago") || !strings.Contains(errs, "login") {
			t.Errorf("got %q and\n%s\nwant the reason and what to do", out, errs)
		}
	}
	// A person signs in and out; a program may ask again.
	for _, command := range [][]string{{"login", "--no-browser"}, {"logout"}} {
		if status, _, errs := p.run(command...); status != 0 {
			t.Fatalf("%v: got status %d\n%s", command, status, errs)
		}
	}
	if killed, _, errs := ask(); !killed {
		t.Errorf("after a sign-in with success: no browser was opened\n%s", errs)
	}
}
