//go:build linux

package clients

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// serveNobody takes back what the world of another test serves: a story begins without.
func (w *world) serveNobody() {
	w.t.Helper()
	b, err := os.ReadFile(w.configFile())
	if err != nil {
		w.t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(b), "\n[[profiles.")
	if err := os.WriteFile(w.configFile(), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestTranscriptGit(t *testing.T) {
	w := gitWorld(t, false)
	h := newGitHost(w, basicOnly, nil, "app.git")
	tr := w.transcript("git", h.host(), "git.corp.example")
	tr.with("git", "git --version")
	tr.run("cogauth setup git https://git.corp.example --token access --write")
	tr.run("git clone https://git.corp.example/app.git")
	h.allCame("Basic", "oauth2", "access")
	tr.run("cogauth logout")
	tr.fails("git -C app fetch", "cogauth login")
	h.cameWithNothing()
}

func TestTranscriptDocker(t *testing.T) {
	rig.Require(t, "docker", "docker")
	w := newWorld(t)
	w.env = append(w.env, "DOCKER_CONFIG="+w.home+"/.docker", "REGISTRY_AUTH_FILE=", "DOCKER_AUTH_CONFIG=",
		"DOCKER_HOST=unix:///nonexistent/docker.sock")
	w.path = slices.Insert(w.path, 1, filepath.Dir(tool(t, "crane")))
	inside := &url.URL{Scheme: "http", Host: startRegistry(w, "")}
	own := newGate(w, `Basic realm="registry"`, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inside)
		r.Out.Header.Del("Authorization")
	}})
	w.env = append(w.env, "SSL_CERT_FILE="+w.trusting(own))
	w.ok("crane", "append", "-f", tinyLayer(w), "-t", inside.Host+"/tiny:1")
	tr := w.transcript("docker", own.host(), "registry.corp.example")
	tr.with("docker", "docker --version")
	tr.run("mkdir -p ~/.docker")
	tr.run("cogauth setup docker https://registry.corp.example --token access --write | tee ~/.docker/config.json")
	tr.run("docker manifest inspect registry.corp.example/tiny:1")
	own.letIn("access")
	tr.run("cogauth logout")
	tr.fails("docker manifest inspect registry.corp.example/tiny:1", "cogauth login")
	own.nothingLeaked()
}

func TestTranscriptKubectl(t *testing.T) {
	requireKubectl(t)
	w := newWorld(t)
	own := newGate(w, `Bearer realm="kubernetes"`, kubeAPI())
	w.ok("kubectl", "config", "set-cluster", "corp", "--server="+own.URL, "--certificate-authority="+own.caFile)
	tr := w.transcript("kubectl", own.host(), "kube.corp.example:6443")
	tr.with("kubectl", "kubectl version --client")
	tr.run("cogauth setup kubectl https://kube.corp.example:6443 --write")
	tr.run("kubectl config set-context corp --cluster=corp --user=cogauth-corp")
	tr.run("kubectl --context=corp get namespaces")
	own.letIn("id")
	tr.run("cogauth logout")
	tr.fails("kubectl --context=corp get namespaces", "cogauth login")
	own.nothingLeaked()
}

// There is no Bazel here: this is what one would type and read.
func TestTranscriptBazel(t *testing.T) {
	w := newWorld(t)
	tr := w.transcript("bazel")
	const ask = `printf '{"uri":"%s"}' https://cache.corp.example/ac/1 | bazel-cogauth-corp get`
	tr.run("cogauth setup bazel https://cache.corp.example --token access --write | tee -a ~/.bazelrc")
	tr.run(ask)
	tr.run(strings.Replace(ask, "cache.corp.example", "mirror.example.com", 1))
	tr.run("cogauth logout")
	tr.fails(ask, "cogauth login")
}

