package credentialhelper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cogauth/cogauth/internal/secret"
)

// vault is the token helper of Vault's and OpenBao's command line. What it prints is a token of Vault's
// own, had for an ID token by a login at the JWT method: one login for each command that asks.
//
//	vault [--mount MOUNT] [--role ROLE] get|store|erase
//
// Vault can pass no arguments of the person's, so COGAUTH_VAULT_MOUNT and COGAUTH_VAULT_ROLE say the
// same. The server is the one in VAULT_ADDR; of an -address on Vault's command line a helper is not told.
var vault = Protocol{Name: "vault", Program: "vault-token-cogauth", Suffixed: true, Run: runVault}

// Exchanger is a Source that can trade a token for one of another server's. The vault protocol needs one.
type Exchanger interface {
	// Exchange posts a JSON body to url with those headers and returns the answer, of which it reads no
	// more than 1 MiB. It follows no redirection: the body holds a token for this server only. Neither
	// body nor answer is logged.
	Exchange(ctx context.Context, url string, header map[string]string, body []byte) (status int, answer []byte, err error)
}

func runVault(ctx context.Context, c *Call) error {
	q, err := parseVault(c)
	if err != nil {
		return err
	}
	r := Request{Client: "vault", URL: q.addr, MinTTL: briefly}
	switch q.op {
	case "store":
		return &Refusal{Reason: Failed, Message: "cogauth logs in to Vault anew for every command and stores no Vault token", Fix: "run vault commands without vault login"}
	case "erase":
		if err := plain("vault", r.URL); err != nil {
			return err
		}
		return ignoreNotServed(c.Source.Reject(ctx, r, ""))
	}
	exchanger, ok := c.Source.(Exchanger)
	if !ok {
		return &Refusal{Reason: Misconfigured, Message: "this program cannot log in to Vault"}
	}
	cred, err := c.token(ctx, r)
	if err != nil {
		return ignoreNotServed(err) // no output means that nobody is logged in
	}
	token, err := q.login(ctx, exchanger, cred.Token)
	if err != nil {
		return err
	}
	return c.write(token) // without a newline: Vault does not trim it
}

// vaultQuery is what a call says, and the environment with it.
type vaultQuery struct{ op, addr, namespace, mount, role string }

func parseVault(c *Call) (q vaultQuery, err error) {
	q.addr, q.namespace = c.Getenv("VAULT_ADDR"), c.Getenv("VAULT_NAMESPACE")
	q.mount, q.role = c.Getenv("COGAUTH_VAULT_MOUNT"), c.Getenv("COGAUTH_VAULT_ROLE")
	args := c.Args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		key, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		if !joined && len(args) > 0 {
			value, args = args[0], args[1:]
		}
		switch key {
		case "--mount":
			q.mount = value
		case "--role":
			q.role = value
		default:
			return q, malformed("vault", "has an option that is neither --mount nor --role")
		}
	}
	if len(args) != 1 || args[0] != "get" && args[0] != "store" && args[0] != "erase" {
		return q, malformed("vault", "has none of the operations get, store and erase")
	}
	q.op = args[0]
	if q.addr == "" {
		q.addr = "https://127.0.0.1:8200" // Vault's own default
	}
	if q.mount == "" {
		q.mount = "jwt"
	}
	q.mount = strings.Trim(q.mount, "/")
	return q, q.check()
}

// isMount reports whether a path needs no escaping and leads nowhere else.
func isMount(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment[0] == '.' || strings.ContainsFunc(segment, func(r rune) bool {
			return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("._-", r))
		}) {
			return false
		}
	}
	return true
}

// check refuses what would send the token somewhere else than to the server that Source is asked about.
func (q *vaultQuery) check() error {
	if err := plain("vault", q.addr, q.namespace, q.role); err != nil {
		return err
	}
	u, err := url.Parse(q.addr)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(q.addr, "#"):
		return &Refusal{Reason: Misconfigured, Message: "VAULT_ADDR is not the address of a server", Fix: "set it to a URL such as https://vault.example:8200"}
	case !isMount(q.mount):
		return &Refusal{Reason: Misconfigured, Message: "the mount of Vault's JWT method is not a path of letters, digits, '-', '_' and '.'", Fix: "set COGAUTH_VAULT_MOUNT to a path such as jwt"}
	case strings.ContainsFunc(q.namespace, notToken):
		return &Refusal{Reason: Misconfigured, Message: "VAULT_NAMESPACE holds characters that a header cannot carry"}
	}
	q.addr = strings.TrimRight(q.addr, "/")
	return nil
}

// login trades jwt for a token of Vault's.
func (q vaultQuery) login(ctx context.Context, e Exchanger, jwt string) (string, error) {
	body, _ := json.Marshal(struct { // strings always marshal
		Role string `json:"role,omitempty"`
		JWT  string `json:"jwt"`
	}{q.role, jwt})
	header := map[string]string{"X-Vault-Request": "true"} // agents and proxies may demand it
	if q.namespace != "" {
		header["X-Vault-Namespace"] = q.namespace
	}
	status, answer, err := e.Exchange(ctx, q.addr+"/v1/auth/"+q.mount+"/login", header, body)
	if err != nil {
		var r *Refusal
		if errors.As(err, &r) || ctx.Err() != nil {
			return "", err
		}
		return "", &Refusal{Reason: Offline, Message: "Vault could not be asked: " + quote(err.Error(), jwt), Err: err}
	}
	var a struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
		Errors []string
	}
	bad := json.Unmarshal(answer, &a)
	switch {
	case status >= 300 && status < 400:
		return "", &Refusal{Reason: Misconfigured, Message: fmt.Sprintf("Vault sends the login to another address (HTTP %d), and a token is not taken along", status), Fix: "set VAULT_ADDR to the address of the active server"}
	case status != http.StatusOK && len(a.Errors) > 0:
		return "", &Refusal{Reason: Refused, Message: fmt.Sprintf("Vault refused the login (HTTP %d): %s", status, quote(strings.Join(a.Errors, "; "), jwt))}
	case status != http.StatusOK:
		return "", &Refusal{Reason: Refused, Message: fmt.Sprintf("Vault refused the login (HTTP %d)", status)}
	case bad != nil || a.Auth.ClientToken == "" || strings.ContainsFunc(a.Auth.ClientToken, notToken):
		return "", &Refusal{Reason: Failed, Message: "Vault's answer to the login holds no token that could be used"}
	}
	return a.Auth.ClientToken, nil
}

// quote makes what a server said fit to be shown: safe for a terminal, and without the token it was sent.
func quote(s, token string) string {
	return secret.Clean(strings.ReplaceAll(s, token, "[token]"))
}
