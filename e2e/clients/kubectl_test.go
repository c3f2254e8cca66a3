//go:build linux

package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// kubeAPI is as much of a Kubernetes API server as "kubectl get namespaces" asks for.
func kubeAPI() http.Handler {
	mux := http.NewServeMux()
	answer := func(path, body string) {
		mux.HandleFunc(path, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintln(rw, body)
		})
	}
	answer("/version", `{"major":"1","minor":"32","gitVersion":"v1.32.4"}`)
	answer("/api", `{"kind":"APIVersions","versions":["v1"]}`)
	answer("/apis", `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
	answer("/api/v1", `{"kind":"APIResourceList","groupVersion":"v1","resources":[
		{"name":"namespaces","singularName":"namespace","namespaced":false,"kind":"Namespace","shortNames":["ns"],"verbs":["get","list"]}]}`)
	answer("/api/v1/namespaces", `{"kind":"NamespaceList","apiVersion":"v1","metadata":{},"items":[
		{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"payroll"},"status":{"phase":"Active"}}]}`)
	return mux
}

// requireKubectl looks for a kubectl that speaks v1 of the exec protocol, which 1.22 brought.
func requireKubectl(t *testing.T) {
	t.Helper()
	version, minor := kubectlVersion("kubectl")
	switch {
	case version == "":
		rig.Missing(t, "kubectl", "kubectl is not installed")
	case minor < 22:
		rig.Missing(t, "kubectl", "kubectl "+version+" is older than 1.22")
	}
	rig.Ran(t, "kubectl", version)
}

func kubectlVersion(program string) (version string, minor int) {
	out, err := exec.Command(program, "version", "--client", "--output=json").Output()
	if err != nil {
		return "", 0
	}
	var v struct {
		ClientVersion struct{ Minor, GitVersion string }
	}
	if json.Unmarshal(out, &v) != nil {
		return "", 0
	}
	minor, _ = strconv.Atoi(strings.TrimRight(v.ClientVersion.Minor, "+"))
	return strings.TrimPrefix(v.ClientVersion.GitVersion, "v"), minor
}

// cluster has kubectl know a gate as a cluster of this name, for the user corp.
func (w *world) cluster(name string, g *gate) {
	w.t.Helper()
	w.ok("kubectl", "config", "set-cluster", name, "--server="+g.URL, "--certificate-authority="+g.caFile)
	w.ok("kubectl", "config", "set-context", name, "--cluster="+name, "--user=corp")
}

// kubeUser has the user corp log in with command; mode says when it may ask a person.
func (w *world) kubeUser(mode, command string, args ...string) {
	w.t.Helper()
	words := []string{"config", "set-credentials", "corp", "--exec-api-version=client.authentication.k8s.io/v1",
		"--exec-interactive-mode=" + mode, "--exec-provide-cluster-info", "--exec-command=" + command}
	for _, arg := range args {
		words = append(words, "--exec-arg="+arg)
	}
	w.ok("kubectl", words...)
}

func TestKubectlV1(t *testing.T) {
	requireKubectl(t)
	w := newWorld(t)
	own, stranger := newGate(w, `Bearer realm="kubernetes"`, kubeAPI()), newGate(w, `Bearer realm="kubernetes"`, kubeAPI())
	w.serve("corp", `origin = "`+own.URL+`"`)
	w.cluster("corp", own)
	w.cluster("stranger", stranger)
	w.kubeUser("IfAvailable", "cogauth", "helper", "kubectl", "--profile", "corp")
	w.kubectlStates("kubectl", own, stranger)
}

// kubectlStates has a kubectl, whose contexts are the clusters corp and stranger, go through all states.
func (w *world) kubectlStates(kubectl string, own, stranger *gate) {
	w.t.Helper()
	get := func() {
		w.t.Helper()
		if r := w.ok(kubectl, "--context=corp", "get", "namespaces"); !strings.Contains(r.stdout, "payroll") || r.stderr != "" {
			w.t.Errorf("get namespaces: got %q and on standard error %q, want payroll and nothing", r.stdout, r.stderr)
		}
		own.letIn("id")
	}
	w.cold()
	w.costing(1, "cold", get)
	w.costing(0, "warm", get)

	w.costing(0, "a cluster that is not served", func() {
		w.fails("[[profiles.NAME.serve]]", kubectl, "--context=stranger", "get", "namespaces")
	})
	stranger.nothingLeaked()

	w.signOut()
	w.fails("cogauth login", kubectl, "--context=corp", "get", "namespaces")
	own.nothingLeaked()
}

// An entry without a cluster's address is for a client that is told to say nothing of it, as some tools
// write it.
func TestKubectlWithoutClusterInfo(t *testing.T) {
	requireKubectl(t)
	w := newWorld(t)
	own := newGate(w, `Bearer realm="kubernetes"`, kubeAPI())
	w.cluster("corp", own)
	w.ok("kubectl", "config", "set-credentials", "corp", "--exec-api-version=client.authentication.k8s.io/v1",
		"--exec-interactive-mode=Never", "--exec-command=kubectl-cogauth")

	w.serve("corp", `origin = "`+own.URL+`"`)
	w.fails("exit code", "kubectl", "--context=corp", "get", "namespaces")
	own.nothingLeaked()

	w.serve("corp", `client = "kubectl"`)
	w.ok("kubectl", "--context=corp", "get", "namespaces")
	own.letIn("id")
}

// kubectl runs a helper that fails many times for one command, and editors poll with it all night.
func TestL2KubectlStartsNoStormOfBrowsers(t *testing.T) {
	requireKubectl(t)
	w := newWorld(t)
	own := newGate(w, `Bearer realm="kubernetes"`, kubeAPI())
	w.serve("corp", `origin = "`+own.URL+`"`)
	w.cluster("corp", own)
	helper, runs := w.counted("helper", "cogauth helper kubectl --profile corp")
	opened := w.browser()
	w.signOut()

	const get = "kubectl --context=corp get namespaces"
	for _, tt := range []struct {
		name, mode, line, setting string
	}{
		{"no terminal", "IfAvailable", "", "never"},
		{"no terminal, though a browser is allowed", "IfAvailable", "", "auto"},
		{"a terminal", "IfAvailable", get, "never"},
		{"a terminal, but kubectl is told never to ask", "Never", get, "auto"},
		{"a terminal, but kubectl reads a file", "IfAvailable", get + " </dev/null", "auto"},
	} {
		w.kubeUser(tt.mode, helper)
		cmd := w.command("kubectl", "--context=corp", "get", "namespaces")
		if tt.line != "" {
			cmd = w.atTerminal(tt.line)
		}
		cmd.Env = append(cmd.Env, "COGAUTH_INTERACTIVE="+tt.setting)
		r := w.run(cmd)
		if r.status == 0 || !strings.Contains(r.all(), "cogauth login") {
			t.Errorf("%s: got exit status %d, want the advice to sign in\n%s", tt.name, r.status, r.all())
		}
		if n := len(runs()); n < 2 {
			t.Errorf("%s: kubectl ran a helper that fails %d times: that is no storm to speak of", tt.name, n)
		}
		if n := len(opened()); n != 0 {
			t.Errorf("%s: got %d browsers, want none", tt.name, n)
		}
	}
	own.nothingLeaked()
}

// A person at a terminal who allows it signs in from within kubectl, once.
func TestL2KubectlSignsInAtATerminal(t *testing.T) {
	requireKubectl(t)
	w := newWorld(t)
	own := newGate(w, `Bearer realm="kubernetes"`, kubeAPI())
	w.serve("corp", `origin = "`+own.URL+`"`)
	w.cluster("corp", own)
	w.kubeUser("IfAvailable", "cogauth", "helper", "kubectl", "--profile", "corp", "--interactive", "auto")
	opened := w.browser()
	w.signOut()

	r := w.signsIn(w.atTerminal("kubectl --context=corp get namespaces"), opened)
	if !strings.Contains(r.all(), "payroll") {
		t.Errorf("kubectl: got no payroll\n%s", r.all())
	}
	if n := len(opened()); n != 0 {
		t.Errorf("got %d more browsers, want none", n)
	}
	own.letIn("id")
}
