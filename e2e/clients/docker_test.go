//go:build linux

package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// registries are those of a company, which demand tokens of its user pool in three ways, one that takes
// them too but is not the company's, and one that lets anybody in.
type registries struct {
	w *world
	// corp has a token service that takes a password, identity one that takes an identity token, and
	// basic takes a password itself.
	corp, identity, basic *registry
	// stranger and strangerBasic are like corp and basic, but nobody serves them.
	stranger, strangerBasic *registry
	public                  *registry
	// anonymous is what the client under test does at a stranger's when it has no helper.
	anonymous map[*registry][]visit
}

// dockerWorld is a world with registries, in which no client is configured yet.
func dockerWorld(t *testing.T) *registries {
	t.Helper()
	w := newWorld(t)
	// This machine's own configuration must not count, nor an engine.
	w.env = append(w.env, "DOCKER_CONFIG="+w.home+"/.docker", "REGISTRY_AUTH_FILE=", "DOCKER_AUTH_CONFIG=",
		"DOCKER_HOST=unix:///nonexistent/docker.sock")
	w.path = slices.Insert(w.path, 1, filepath.Dir(tool(t, "crane")))
	r := &registries{
		w: w, corp: tokenRegistry(w), identity: tokenRegistry(w), basic: basicRegistry(w),
		stranger: tokenRegistry(w), strangerBasic: basicRegistry(w), public: openRegistry(w),
	}
	w.serve("corp", `origin = "http://`+r.corp.host+`"`, `token = "access"`)
	w.serve("corp", `origin = "http://`+r.identity.host+`"`, `token = "id"`, `username = "<token>"`)
	w.serve("corp", `origin = "http://`+r.basic.host+`"`, `username = "oauth2"`)
	return r
}

// withoutHelper notes what a client does at a stranger's when it has no helper.
func (r *registries) withoutHelper(read func(ref string) result) {
	r.anonymous = map[*registry][]visit{}
	for _, stranger := range []*registry{r.stranger, r.strangerBasic} {
		stranger.doors.seen()
		if got := read(stranger.host + "/tiny:1"); got.status == 0 {
			r.w.t.Fatalf("without a helper: got exit status 0\n%s", got.all())
		}
		r.anonymous[stranger] = distinctVisits(stranger.doors.seen())
		if len(r.anonymous[stranger]) == 0 {
			r.w.t.Fatal("without a helper: nobody came")
		}
	}
}

