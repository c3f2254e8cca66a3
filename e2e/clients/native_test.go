//go:build linux

package clients

import (
	"os/exec"
	"strings"
	"testing"
)

// The conformance program has no complaint about this program, with a real session behind it.
func TestNativeConformance(t *testing.T) {
	w := newWorld(t)
	exe := w.Dir + "/conformance"
	build := exec.Command("go", "build", "-o", exe, "./credential-helper/conformance")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	const served = "https://api.corp.example"
	w.serve("corp", `origin = "`+served+`"`)
	conforms := func() result {
		t.Helper()
		return w.run(w.command(exe, "-served", served, "-foreign", "https://elsewhere.example", "--", "cogauth", "helper", "native"))
	}
	if r := conforms(); r.status != 0 || strings.Contains(r.stdout, "not ok") || strings.Count("\n"+r.stdout, "\nok ") < 20 {
		t.Errorf("got exit status %d\n%s", r.status, r.all())
	}
	// It is no rubber stamp: without a session it must complain.
	w.signOut()
	if r := conforms(); r.status != 1 || !strings.Contains(r.stdout, "not ok") {
		t.Errorf("signed out: got exit status %d, want 1\n%s", r.status, r.all())
	}
}
