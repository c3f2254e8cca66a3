package credentialhelper

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func init() { conforms(kubectl, kubectlParses) }

func FuzzKubectl(f *testing.F) { fuzzProtocol(f, kubectl) }

// kubectlParses reads as client-go's exec plugin does, which knows more members than these but must not
// find them.
func kubectlParses(c *transcript) error {
	var got struct {
		APIVersion, Kind string
		Status           *struct {
			Token               string
			ExpirationTimestamp *time.Time
		}
	}
	if err := oneObject(c.out, &got); err != nil {
		return err
	}
	if len(c.source.handed) != 1 {
		return errors.New("an answer, but no token was handed out")
	}
	cred := c.source.handed[0]
	version := got.APIVersion
	if info := c.env["KUBERNETES_EXEC_INFO"]; version != kubeV1 && version != kubeV1beta1 || got.Kind != "ExecCredential" ||
		info != "" && !strings.Contains(info, "\\") && !strings.Contains(info, `"`+version+`"`) {
		return fmt.Errorf("kubectl reads version %q of %q", version, got.Kind)
	}
	if got.Status == nil || got.Status.Token != cred.Token {
		return fmt.Errorf("kubectl reads %+v", got.Status)
	}
	end := got.Status.ExpirationTimestamp
	if (end == nil) != cred.Expires.IsZero() {
		return fmt.Errorf("kubectl reads the end %v", end)
	}
	if end != nil && !end.Equal(cred.Expires.Truncate(time.Second).Add(-30*time.Second)) {
		return fmt.Errorf("kubectl reads the end %v of a token that ends %v", end, cred.Expires)
	}
	return nil
}

// TestL2KubectlInteractive: nobody is asked unless the client says that somebody is there.
func TestL2KubectlInteractive(t *testing.T) {
	for spec, want := range map[string]bool{
		`,"spec":{"interactive":true}`:  true,
		`,"spec":{"interactive":false}`: false,
		`,"spec":{"interactive":null}`:  false,
		`,"spec":{}`:                    false, // kubectl 1.20
		``:                              false,
	} {
		source := &scripted{other: answer{cred: Credential{Token: "t"}}}
		c := &transcript{env: map[string]string{"KUBERNETES_EXEC_INFO": `{"apiVersion":"` + kubeV1 + `"` + spec + `}`}, source: source}
		if c.run(kubectl); c.err != nil || source.requests[0].Interactive != want {
			t.Errorf("%q: %v, asked %q", spec, c.err, source.asked)
		}
	}
	source := &scripted{other: answer{cred: Credential{Token: "t"}}}
	if c := runOn(kubectl, source, ""); c.err != nil || source.requests[0].Interactive {
		t.Errorf("without a word of the client: %v, asked %q", c.err, source.asked)
	}
}

// TestKubectlFailures: every one is an error for the caller to say on standard error, which kubectl shows.
func TestKubectlFailures(t *testing.T) {
	for i := range reasons {
		source := &scripted{other: answer{err: &Refusal{Reason: Reason(i), Message: "it is so"}}}
		if c := runOn(kubectl, source, ""); c.out != "" || c.err == nil || ReasonOf(c.err) != Reason(i) {
			t.Errorf("%v: %q, %v", Reason(i), c.out, c.err)
		}
	}
}

func TestKubectlBadInput(t *testing.T) {
	for _, info := range []string{
		"yes", "{", "[]", `"x"`, "{}", `{"apiVersion":""}`, `{"apiVersion":1}`, `{"apiVersion":"v1"}`,
		`{"apiVersion":"` + kubeV1 + `alpha1"}`,
		`{"apiVersion":"` + kubeV1 + `"} x`,
		`{"apiVersion":"` + kubeV1 + `","spec":{"interactive":"yes"}}`,
		`{"apiVersion":"` + kubeV1 + `","spec":{"cluster":{"server":1}}}`,
		`{"apiVersion":"` + kubeV1 + `","spec":{"cluster":{"server":"https://a\r.example"}}}`,
		`{"apiVersion":"` + kubeV1 + `","spec":{"cluster":{"server":"https://a\u0000.example"}}}`,
		`{"apiVersion":"\u001b[31m` + strings.Repeat("x", 1000) + `"}`,
	} {
		source := &scripted{other: answer{cred: Credential{Token: "t"}}}
		c := &transcript{env: map[string]string{"KUBERNETES_EXEC_INFO": info}, source: source}
		c.run(kubectl)
		var malformed *MalformedError
		if !errors.As(c.err, &malformed) || c.out != "" || len(source.asked) > 0 {
			t.Errorf("%.60s: %q, %v, asked %q", info, c.out, c.err, source.asked)
		} else if strings.ContainsRune(c.err.Error(), 0x1b) || len(c.err.Error()) > 300 {
			t.Errorf("%.60s: not fit for a terminal: %q", info, c.err)
		}
	}
}
