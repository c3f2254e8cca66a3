package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// canary searches for secrets in whatever a program leaves behind.
type canary struct {
	secrets []string
	forms   [][]string // of each
}

func newCanary(secrets []string) *canary {
	c := &canary{secrets: secrets}
	for _, s := range secrets {
		c.forms = append(c.forms, forms(s))
	}
	return c
}

// forms are the ways in which text could hold s: as it is, in hex, and inside something longer that is
// in base64, where the characters depend on how many bytes come before it, modulo 3.
func forms(s string) []string {
	all := []string{s, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s)))}
	for before, shared := range []int{0, 2, 3} { // shared: the first characters, which hold bits of what comes before
		b := append(make([]byte, before), s...)
		whole := len(b) * 8 / 6 // the characters that hold no bit of what comes after
		all = append(all, base64.RawStdEncoding.EncodeToString(b)[shared:whole], base64.RawURLEncoding.EncodeToString(b)[shared:whole])
	}
	return all
}

// found returns which of the secrets text holds, by number: the secrets themselves do not belong in
// messages.
func (c *canary) found(text string) (numbers []int) {
	for i, forms := range c.forms {
		for _, form := range forms {
			if strings.Contains(text, form) {
				numbers = append(numbers, i)
				break
			}
		}
	}
	return numbers
}

// clean reports each secret that text holds.
func (c *canary) clean(t *testing.T, where, text string) {
	t.Helper()
	for _, i := range c.found(text) {
		t.Errorf("%s: holds secret %d of %d (%d bytes), want none", where, i, len(c.secrets), len(c.secrets[i]))
	}
}

// A search that misses a form would find every program clean.
func TestCanaryFindsEveryForm(t *testing.T) {
	const secret = "Zq?7~ÿ\x80\xfe/+secret"
	c := newCanary([]string{"another one", secret})
	for before := range 4 {
		for after := range 4 {
			text := strings.Repeat("a", before) + secret + strings.Repeat("z", after)
			for name, encoded := range map[string]string{
				"raw": text, "hex": hex.EncodeToString([]byte(text)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(text))),
				"base64": base64.StdEncoding.EncodeToString([]byte(text)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(text)),
			} {
				if got := c.found("… " + encoded + " …"); len(got) != 1 || got[0] != 1 {
					t.Errorf("%s, %d bytes before and %d after: got %v, want [1]", name, before, after, got)
				}
			}
		}
	}
	if got := c.found("nothing " + secret[1:]); got != nil {
		t.Errorf("text without a secret: got %v, want none", got)
	}
}