// distinctVisits is visits in some order, each once: clients repeat themselves.
func distinctVisits(visits []visit) []visit {
	slices.SortFunc(visits, func(a, b visit) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return slices.Compact(visits)
}

// registryForm is one way in which a registry takes one kind of token.
type registryForm struct {
	registry              *registry
	use, scheme, username string
}

func (r *registries) forms() []registryForm {
	return []registryForm{{r.corp, "access", "Basic", "cognito"}, {r.identity, "id", "form", ""}, {r.basic, "id", "Basic", "oauth2"}}
}

// credsStore has Docker ask one helper about all registries.
func (r *registries) credsStore(suffix string) {
	r.w.t.Helper()
	r.w.write(".docker/config.json", `{"credsStore": "`+suffix+`"}`+"\n", 0o600)
}

// credHelpers has the clients that read the file ask a helper about these registries and about no others.
func (r *registries) credHelpers(file, suffix string, of ...*registry) {
	r.w.t.Helper()
	hosts := map[string]string{}
	for _, registry := range of {
		hosts[registry.host] = suffix
	}
	text, err := json.MarshalIndent(map[string]any{"credHelpers": hosts}, "", "  ")
	if err != nil {
		r.w.t.Fatal(err)
	}
	r.w.write(file, string(text)+"\n", 0o600)
}

// refreshes runs do and fails unless cogauth refreshed its tokens so many times meanwhile.
func (r *registries) refreshes(want int, what string, do func() result) result {
	r.w.t.Helper()
	before := r.w.pool.Redemptions()
	got := do()
	if n := r.w.pool.Redemptions() - before; n != want {
		r.w.t.Errorf("%s: got %d refreshes, want %d\n%s", what, n, want, got.all())
	}
	return got
}

// works fails unless got is a success.
func (r *registries) works(what string, got result) {
	r.w.t.Helper()
	if got.status != 0 {
		r.w.t.Fatalf("%s: got exit status %d, want 0\n%s", what, got.status, got.all())
	}
}

// fromColdToStranger has a client read an image: with a refresh, without one, and from registries that
// nobody serves, which must not see a token.
func (r *registries) fromColdToStranger(read func(ref string) result, f registryForm) {
	w := r.w
	w.t.Helper()
	f.registry.doors.seen()
	w.cold()
	r.works("cold", r.refreshes(1, "cold", func() result { return read(f.registry.host + "/tiny:1") }))
	f.came()
	r.works("warm", r.refreshes(0, "warm", func() result { return read(f.registry.host + "/tiny:1") }))
	f.came()
	for stranger, anonymous := range r.anonymous {
		stranger.doors.seen()
		got := r.refreshes(0, "a stranger", func() result { return read(stranger.host + "/tiny:1") })
		if got.status == 0 {
			w.t.Errorf("a stranger: got exit status 0 without a token\n%s", got.all())
		}
		if visits := distinctVisits(stranger.doors.seen()); !slices.Equal(visits, anonymous) {
			w.t.Errorf("a stranger: got %+v, want what comes without a helper, %+v", visits, anonymous)
		}
	}
	r.works("public", r.refreshes(0, "public", func() result { return read(r.public.host + "/tiny:1") }))
}

// came fails unless a good token of this kind came to the doors in this way, and nothing else did.
func (f registryForm) came() {
	t := f.registry.doors.w.t
	t.Helper()
	visits := f.registry.doors.seen()
	good := 0
	for _, v := range visits {
		if v.scheme != "" && (v.scheme != f.scheme || v.use != f.use || v.username != f.username) {
			t.Errorf("came %+v, want %s with an %s token for %q", v, f.scheme, f.use, f.username)
		}
		if v.scheme != "" {
			good++
		}
	}
	if good == 0 {
		t.Errorf("nobody came with a token: %+v", visits)
	}
}

// signedOut has the person sign out: the company's registry cannot be read and the person is told what to
// do, and the public one still can.
func (r *registries) signedOut(read func(ref string) result, from *registry) {
	w := r.w
	w.t.Helper()
	w.signOut()
	from.doors.seen()
	got := read(from.host + "/tiny:1")
	if got.status == 0 {
		w.t.Errorf("signed out: got exit status 0\n%s", got.all())
	}
	if !strings.Contains(got.all(), "cogauth login") {
		w.t.Errorf("signed out: nobody says how to sign in\n%s", got.all())
	}
	from.doors.nothingLeaked()
	r.works("signed out, public", read(r.public.host+"/tiny:1"))
}

// seed puts an image into registries that the person can write to.
func (r *registries) seed(to ...*registry) {
	w := r.w
	w.t.Helper()
	layer := tinyLayer(w)
	r.w.write("seeding/config.json", `{"credsStore": "cogauth"}`, 0o600)
	for _, registry := range to {
		cmd := w.command("crane", "append", "-f", layer, "-t", registry.host+"/tiny:1")
		cmd.Env = append(cmd.Env, "DOCKER_CONFIG="+w.home+"/seeding")
		r.works("seed", w.run(cmd))
	}
}

func TestCrane(t *testing.T) {
	r := dockerWorld(t)
	w := r.w
	image := w.home + "/tiny.tar"
	w.ok("crane", "append", "-f", tinyLayer(w), "-t", "tiny:1", "-o", image)
	w.ok("crane", "push", image, r.public.host+"/tiny:1")
	read := func(ref string) result { return w.run(w.command("crane", "pull", ref, w.home+"/pulled.tar")) }

	r.withoutHelper(read)
	r.credsStore("cogauth")
	for _, form := range r.forms() {
		ref := form.registry.host + "/tiny:1"
		w.cold()
		r.works("push", r.refreshes(1, "push", func() result { return w.run(w.command("crane", "push", image, ref)) }))
		form.came()
		r.fromColdToStranger(read, form)
	}
	w.ok("crane", "push", image, r.corp.host+"/deep/down/tiny:1")
	w.ok("crane", "manifest", r.corp.host+"/deep/down/tiny:1")
	if tags := w.ok("crane", "ls", r.corp.host+"/tiny").stdout; tags != "1\n" {
		t.Errorf("tags: got %q, want one, 1", tags)
	}

	// By the program's name the profile is said, and the registry must still be one that it serves.
	r.credsStore("cogauth-corp")
	r.fromColdToStranger(read, r.forms()[0])
	r.credHelpers(".docker/config.json", "cogauth-corp", r.corp, r.stranger, r.strangerBasic)
	r.fromColdToStranger(read, r.forms()[0])

	r.credsStore("cogauth")
	r.signedOut(read, r.corp)
}

func TestSkopeo(t *testing.T) {
	rig.Require(t, "skopeo", "skopeo")
	r := dockerWorld(t)
	w := r.w
	r.seed(r.public)
	read := func(ref string) result {
		os.RemoveAll(w.home + "/pulled")
		return w.run(w.command("skopeo", "copy", "--src-tls-verify=false", "docker://"+ref, "dir:"+w.home+"/pulled"))
	}
	r.withoutHelper(read)
	r.works("public", read(r.public.host+"/tiny:1"))
	if err := os.Rename(w.home+"/pulled", w.home+"/tiny"); err != nil {
		t.Fatal(err)
	}
	all := []*registry{r.corp, r.identity, r.basic, r.stranger, r.strangerBasic}
	for i, configuration := range []struct {
		name string
		make func()
	}{
		{"its own file, with the profile", func() { r.credHelpers(".config/containers/auth.json", "cogauth-corp", all...) }},
		{"its own file", func() { r.credHelpers(".config/containers/auth.json", "cogauth", all...) }},
		{"Docker's file", func() { r.credHelpers(".docker/config.json", "cogauth-corp", all...) }},
		{"for all registries", func() {
			w.write(".config/containers/registries.conf", `credential-helpers = ["cogauth", "containers-auth.json"]`+"\n", 0o600)
		}},
	} {
		os.RemoveAll(w.home + "/.docker")
		os.RemoveAll(w.home + "/.config/containers")
		configuration.make()
		t.Log(configuration.name)
		forms := r.forms()
		if i > 0 {
			forms = forms[:1] // they differ in how the helper is found, and not in what comes then
		}
		for _, form := range forms {
			w.cold()
			r.works("push", r.refreshes(1, "push", func() result {
				return w.run(w.command("skopeo", "copy", "--dest-tls-verify=false", "dir:"+w.home+"/tiny", "docker://"+form.registry.host+"/tiny:1"))
			}))
			form.came()
			r.fromColdToStranger(read, form)
		}
	}
	r.signedOut(read, r.corp)
}

func TestDockerCLI(t *testing.T) {
	rig.Require(t, "docker", "docker")
	r := dockerWorld(t)
	w := r.w
	r.seed(r.public, r.corp, r.identity, r.basic)
	// Of the commands that need no engine, this is the one that reads from a registry.
	read := func(ref string) result {
		return w.run(w.command("docker", "manifest", "inspect", "--insecure", ref))
	}
	r.withoutHelper(read)
	r.credsStore("cogauth")
	for _, form := range r.forms() {
		r.fromColdToStranger(read, form)
	}
	r.credHelpers(".docker/config.json", "cogauth-corp", r.corp, r.stranger, r.strangerBasic)
	r.fromColdToStranger(read, r.forms()[0])

	r.credsStore("cogauth")
	r.signedOut(read, r.corp)
}

func TestJ6DockerLogout(t *testing.T) {
	rig.Require(t, "docker", "docker")
	logsOut(t, func(r *registries, host string) *exec.Cmd { return r.w.command("docker", "logout", host) })
}

func TestJ6CraneLogout(t *testing.T) {
	logsOut(t, func(r *registries, host string) *exec.Cmd {
		return r.w.command("crane", "auth", "logout", host)
	})
}

func TestJ6SkopeoLogout(t *testing.T) {
	rig.Require(t, "skopeo", "skopeo")
	logsOut(t, func(r *registries, host string) *exec.Cmd {
		r.credHelpers("auth.json", "cogauth", r.corp, r.stranger)
		return r.w.command("skopeo", "logout", "--authfile", r.w.home+"/auth.json", host)
	})
}

// logsOut has a person log out of a registry: the token is forgotten, and not the session, so nobody has to
// sign in again.
func logsOut(t *testing.T, logout func(r *registries, host string) *exec.Cmd) {
	t.Helper()
	r := dockerWorld(t)
	w := r.w
	r.seed(r.corp)
	r.credsStore("cogauth")
	read := func() result { return w.run(w.command("crane", "manifest", r.corp.host+"/tiny:1")) }
	r.works("before", r.refreshes(0, "before", read))
	r.works("logout", r.refreshes(0, "logout", func() result { return w.run(logout(r, r.corp.host)) }))
	r.corp.doors.seen()
	r.works("after", r.refreshes(1, "after", read))
	r.forms()[0].came()
	// Who logs out of a stranger's takes nothing away.
	r.works("logout of a stranger's", w.run(logout(r, r.stranger.host)))
	r.works("after a stranger's", r.refreshes(0, "after a stranger's", read))
}

// A password that somebody types is not kept, and they are told so: nobody would get it back.
func TestJ6DockerLogin(t *testing.T) {
	rig.Require(t, "docker", "docker")
	r := dockerWorld(t)
	w := r.w
	r.credsStore("cogauth")
	config := w.home + "/.docker/config.json"
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	login := func(to *registry, user, password string) result {
		cmd := w.command("docker", "login", "--username", user, "--password-stdin", to.host)
		cmd.Stdin = strings.NewReader(password)
		return w.run(cmd)
	}
	token := strings.TrimSpace(w.ok("cogauth", "token", "--type", "access").stdout)
	for name, got := range map[string]result{
		"a password for a public registry": login(r.public, "somebody", "a-password-of-theirs"),
		"a token for the company's":        login(r.corp, "cognito", token),
	} {
		if got.status == 0 || !strings.Contains(got.all(), "cogauth keeps no passwords") {
			t.Errorf("%s: got exit status %d, want a refusal\n%s", name, got.status, got.all())
		}
		if strings.Contains(got.all(), token) || strings.Contains(got.all(), "a-password-of-theirs") {
			t.Errorf("%s: the secret is shown", name)
		}
	}
	after, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("Docker's configuration: got %s, want %s", after, before)
	}
	r.seed(r.corp) // the session is as good as before
}
