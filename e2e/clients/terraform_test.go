//go:build linux

package clients

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// moduleRegistry is a Terraform registry with one module, corp/tiny/local 1.0.0, whose archive is elsewhere.
func moduleRegistry(archive string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/modules/corp/tiny/local/versions", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"modules":[{"versions":[{"version":"1.0.0"}]}]}`)
	})
	mux.HandleFunc("/v1/modules/corp/tiny/local/1.0.0/download", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Terraform-Get", archive)
		rw.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// terraformWorld is a world in which terraform knows the registries tf.corp.example, which is served, and
// tf.stranger.example.
func terraformWorld(t *testing.T) (w *world, own, stranger *gate) {
	t.Helper()
	rig.Require(t, "terraform", "terraform")
	w = newWorld(t)
	// As with real registries, the archive is at an address that is its own permission.
	module := tarball(t, "main.tf", "output \"greeting\" {\n  value = \"hello\"\n}\n")
	archive := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { rw.Write(module) }))
	t.Cleanup(archive.Close)
	own = newGate(w, "Bearer", moduleRegistry(archive.URL+"/tiny.tar.gz"))
	stranger = newGate(w, "Bearer", moduleRegistry(archive.URL+"/tiny.tar.gz"))
	// terraform binds a credential to the registry's name, wherever its services are.
	w.serve("corp", `origin = "https://tf.corp.example"`, `token = "access"`)
	config := w.write(".terraformrc", `credentials_helper "cogauth" {
  args = ["--profile", "corp"]
}
host "tf.corp.example" {
  services = { "modules.v1" = "`+own.URL+`/v1/modules/" }
}
host "tf.stranger.example" {
  services = { "modules.v1" = "`+stranger.URL+`/v1/modules/" }
}
`, 0o600)
	w.env = append(w.env, "TF_CLI_CONFIG_FILE="+config, "SSL_CERT_FILE="+w.trusting(own, stranger), "CHECKPOINT_DISABLE=1", "TF_LOG=")
	if err := os.MkdirAll(w.home+"/.terraform.d/plugins", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.links+"/terraform-credentials-cogauth", w.home+"/.terraform.d/plugins/terraform-credentials-cogauth"); err != nil {
		t.Fatal(err)
	}
	w.stack("stack", "tf.corp.example")
	w.stack("foreign", "tf.stranger.example")
	return w, own, stranger
}

// stack is a folder whose configuration uses tiny from a registry.
func (w *world) stack(dir, host string) {
	w.t.Helper()
	w.write(dir+"/main.tf", "module \"tiny\" {\n  source  = \""+host+"/corp/tiny/local\"\n  version = \"1.0.0\"\n}\n", 0o600)
}

// terraformInit installs a stack's modules anew.
func (w *world) terraformInit(dir string) result {
	w.t.Helper()
	if err := os.RemoveAll(w.home + "/" + dir + "/.terraform"); err != nil {
		w.t.Fatal(err)
	}
	return w.run(w.command("terraform", "-chdir="+dir, "init", "-no-color", "-input=false"))
}

func TestTerraform(t *testing.T) {
	w, own, stranger := terraformWorld(t)
	initialise := func() {
		t.Helper()
		if r := w.terraformInit("stack"); r.status != 0 {
			t.Errorf("terraform init: got exit status %d, want 0\n%s", r.status, r.all())
		}
		own.letIn("access")
	}
	w.cold()
	w.costing(1, "cold", initialise)
	w.costing(0, "warm", initialise)

	w.costing(0, "a registry that is not served", func() {
		if r := w.terraformInit("foreign"); r.status == 0 || !strings.Contains(r.all(), "401 Unauthorized") {
			t.Errorf("terraform init: got exit status %d, want 401 Unauthorized\n%s", r.status, r.all())
		}
	})
	stranger.nothingLeaked()

	// terraform shows nothing of what its helper says, unless it is told to log.
	w.signOut()
	if r := w.terraformInit("stack"); r.status == 0 || !strings.Contains(r.all(), "401 Unauthorized") {
		t.Errorf("terraform init: got exit status %d, want 401 Unauthorized\n%s", r.status, r.all())
	}
	w.env = append(w.env, "TF_LOG=warn")
	if r := w.terraformInit("stack"); r.status == 0 || !strings.Contains(r.all(), "cogauth login") {
		t.Errorf("terraform init with TF_LOG=warn: got exit status %d, want the advice to sign in\n%s", r.status, r.all())
	}
	own.nothingLeaked()
}

// "terraform logout" drops what is cached, and the session stays.
func TestJ6TerraformLogoutKeepsTheSession(t *testing.T) {
	w, own, _ := terraformWorld(t)
	if r := w.terraformInit("stack"); r.status != 0 {
		t.Fatalf("terraform init: got exit status %d, want 0\n%s", r.status, r.all())
	}
	w.costing(0, "logout", func() { w.ok("terraform", "logout", "tf.corp.example") })
	own.seen()
	w.costing(1, "the next init", func() {
		if r := w.terraformInit("stack"); r.status != 0 {
			t.Errorf("terraform init: got exit status %d, want 0\n%s", r.status, r.all())
		}
	})
	own.letIn("access")
}