func TestTranscriptCargo(t *testing.T) {
	w, _, own, _ := cargoWorld(t)
	w.serveNobody()
	w.write(".cargo/config.toml", "", 0o600)
	w.env = append(w.env, "CARGO_HTTP_CAINFO="+own.caFile)
	tr := w.transcript("cargo", own.host(), "crates.corp.example")
	tr.with("cargo", "cargo --version")
	w.project("widget", "corp")
	tr.run("cogauth setup cargo https://crates.corp.example/index --token access --write | tee -a ~/.cargo/config.toml")
	tr.run("cargo search tiny --registry corp")
	own.letIn("access")
	tr.run("cogauth logout")
	tr.fails("cargo search tiny --registry corp", "cogauth login")
	own.nothingLeaked()
}

func TestTranscriptGoauth(t *testing.T) {
	w, _, own, _, _ := goWorld(t)
	w.serveNobody()
	w.ok("go", "env", "-u", "GOAUTH")
	tr := w.transcript("goauth", own.host(), "goproxy.corp.example")
	tr.with("go", "go version")
	tr.run("cogauth setup goauth https://goproxy.corp.example --token access --write")
	tr.run("go env GOPROXY")
	tr.run("go -C app get corp.example/tiny@v1.0.0")
	own.letIn("access")
	tr.run("cogauth logout")
	w.ok("go", "clean", "-modcache")
	tr.fails("go -C app get corp.example/tiny@v1.0.0", "401 Unauthorized")
	tr.run("go -C app get -x corp.example/tiny@v1.0.0 2>&1 | grep 'cogauth:'")
	own.nothingLeaked()
}

func TestTranscriptTerraform(t *testing.T) {
	w, own, _ := terraformWorld(t)
	w.serveNobody()
	w.write(".terraformrc", "host \"tf.corp.example\" {\n  services = { \"modules.v1\" = \""+own.URL+"/v1/modules/\" }\n}\n", 0o600)
	if err := os.RemoveAll(w.home + "/.terraform.d"); err != nil {
		t.Fatal(err)
	}
	tr := w.transcript("terraform")
	tr.with("terraform", "terraform version")
	tr.run("cogauth setup terraform https://tf.corp.example --token access --write | tee -a ~/.terraformrc")
	tr.run("mkdir -p ~/.terraform.d/plugins && ln -s ~/.local/bin/terraform-credentials-cogauth ~/.terraform.d/plugins")
	tr.run("cat stack/main.tf")
	tr.run("terraform -chdir=stack init -no-color | head -5")
	own.letIn("access")
	tr.run("cogauth logout")
	if err := os.RemoveAll(w.home + "/stack/.terraform"); err != nil {
		t.Fatal(err)
	}
	tr.fails("terraform -chdir=stack init -no-color", "401 Unauthorized")
	tr.run("TF_LOG=warn terraform -chdir=stack init -no-color 2>&1 | grep 'cogauth: [eh]'")
	own.nothingLeaked()
}

// The configuration that is printed is Google's; that of the story has a stand-in's token service in it.
func TestTranscriptGoogle(t *testing.T) {
	exe := googleGo(t)
	w := newWorld(t)
	g := newGoogle(w)
	w.path = slices.Insert(w.path, 1, filepath.Dir(exe))
	w.env = append(w.env, "SSL_CERT_FILE="+g.caFile, "GOOGLE_CLOUD_PROJECT=corp")
	tr := w.transcript("google", strings.TrimPrefix(g.URL, "https://"), "service.corp.example")
	tr.with("oauth2/google", "go version -m "+exe+" | grep golang.org/x/oauth2")
	tr.run("cogauth setup google --write | tee ~/google.json")
	file := w.home + "/google.json"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER", googleAudience,
		"https://sts.googleapis.com", g.URL).Replace(string(b))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	tr.run(`echo 'export GOOGLE_APPLICATION_CREDENTIALS=~/google.json GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1' >>~/.profile`)
	tr.run("google https://service.corp.example/v1/hello")
	if n := g.exchanges(); n != 1 {
		t.Errorf("%d tokens were changed, want one", n)
	}
	tr.run("cogauth logout")
	tr.fails("google https://service.corp.example/v1/hello", "LOGIN_REQUIRED")
	if n := g.exchanges(); n != 0 {
		t.Errorf("signed out: %d tokens were to be changed, want none", n)
	}
}

