package credentialhelper

import (
	"context"
	"encoding/json"
	"time"
)

// kubectl is the exec plugin of client-go: kubectl, helm, k9s and others. It has no way to say that there
// is nothing; every failure is an exit status and a text on standard error, which clients show.
var kubectl = Protocol{Name: "kubectl", Program: "kubectl-cogauth", Run: runKubectl}

const (
	kubeV1      = "client.authentication.k8s.io/v1"
	kubeV1beta1 = "client.authentication.k8s.io/v1beta1"

	// kubeTTL is long enough for a client that would otherwise come back for each of a burst of requests.
	kubeTTL = 2 * time.Minute
	// kubeEarly is how long before its end a token is given up, because clients use it up to the very
	// end. Should less than that be left, the client comes back for each request until the end.
	kubeEarly = 30 * time.Second
)

// kubeCredential is an ExecCredential. Versions v1 and v1beta1 have the same members.
type kubeCredential struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Spec       *kubeSpec   `json:"spec,omitempty"`
	Status     *kubeStatus `json:"status,omitempty"`
}

type kubeSpec struct {
	Interactive bool `json:"interactive"`
	Cluster     struct {
		Server string `json:"server"`
	} `json:"cluster"`
}

type kubeStatus struct {
	ExpirationTimestamp string `json:"expirationTimestamp,omitempty"`
	Token               string `json:"token"`
}

func runKubectl(ctx context.Context, c *Call) error {
	if len(c.Args) > 0 {
		return malformed("kubectl", "has arguments that this helper does not know")
	}
	// Without an ExecCredential in the environment it may be an old client, or a person who tries it out.
	// Old clients do not say either whether a person is there: then there is none.
	in := kubeCredential{APIVersion: kubeV1}
	if info := c.Getenv("KUBERNETES_EXEC_INFO"); info != "" {
		in.APIVersion = ""
		if err := json.Unmarshal([]byte(info), &in); err != nil {
			return malformed("kubectl", "has a KUBERNETES_EXEC_INFO that is not an ExecCredential in JSON")
		}
	}
	if in.APIVersion != kubeV1 && in.APIVersion != kubeV1beta1 {
		return malformed("kubectl", "wants apiVersion %.60q; there are %s and %s", in.APIVersion, kubeV1, kubeV1beta1)
	}
	r := Request{Client: "kubectl", MinTTL: kubeTTL}
	if in.Spec != nil {
		r.URL, r.Interactive = in.Spec.Cluster.Server, in.Spec.Interactive
	}
	cred, err := c.token(ctx, r)
	if err != nil {
		return err
	}
	// A client takes no other version than the one it asked for.
	out := kubeCredential{APIVersion: in.APIVersion, Kind: "ExecCredential", Status: &kubeStatus{Token: cred.Token}}
	if !cred.Expires.IsZero() {
		out.Status.ExpirationTimestamp = wholeSeconds(cred.Expires.Add(-kubeEarly))
	}
	return c.writeJSON(out)
}
