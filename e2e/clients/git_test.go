//go:build linux

package clients

import (
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// Git before 2.46 takes a user name and a password and nothing else.
func TestGit239(t *testing.T) {
	w := gitWorld(t, false)
	gitStates(t, w, newGitHost(w, basicOnly, nil, "team/app.git"), "Basic", "oauth2", "access")
}

// Git since 2.46 takes a bearer token.
func TestGit247(t *testing.T) {
	w := gitWorld(t, true)
	gitStates(t, w, newGitHost(w, bearerOnly, nil, "team/app.git"), "Bearer", "", "id")
}

// gitStates has a person clone, push and fetch while the session is cold, warm and ended, and go to a
// server that is not served.
func gitStates(t *testing.T, w *world, h *gitHost, scheme, username, use string) {
	w.serve("corp", `origin = "`+h.URL+`"`, `token = "`+use+`"`)
	w.helpers(h.URL, "cogauth")
	url := h.URL + "/team/app.git"

	w.cold()
	w.costing(1, "git clone, cold", func() { w.gitOK("clone", url) })
	h.allCame(scheme, username, use)

	w.costing(0, "git push, warm", func() {
		w.gitOK("-C", "app", "commit", "--allow-empty", "-m", "second")
		w.gitOK("-C", "app", "push")
	})
	h.allCame(scheme, username, use)
	if got := h.has("team/app.git"); got != "second" {
		t.Errorf("the server has %q after the push, want %q", got, "second")
	}
	w.costing(0, "git clone and fetch, warm", func() {
		w.gitOK("clone", url, "again")
		w.gitOK("-C", "app", "fetch")
	})
	h.allCame(scheme, username, use)

	w.cold()
	w.costing(1, "git push, cold", func() {
		w.gitOK("-C", "again", "commit", "--allow-empty", "-m", "third")
		w.gitOK("-C", "again", "push")
	})
	w.costing(0, "git fetch, warm", func() { w.gitOK("-C", "app", "fetch") })
	if got := w.gitOK("-C", "app", "log", "-1", "--format=%s", "origin/main").stdout; got != "third\n" {
		t.Errorf("the newest commit after the fetch is %q, want %q", got, "third")
	}
	h.allCame(scheme, username, use)

	// The helper is set up for all servers now: one that is not served is met as without it.
	other := newGitHost(w, h.challenge, nil, "app.git")
	w.gitConfig("credential.helper", "cogauth")
	w.asksPerson(w.gitFails("clone", other.URL+"/app.git", "other"))
	other.cameWithNothing()

	w.signOut()
	w.refusedClearly(w.gitFails("-C", "app", "fetch"))
	w.refusedClearly(w.gitFails("-C", "app", "push"))
	h.cameWithNothing()
	w.asksPerson(w.gitFails("clone", other.URL+"/app.git", "other"))
	other.cameWithNothing()

	w.signIn()
	w.gitOK("-C", "app", "fetch")
	h.allCame(scheme, username, use)
}

// A server that takes passwords only gets one from a newer git too.
func TestGit247Basic(t *testing.T) {
	w := gitWorld(t, true)
	h := newGitHost(w, basicOnly, nil, "app.git")
	w.serve("corp", `origin = "`+h.URL+`"`, `token = "access"`)
	w.helpers(h.URL, "cogauth --profile corp")
	w.gitOK("clone", h.URL+"/app.git")
	h.allCame("Basic", "oauth2", "access")
}

// Git 2.46 and newer can send the token without waiting for a 401, and asks before it knows what the
// server takes.
func TestGit247Proactive(t *testing.T) {
	w := gitWorld(t, true)
	h := newGitHost(w, bearerOnly, nil, "app.git")
	w.serve("corp", `origin = "`+h.URL+`"`)
	w.helpers(h.URL, "cogauth")
	w.gitConfig("http.proactiveAuth", "auto")
	w.gitOK("clone", h.URL+"/app.git")
	for _, v := range h.seen() {
		if v.scheme != "Bearer" || v.use != "id" {
			t.Errorf("%s %s: came with %q and token %q, want Bearer with an ID token at once", v.method, v.path, v.scheme, v.use)
		}
	}
}

// What a git says that it can take is what it gets, in the form that it and others ask for.
func TestGitCapability(t *testing.T) {
	for _, newer := range []bool{false, true} {
		t.Run(gitName(newer), func(t *testing.T) {
			w := gitWorld(t, newer)
			w.serve("corp", `origin = "https://git.corp.example"`)
			w.helpers("https://git.corp.example", "cogauth")
			fill := func(lines ...string) string {
				t.Helper()
				cmd := w.gitCommand("credential", "fill")
				cmd.Stdin = strings.NewReader("url=https://git.corp.example\n" + strings.Join(lines, "\n") + "\n\n")
				r := w.run(cmd)
				if r.status != 0 || r.stderr != "" {
					t.Fatalf("git credential fill: got exit status %d, want 0 and silence\n%s", r.status, r.stderr)
				}
				return r.stdout
			}
			plain := fill()
			if !strings.Contains(plain, "\nusername=oauth2\npassword=") || strings.Contains(plain, "authtype") {
				t.Error("asked without capabilities: got no user name and password, or more, want them")
			}
			able := fill("capability[]=authtype", "capability[]=state")
			if got := strings.Contains(able, "\nauthtype=Bearer\ncredential="); got != newer {
				t.Errorf("asked with the capability authtype: got a bearer token %v, want %v", got, newer)
			}
			if got := strings.Contains(able, "\npassword="); got == newer {
				t.Errorf("asked with the capability authtype: got a password %v, want %v", got, !newer)
			}
			if got, want := w.gitOK("credential-cogauth", "capability").stdout, "version 0\ncapability authtype\n"; got != want {
				t.Errorf("the helper's capability: got %q, want %q", got, want)
			}
		})
	}
}

// gitName names the tests that run with both.
func gitName(newer bool) string {
	if newer {
		return "2.47"
	}
	return "2.39"
}

// A server refuses a token that is good, as after its key or its rule has changed: git has the helper erase
// it. That token is not handed out again, and nobody has to sign in.
func TestJ6GitErase(t *testing.T) {
	for _, newer := range []bool{false, true} {
		t.Run(gitName(newer), func(t *testing.T) {
			challenge := basicOnly
			if newer {
				challenge = bearerOnly
			}
			var refuse atomic.Int32 // the status of the next answer, if not 0
			var came []string       // the tokens that came in
			w := gitWorld(t, newer)
			h := newGitHost(w, challenge, func(git http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					came = append(came, r.Header.Get("Authorization"))
					if status := refuse.Swap(0); status != 0 {
						rw.Header().Set("WWW-Authenticate", challenge)
						rw.WriteHeader(int(status))
						return
					}
					git.ServeHTTP(rw, r)
				})
			}, "app.git")
			w.serve("corp", `origin = "`+h.URL+`"`, `token = "access"`)
			w.helpers(h.URL, "cogauth")
			url := h.URL + "/app.git"

			w.costing(0, "the first", func() { w.gitOK("clone", url) })
			refused := came[0]

			refuse.Store(http.StatusForbidden)
			w.costing(0, "git fetch that is forbidden, which says nothing of the token", func() {
				w.gitFails("-C", "app", "fetch")
				w.gitOK("-C", "app", "fetch")
			})
			if last := came[len(came)-1]; last != refused {
				t.Error("after a 403 another token came, want the same: git erases nothing then")
			}

			refuse.Store(http.StatusUnauthorized)
			w.costing(0, "git fetch that is refused", func() { w.gitFails("-C", "app", "fetch") })
			w.costing(1, "git fetch after it", func() { w.gitOK("-C", "app", "fetch") })
			if last := came[len(came)-1]; last == refused {
				t.Error("after a 401 the same token came, want another")
			}
			w.costing(0, "git fetch after that", func() { w.gitOK("-C", "app", "fetch") })

			// Somebody erases a password that is not the token: nothing of ours.
			cmd := w.gitCommand("credential", "reject")
			cmd.Stdin = strings.NewReader("url=" + h.URL + "\nusername=oauth2\npassword=something else\n\n")
			if r := w.run(cmd); r.status != 0 || r.all() != "" {
				t.Errorf("git credential reject: got exit status %d, want 0 and silence\n%s", r.status, r.all())
			}
			w.costing(0, "git fetch after the rejection of another password", func() { w.gitOK("-C", "app", "fetch") })
		})
	}
}

