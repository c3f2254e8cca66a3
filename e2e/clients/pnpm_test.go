//go:build linux

package clients

import (
	"runtime"
	"strings"
	"testing"
)

// pnpm12 is the newest pnpm, which is no script of Node's any more.
func pnpm12(t *testing.T) (exe string) {
	t.Helper()
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return fromNPM(t, "pnpm 12", "@pnpm/exe.linux-"+arch, "pnpm")
}

// The sign-in of pnpm is a setting of the user's own .npmrc, for one registry. Up to version 10 it is a
// path and nothing more.
func TestPnpm12(t *testing.T) {
	pnpmStates(t, pnpm12(t), "No authorization header was set", "No authorization header was set")
}

func TestPnpm10(t *testing.T) {
	node := fromNPM(t, "node", "node", "bin/node")
	pnpmStates(t, node+" "+fromNPM(t, "pnpm 10", "pnpm-10", "bin/pnpm.cjs"), "Exit code 7", "Exit code 3")
}

// pnpmStates has a pnpm go through all states. No version shows what the helper says on standard error: 12
// shows that there was no token, 10 the exit status.
func pnpmStates(t *testing.T, pnpm, notServed, signedOut string) {
	w := newWorld(t)
	own := newGate(w, `Bearer realm="registry"`, npmRegistry(t))
	stranger := newGate(w, `Bearer realm="registry"`, npmRegistry(t))
	w.path = append([]string{w.home + "/bin"}, w.path...)
	w.write("bin/pnpm", "#!/bin/sh\nexec "+pnpm+" \"$@\"\n", 0o700)
	w.write(".npmrc", strings.Join([]string{
		"registry=" + own.URL + "/",
		"//" + own.host() + "/:tokenHelper=" + w.links + "/pnpm-cogauth-corp",
		"cafile=" + w.trusting(own, stranger),
		"fetch-retries=0",
		"",
	}, "\n"), 0o600)
	// Each attempt is the first one: nothing is in pnpm's store.
	install := func(flags string) func() result {
		return func() result {
			t.Helper()
			return w.typed("pnpm install --store-dir ./store --config.cache-dir=./cache "+flags,
				"package.json", `{"name":"project","private":true,"dependencies":{"`+hello+`":"1.0.0"}}`)
		}
	}

	own.turnsAway(install(""), notServed) // the profile does not serve pnpm yet
	w.serve("corp", `client = "pnpm"`, `token = "access"`)
	own.coldThenWarm("access", install(""))

	stranger.turnsAway(install("--registry=" + stranger.URL + "/"))

	w.signOut()
	own.turnsAway(install(""), signedOut)
}
