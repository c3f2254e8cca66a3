//go:build linux

package clients

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// crates is a private registry of Rust crates with a sparse index.
type crates struct {
	url string // known only once it listens

	mu     sync.Mutex
	index  map[string]string // the line of each crate's only version, by name
	files  map[string][]byte
	yanked []string
}

func newCrates(t *testing.T) *crates {
	c := &crates{index: map[string]string{}, files: map[string][]byte{}}
	c.add("tiny", tarball(t, "tiny-0.1.0/Cargo.toml", crateManifest("tiny"), "tiny-0.1.0/src/lib.rs", "\n"))
	return c
}

func crateManifest(name string) string {
	return "[package]\nname = \"" + name + "\"\nversion = \"0.1.0\"\nedition = \"2021\"\nlicense = \"MIT\"\ndescription = \"for a test\"\n"
}

func (c *crates) add(name string, crate []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index[name] = fmt.Sprintf(`{"name":%q,"vers":"0.1.0","deps":[],"features":{},"yanked":false,"cksum":"%x"}`, name, sha256.Sum256(crate))
	c.files[name] = crate
}

func (c *crates) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	indexed, line := c.indexed(r.URL.Path)
	file := c.files[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/dl/"), "/0.1.0/download")]
	c.mu.Unlock()
	switch {
	case r.URL.Path == "/index/config.json":
		fmt.Fprintf(rw, `{"dl":"%s/dl","api":%q,"auth-required":true}`, c.url, c.url)
	case indexed:
		fmt.Fprintln(rw, line)
	case strings.HasPrefix(r.URL.Path, "/dl/") && file != nil:
		rw.Write(file)
	case r.URL.Path == "/api/v1/crates" && r.Method == "GET":
		io.WriteString(rw, `{"crates":[{"name":"tiny","max_version":"0.1.0","description":"for a test"}],"meta":{"total":1}}`)
	case r.URL.Path == "/api/v1/crates/new" && r.Method == "PUT":
		name, crate, err := published(r.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		c.add(name, crate)
		io.WriteString(rw, `{"warnings":{"invalid_categories":[],"invalid_badges":[],"other":[]}}`)
	case strings.HasSuffix(r.URL.Path, "/0.1.0/yank") && r.Method == "DELETE":
		c.mu.Lock()
		c.yanked = append(c.yanked, r.URL.Path)
		c.mu.Unlock()
		io.WriteString(rw, `{"ok":true}`)
	default:
		http.NotFound(rw, r)
	}
}

// indexed is the index line of a path such as /index/ti/ny/tiny.
func (c *crates) indexed(path string) (bool, string) {
	for name, line := range c.index {
		if path == "/index/"+name[:2]+"/"+name[2:4]+"/"+name {
			return true, line
		}
	}
	return false, ""
}

// published takes apart what "cargo publish" sends: a length and a description, a length and the file.
func published(body io.Reader) (name string, crate []byte, err error) {
	var parts [2][]byte
	for i := range parts {
		var n uint32
		if err := binary.Read(body, binary.LittleEndian, &n); err != nil {
			return "", nil, err
		}
		parts[i] = make([]byte, n)
		if _, err := io.ReadFull(body, parts[i]); err != nil {
			return "", nil, err
		}
	}
	var about struct{ Name string }
	err = json.Unmarshal(parts[0], &about)
	return about.Name, parts[1], err
}

// cargoWorld is a world with cargo, a registry that it serves and one that it does not.
func cargoWorld(t *testing.T) (w *world, registry *crates, own, stranger *gate) {
	t.Helper()
	rig.Require(t, "cargo", "cargo")
	w = newWorld(t)
	// cargo may be rustup's, which keeps the real one below the real home.
	if dir := parentEnv("RUSTUP_HOME", ".rustup"); dir != "" {
		if _, err := os.Stat(dir); err == nil {
			w.env = append(w.env, "RUSTUP_HOME="+dir)
		}
	}
	w.env = append(w.env, "CARGO_HOME="+w.home+"/.cargo")
	registry, foreign := newCrates(t), newCrates(t)
	own = newGate(w, `Cargo login_url="https://crates.corp.example/me"`, registry)
	stranger = newGate(w, `Cargo login_url="https://crates.stranger.example/me"`, foreign)
	registry.url, foreign.url = own.URL, stranger.URL
	w.serve("corp", `origin = "`+own.URL+`"`, `token = "access"`)
	w.write(".cargo/config.toml", `[registries.corp]
index = "sparse+`+own.URL+`/index/"
credential-provider = ["cargo-credential-cogauth", "--profile", "corp"]

[registries.stranger]
index = "sparse+`+stranger.URL+`/index/"
credential-provider = ["cargo-credential-cogauth"]

[http]
cainfo = "`+w.trusting(own, stranger)+`"
`, 0o600)
	return w, registry, own, stranger
}

// project is a crate of this world that depends on tiny from a registry.
func (w *world) project(name, registry string) (manifest string) {
	w.t.Helper()
	w.write(name+"/src/lib.rs", "\n", 0o600)
	return w.write(name+"/Cargo.toml", crateManifest(name)+"\n[dependencies]\ntiny = { version = \"0.1\", registry = \""+registry+"\" }\n", 0o600)
}

// forgetCrates has cargo fetch everything again.
func (w *world) forgetCrates() {
	w.t.Helper()
	if err := os.RemoveAll(w.home + "/.cargo/registry"); err != nil {
		w.t.Fatal(err)
	}
}

func TestCargo(t *testing.T) {
	w, registry, own, stranger := cargoWorld(t)
	manifest := w.project("widget", "corp")
	fetch := func() {
		t.Helper()
		w.forgetCrates()
		w.ok("cargo", "fetch", "--manifest-path", manifest)
		own.letIn("access")
	}
	w.cold()
	w.costing(1, "cold", fetch)
	w.costing(0, "warm", fetch)
	w.costing(0, "other operations", func() {
		if r := w.ok("cargo", "search", "tiny", "--registry", "corp"); !strings.Contains(r.stdout, `tiny = "0.1.0"`) {
			t.Errorf("cargo search: got %q, want tiny", r.stdout)
		}
		w.ok("cargo", "publish", "--registry", "corp", "--no-verify", "--manifest-path", manifest)
		w.ok("cargo", "yank", "--registry", "corp", "--version", "0.1.0", "widget")
	})
	if registry.files["widget"] == nil || len(registry.yanked) != 1 {
		t.Errorf("the registry has %d bytes of widget, and yanked %q", len(registry.files["widget"]), registry.yanked)
	}

	w.costing(0, "a registry that is not served", func() {
		foreign := w.project("gadget", "stranger")
		w.fails("no credential providers could handle the request", "cargo", "fetch", "--manifest-path", foreign)
	})
	stranger.nothingLeaked()

	w.signOut()
	w.forgetCrates()
	own.seen()
	w.fails("cogauth login", "cargo", "fetch", "--manifest-path", manifest)
	own.nothingLeaked()
}

// "cargo logout" drops what is cached, and the session stays.
func TestJ6CargoLogoutKeepsTheSession(t *testing.T) {
	w, _, own, _ := cargoWorld(t)
	w.ok("cargo", "search", "tiny", "--registry", "corp")
	w.costing(0, "logout", func() { w.ok("cargo", "logout", "--registry", "corp") })
	own.seen()
	w.costing(1, "the next search", func() { w.ok("cargo", "search", "tiny", "--registry", "corp") })
	own.letIn("access")
	w.costing(0, "a login that is not needed", func() { w.ok("cargo", "login", "--registry", "corp") })
}

// "cargo login" asks for a person: there the browser opens, if the person lets it.
func TestL2CargoLoginOpensTheBrowser(t *testing.T) {
	w, _, own, _ := cargoWorld(t)
	w.signOut()
	opened := w.browser()

	r := w.run(w.atTerminal("cargo login --registry corp"))
	if r.status == 0 || !strings.Contains(r.all(), "cogauth login") {
		t.Errorf("cargo login: got exit status %d, want the advice to sign in\n%s", r.status, r.all())
	}
	w.env = append(w.env, "COGAUTH_INTERACTIVE=auto")
	r = w.run(w.atTerminal("cargo search tiny --registry corp"))
	if r.status == 0 || !strings.Contains(r.all(), "cogauth login") {
		t.Errorf("cargo search: got exit status %d, want the advice to sign in\n%s", r.status, r.all())
	}
	if urls := opened(); len(urls) != 0 {
		t.Errorf("%d browsers, want none", len(urls))
	}

	w.signsIn(w.atTerminal("cargo login --registry corp"), opened)
	own.seen()
	w.ok("cargo", "search", "tiny", "--registry", "corp")
	own.letIn("access")
}