func TestTranscriptPnpm(t *testing.T) {
	pnpm := pnpm12(t)
	w := newWorld(t)
	own := newGate(w, `Bearer realm="registry"`, npmRegistry(t))
	w.path = append([]string{w.home + "/bin"}, w.path...)
	w.write("bin/pnpm", "#!/bin/sh\nexec "+pnpm+" \"$@\"\n", 0o700)
	w.write(".npmrc", "registry="+own.URL+"/\ncafile="+own.caFile+"\nfetch-retries=0\n", 0o600)
	w.write("project/package.json", `{"name":"project","private":true,"dependencies":{"`+hello+`":"1.0.0"}}`, 0o600)
	tr := w.transcript("pnpm", own.host(), "npm.corp.example")
	tr.with("pnpm 12", "pnpm --version")
	tr.run("cogauth setup pnpm https://npm.corp.example --token access --write | tee -a ~/.npmrc")
	tr.run("cd project && pnpm install")
	own.letIn("access")
	tr.run("cogauth logout")
	for _, dir := range []string{"/.local/share/pnpm", "/.cache/pnpm", "/project/node_modules", "/project/pnpm-lock.yaml"} {
		if err := os.RemoveAll(w.home + dir); err != nil {
			t.Fatal(err)
		}
	}
	tr.fails("cd project && pnpm install", "No authorization header was set")
	tr.fails("pnpm-cogauth-corp", "cogauth login")
	own.nothingLeaked()
}

func TestTranscriptKeyring(t *testing.T) {
	python := pipWithKeyring(t)
	w := newWorld(t)
	own := newGate(w, `Basic realm="index"`, pythonIndex(t))
	w.path = append([]string{w.home + "/bin"}, w.path...)
	w.write("bin/pip", "#!/bin/sh\nexec "+python+" -m pip \"$@\"\n", 0o700)
	w.write(".config/pip/pip.conf", "[global]\ndisable-pip-version-check = true\nno-cache-dir = true\nretries = 0\ncert = "+own.caFile+"\n", 0o600)
	w.env = append(w.env, "PIP_ROOT_USER_ACTION=ignore")
	tr := w.transcript("keyring", own.host(), "pypi.corp.example")
	tr.with("pip", "pip --version")
	tr.run(`cogauth setup keyring https://pypi.corp.example/simple --token access --write | sed "s,DIR,$HOME/.local/bin," | tee -a ~/.profile`)
	tr.run("pip install --no-input --target=lib " + hello)
	own.letIn("access")
	tr.run("cogauth logout")
	tr.fails("pip install --no-input --target=again "+hello, "cogauth login")
	for _, v := range own.seen() {
		if v.use != "" {
			t.Error("signed out: a token came")
		}
	}
}

// Vault's own program is not here, and what it does with a helper is in the shell's lines.
func TestTranscriptVault(t *testing.T) {
	rig.Require(t, "curl", "curl")
	w := newWorld(t)
	v := newVault(w)
	w.env = append(w.env, "VAULT_ADDR="+v.URL, "VAULT_CACERT="+v.caFile, "COGAUTH_VAULT_ROLE=dev")
	w.write(".curlrc", "fail\nsilent\nshow-error\ncacert = "+v.caFile+"\n", 0o600)
	tr := w.transcript("vault", v.host, "vault.corp.example:8200")
	tr.with("curl", "curl --version")
	tr.run("cogauth setup vault https://vault.corp.example:8200 --write | tee -a ~/.vault")
	tr.run("echo $VAULT_ADDR $COGAUTH_VAULT_ROLE")
	tr.run(`printf 'X-Vault-Token: %s\n' "$(vault-token-cogauth-corp get)" | curl -H @- $VAULT_ADDR/v1/secret/data/app`)
	tr.run("cogauth logout")
	before := v.logins()
	tr.fails("vault-token-cogauth-corp get", "cogauth login")
	if n := v.logins() - before; n != 0 {
		t.Errorf("signed out: %d logins at Vault, want none", n)
	}
}

