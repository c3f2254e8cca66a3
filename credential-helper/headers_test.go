package credentialhelper

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

func init() { conforms(headers, headersParses) }

func FuzzHeaders(f *testing.F) { fuzzProtocol(f, headers) }

func headersParses(c *transcript) error {
	switch {
	case slices.Contains(c.args, "--bare"):
		return oneToken(c, "%s\n")
	case !slices.Contains(c.args, "--json"):
		return oneToken(c, "Authorization: Bearer %s\n")
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(c.out), &got); err != nil {
		return err
	}
	if len(c.source.handed) != 1 || len(got) != 1 || got["Authorization"] != "Bearer "+c.source.handed[0].Token {
		return fmt.Errorf("the headers are %q", got)
	}
	return nil
}

// L2: only a client that says that a person waits may have a browser opened.
func TestL2HeadersInteractive(t *testing.T) {
	for context, want := range map[string]bool{
		"": false, "interactive": true, "mid-session-refresh": false, "scheduled-task": false,
		"setup-test": false, "background": false, "INTERACTIVE": false,
	} {
		c := &transcript{env: map[string]string{"CLAUDE_HELPER_CONTEXT": context}, source: &scripted{other: answer{err: errNobody}}}
		c.run(headers)
		if len(c.source.requests) != 1 || c.source.requests[0].Interactive != want {
			t.Errorf("%q: asked %+v", context, c.source.requests)
		}
	}
}
