//go:build linux

package clients

import (
	"slices"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// npm knows no helper: it reads the token from a variable that .npmrc names, and cogauth exec sets it.
func TestNpmThroughExec(t *testing.T) {
	rig.Require(t, "npm", "npm", "node")
	w := newWorld(t)
	own, stranger := newGate(w, "Bearer", npmRegistry(t)), newGate(w, "Bearer", npmRegistry(t))
	w.write(".npmrc", strings.Join([]string{
		"registry=" + own.URL + "/",
		"//" + own.host() + "/:_authToken=${CORP_TOKEN}",
		"cafile=" + w.trusting(own, stranger),
		"fetch-retries=0", "audit=false", "fund=false", "update-notifier=false", "cache=./cache",
		"",
	}, "\n"), 0o600)
	install := func(flags string) func() result {
		return func() result {
			t.Helper()
			return w.typed("cogauth exec --profile corp --env CORP_TOKEN=id -- npm install "+hello+flags, "package.json", `{"name":"project","private":true}`)
		}
	}
	own.coldThenWarm("id", install(""))
	stranger.turnsAway(install(" --registry=" + stranger.URL + "/"))

	w.signOut()
	own.seen()
	r := install("")()
	if r.status != 3 || !strings.Contains(r.stderr, "cogauth login") {
		t.Errorf("signed out: got exit status %d, want 3 and how to sign in\n%s", r.status, r.all())
	}
	if visits := own.seen(); len(visits) != 0 {
		t.Errorf("npm ran without a token: %+v", visits)
	}
}

// The command gets the token in the variable that was named and nowhere else, and everything else as it was.
func TestExecGivesTheTokenInOneVariable(t *testing.T) {
	w := newWorld(t)
	const report = `tr '\0' '\n' </proc/$$/environ; echo ---; tr '\0' '\n' </proc/$$/cmdline`
	look := func(line string) (env, argv []string) {
		t.Helper()
		r := w.typed(line)
		if r.status != 0 || r.stderr != "" {
			t.Fatalf("got exit status %d and %q, want 0 and nothing on standard error", r.status, r.stderr)
		}
		e, a, ok := strings.Cut(r.stdout, "---\n")
		if !ok {
			t.Fatal("the command did not report")
		}
		return strings.Split(e, "\n"), strings.Split(a, "\n")
	}
	script := w.write("bin/report", "#!/bin/sh\n"+report+"\n", 0o700)
	plain, _ := look("exec " + script)
	env, argv := look("exec cogauth exec --profile corp --env CORP_ID=id --env CORP_ACCESS=access -- " + script)
	uses := map[string]string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if c, err := verify(t.Context(), w.pool, value); err == nil {
			uses[name] = c.TokenUse
			continue
		}
		skip := name == "PWD" || name == "COGAUTH_DEPTH" // a folder of its own; and how deep cogauth is in itself
		if !skip && !slices.Contains(plain, kv) {
			t.Errorf("%s is in the command's environment, want it as it was", name)
		}
	}
	if len(uses) != 2 || uses["CORP_ID"] != "id" || uses["CORP_ACCESS"] != "access" {
		t.Errorf("tokens in the environment: got %v, want CORP_ID and CORP_ACCESS", uses)
	}
	for _, word := range argv {
		if strings.Contains(word, "eyJ") {
			t.Error("a token is in the command line")
		}
	}
	if r := w.typed("cogauth exec --profile corp --env CORP_ID=id -- sh -c 'exit 42'"); r.status != 42 || r.all() != "" {
		t.Errorf("the command's exit status: got %d and %q, want 42 and not a word", r.status, r.all())
	}
}