func TestTranscriptHeaders(t *testing.T) {
	rig.Require(t, "curl", "curl")
	w := newWorld(t)
	own := newGate(w, "Bearer", greeter())
	w.write(".curlrc", "fail\nsilent\nshow-error\ncacert = "+own.caFile+"\n", 0o600)
	tr := w.transcript("headers", own.host(), "api.corp.example")
	tr.with("curl", "curl --version")
	tr.run("cogauth setup headers https://api.corp.example --token access --write")
	tr.run("cogauth helper headers https://api.corp.example/hello | curl -H @- https://api.corp.example/hello")
	own.letIn("access")
	tr.run("cogauth helper headers --json https://api.corp.example/hello")
	tr.run("cogauth logout")
	tr.fails("cogauth helper headers https://api.corp.example/hello | curl -H @- https://api.corp.example/hello", "cogauth login")
	own.nothingLeaked()
}

func TestTranscriptExec(t *testing.T) {
	rig.Require(t, "npm", "npm", "node")
	w := newWorld(t)
	own := newGate(w, "Bearer", npmRegistry(t))
	w.write(".npmrc", "registry="+own.URL+"/\n//"+own.host()+"/:_authToken=${CORP_TOKEN}\n", 0o600)
	w.write("project/package.json", `{"name":"project","private":true}`, 0o600)
	w.env = append(w.env, "npm_config_cafile="+own.caFile, "npm_config_fetch_retries=0", "npm_config_audit=false", "npm_config_fund=false",
		"npm_config_update_notifier=false", "npm_config_cache="+w.home+"/cache")
	tr := w.transcript("exec", own.host(), "npm.corp.example")
	tr.with("npm", "npm --version")
	tr.run("cat ~/.npmrc")
	tr.run("cd project && cogauth exec --env CORP_TOKEN=access -- npm install " + hello)
	own.letIn("access")
	tr.run("cogauth logout")
	tr.fails("cd project && cogauth exec --env CORP_TOKEN=access -- npm install "+hello, "cogauth login")
	own.nothingLeaked()
}

func TestTranscriptNative(t *testing.T) {
	w := newWorld(t)
	tr := w.transcript("native")
	const ask = `echo '{"version": 1, "action": "get", "url": "https://api.corp.example/v1"}' | cogauth helper native`
	tr.run("cogauth setup native https://api.corp.example --token access --write")
	tr.run(ask)
	tr.fails(strings.Replace(ask, "api.corp.example", "api.example.com", 1), "not_served")
	tr.run("cogauth logout")
	tr.fails(ask, "login_required")
}

// vaultServer is as much of Vault as a login at its JWT method and one secret. It is no Vault; it verifies
// the token as Vault would.
type vaultServer struct {
	*httptest.Server
	host, caFile string

	mu     sync.Mutex
	asked  int
	issued map[string]bool
}

func newVault(w *world) *vaultServer {
	w.t.Helper()
	v := &vaultServer{issued: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/auth/jwt/login", func(rw http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked++
		var q struct{ Role, JWT string }
		json.NewDecoder(r.Body).Decode(&q)
		if c, err := verify(r.Context(), w.pool, q.JWT); err != nil || c.TokenUse != "id" || q.Role != "dev" {
			rw.WriteHeader(http.StatusBadRequest)
			io.WriteString(rw, `{"errors":["error validating token"]}`)
			return
		}
		token := "hvs." + rand.Text()
		v.issued[token] = true
		fmt.Fprintf(rw, `{"auth":{"client_token":%q,"lease_duration":3600}}`, token)
	})
	mux.HandleFunc("GET /v1/secret/data/app", func(rw http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !v.issued[r.Header.Get("X-Vault-Token")] {
			http.Error(rw, `{"errors":["permission denied"]}`, http.StatusForbidden)
			return
		}
		io.WriteString(rw, `{"data":{"data":{"color":"blue"}}}`+"\n")
	})
	v.Server, v.caFile = w.secureServer(mux)
	v.host = strings.TrimPrefix(v.URL, "https://")
	return v
}

func (v *vaultServer) logins() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}
