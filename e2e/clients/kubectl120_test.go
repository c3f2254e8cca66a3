//go:build linux

package clients

import (
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// oldKubectl is kubectl 1.20, which speaks v1beta1 only: the one on PATH, or Debian 12's, unpacked beside
// it because both want the same name. The folder is kept for the next time.
func oldKubectl(t *testing.T) string {
	t.Helper()
	const part = "kubectl-1.20"
	found := func(program string) bool {
		version, minor := kubectlVersion(program)
		if minor != 20 {
			return false
		}
		rig.Ran(t, part, version)
		return true
	}
	if found("kubectl") {
		return "kubectl"
	}
	kept := unpacked(t, part, "kubernetes-client=1.20.*") + "/usr/bin/kubectl"
	if !found(kept) {
		rig.Missing(t, part, "Debian's kubectl does not run here")
	}
	return kept
}

func TestKubectlV1beta1(t *testing.T) {
	kubectl := oldKubectl(t)
	w := newWorld(t)
	own, stranger := newGate(w, `Bearer realm="kubernetes"`, kubeAPI()), newGate(w, `Bearer realm="kubernetes"`, kubeAPI())
	w.serve("corp", `origin = "`+own.URL+`"`)
	// This version's "config set-credentials" cannot yet ask for the cluster's address.
	w.write(".kube/config", `apiVersion: v1
kind: Config
clusters:
- {name: corp, cluster: {server: "`+own.URL+`", certificate-authority: "`+own.caFile+`"}}
- {name: stranger, cluster: {server: "`+stranger.URL+`", certificate-authority: "`+stranger.caFile+`"}}
contexts:
- {name: corp, context: {cluster: corp, user: corp}}
- {name: stranger, context: {cluster: stranger, user: corp}}
users:
- name: corp
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: kubectl-cogauth
      provideClusterInfo: true
`, 0o600)
	w.kubectlStates(kubectl, own, stranger)
}
