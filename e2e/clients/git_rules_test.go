//go:build linux

package clients

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// Git gives what one helper answered to all of them to keep, and its own "store" keeps it in clear. The
// line that resets the helpers before ours is against that.
func TestGitStoreBefore(t *testing.T) {
	w := gitWorld(t, false)
	h := newGitHost(w, basicOnly, nil, "app.git")
	w.serve("corp", `origin = "`+h.URL+`"`, `token = "access"`)
	w.gitConfig("credential.helper", "store")
	w.helpers(h.URL, "cogauth")
	url := h.URL + "/app.git"

	w.cold()
	w.costing(1, "git clone", func() { w.gitOK("clone", url) })
	w.gitOK("-C", "app", "commit", "--allow-empty", "-m", "second")
	w.gitOK("-C", "app", "push")
	h.allCame("Basic", "oauth2", "access")
	if b, err := os.ReadFile(w.home + "/.git-credentials"); err == nil {
		t.Errorf("git's store has %d bytes, want none", len(b))
	}

	// For the others git has the helper that it had.
	own := passwords(w, "bob", "rosebud")
	w.write(".git-credentials", strings.Replace(own.URL, "://", "://bob:rosebud@", 1)+"\n", 0o600)
	w.gitOK("clone", own.URL+"/own.git")
	own.onlyPasswords(true)
}

// Of two helpers the one that has something answers, in either order.
func TestGitTwoHelpers(t *testing.T) {
	w := gitWorld(t, false)
	h := newGitHost(w, basicOnly, nil, "app.git")
	own := passwords(w, "bob", "rosebud")
	w.serve("corp", `origin = "`+h.URL+`"`, `token = "id"`)
	log := w.home + "/other.log"
	other := w.write("bin/other", `#!/bin/sh
echo "$1" >>'`+log+`'
test "$1" = get && grep -qx 'host=`+own.host+`' && printf 'username=bob\npassword=rosebud\n'
exit 0
`, 0o700)
	for _, chain := range [][]string{{"cogauth", other}, {other, "cogauth"}} {
		name := "cogauth first"
		if chain[0] == other {
			name = "cogauth last"
		}
		t.Run(name, func(t *testing.T) {
			os.RemoveAll(w.home + "/app")
			os.RemoveAll(w.home + "/own")
			os.Remove(log)
			h.seen()
			w.gitConfig("credential.helper", append([]string{""}, chain...)...) // "" ends those of the run before
			r := w.gitOK("clone", h.URL+"/app.git")
			h.allCame("Basic", "oauth2", "id")
			own.onlyPasswords(false)

			r.stderr += w.gitOK("clone", own.URL+"/own.git").stderr
			own.onlyPasswords(true)
			if strings.Contains(r.stderr, "cogauth") {
				t.Errorf("cogauth speaks although all went well, want silence\n%s", r.stderr)
			}
			ops, err := os.ReadFile(log)
			want := "store\nget\nstore\n" // it is not asked if cogauth had something
			if chain[0] == other {
				want = "get\n" + want
			}
			if err != nil || string(ops) != want {
				t.Errorf("the other helper was called with %q (%v), want %q", ops, err, want)
			}
		})
	}
}

// An origin with a path is for the repositories below that path, if git says which it wants.
func TestGitPathPrefix(t *testing.T) {
	for _, newer := range []bool{false, true} {
		t.Run(gitName(newer), func(t *testing.T) {
			w := gitWorld(t, newer)
			h := newGitHost(w, basicOnly, nil, "team/app.git", "team/sub/app.git", "teamster/app.git", "other/app.git")
			w.serve("corp", `origin = "`+h.URL+`/team"`, `token = "access"`)
			w.helpers(h.URL, "cogauth")

			w.asksPerson(w.gitFails("clone", h.URL+"/team/app.git", "none"))
			h.cameWithNothing()

			w.gitConfig("credential."+h.URL+".useHttpPath", "true")
			w.gitOK("clone", h.URL+"/team/app.git", "one")
			h.allCame("Basic", "oauth2", "access")
			w.gitOK("-C", "one", "commit", "--allow-empty", "-m", "second")
			w.gitOK("-C", "one", "push")
			h.allCame("Basic", "oauth2", "access")
			w.gitOK("clone", h.URL+"/team/sub/app.git", "two")
			h.allCame("Basic", "oauth2", "access")

			for _, path := range []string{"/teamster/app.git", "/other/app.git", "/team/../other/app.git", "/team/%2e%2e/other/app.git", "/team%2f..%2fother/app.git"} {
				w.gitFails("clone", h.URL+path, "none")
				h.cameWithNothing()
			}
		})
	}
}

