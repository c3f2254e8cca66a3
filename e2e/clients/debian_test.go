//go:build linux

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// unpacked returns a folder with the files of a Debian package, named as apt-get download has it, or ends
// the test as rig.Missing does. It is for packages that would get in somebody's way if they were installed:
// two that want the same name, or one that starts a server. The folder is kept for the next time.
func unpacked(t *testing.T, part, pkg string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		rig.Missing(t, part, err.Error())
	}
	cache += "/cogauth-rigs"
	kept := cache + "/" + part
	if _, err := os.Stat(kept); err == nil {
		return kept
	}
	for _, program := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			rig.Missing(t, part, program+" is not installed")
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(cache, part+"-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	get := exec.Command("apt-get", "-q", "download", pkg)
	get.Dir = dir
	if out, err := get.CombinedOutput(); err != nil {
		rig.Missing(t, part, "Debian's "+pkg+" cannot be had: "+lastLine(out))
	}
	debs, _ := filepath.Glob(dir + "/*.deb")
	if len(debs) != 1 {
		t.Fatalf("apt-get download left %q, want one package", debs)
	}
	if out, err := exec.Command("dpkg-deb", "-x", debs[0], dir+"/root").CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	// By rename, so that nobody finds half of it. Another process may have been first.
	if err := os.Rename(dir+"/root", kept); err != nil {
		if _, lost := os.Stat(kept); lost != nil {
			t.Fatal(err)
		}
	}
	return kept
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
