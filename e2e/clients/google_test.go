//go:build linux

package clients

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// google is a service and the token service that its callers change their tokens at.
type google struct {
	*httptest.Server
	w      *world
	caFile string

	mu     sync.Mutex
	asked  int             // how often a token was to be changed
	issued map[string]bool // what the service takes
}

const googleAudience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/corp/providers/cognito"

func newGoogle(w *world) *google {
	w.t.Helper()
	g := &google{w: w, issued: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/token", g.exchange)
	mux.HandleFunc("GET /v1/hello", g.hello)
	g.Server, g.caFile = w.secureServer(mux)
	return g
}

// exchange is RFC 8693: the person's ID token, which is verified, for one of the service's own.
func (g *google) exchange(rw http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	c, err := verify(r.Context(), g.w.pool, r.PostFormValue("subject_token"))
	rw.Header().Set("Content-Type", "application/json")
	if err != nil || c.TokenUse != "id" || r.PostFormValue("audience") != googleAudience ||
		r.PostFormValue("subject_token_type") != "urn:ietf:params:oauth:token-type:id_token" {
		rw.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(rw).Encode(map[string]string{"error": "invalid_grant", "error_description": "an ID token of the user pool is needed"})
		return
	}
	token := rand.Text()
	g.issued[token] = true
	json.NewEncoder(rw).Encode(map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": 3600,
		"issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
	})
}

func (g *google) hello(rw http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || !g.issued[token] {
		http.Error(rw, "a token of this service is needed", http.StatusUnauthorized)
		return
	}
	rw.Write([]byte("hello\n"))
}

// exchanges is how many tokens came since the last call.
func (g *google) exchanges() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.asked
	g.asked = 0
	return n
}

// googleGo builds the program in e2e/clients/google.
func googleGo(t *testing.T) (exe string) {
	t.Helper()
	exe = t.TempDir() + "/google"
	if out, err := exec.Command("go", "build", "-o", exe, "./google").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "golang.org/x/oauth2").Output()
	if err != nil {
		t.Fatal(err)
	}
	rig.Ran(t, "oauth2/google", strings.TrimSpace(string(out)))
	return exe
}

// Google's libraries run an executable for the ID token of a workforce outside of Google.
func TestGoogleGo(t *testing.T) { googleStates(t, googleGo(t)) }

// The library for Node takes standard error for a part of the answer.
func TestGoogleNode(t *testing.T) {
	node := fromNPM(t, "node", "node", "bin/node")
	fromNPM(t, "google-auth-library", "google-auth-library", "")
	script, err := filepath.Abs("../node/google.mjs")
	if err != nil {
		t.Fatal(err)
	}
	googleStates(t, node+" "+script)
}

// googleStates has a program go through all states.
func googleStates(t *testing.T, program string) {
	w := newWorld(t)
	g := newGoogle(w)
	config, err := json.Marshal(map[string]any{
		"type": "external_account", "audience": googleAudience, "universe_domain": "googleapis.com",
		"subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
		"token_url":          g.URL + "/v1/token",
		"credential_source":  map[string]any{"executable": map[string]any{"command": w.links + "/cogauth helper google --profile corp", "timeout_millis": 120000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "SSL_CERT_FILE="+g.caFile, "NODE_EXTRA_CA_CERTS="+g.caFile, "GOOGLE_CLOUD_PROJECT=corp", "GOOGLE_APPLICATION_CREDENTIALS="+w.write("google.json", string(config), 0o600))
	command := program + " " + g.URL + "/v1/hello"
	refused := func(shown ...string) {
		t.Helper()
		r := w.typed(command)
		for _, s := range shown {
			if r.status == 0 || !strings.Contains(r.all(), s) {
				t.Errorf("got exit status %d, want failure and %q\n%s", r.status, s, r.all())
			}
		}
		if n := g.exchanges(); n != 0 {
			t.Errorf("%d tokens were to be changed, want none", n)
		}
	}
	works := func() {
		t.Helper()
		if r := w.typed(command); r.status != 0 || r.stdout != "hello\n" {
			t.Fatalf("got exit status %d and %q, want 0 and hello\n%s", r.status, r.stdout, r.stderr)
		}
		if n := g.exchanges(); n != 1 {
			t.Errorf("%d tokens were changed, want one", n)
		}
	}
	w.serve("corp", `client = "google"`)

	refused("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES") // it runs nothing unless it is told that it may
	w.env = append(w.env, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1")
	w.cold()
	w.costing(1, "cold", works)
	w.costing(0, "warm", works)

	w.signOut()
	refused("LOGIN_REQUIRED", "cogauth login")
}

// A profile that does not say that Google's libraries are served has nothing for them.
func TestGoogleNotServed(t *testing.T) {
	w := newWorld(t)
	r := w.typed("cogauth helper google --profile corp")
	if r.status != 0 || r.stderr != "" || !strings.Contains(r.stdout, `"success":false`) || !strings.Contains(r.stdout, "NOT_SERVED") {
		t.Errorf("got exit status %d, %q and on standard error %q, want 0 and a failure in the library's own form", r.status, r.stdout, r.stderr)
	}
}