// A browser opens only where whoever called git lets it ask a person.
func TestL2Git(t *testing.T) {
	for _, newer := range []bool{false, true} {
		t.Run(gitName(newer), func(t *testing.T) {
			w := gitWorld(t, newer)
			h := newGitHost(w, basicOnly, nil, "app.git")
			w.serve("corp", `origin = "`+h.URL+`"`)
			w.helpers(h.URL, "cogauth --interactive always")
			w.gitOK("clone", h.URL+"/app.git")
			opened := w.browser()
			w.signOut()
			h.seen()

			background := w.gitCommand("-C", "app", "fetch")
			background.Env = append(background.Env, "GIT_TERMINAL_PROMPT=0")
			for _, cmd := range []*exec.Cmd{background, w.gitCommand("-c", "credential.interactive=false", "-C", "app", "fetch")} {
				r := w.run(cmd)
				if r.status == 0 {
					t.Errorf("%s: got exit status 0, want a failure", cmd.Args)
				}
				w.refusedClearly(r)
			}
			if urls := opened(); len(urls) != 0 {
				t.Errorf("got %d browsers in the background, want none", len(urls))
			}
			h.cameWithNothing()

			w.signsIn(withoutGit(w.atTerminal("git -C app fetch")), opened)
			h.allCame("Basic", "oauth2", "id")
		})
	}
}
