//go:build linux

package clients

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// fromNPM is the path of a file in a package of e2e/node.
func fromNPM(t *testing.T, part, pkg, file string) string {
	t.Helper()
	dir, err := filepath.Abs("../node/node_modules/" + pkg)
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Version string }
	raw, err := os.ReadFile(dir + "/package.json")
	if err == nil {
		err = json.Unmarshal(raw, &manifest)
	}
	if err != nil {
		rig.Missing(t, part, pkg+" is not in e2e/node: run npm ci there")
	}
	rig.Ran(t, part, manifest.Version)
	return dir + "/" + file
}

// typed runs a line as a person types it, in a new folder below the home, in which files, pairs of name
// and text, lie.
func (w *world) typed(line string, files ...string) result {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.home, "project")
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(dir+"/"+files[i], []byte(files[i+1]), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	cmd := w.command("/bin/sh", "-c", line)
	cmd.Dir = dir
	return w.run(cmd)
}

// gets fails unless the attempt succeeds and the gate let it in with a token of this use, in a header that
// says what kind of credential it is.
func (g *gate) gets(use string, attempt func() result) {
	g.w.t.Helper()
	g.seen()
	if r := attempt(); r.status != 0 {
		g.w.t.Fatalf("got exit status %d, want 0\n%s", r.status, r.all())
	}
	visits := g.seen()
	if !slices.ContainsFunc(visits, func(v visit) bool { return v.use == use }) {
		g.w.t.Errorf("nobody came with an %s token: %+v", use, visits)
	}
	for _, v := range visits {
		if v.scheme == "verbatim" {
			g.w.t.Errorf("%s %s: came with a token and no scheme", v.method, v.path)
		}
	}
}

// coldThenWarm has an attempt go through the first two states.
func (g *gate) coldThenWarm(use string, attempt func() result) {
	g.w.t.Helper()
	g.w.cold()
	g.w.costing(1, "cold", func() { g.w.t.Helper(); g.gets(use, attempt) })
	g.w.costing(0, "warm", func() { g.w.t.Helper(); g.gets(use, attempt) })
}

// turnsAway fails unless the attempt fails, having shown the gate no credentials and the person what is wanted.
func (g *gate) turnsAway(attempt func() result, shown ...string) result {
	g.w.t.Helper()
	g.seen()
	var r result
	g.w.costing(0, "an attempt that must fail", func() { r = attempt() })
	if r.status == 0 {
		g.w.t.Errorf("got exit status 0, want failure\n%s", r.all())
	}
	for _, s := range shown {
		if !strings.Contains(r.all(), s) {
			g.w.t.Errorf("does not show %q:\n%s", s, r.all())
		}
	}
	g.nothingLeaked()
	return r
}

// secureServer is a server at https://localhost:PORT that is no gate; caFile has its certificate.
func (w *world) secureServer(handler http.Handler) (s *httptest.Server, caFile string) {
	w.t.Helper()
	s = httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{localhost(w.t)}}
	s.StartTLS()
	w.t.Cleanup(s.Close)
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	return s, w.write("server-"+s.Listener.Addr().String()+".pem", trustIn(s.TLS.Certificates[0]), 0o600)
}

// hello is the package that the registries of these tests have.
const hello = "rig-hello"

// npmRegistry is a registry of npm's kind with one package.
func npmRegistry(t *testing.T) http.Handler {
	t.Helper()
	archive := tarball(t, "package/package.json", `{"name":"`+hello+`","version":"1.0.0","main":"index.js"}`, "package/index.js", "module.exports = 'hello'\n")
	sum := sha512.Sum512(archive)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+hello, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		json.NewEncoder(rw).Encode(map[string]any{
			"name": hello, "dist-tags": map[string]string{"latest": "1.0.0"},
			"versions": map[string]any{"1.0.0": map[string]any{"name": hello, "version": "1.0.0", "dist": map[string]string{
				"tarball":   "https://" + r.Host + "/" + hello + "/-/" + hello + "-1.0.0.tgz",
				"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
			}}},
		})
	})
	mux.HandleFunc("GET /"+hello+"/-/"+hello+"-1.0.0.tgz", func(rw http.ResponseWriter, r *http.Request) { rw.Write(archive) })
	return mux
}

// pythonIndex is an index of pip's kind with one package.
func pythonIndex(t *testing.T) http.Handler {
	t.Helper()
	const name, info = "rig_hello-1.0.0-py3-none-any.whl", "rig_hello-1.0.0.dist-info/"
	files := []string{
		"rig_hello.py", "greeting = 'hello'\n",
		info + "METADATA", "Metadata-Version: 2.1\nName: rig-hello\nVersion: 1.0.0\n",
		info + "WHEEL", "Wheel-Version: 1.0\nGenerator: rig\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	var wheel bytes.Buffer
	z := zip.NewWriter(&wheel)
	record := info + "RECORD,,\n"
	add := func(name, text string) {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(files); i += 2 {
		add(files[i], files[i+1])
		sum := sha256.Sum256([]byte(files[i+1]))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", files[i], base64.RawURLEncoding.EncodeToString(sum[:]), len(files[i+1]))
	}
	add(info+"RECORD", record)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/rig-hello/", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, "<!DOCTYPE html><html><body><a href=\"/files/%s\">%s</a></body></html>", name, name)
	})
	mux.HandleFunc("GET /files/"+name, func(rw http.ResponseWriter, r *http.Request) { rw.Write(wheel.Bytes()) })
	return mux
}