// Some forges want a user name of their own beside the token, and then a password it is for every git, even
// where something before the forge speaks of bearer tokens.
func TestGitUsername(t *testing.T) {
	for _, newer := range []bool{false, true} {
		t.Run(gitName(newer), func(t *testing.T) {
			w := gitWorld(t, newer)
			h := newGitHost(w, bearerOnly+", "+basicOnly, nil, "app.git")
			w.serve("corp", `origin = "`+h.URL+`"`, `token = "access"`, `username = "x-token-auth"`)
			w.helpers(h.URL, "cogauth")
			w.gitOK("clone", h.URL+"/app.git")
			h.allCame("Basic", "x-token-auth", "access")
			w.gitOK("-C", "app", "fetch")
			h.allCame("Basic", "x-token-auth", "access")

			// The name in somebody's URL is of no account where the server wants another. It is what git comes
			// with first, without a password.
			w.gitOK("clone", h.named("ann")+"/app.git", "named")
			h.forget("ann")
			h.allCame("Basic", "x-token-auth", "access")
		})
	}
	t.Run("in the URL", func(t *testing.T) {
		w := gitWorld(t, false)
		h := newGitHost(w, basicOnly, nil, "app.git")
		w.serve("corp", `origin = "`+h.URL+`"`)
		w.helpers(h.URL, "!cogauth helper git --profile corp")
		w.gitOK("clone", h.named("ann")+"/app.git")
		h.forget("ann")
		h.allCame("Basic", "ann", "id")
	})
}

// named is the server's URL with a user name.
func (h *gitHost) named(user string) string { return strings.Replace(h.URL, "://", "://"+user+"@", 1) }

// forget drops the visits with that user name and no token.
func (h *gitHost) forget(user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.visits = slices.DeleteFunc(h.visits, func(v visit) bool { return v.username == user && v.use == "" })
}

// A server that is served sends git on to one that is not: the token does not go along.
func TestGitRedirect(t *testing.T) {
	for _, newer := range []bool{false, true} {
		t.Run(gitName(newer), func(t *testing.T) {
			challenge := basicOnly
			if newer {
				challenge = bearerOnly
			}
			w := gitWorld(t, newer)
			other := newGitHost(w, challenge, nil, "app.git")
			h := newGitHost(w, challenge, func(http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					http.Redirect(rw, r, other.URL+r.URL.RequestURI(), http.StatusFound)
				})
			})
			w.serve("corp", `origin = "`+h.URL+`"`, `token = "access"`)
			w.gitConfig("credential.helper", "cogauth")
			w.gitConfig("http."+h.URL+".sslCAInfo", w.trusting(h.gate, other.gate))
			w.gitFails("clone", h.URL+"/app.git")
			username := "oauth2"
			if newer {
				username = ""
			}
			h.allCame(challenge[:strings.IndexByte(challenge, ' ')], username, "access")
			other.cameWithNothing()

			// One that does so before it asks who is there has git ask for the other's credentials.
			first := httptest.NewServer(http.RedirectHandler(other.URL+"/app.git/info/refs?service=git-upload-pack", http.StatusFound))
			defer first.Close()
			w.serve("corp", `origin = "`+first.URL+`"`, `token = "access"`)
			w.gitConfig("http.sslCAInfo", other.caFile)
			w.asksPerson(w.gitFails("clone", first.URL+"/app.git"))
			other.cameWithNothing()
		})
	}
}

// passwordHost is a server of repositories that is no business of cogauth's: it takes one password.
type passwordHost struct {
	*gitHost
	host string
}

func passwords(w *world, username, password string) *passwordHost {
	w.t.Helper()
	// Only its folder is needed of the one that wants tokens.
	h := &passwordHost{gitHost: newGitHost(w, basicOnly, nil, "own.git")}
	backend := gitBackend(w, h.root)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		u, p, sent := r.BasicAuth()
		good := u == username && p == password
		v := visit{method: r.Method, path: r.URL.Path}
		switch {
		case good:
			v.scheme = "its own password"
		case sent || r.Header.Get("Authorization") != "":
			v.scheme = "something else"
		}
		h.mu.Lock()
		h.visits = append(h.visits, v)
		h.mu.Unlock()
		if !good {
			rw.Header().Set("WWW-Authenticate", basicOnly)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(server.Close)
	h.gate = &gate{Server: server, w: w}
	h.host = strings.TrimPrefix(server.URL, "http://")
	return h
}

// onlyPasswords fails if somebody came with anything but the password, or whether somebody came is not as said.
func (h *passwordHost) onlyPasswords(came bool) {
	h.w.t.Helper()
	let := false
	for _, v := range h.seen() {
		let = let || v.scheme == "its own password"
		if v.scheme == "something else" {
			h.w.t.Errorf("%s %s: came with something else than the password", v.method, v.path)
		}
	}
	if let != came {
		h.w.t.Errorf("somebody came with the password: got %v, want %v", let, came)
	}
}
