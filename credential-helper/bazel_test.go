package credentialhelper

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func init() { conforms(bazel, bazelParses) }

func FuzzBazel(f *testing.F) { fuzzProtocol(f, bazel) }

// bazelParses reads as Bazel does, which is strict about the time: whole seconds, and letters in capitals.
func bazelParses(c *transcript) error {
	var a struct {
		Headers map[string][]string
		Expires *string
	}
	if err := json.Unmarshal([]byte(c.out), &a); err != nil {
		return err
	}
	if a.Headers == nil {
		return fmt.Errorf("no headers in %q", c.out)
	}
	if len(c.source.handed) == 0 {
		if len(a.Headers) != 0 || a.Expires != nil {
			return fmt.Errorf("the answer is %q, but no token was handed out", c.out)
		}
		return nil
	}
	cred := c.source.handed[0]
	if v := a.Headers["Authorization"]; len(a.Headers) != 1 || len(v) != 1 || v[0] != "Bearer "+cred.Token {
		return fmt.Errorf("Bazel reads the headers %q", a.Headers)
	}
	switch {
	case a.Expires == nil && cred.Expires.IsZero():
		return nil
	case a.Expires == nil || cred.Expires.IsZero():
		return fmt.Errorf("the answer is %q for a token that ends at %v", c.out, cred.Expires)
	}
	end, err := time.Parse(time.RFC3339, *a.Expires)
	if err != nil || len(*a.Expires) != len("2026-11-21T15:00:00Z") {
		return fmt.Errorf("Bazel cannot read the time %q (%v)", *a.Expires, err)
	}
	if early := cred.Expires.Sub(end); early < 0 || early >= time.Second {
		return fmt.Errorf("the token ends at %v, and the answer says %v", cred.Expires, end)
	}
	return nil
}
