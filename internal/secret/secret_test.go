package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// S11: a secret cannot be formatted, whatever holds it and whatever the verb.
func TestS11SecretNeverFormats(t *testing.T) {
	const canary = "CANARY-value"
	type holder struct {
		Exported Secret
		hidden   Secret
	}
	h := holder{New(canary), New(canary)}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+verb+verb, h, &h, h.hidden)
		fmt.Fprintln(&out, fmt.Errorf("wrapped: "+verb, h))
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "h", h, "s", h.Exported)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "h", h, "s", h.Exported)
	if _, err := json.Marshal(h); err == nil {
		t.Error("json.Marshal accepted a secret")
	}
	if err := gob.NewEncoder(&out).Encode(h); err == nil {
		t.Error("gob accepted a secret")
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%d", []byte(canary))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the output holds the secret as %q:\n%s", form, out.String())
		}
	}
	if h.hidden.Reveal() != canary || !h.hidden.Equal(New(canary)) || h.hidden.Equal(New("other")) {
		t.Error("Reveal or Equal is wrong")
	}
	if !(Secret{}).Empty() {
		t.Error("the zero Secret is not empty")
	}
}

func TestClean(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain text stays", "Refresh Token has expired", "Refresh Token has expired"},
		{"escape sequences lose their escape", "a\x1b[31mred\x1b[0m", "a [31mred [0m"},
		{"newlines and carriage returns", "one\r\ntwo", "one two"},
		{"bidirectional override", "abc\u202edef", "abc def"},
		{"C1 control", "a\u009bb", "a b"},
		{"invalid UTF-8", "a\xffb", "a b"},
		{"long text is cut", strings.Repeat("x", 400), strings.Repeat("x", 300) + "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Clean(tc.in); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
