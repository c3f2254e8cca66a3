package credentialhelper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func init() { conforms(vault, vaultParses) }

func FuzzVault(f *testing.F) { fuzzProtocol(f, vault) }

// vaultParses reads as Vault does: all of the output is the token, and it must be printable.
func vaultParses(c *transcript) error {
	if c.out == "" {
		return nil
	}
	_, body, _ := strings.Cut(c.source.exchange, "\n")
	var a struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Auth.Token != c.out {
		return fmt.Errorf("the answer is %q, not Vault's token (%v)", c.out, err)
	}
	if strings.ContainsFunc(c.out, notToken) {
		return fmt.Errorf("Vault refuses %q", c.out)
	}
	// Whatever the mount is, the login stays below the address that the Source was asked about.
	asked := c.source.requests[len(c.source.requests)-1].URL
	path, ok := strings.CutPrefix(c.source.asked[len(c.source.asked)-1], "exchange "+asked+"/v1/auth/")
	mount, _, found := strings.Cut(path, "/login ")
	if !ok || !found || strings.ContainsAny(mount, "?#%\\") || slices.ContainsFunc(strings.Split(mount, "/"), func(s string) bool { return strings.Trim(s, ".") == "" }) {
		return fmt.Errorf("the login went to %q", c.source.asked)
	}
	return nil
}

// S8: what would carry the token to another place than the one that Source was asked about.
func TestS8VaultAddressAndMount(t *testing.T) {
	for _, env := range []map[string]string{
		{"VAULT_ADDR": "vault.corp.example:8200"},
		{"VAULT_ADDR": "unix:///run/vault.sock"},
		{"VAULT_ADDR": "https://"},
		{"VAULT_ADDR": "https://vault.corp.example@evil.example"},
		{"VAULT_ADDR": "https://vault.corp.example?x="},
		{"VAULT_ADDR": "https://vault.corp.example?"},
		{"VAULT_ADDR": "https://vault.corp.example#"},
		{"VAULT_ADDR": "https://vault.corp.example\r\nHost: evil.example"},
		{"VAULT_ADDR": "https://vault.corp.example\x00"},
		{"COGAUTH_VAULT_MOUNT": "../../sys"},
		{"COGAUTH_VAULT_MOUNT": "jwt/../../x"},
		{"COGAUTH_VAULT_MOUNT": "jwt?x"},
		{"COGAUTH_VAULT_MOUNT": "jwt%2f"},
		{"COGAUTH_VAULT_MOUNT": "a//b"},
		{"COGAUTH_VAULT_MOUNT": "/"},
		{"VAULT_NAMESPACE": "a\r\nX-Evil: 1"},
		{"VAULT_NAMESPACE": "a b"},
		{"COGAUTH_VAULT_ROLE": "dev\n"},
	} {
		c := &transcript{args: []string{"get"}, env: env, source: &scripted{other: answer{cred: Credential{Token: "t"}}, exchange: `200` + "\n" + `{"auth":{"client_token":"hvs.x"}}`}}
		c.run(vault)
		if c.err == nil || c.out != "" || len(c.source.asked) > 0 {
			t.Errorf("%q: %v, wrote %q, asked %q", env, c.err, c.out, c.source.asked)
		}
	}
	for _, args := range [][]string{nil, {"list"}, {"get", "get"}, {"--mount"}, {"--mount", "get"}, {"--addr=https://x.example", "get"}} {
		c := &transcript{args: args, source: &scripted{other: answer{cred: Credential{Token: "t"}}}}
		c.run(vault)
		var malformed *MalformedError
		if !errors.As(c.err, &malformed) || c.out != "" || len(c.source.asked) > 0 {
			t.Errorf("vault %q: %v, wrote %q, asked %q", args, c.err, c.out, c.source.asked)
		}
	}
}

// unreachable is a Source whose Vault cannot be reached, and that says so with what it sent.
type unreachable struct{ scripted }

func (*unreachable) Exchange(_ context.Context, url string, _ map[string]string, body []byte) (int, []byte, error) {
	return 0, nil, fmt.Errorf("post %s %s: connection\x1b[2J refused", url, body)
}

// S9, and no token in an error.
func TestS9VaultUnreachable(t *testing.T) {
	s := &unreachable{scripted{other: answer{cred: Credential{Token: "eyJ.secret"}}}}
	var out strings.Builder
	err := vault.Run(t.Context(), &Call{Args: []string{"get"}, Out: &out, Getenv: func(string) string { return "" }, Source: s})
	if err == nil || ReasonOf(err) != Offline || out.Len() > 0 || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%v (%v), wrote %q", err, ReasonOf(err), out.String())
	}
}

// bare is a Source that trades nothing in.
type bare struct{ Source }

func TestVaultNeedsAnExchanger(t *testing.T) {
	s := &scripted{other: answer{cred: Credential{Token: "t"}}}
	var out strings.Builder
	err := vault.Run(t.Context(), &Call{Args: []string{"get"}, Out: &out, Getenv: func(string) string { return "" }, Source: bare{s}})
	if ReasonOf(err) != Misconfigured || out.Len() > 0 || len(s.asked) > 0 {
		t.Errorf("%v, wrote %q, asked %q", err, out.String(), s.asked)
	}
}
