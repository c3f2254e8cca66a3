//go:build linux

package clients

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// asker is a helper, and how its client asks it and reads the answer.
type asker struct {
	name  string
	use   string // of the token that it is to have
	args  []string
	stdin string
	env   []string
	token func(answer string) string
}

// between is what stands in s between two texts, or "".
func between(s, before, after string) string {
	_, s, found := strings.Cut(s, before)
	if !found {
		return ""
	}
	s, _, _ = strings.Cut(s, after)
	return s
}

// after reads a token that begins after a text and ends with a quotation mark or a line.
func after(before string) func(string) string {
	return func(answer string) string {
		token := between(answer, before, "\n")
		token, _, _ = strings.Cut(token, `"`)
		return token
	}
}

// askers are all helpers. Their target is host, of which https is served.
func askers(host string) []asker {
	url := "https://" + host
	return []asker{
		{"git", "access", []string{"git-credential-cogauth", "get"}, "protocol=https\nhost=" + host + "\n\n", nil, after("password=")},
		{"docker", "access", []string{"docker-credential-cogauth", "get"}, host, nil, after(`"Secret":"`)},
		{"kubectl", "id", []string{"cogauth", "helper", "kubectl"}, "",
			[]string{`KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`}, after(`"token":"`)},
		{"bazel", "access", []string{"bazel-cogauth", "get"}, `{"uri":"` + url + `/cache"}`, nil, after(`"Bearer `)},
		{"cargo", "access", []string{"cargo-credential-cogauth", "--cargo-plugin"},
			`{"v":1,"registry":{"index-url":"sparse+` + url + `/index/","name":"corp"},"kind":"get","operation":"read"}` + "\n", nil, after(`"Bearer `)},
		{"goauth", "access", []string{"goauth-cogauth"}, "", nil, after("Bearer ")},
		{"terraform", "access", []string{"terraform-credentials-cogauth", "get", host}, "", nil, after(`"token":"`)},
		{"google", "id", []string{"cogauth", "helper", "google"}, "",
			[]string{"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE=urn:ietf:params:oauth:token-type:id_token", "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=0"}, after(`"id_token":"`)},
		{"pnpm", "id", []string{"pnpm-cogauth"}, "", nil, after("Bearer ")},
		{"keyring", "access", []string{"cogauth", "helper", "keyring", "get", url + "/simple/", "oauth2"}, "", nil, strings.TrimSpace},
		{"headers", "access", []string{"cogauth", "helper", "headers", url}, "", nil, after("Authorization: Bearer ")},
		{"native", "access", []string{"cogauth", "helper", "native"}, `{"version":1,"action":"get","url":"` + url + `","min_ttl_seconds":86400}` + "\n", nil, after(`"token":"`)},
		{"token", "id", []string{"cogauth", "token"}, "", nil, strings.TrimSpace},
		{"exec", "id", []string{"cogauth", "exec", "--env", "CORP=id"}, "", nil, strings.TrimSpace},
	}
}

// demands are for how long a token is to be good. No token of the pool lives for longer than an hour.
var demands = []string{"", "1m", "20m", "45m", "3h", "24h"}

// mixedHerd is how many helpers want a token at once.
const mixedHerd = 64

// Acceptance 3: sixty-four helpers of all kinds, with demands that a token can meet and demands that none
// can, find the session's tokens expired. The pool rotates refresh tokens with no grace: a second
// redemption of one would be the end of the session. There is one, for all.
func TestD1MixedHelpersRedeemOnce(t *testing.T) {
	w := newWorld(t)
	const host = "corp.example"
	w.serve("corp", `origin = "https://`+host+`"`, `token = "access"`)
	for _, name := range []string{"kubectl", "google", "pnpm"} {
		w.serve("corp", `client = "`+name+`"`, `token = "id"`)
	}

	// The tokens of this login are short-lived, those of a refresh are not.
	err := w.pool.UpdateClient(w.pool.Client().ID, func(c *cognitotest.AppClient) { c.RefreshTokenRotation, c.RetryGracePeriod = true, 0 })
	if err != nil {
		t.Fatal(err)
	}
	const left = 3 * time.Second
	w.pool.TamperIDToken(func(_, claims map[string]any) { claims["exp"] = time.Now().Add(left).Unix() })
	w.signIn()
	w.pool.TamperIDToken(nil)
	time.Sleep(left)

	// Whoever redeems takes long enough for most of the others to have begun.
	w.pool.Fail("token", cognitotest.Failure{Delay: 2 * time.Second})
	w.costing(1, "with expired tokens in the cache", func() { w.stampede(host) })
	w.costing(0, "warm", func() { w.stampede(host) })
	w.cold()
	w.costing(1, "with no cache", func() { w.stampede(host) })
}

// stampede starts the herd and waits until each of it has a token that is good.
func (w *world) stampede(host string) {
	w.t.Helper()
	type member struct {
		asker
		cmd            *exec.Cmd
		stdout, stderr bytes.Buffer
	}
	before := len(w.pool.Requests())
	kinds := askers(host)
	herd := make([]member, mixedHerd)
	for i := range herd {
		m := &herd[i]
		m.asker = kinds[i%len(kinds)]
		args := m.args
		// Every kind comes with every demand in turn.
		if demand := demands[(i+i/len(kinds))%len(demands)]; demand != "" {
			args = append(args[:len(args):len(args)], "--min-ttl", demand)
		}
		if m.name == "exec" {
			args = append(args, "--", "printenv", "CORP")
		}
		m.cmd = w.command(args[0], args[1:]...)
		m.cmd.Env = append(m.cmd.Env, m.env...)
		m.cmd.Stdin = strings.NewReader(m.stdin)
		m.cmd.Stdout, m.cmd.Stderr = &m.stdout, &m.stderr
		if err := m.cmd.Start(); err != nil {
			w.t.Fatal(err)
		}
		defer m.cmd.Process.Kill() // where the test ends before its time
	}
	tooLong := time.AfterFunc(2*hang, func() {
		for i := range herd {
			herd[i].cmd.Process.Kill()
		}
	})
	defer tooLong.Stop()
	tokens := map[string]map[string]bool{"id": {}, "access": {}}
	for i := range herd {
		m := &herd[i]
		what := fmt.Sprintf("%d, %s", i, strings.Join(m.cmd.Args, " "))
		if err := m.cmd.Wait(); err != nil || m.stderr.Len() != 0 {
			w.t.Errorf("%s: %v, on standard error %q, want success and not a word", what, err, m.stderr.String())
			continue
		}
		token := m.token(m.stdout.String())
		c, err := verify(w.t.Context(), w.pool, token)
		if err != nil || c.TokenUse != m.use {
			w.t.Errorf("%s: got a token for %q, %v; want one for %q", what, c.TokenUse, err, m.use)
			continue
		}
		tokens[m.use][token] = true
	}
	for use, different := range tokens {
		if len(different) != 1 {
			w.t.Errorf("got %d different %s tokens, want one", len(different), use)
		}
	}
	for _, r := range w.pool.Requests()[before:] {
		if r.Error != "" {
			w.t.Errorf("the pool answered %s to a request to %s, want no refused request", r.Error, r.Endpoint)
		}
	}
}
