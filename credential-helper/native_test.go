package credentialhelper

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func init() { conforms(native, nativeParses) }

func FuzzNative(f *testing.F) { fuzzProtocol(f, native) }

// nativeParses reads an answer as PROTOCOL.md has it.
func nativeParses(c *transcript) error {
	var a map[string]any
	if !strings.HasSuffix(c.out, "}\n") || strings.Count(c.out, "\n") != 1 {
		return fmt.Errorf("the answer is not one line: %q", c.out)
	}
	if err := json.Unmarshal([]byte(c.out), &a); err != nil {
		return err
	}
	token, has := a["token"]
	_, failed := a["error"]
	switch {
	case a["version"] != 1.0:
		return fmt.Errorf("the version is %v", a["version"])
	case failed && has, failed != errors.Is(c.err, Status(1)), failed && (a["message"] == "" || a["message"] == nil):
		return fmt.Errorf("the answer is both, or ends with the wrong status (%v), or does not say why: %q", c.err, c.out)
	case !has:
		return nil
	case len(c.source.handed) != 1 || token != c.source.handed[0].Token:
		return fmt.Errorf("the token is %q", token)
	case a["token_type"] != "id" && a["token_type"] != "access":
		return fmt.Errorf("the token's type is %v", a["token_type"])
	}
	if end, ok := a["expires_at"]; ok && !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(end.(string)) {
		return fmt.Errorf("the token ends at %q", end)
	}
	return nil
}

func TestNativeRequestTooLarge(t *testing.T) {
	c := &transcript{stdin: `{"version":1,"action":"get","x":"` + strings.Repeat("x", maxRequest) + `"}`, source: &scripted{}}
	c.run(native)
	if !strings.Contains(c.out, `"error":"malformed"`) || !errors.Is(c.err, Status(1)) || len(c.source.asked) > 0 {
		t.Errorf("%v: %q", c.err, c.out)
	}
}

// A Source that does not say what it hands out would make clients send the wrong kind.
func TestNativeTypeOfToken(t *testing.T) {
	c := &transcript{stdin: `{"version":1,"action":"get","url":"https://git.corp.example"}`, source: &scripted{other: answer{cred: Credential{Token: "t.t.t"}}}}
	c.run(native)
	if strings.Contains(c.out, "t.t.t") || !strings.Contains(c.out, `"error":"failed"`) {
		t.Errorf("%v: %q", c.err, c.out)
	}
}

// encoding/json would put a replacement character there, others nothing.
func TestS8NativeNotUTF8(t *testing.T) {
	c := &transcript{stdin: "{\"version\":1,\"action\":\"get\",\"url\":\"https://git.corp.example/\xff\"}", source: &scripted{other: answer{cred: Credential{Token: "t.t.t", Type: "id"}}}}
	c.run(native)
	if !strings.Contains(c.out, `"error":"malformed"`) || len(c.source.asked) > 0 {
		t.Errorf("%v: %q, asked %q", c.err, c.out, c.source.asked)
	}
}
