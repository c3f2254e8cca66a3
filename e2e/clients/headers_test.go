//go:build linux

package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// greeter answers whoever got through a gate.
func greeter() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "hello %s\n", r.Header.Get("X-Token-Username"))
	})
}

// curl reads a header from a file, which may be a pipe: so the token is in no command line.
func TestCurl(t *testing.T) {
	rig.Require(t, "curl", "curl")
	rig.Require(t, "bash", "bash")
	w := newWorld(t)
	own, stranger := newGate(w, "Bearer", greeter()), newGate(w, "Bearer", greeter())
	w.serve("corp", `origin = "`+own.URL+`/api"`, `token = "access"`)
	w.write(".curlrc", "fail\nsilent\nshow-error\ncacert = "+w.trusting(own, stranger)+"\n", 0o600)

	pipe := func(url string) func() result {
		return func() result { return w.typed("cogauth helper headers " + url + " | curl -H @- " + url) }
	}
	substitution := func(url string) func() result {
		return func() result {
			return w.typed("bash -c 'curl -H @<(cogauth helper headers " + url + ") " + url + "'")
		}
	}
	for _, attempt := range []func(string) func() result{pipe, substitution} {
		own.coldThenWarm("access", attempt(own.URL+"/api/hello"))
		stranger.turnsAway(attempt(stranger.URL+"/api/hello"), "no profile serves https:")
		own.turnsAway(attempt(own.URL+"/other"), "no profile serves https:") // the entry is for what is below /api
	}
	w.signOut()
	for _, attempt := range []func(string) func() result{pipe, substitution} {
		own.turnsAway(attempt(own.URL+"/api/hello"), "cogauth login")
	}
}

// Claude Code runs an MCP server's headersHelper in a shell with the server's address in the environment,
// and sends the headers of the object that comes. apiKeyHelper's is a token alone.
func TestHeadersHelper(t *testing.T) {
	w := newWorld(t)
	own, stranger := newGate(w, "Bearer", greeter()), newGate(w, "Bearer", greeter())
	w.serve("corp", `origin = "`+own.URL+`"`)
	w.serve("corp", `client = "headers"`, `token = "access"`)

	connect := func(g *gate) func() result {
		return func() result {
			t.Helper()
			cmd := w.command("/bin/sh", "-c", "cogauth helper headers --json")
			cmd.Env = append(cmd.Env, "CLAUDE_CODE_MCP_SERVER_NAME=corp", "CLAUDE_CODE_MCP_SERVER_URL="+g.URL+"/mcp")
			r := w.run(cmd)
			if r.status == 0 && r.stderr != "" {
				t.Errorf("on standard error: %q, want nothing", r.stderr)
			}
			if r.status != 0 {
				return r
			}
			var headers map[string]string
			if err := json.Unmarshal([]byte(r.stdout), &headers); err != nil || len(headers) != 1 {
				t.Fatalf("the answer: got %d bytes and %v, want an object with one header", len(r.stdout), err)
			}
			return result{status: g.ask(headers)}
		}
	}
	own.coldThenWarm("id", connect(own))
	stranger.turnsAway(connect(stranger), "no profile serves https:")

	key := func() result {
		t.Helper()
		r := w.typed("cogauth helper headers --bare")
		if r.status == 0 {
			token := strings.TrimSpace(r.stdout) // as it does
			r = result{status: own.ask(map[string]string{"Authorization": "Bearer " + token, "X-Api-Key": token})}
		}
		return r
	}
	own.coldThenWarm("access", key)

	w.signOut()
	own.turnsAway(connect(own), "cogauth login")
	own.turnsAway(key, "cogauth login")
}

// ask sends a request with these headers; it returns 0 for the status 200.
func (g *gate) ask(headers map[string]string) int {
	g.w.t.Helper()
	req, err := http.NewRequestWithContext(g.w.t.Context(), "GET", g.URL+"/mcp", nil)
	if err != nil {
		g.w.t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	answer, err := g.Client().Do(req)
	if err != nil {
		g.w.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return 0
	}
	return answer.StatusCode
}
