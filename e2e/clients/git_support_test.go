//go:build linux

package clients

import (
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// The challenges of servers: those that take a bearer token, and those that only know passwords.
const (
	basicOnly  = `Basic realm="git"`
	bearerOnly = `Bearer realm="git"`
)

// gitWorld is a world of a person who has git; newer is Debian 13's.
func gitWorld(t *testing.T, newer bool) *world {
	t.Helper()
	rig.Require(t, "git", "git")
	w := newWorld(t)
	if newer {
		trixieGit(w)
	}
	w.gitConfig("user.name", "Ann")
	w.gitConfig("user.email", "ann@corp.example")
	return w
}

// git runs git as in a session without a terminal: it has nobody to ask for a password.
func (w *world) git(args ...string) result {
	w.t.Helper()
	return w.run(w.gitCommand(args...))
}

func (w *world) gitCommand(args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := withoutGit(w.command("git", args...))
	cmd.SysProcAttr.Setsid = true
	return cmd
}

// withoutGit takes from a command what the tests' own environment says to git, such as which certificates to
// trust.
func withoutGit(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool {
		return strings.HasPrefix(kv, "GIT_") || strings.HasPrefix(kv, "SSH_ASKPASS=")
	})
	cmd.Env = append(cmd.Env, "GIT_CONFIG_NOSYSTEM=1")
	return cmd
}

// gitOK is git that must succeed.
func (w *world) gitOK(args ...string) result {
	w.t.Helper()
	r := w.git(args...)
	if r.status != 0 {
		w.t.Fatalf("git %s: got exit status %d, want 0\n%s", strings.Join(args, " "), r.status, r.all())
	}
	return r
}

// gitFails is git that must not succeed.
func (w *world) gitFails(args ...string) result {
	w.t.Helper()
	r := w.git(args...)
	if r.status == 0 {
		w.t.Fatalf("git %s: got exit status 0, want a failure\n%s", strings.Join(args, " "), r.all())
	}
	return r
}

// gitConfig sets a variable for all repositories of the person; more than one value makes a list.
func (w *world) gitConfig(name string, values ...string) {
	w.t.Helper()
	for _, value := range values {
		w.gitOK("config", "--global", "--add", name, value)
	}
}

// helpers makes these git's helpers for an origin, and none of those that it has for all others.
func (w *world) helpers(origin string, helpers ...string) {
	w.t.Helper()
	w.gitConfig("credential."+origin+".helper", append([]string{""}, helpers...)...)
}

// gitHost is a server of Git repositories.
type gitHost struct {
	*gate
	challenge string
	root      string
}

// newGitHost starts one with the repositories. around may look at requests before git has them.
func newGitHost(w *world, challenge string, around func(git http.Handler) http.Handler, repositories ...string) *gitHost {
	w.t.Helper()
	root, err := os.MkdirTemp(w.Dir, "git")
	if err != nil {
		w.t.Fatal(err)
	}
	handler := gitBackend(w, root)
	if around != nil {
		handler = around(handler)
	}
	h := &gitHost{newGate(w, challenge, handler), challenge, root}
	for _, name := range repositories {
		h.admin("init", "--quiet", "--bare", "--initial-branch=main", root+"/"+name)
		h.admin("-C", root+"/"+name, "config", "http.receivepack", "true")
		tree := h.admin("-C", root+"/"+name, "mktree")
		first := h.admin("-C", root+"/"+name, "commit-tree", "-m", "first", tree)
		h.admin("-C", root+"/"+name, "update-ref", "refs/heads/main", first)
	}
	w.gitTrusts(h.gate)
	return h
}

// gitBackend is git's own server.
func gitBackend(w *world, root string) http.Handler {
	w.t.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return &cgi.Handler{
		Path: strings.TrimSpace(string(out)) + "/git-http-backend",
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ann",
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	}
}

// admin runs this machine's git on the server.
func (h *gitHost) admin(args ...string) string {
	h.w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=admin", "GIT_AUTHOR_EMAIL=admin@corp.example", "GIT_COMMITTER_NAME=admin", "GIT_COMMITTER_EMAIL=admin@corp.example"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// has reports what the newest commit of a repository says.
func (h *gitHost) has(repository string) string {
	h.w.t.Helper()
	return h.admin("-C", h.root+"/"+repository, "log", "-1", "--format=%s", "main")
}

// gitTrusts makes git take a gate's certificate.
func (w *world) gitTrusts(g *gate) {
	w.t.Helper()
	w.gitConfig("http."+g.URL+".sslCAInfo", g.caFile)
}

// allCame fails unless every visit since the last call of seen that had an Authorization header had it in
// this form with a good token of this use, and there was one.
func (h *gitHost) allCame(scheme, username, use string) {
	h.w.t.Helper()
	n := 0
	for _, v := range h.seen() {
		if v.scheme == "" {
			continue
		}
		n++
		if v.scheme != scheme || v.username != username || v.use != use {
			h.w.t.Errorf("%s %s: came with %s, user name %q, token %q, want %s, %q, %q", v.method, v.path, v.scheme, v.username, v.use, scheme, username, use)
		}
	}
	if n == 0 {
		h.w.t.Error("nobody came with a token")
	}
}

// cameWithNothing fails unless somebody came since the last call of seen, and nobody with credentials.
func (h *gitHost) cameWithNothing() {
	h.w.t.Helper()
	h.mu.Lock()
	n := len(h.visits)
	h.mu.Unlock()
	if n == 0 {
		h.w.t.Error("nobody came")
	}
	h.nothingLeaked()
}

// refusedClearly fails unless the person is told to sign in, and is not asked for a password.
func (w *world) refusedClearly(r result) {
	w.t.Helper()
	if !strings.Contains(r.stderr, "cogauth login") {
		w.t.Errorf("signed out: got no word of cogauth login, want it\n%s", r.all())
	}
	if strings.Contains(r.stderr, "could not read") {
		w.t.Errorf("signed out: git went on to ask for a user name or password, want it to stop\n%s", r.all())
	}
}

// asksPerson fails unless git found no helper that had anything, and so asked for a user name.
func (w *world) asksPerson(r result) {
	w.t.Helper()
	if !strings.Contains(r.stderr, "could not read Username") {
		w.t.Errorf("got another end than git's own without a helper, want that\n%s", r.all())
	}
	if strings.Contains(r.stderr, "cogauth") {
		w.t.Errorf("cogauth speaks of an origin that is not its own, want silence\n%s", r.all())
	}
}
