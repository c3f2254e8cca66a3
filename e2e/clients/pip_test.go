//go:build linux

package clients

import (
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// pipWithKeyring is a Python whose pip can be told to run the keyring command, which 23.1 and newer can.
// Shims that look for the person's home would not work in a test's: this is the interpreter itself.
func pipWithKeyring(t *testing.T) (python string) {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		self, err := exec.Command(name, "-c", "import sys; print(sys.executable)").Output()
		if err != nil {
			continue
		}
		python := strings.TrimSpace(string(self))
		out, err := exec.Command(python, "-m", "pip", "--version").Output()
		if err != nil {
			continue
		}
		words := strings.Fields(string(out)) // pip 23.2.1 from …
		if len(words) < 2 {
			continue
		}
		parts := strings.SplitN(words[1], ".", 3)
		if len(parts) < 2 {
			continue
		}
		major, _ := strconv.Atoi(parts[0])
		minor, _ := strconv.Atoi(parts[1])
		if major > 23 || major == 23 && minor >= 1 {
			rig.Ran(t, "pip", words[1])
			return python
		}
	}
	rig.Missing(t, "pip", "no pip here is 23.1 or newer")
	return ""
}

// pip runs the keyring that is first on PATH, by that name.
func TestPip(t *testing.T) {
	python := pipWithKeyring(t)
	w := newWorld(t)
	own := newGate(w, `Basic realm="index"`, pythonIndex(t))
	stranger := newGate(w, `Basic realm="index"`, pythonIndex(t))
	w.serve("corp", `origin = "`+own.URL+`"`, `token = "access"`)
	other := newOtherIndex(w)

	// The shim is before, and the person's own keyring behind it.
	w.write("bin/pip", "#!/bin/sh\nexec "+python+" -m pip \"$@\"\n", 0o700)
	w.write("own/keyring", "#!/bin/sh\necho \"$*\" >>"+w.home+"/keyring.log\n[ \"$1 $3\" = 'get other' ] && echo swordfish\n", 0o700)
	w.path = append([]string{w.links + "/shims", w.home + "/bin"}, append(w.path, w.home+"/own")...)
	w.write(".config/pip/pip.conf", strings.Join([]string{
		"[global]", "keyring-provider = subprocess", "disable-pip-version-check = true", "no-cache-dir = true", "retries = 0",
		"cert = " + w.trusting(own, stranger, other),
		"",
	}, "\n"), 0o600)
	install := func(user string, g *gate) func() result {
		return func() result {
			t.Helper()
			return w.typed("pip install --no-input --no-deps --target=here --index-url https://" + user + "@" + g.host() + "/simple/ " + hello)
		}
	}
	passedOn := func() string {
		t.Helper()
		b, err := os.ReadFile(w.home + "/keyring.log")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		os.Remove(w.home + "/keyring.log")
		return string(b)
	}

	own.coldThenWarm("access", install("oauth2", own))
	if calls := passedOn(); calls != "" {
		t.Errorf("the next keyring was called: %q, want it left alone", calls)
	}

	// What is not ours goes to the next keyring, and pip gets what that one knows.
	if r := install("other", other)(); r.status != 0 {
		t.Errorf("an index of which the next keyring knows: got exit status %d, want 0\n%s", r.status, r.all())
	}
	if calls := passedOn(); !strings.Contains(calls, "get https://"+other.host()+"/simple/ other\n") {
		t.Errorf("the next keyring was called: %q, want the call that pip made", calls)
	}

	// pip begins with the user name of the address and an empty password: there are credentials, but no token.
	noToken := func(what string, g *gate, attempt func() result) (r result) {
		t.Helper()
		g.seen()
		w.costing(0, what, func() {
			if r = attempt(); r.status == 0 {
				t.Errorf("%s: got exit status 0, want failure\n%s", what, r.all())
			}
		})
		for _, v := range g.seen() {
			if v.use != "" || v.scheme == "Bearer" {
				t.Errorf("%s: a token came", what)
			}
		}
		return r
	}
	noToken("an index that is not served", stranger, install("oauth2", stranger))
	passedOn()
	w.signOut()
	if r := noToken("signed out", own, install("oauth2", own)); !strings.Contains(r.stderr, "cogauth login") {
		t.Errorf("signed out: pip does not show how to sign in:\n%s", r.all())
	}
	if calls := passedOn(); calls != "" {
		t.Errorf("signed out: the next keyring was called: %q, want it left alone", calls)
	}
}

// newOtherIndex is an index whose password the person's own keyring has.
func newOtherIndex(w *world) *gate {
	w.t.Helper()
	index := pythonIndex(w.t)
	g := &gate{w: w}
	g.Server, g.caFile = w.secureServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "other" || password != "swordfish" {
			rw.Header().Set("WWW-Authenticate", `Basic realm="other"`)
			http.Error(rw, "a password is needed", http.StatusUnauthorized)
			return
		}
		index.ServeHTTP(rw, r)
	}))
	return g
}
