//go:build linux

package clients

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// bazelWants is what the file is that Bazel downloads.
const bazelWants = "made with love\n"

// Bazel 7.1 and newer download what a repository rule names with the headers of a credential helper. There
// is none for Debian 12: the test runs where one is on PATH, and is no part that COGAUTH_REQUIRE means. The
// golden files hold what Bazel 7.7.1 asks.
func TestBazel(t *testing.T) {
	w := newWorld(t)
	if major := bazelMajor(w); major < 7 {
		t.Skipf("no Bazel 7 or newer on PATH (found %d)", major)
	}
	file := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, bazelWants) })
	own, stranger := plainGate(w, "Bearer", file), plainGate(w, "Bearer", file)
	w.serve("corp", `origin = "`+own.URL+`"`, `token = "access"`)

	builds := 0
	fetch := func(g *gate) result {
		t.Helper()
		builds++
		dir := fmt.Sprintf("build%d/", builds) // with a server and a cache of its own
		w.write(dir+"WORKSPACE", "load(\"//:fetch.bzl\", \"fetch\")\nfetch(name = \"x\")\n", 0o600)
		w.write(dir+"BUILD", "", 0o600)
		w.write(dir+"fetch.bzl", fmt.Sprintf("def _impl(ctx):\n    ctx.download(url = %q, output = \"f.txt\", sha256 = \"%x\")\n"+
			"    ctx.file(\"BUILD\", 'exports_files([\"f.txt\"])')\n\nfetch = repository_rule(implementation = _impl)\n",
			g.URL+"/f.txt", sha256.Sum256([]byte(bazelWants))), 0o600)
		// What setup prints, in a file of the build's own.
		w.write(dir+".bazelrc", "common --credential_helper=localhost="+w.links+"/bazel-cogauth-corp\n"+
			"common --noenable_bzlmod --enable_workspace --repository_cache=\n", 0o600)
		base := "--output_user_root=" + w.home + "/" + dir + "cache"
		cmd := w.command("bazel", base, "--nohome_rc", "query", "@x//:f.txt")
		cmd.Dir = w.home + "/" + dir
		r := w.run(cmd)
		stop := w.command("bazel", base, "shutdown")
		stop.Dir = cmd.Dir
		w.run(stop)
		return r
	}
	own.coldThenWarm("access", func() result { t.Helper(); return fetch(own) })
	if r := fetch(stranger); r.status == 0 {
		t.Error("a stranger's server gave the file without a token")
	}
	stranger.nothingLeaked()
	w.signOut()
	own.turnsAway(func() result { return fetch(own) }, "cogauth login")
}

func bazelMajor(w *world) int {
	for _, dir := range w.path {
		if _, err := os.Stat(dir + "/bazel"); err != nil {
			continue
		}
		r := w.run(w.command("bazel", "--version"))
		if v := regexp.MustCompile(`bazel (\d+)\.[\w.]+`).FindStringSubmatch(r.stdout); v != nil {
			major, _ := strconv.Atoi(v[1])
			rig.Ran(w.t, "bazel", v[0][len("bazel "):])
			return major
		}
	}
	return 0
}
