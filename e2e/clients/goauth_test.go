//go:build linux

package clients

import (
	"archive/zip"
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// modules is a module proxy with one module, corp.example/tiny v1.0.0.
type modules struct {
	mu      sync.Mutex
	files   map[string][]byte
	refused string // the Authorization that is answered 401 although the token is good
}

func newModules(t *testing.T) *modules {
	t.Helper()
	const module, version = "corp.example/tiny", "v1.0.0"
	gomod := []byte("module " + module + "\n\ngo 1.24\n")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string][]byte{"go.mod": gomod, "tiny.go": []byte("package tiny\n")} {
		f, err := z.Create(module + "@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	info := []byte(`{"Version":"` + version + `","Time":"2026-01-02T03:04:05Z"}`)
	at := "/" + module + "/@v/"
	return &modules{files: map[string][]byte{
		at + "list": []byte(version + "\n"), "/" + module + "/@latest": info,
		at + version + ".info": info, at + version + ".mod": gomod, at + version + ".zip": b.Bytes(),
	}}
}

func (m *modules) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused == "next" {
		m.refused = r.Header.Get("Authorization")
	}
	file, found := m.files[r.URL.Path]
	switch {
	case m.refused == r.Header.Get("Authorization"):
		http.Error(rw, "this token was revoked", http.StatusUnauthorized)
	case !found:
		http.Error(rw, "no such module", http.StatusNotFound)
	default:
		rw.Write(file)
	}
}

// refuseNext has the server take the next token that comes for revoked.
func (m *modules) refuseNext() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused = "next"
}

// goWorld is a world with a go command whose module proxy is a gate, and what runs the helper notes it.
func goWorld(t *testing.T) (w *world, proxy *modules, own, stranger *gate, runs func() []string) {
	t.Helper()
	w = newWorld(t)
	proxy = newModules(t)
	own, stranger = newGate(w, `Bearer realm="modules"`, proxy), newGate(w, `Bearer realm="modules"`, newModules(t))
	w.serve("corp", `origin = "`+own.URL+`"`, `token = "access"`)
	helper, runs := w.counted("counted", "goauth-cogauth")
	// A variable that is set but empty is left to the file that "go env -w" writes.
	w.env = append(w.env, "SSL_CERT_FILE="+w.trusting(own, stranger), "GOENV=", "GOAUTH=", "GOPROXY=", "GONOSUMDB=", "GOPRIVATE=", "GONOPROXY=",
		"GOINSECURE=", "GOSUMDB=", "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=-mod=mod -modcacherw", "GOPATH="+w.home+"/go", "GOMODCACHE=")
	w.ok("go", "env", "-w", "GOAUTH="+helper+" --profile corp", "GOPROXY="+own.URL, "GONOSUMDB=corp.example/*")
	w.write("app/go.mod", "module app.example/app\n\ngo 1.24\n", 0o600)
	return w, proxy, own, stranger, runs
}

// goDo runs go in the module app.example/app, with nothing downloaded yet.
func (w *world) goDo(args ...string) result {
	w.t.Helper()
	w.ok("go", "clean", "-modcache")
	return w.run(w.command("go", append([]string{"-C", "app"}, args...)...))
}

// goGets has go get a module, which it must.
func (w *world) goGets(module string) {
	w.t.Helper()
	if r := w.goDo("get", module); r.status != 0 {
		w.t.Errorf("go get %s: got exit status %d, want 0\n%s", module, r.status, r.all())
	}
}

func TestGoauth(t *testing.T) {
	w, _, own, stranger, _ := goWorld(t)
	get := func() {
		t.Helper()
		w.goGets("corp.example/tiny@v1.0.0")
		own.letIn("access")
	}
	w.cold()
	w.costing(1, "cold", get)
	w.costing(0, "warm", get)

	w.costing(0, "a proxy that is not served", func() {
		w.ok("go", "env", "-w", "GOPROXY="+stranger.URL)
		if r := w.goDo("get", "corp.example/tiny@v1.0.0"); r.status == 0 || !strings.Contains(r.stderr, "401 Unauthorized") {
			t.Errorf("go get: got exit status %d, want 401 Unauthorized\n%s", r.status, r.stderr)
		}
	})
	stranger.nothingLeaked()

	// go shows what its helper says with -x only.
	w.ok("go", "env", "-w", "GOPROXY="+own.URL)
	w.signOut()
	if r := w.goDo("get", "corp.example/tiny@v1.0.0"); r.status == 0 || !strings.Contains(r.stderr, "401 Unauthorized") {
		t.Errorf("go get: got exit status %d, want 401 Unauthorized\n%s", r.status, r.stderr)
	}
	if r := w.goDo("get", "-x", "corp.example/tiny@v1.0.0"); r.status == 0 || !strings.Contains(r.stderr, "cogauth login") {
		t.Errorf("go get -x: got exit status %d, want the advice to sign in\n%s", r.status, r.stderr)
	}
	own.nothingLeaked()
}

// go asks its helper again after whatever a proxy refuses, and not to have a module is nothing to refresh for.
// A token that is a few moments old is not replaced either: a newer one would be refused as well.
func TestGoauthRefreshesForA401Only(t *testing.T) {
	w, proxy, own, _, runs := goWorld(t)
	pass := w.withClock()
	w.goGets("corp.example/tiny@v1.0.0")
	pass(10 * time.Minute)
	runs()
	w.costing(0, "modules that are not there", func() {
		if r := w.goDo("get", "corp.example/none/at/all"); r.status == 0 || !strings.Contains(r.stderr, "404 Not Found") {
			t.Errorf("go get: got exit status %d, want 404 Not Found\n%s", r.status, r.stderr)
		}
	})
	again := 0
	for _, run := range runs() {
		if strings.Contains(run, own.URL) {
			again++
		}
	}
	if again < 2 {
		t.Errorf("go asked its helper again for %d addresses: that is nothing to hold out against", again)
	}
	own.letIn("access")

	proxy.refuseNext()
	w.costing(1, "a token that the server has revoked", func() { w.goGets("corp.example/tiny@v1.0.0") })
	w.costing(0, "after it", func() { w.goGets("corp.example/tiny@v1.0.0") })

	proxy.refuseNext()
	w.costing(0, "a new token that the server does not take", func() {
		if r := w.goDo("get", "corp.example/tiny@v1.0.0"); r.status == 0 || !strings.Contains(r.stderr, "401 Unauthorized") {
			t.Errorf("go get: got exit status %d, want 401 Unauthorized\n%s", r.status, r.stderr)
		}
	})
}
