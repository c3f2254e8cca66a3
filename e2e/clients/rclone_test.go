//go:build linux

package clients

import (
	"os"
	"testing"

	"golang.org/x/net/webdav"

	"github.com/cogauth/cogauth/internal/rig"
)

// memoryDisk is a WebDAV server that keeps its files in memory.
func memoryDisk() *webdav.Handler {
	return &webdav.Handler{FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()}
}

// rclone runs a command for the bearer token of a WebDAV remote.
func TestRclone(t *testing.T) {
	rig.Require(t, "rclone", "rclone")
	w := newWorld(t)
	own, stranger := newGate(w, `Bearer realm="dav"`, memoryDisk()), newGate(w, `Bearer realm="dav"`, memoryDisk())
	w.serve("corp", `origin = "`+own.URL+`"`)
	remote := func(name, url string) string {
		return "[" + name + "]\ntype = webdav\nvendor = other\nurl = " + url + "\nbearer_token_command = cogauth helper headers --bare " + url + "\n"
	}
	w.write(".config/rclone/rclone.conf", remote("corp", own.URL)+remote("stranger", stranger.URL), 0o600)
	w.env = append(w.env, "RCLONE_CA_CERT="+w.trusting(own, stranger), "RCLONE_RETRIES=1", "RCLONE_LOW_LEVEL_RETRIES=1")

	own.coldThenWarm("id", func() result {
		t.Helper()
		return w.typed("rclone copy notes.txt corp:", "notes.txt", "for the record\n")
	})
	own.gets("id", func() result {
		t.Helper()
		r := w.typed("rclone cat corp:notes.txt")
		if r.stdout != "for the record\n" {
			t.Errorf("rclone cat: got %q, want what was copied", r.stdout)
		}
		return r
	})

	stranger.turnsAway(func() result { return w.typed("rclone lsf stranger:") }, "no profile serves https:")

	w.signOut()
	own.turnsAway(func() result { return w.typed("rclone lsf corp:") }, "cogauth login")

	// What rclone keeps is the command and never a token.
	conf, err := os.ReadFile(w.home + "/.config/rclone/rclone.conf")
	if err != nil {
		t.Fatal(err)
	}
	if want := remote("corp", own.URL) + remote("stranger", stranger.URL); string(conf) != want {
		t.Errorf("rclone.conf: got %q, want it as it was", conf)
	}
}
