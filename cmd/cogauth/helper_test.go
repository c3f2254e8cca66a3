//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// serving are lines of config.toml: profile a, and the further ones, serve one origin and all clients that
// name none.
const serving = `
[[profiles.a.serve]]
origin = "https://api.corp.example"

[[profiles.a.serve]]
client = "google"

[[profiles.a.serve]]
client = "pnpm"
`

// helps runs a helper to its end.
func (p *program) helps(stdin string, env []string, argv ...string) (status int, stdout, stderr string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	exe := p.exe
	if strings.Contains(argv[0], "/") {
		exe, argv = argv[0], argv[1:]
	}
	cmd := exec.CommandContext(ctx, exe, argv...)
	cmd.Env = slices.Concat(p.env, env)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// signedIn is a program with a session and with what serving says.
func signedIn(t *testing.T, client func(*cognitotest.AppClient)) *program {
	t.Helper()
	p := setup{toml: serving, client: client}.start(t)
	if status, _, errs := p.run("login", "--no-browser"); status != 0 {
		t.Fatalf("login: status %d\n%s", status, errs)
	}
	return p
}

const gitAsks = "protocol=https\nhost=api.corp.example\n\n"

// J3: a client that can pass no arguments says by the name of the program which protocol and which profile
// it means; Windows' ending and its separator do not matter.
func TestJ3ProgramNames(t *testing.T) {
	for argv0, want := range map[string][2]string{
		"git-credential-cogauth":                      {"git", ""},
		"/usr/bin/docker-credential-cogauth":          {"docker", ""},
		"docker-credential-cogauth-corp":              {"docker", "corp"},
		`C:\bin\docker-credential-cogauth-corp.EXE`:   {"docker", "corp"},
		"docker-credential-cogauth-day-job":           {"docker", "day-job"},
		"./bazel-cogauth-a":                           {"bazel", "a"},
		"pnpm-cogauth-a.exe":                          {"pnpm", "a"},
		"vault-token-cogauth-a":                       {"vault", "a"},
		"cargo-credential-cogauth":                    {"cargo", ""},
		"terraform-credentials-cogauth":               {"terraform", ""},
		"keyring":                                     {"keyring", ""},
		"kubectl-cogauth":                             {"kubectl", ""},
		"goauth-cogauth":                              {"goauth", ""},
		"cogauth":                                     {},
		"cogauth.exe":                                 {},
		"docker-credential-cogauth-":                  {},
		"git-credential-cogauth-corp":                 {}, // git can pass arguments
		"docker-credential-other":                     {},
		"/opt/docker-credential-cogauth/bin/whatever": {},
	} {
		p, profile, ok := called(argv0)
		if ok != (want[0] != "") || p.Name != want[0] || profile != want[1] {
			t.Errorf("%s: got %q, profile %q, want %q, profile %q", argv0, p.Name, profile, want[0], want[1])
		}
	}

	p := signedIn(t, nil)
	links := t.TempDir()
	if status, _, errs := p.helps("", nil, "install-links", links); status != 0 {
		t.Fatalf("install-links: status %d\n%s", status, errs)
	}
	if status, out, errs := p.helps("", nil, links+"/pnpm-cogauth-a"); status != 0 || !strings.HasPrefix(out, "Bearer eyJ") {
		t.Errorf("pnpm-cogauth-a: got status %d\n%s", status, errs)
	}
	if status, out, _ := p.helps("https://api.corp.example/v2/", nil, links+"/docker-credential-cogauth-a", "get"); status != 0 || !strings.Contains(out, `"Secret":"eyJ`) {
		t.Errorf("docker-credential-cogauth-a: got status %d", status)
	}
}

// J4: the keyring shim hands on what is not its own to the next keyring, which leads back to it.
func TestJ4SelfReference(t *testing.T) {
	p := signedIn(t, nil)
	links := t.TempDir()
	if status, _, errs := p.helps("", nil, "install-links", links); status != 0 {
		t.Fatalf("install-links: status %d\n%s", status, errs)
	}
	bin := t.TempDir()
	next := "#!/bin/sh\nexec " + links + "/shims/keyring \"$@\"\n"
	if err := os.WriteFile(bin+"/keyring", []byte(next), 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + links + "/shims:" + bin + ":/usr/bin:/bin"}
	status, out, errs := p.helps("", env, links+"/shims/keyring", "get", "https://elsewhere.example/simple/", "me")
	if status == 0 || out != "" || !strings.Contains(errs, "started by itself") {
		t.Errorf("got status %d, %q and\n%s\nwant a refusal that says why", status, out, errs)
	}
	// Without the loop, the next one answers, with all that it was asked.
	if err := os.WriteFile(bin+"/keyring", []byte("#!/bin/sh\necho \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	status, out, _ = p.helps("", env, links+"/shims/keyring", "get", "https://elsewhere.example/simple/", "me")
	if status != 0 || out != "get https://elsewhere.example/simple/ me\n" {
		t.Errorf("got status %d and %q, want the next keyring's answer", status, out)
	}
	// And where there is none there is nothing.
	status, out, errs = p.helps("", []string{"PATH=" + links + "/shims:/nowhere"}, links+"/shims/keyring", "get", "https://elsewhere.example/simple/", "me")
	if status != 1 || out+errs != "" {
		t.Errorf("got status %d, %q and %q, want 1 and silence", status, out, errs)
	}
}

// J5: whatever runs, files of other programs stay as they are, and nothing new appears but our own.
func TestJ5ForeignFiles(t *testing.T) {
	p := signedIn(t, nil)
	home := p.ring.Dir + "/home"
	foreign := []string{
		".docker/config.json", ".npmrc", ".gitconfig", ".git-credentials", ".netrc", ".kube/config", ".terraformrc",
		".cargo/config.toml", ".cargo/credentials.toml", ".aws/credentials", ".aws/config", ".bazelrc", ".vault", ".vault-token", ".pypirc",
	}
	for _, name := range foreign {
		if err := os.MkdirAll(filepath.Dir(home+"/"+name), 0o700); err != nil {
			t.Fatal(err)
		}
		text := ""
		if name == ".docker/config.json" {
			text = "{}"
		}
		if err := os.WriteFile(home+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := func() map[string]string {
		files := map[string]string{}
		filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				files[strings.TrimPrefix(path, home+"/")] = fmt.Sprint(info.Size(), info.ModTime(), info.Mode())
			}
			return nil
		})
		return files
	}
	before := state()
	for _, run := range [][]string{
		{gitAsks, "helper", "git", "get"}, {gitAsks, "helper", "git", "store"}, {gitAsks + "password=x\n", "helper", "git", "erase"},
		{"api.corp.example", "helper", "docker", "get"}, {"api.corp.example", "helper", "docker", "erase"}, {"", "helper", "docker", "list"},
		{"", "helper", "terraform", "get", "api.corp.example"}, {"", "helper", "terraform", "forget", "api.corp.example"},
		{"", "helper", "pnpm"}, {"", "helper", "google"}, {"", "helper", "goauth"},
		{"", "helper", "keyring", "get", "https://api.corp.example/", "me"}, {"", "helper", "headers", "https://api.corp.example/"},
		{"", "setup", "git", "https://api.corp.example"}, {"", "setup", "docker", "https://api.corp.example"},
		{"", "setup", "kubectl", "https://api.corp.example"}, {"", "setup", "cargo", "https://api.corp.example"},
		{"", "setup", "terraform", "https://api.corp.example"}, {"", "setup", "pnpm", "https://api.corp.example"},
		{"", "setup", "docker", "https://api.corp.example", "--write"}, {"", "setup", "bazel", "https://api.corp.example", "--write"},
		{"", "exec", "--env", "T=id", "--", "true"},
	} {
		if status, _, errs := p.helps(run[0], []string{"PATH=" + os.Getenv("PATH")}, run[1:]...); status != 0 {
			t.Errorf("%s: got status %d\n%s", strings.Join(run[1:], " "), status, errs)
		}
	}
	after := state()
	for name, is := range after {
		own := strings.Contains(name, "cogauth") || strings.HasPrefix(name, ".local/share/keyrings/")
		if was, ok := before[name]; is != was && !own {
			t.Errorf("%s: was there: %v, and was changed", name, ok)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok && !strings.Contains(name, "cogauth") {
			t.Errorf("%s: is gone", name)
		}
	}
}

// J6: erase forgets the token that was refused and nothing else: the next get has another token, no person
// is needed, and one erase costs one refresh.
func TestJ6EraseKeepsTheSession(t *testing.T) {
	p := signedIn(t, func(c *cognitotest.AppClient) { c.RefreshTokenRotation = true })
	password := func() string {
		t.Helper()
		status, out, errs := p.helps(gitAsks, nil, "helper", "git", "get")
		_, rest, ok := strings.Cut(out, "password=")
		if status != 0 || !ok {
			t.Fatalf("get: got status %d\n%s", status, errs)
		}
		token, _, _ := strings.Cut(rest, "\n")
		return token
	}
	erase := func(what string) {
		t.Helper()
		if status, out, errs := p.helps(gitAsks[:len(gitAsks)-1]+what+"\n", nil, "helper", "git", "erase"); status != 0 || out+errs != "" {
			t.Fatalf("erase: got status %d, %q, %q, want success without a word", status, out, errs)
		}
	}
	first := password()
	erase("username=oauth2\npassword=another")
	if password() != first || p.pool.Redemptions() != 0 {
		t.Error("a token that is not the cached one was refused: the cached one was forgotten")
	}
	erase("username=oauth2\npassword=" + first)
	second := password()
	if second == first || p.pool.Redemptions() != 1 {
		t.Errorf("after erase: got the same token: %v, with %d redemptions, want another and 1", second == first, p.pool.Redemptions())
	}
	erase("authtype=Bearer\ncredential=" + second)
	if password() == second {
		t.Error("after erase of a bearer token: got the same token")
	}
	// Docker and terraform do not say which token they mean.
	third := password()
	for _, argv := range [][]string{{"docker", "erase"}, {"terraform", "forget", "api.corp.example"}} {
		if status, _, errs := p.helps("api.corp.example", nil, append([]string{"helper"}, argv...)...); status != 0 {
			t.Fatalf("%v: got status %d\n%s", argv, status, errs)
		}
		next := password()
		if next == third {
			t.Errorf("after %v: got the same token", argv)
		}
		third = next
	}
	for _, argv := range [][]string{{"git", "store"}} {
		if status, _, _ := p.helps(gitAsks+"password=mine\n", nil, append([]string{"helper"}, argv...)...); status != 0 || password() != third {
			t.Errorf("%v: got status %d, or what was stored came back", argv, status)
		}
	}
	if status, _, _ := p.helps("", nil, "status"); status != 0 {
		t.Error("the session is gone")
	}
}

// Go is told of every origin at once: those of two profiles, each with its own token.
func TestGoauthOfTwoProfiles(t *testing.T) {
	p := signedIn(t, nil)
	b, err := os.ReadFile(p.dir + "/config.toml")
	if err != nil {
		t.Fatal(err)
	}
	profile, _, _ := strings.Cut(string(b), "[[")
	text := string(b) + "\n" + strings.ReplaceAll(profile, "profiles.a", "profiles.b") + "\n[[profiles.b.serve]]\norigin = \"https://other.corp.example\"\ntoken = \"access\"\n"
	if err := os.WriteFile(p.dir+"/config.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := func(want ...string) {
		t.Helper()
		status, out, errs := p.helps("", nil, "helper", "goauth")
		for _, origin := range []string{"https://api.corp.example", "https://other.corp.example"} {
			if got := strings.Contains(out, origin+"\n\nAuthorization: Bearer eyJ") || strings.Contains(out, origin+"/\n\nAuthorization: Bearer eyJ"); got != slices.Contains(want, origin) {
				t.Errorf("%s: got its token: %v (status %d)\n%s", origin, got, status, errs)
			}
		}
	}
	asked("https://api.corp.example") // nobody is signed in with b
	if status, _, errs := p.run("login", "--no-browser", "--profile", "b"); status != 0 {
		t.Fatalf("login: status %d\n%s", status, errs)
	}
	asked("https://api.corp.example", "https://other.corp.example")
	// One origin that two profiles serve is nobody's.
	if err := os.WriteFile(p.dir+"/config.toml", []byte(text+"\n[[profiles.b.serve]]\norigin = \"https://api.corp.example\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := p.helps(gitAsks, nil, "helper", "git", "get")
	if status != exitMisconfigured || strings.Contains(out, "password") || !strings.Contains(errs, "two profiles serve") {
		t.Errorf("two profiles: got status %d, %q\n%s", status, out, errs)
	}
	if status, out, _ = p.helps(gitAsks, nil, "helper", "git", "--profile", "a", "get"); status != 0 || !strings.Contains(out, "password=eyJ") {
		t.Errorf("two profiles, one named: got status %d", status)
	}
}

// L2: a browser opens only where the protocol allows it, who calls permits it, and a person is there.
func TestL2Interactive(t *testing.T) {
	const cluster = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":%v,"cluster":{"server":"https://api.corp.example"}}}`
	const cargoAsks = `{"v":1,"registry":{"index-url":"sparse+https://api.corp.example/"},"kind":"%s","operation":"read"}` + "\n"
	clients := []struct {
		name, stdin string
		env         []string
		argv        []string
		allows      bool // the protocol, and its caller
	}{
		{"git", gitAsks, nil, []string{"git", "get"}, true},
		{"git without prompts", gitAsks, []string{"GIT_TERMINAL_PROMPT=0"}, []string{"git", "get"}, false},
		{"git with credential.interactive off", gitAsks, []string{"GIT_CONFIG_PARAMETERS='credential.interactive'='false'"}, []string{"git", "get"}, false},
		{"kubectl", "", []string{"KUBERNETES_EXEC_INFO=" + fmt.Sprintf(cluster, true)}, []string{"kubectl"}, true},
		{"kubectl in a program", "", []string{"KUBERNETES_EXEC_INFO=" + fmt.Sprintf(cluster, false)}, []string{"kubectl"}, false},
		{"cargo login", fmt.Sprintf(cargoAsks, "login"), nil, []string{"cargo", "--cargo-plugin"}, true},
		{"cargo", fmt.Sprintf(cargoAsks, "get"), nil, []string{"cargo", "--cargo-plugin"}, false},
		{"docker", "api.corp.example", nil, []string{"docker", "get"}, false},
		{"google", "", []string{"GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=1"}, []string{"google"}, false},
		{"headers", "", nil, []string{"headers", "https://api.corp.example/"}, false},
	}
	p := setup{toml: serving}.start(t)
	rig.Require(t, "script", "script")
	bin := t.TempDir()
	opener := "#!/bin/sh\necho >>" + bin + "/opened\n"
	if err := os.WriteFile(bin+"/xdg-open", []byte(opener), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		for _, interactive := range []string{"never", "auto", "always"} {
			for _, terminal := range []bool{false, true} {
				want := c.allows && (interactive == "always" || interactive == "auto" && terminal)
				t.Run(fmt.Sprintf("%s, %s, terminal %v", c.name, interactive, terminal), func(t *testing.T) {
					os.Remove(bin + "/opened")
					env := slices.Concat(p.env, c.env, []string{
						"DISPLAY=:99", "PATH=" + bin + ":" + os.Getenv("PATH"), "COGAUTH_INTERACTIVE=" + interactive,
						"COGAUTH_CONFIG=" + ownProfile(t, p),
					})
					if opened := opens(t, p, env, c.stdin, terminal, bin+"/opened", c.argv); opened != want {
						t.Errorf("a browser opened: %v, want %v", opened, want)
					}
				})
			}
		}
	}
}

// ownProfile is the configuration under another name of the profile: a login that nobody finished keeps
// others of the same profile from opening a browser for a while.
func ownProfile(t *testing.T, p *program) string {
	t.Helper()
	b, err := os.ReadFile(p.dir + "/config.toml")
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("p%d", time.Now().UnixNano())
	path, text := p.dir+"/"+name+".toml", strings.ReplaceAll(string(b), "profiles.a", "profiles."+name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opens runs a helper until it has opened a browser or ended.
func opens(t *testing.T, p *program, env []string, stdin string, terminal bool, mark string, argv []string) bool {
	t.Helper()
	words := append([]string{"helper"}, argv...)
	cmd := exec.Command(p.exe, words...)
	if terminal {
		// Standard error is a terminal; standard input and output are pipes, as a client has them.
		in := t.TempDir() + "/in"
		if err := os.WriteFile(in, []byte(stdin), 0o600); err != nil {
			t.Fatal(err)
		}
		line := p.exe + " '" + strings.Join(words, "' '") + "' <" + in + " >/dev/null"
		cmd = exec.Command("script", "--quiet", "--return", "--command", line, os.DevNull)
	} else {
		cmd.Stdin = strings.NewReader(stdin)
	}
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
		select {
		case <-ended:
			_, err := os.Stat(mark)
			return err == nil
		default:
		}
	}
	t.Fatal("the helper neither ends nor opens a browser")
	return false
}

// L3: a pipeline brings a token of its own, and needs neither browser nor keychain.
func TestL3TokenFile(t *testing.T) {
	p := signedIn(t, nil)
	_, out, _ := p.helps("", nil, "token")
	good := strings.TrimSpace(out)
	_, out, _ = p.helps("", nil, "token", "--type", "access")
	access := strings.TrimSpace(out)
	if status, _, errs := p.helps("", nil, "logout"); status != 0 {
		t.Fatalf("logout: status %d\n%s", status, errs)
	}
	change := func(f func(claims map[string]any)) string {
		parts := strings.Split(good, ".")
		b, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims map[string]any
		if err := json.Unmarshal(b, &claims); err != nil {
			t.Fatal(err)
		}
		f(claims)
		if b, err = json.Marshal(claims); err != nil {
			t.Fatal(err)
		}
		parts[1] = base64.RawURLEncoding.EncodeToString(b)
		return strings.Join(parts, ".")
	}
	for _, c := range []struct {
		name, content string
		args          []string
		status        int
		says          string
	}{
		{"good", good + "\n", nil, 0, ""},
		{"expired", change(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), nil, exitLoginRequired, "the token has expired"},
		{"without an end", change(func(c map[string]any) { delete(c, "exp") }), nil, exitLoginRequired, "the token has expired"},
		{"another issuer", change(func(c map[string]any) {
			c["iss"] = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AnotherPool"
		}), nil, exitRefused, "another issuer"},
		{"another client", change(func(c map[string]any) { c["aud"] = "another" }), nil, exitRefused, "another app client"},
		{"an access token", access, nil, exitRefused, "another app client"},
		{"access wanted", good, []string{"--type", "access"}, exitMisconfigured, "there is no access token"},
		{"no token", "hello", nil, exitMisconfigured, "holds no JSON Web Token"},
		{"nothing", "", nil, exitMisconfigured, "holds no JSON Web Token"},
	} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		env := []string{"COGAUTH_ID_TOKEN_FILE=" + file, "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent"}
		status, out, errs := p.helps("", env, append([]string{"token"}, c.args...)...)
		if status != c.status || !strings.Contains(errs, c.says) || (status == 0) != (out == good+"\n") || status != 0 && out != "" {
			t.Errorf("%s: got status %d and\n%s\nwant %d and %q", c.name, status, errs, c.status, c.says)
		}
		if strings.Contains(errs, good) || c.content == "hello" && strings.Contains(errs, "hello") {
			t.Errorf("%s: what is in the file is in the error", c.name)
		}
		if c.args != nil {
			continue
		}
		// Helpers hand it out as well, with its end.
		status, out, _ = p.helps(gitAsks, env, "helper", "git", "get")
		if status != c.status || strings.Contains(out, good) != (c.status == 0) || c.status == 0 && !strings.Contains(out, "password_expiry_utc=") {
			t.Errorf("%s, git: got status %d, want %d", c.name, status, c.status)
		}
	}
	env := []string{"COGAUTH_ID_TOKEN_FILE=/nonexistent/token"}
	if status, out, errs := p.helps("", env, "token"); status != exitMisconfigured || out != "" || !strings.Contains(errs, "no such file") {
		t.Errorf("no file: got status %d\n%s", status, errs)
	}
}

// S8: line breaks in what a client sends, hosts that only look like a served one, and what is not https.
func TestS8Strangers(t *testing.T) {
	p := signedIn(t, nil)
	for _, host := range []string{
		"api.corp.example.evil.example", "evil.example/api.corp.example", "api.corp.example:8443", "api.corp.example@evil.example",
		"user@api.corp.example", "api.corp.example\rhost=evil.example", "api.corp.example%2eevil.example", "evil.example\\api.corp.example",
		"evil.example#api.corp.example", "evil.example?api.corp.example", "", ".corp.example", "api.corp.example\x00.evil.example", "xn--api.corp.example",
	} {
		for _, protocol := range []string{"https", "http", "ftp", "ssh", ""} {
			_, out, _ := p.helps("protocol="+protocol+"\nhost="+host+"\n\n", nil, "helper", "git", "get")
			if out != "" {
				t.Errorf("git, %s://%q: got an answer, want nothing", protocol, host)
			}
		}
		if _, out, _ := p.helps(host, nil, "helper", "docker", "get"); strings.Contains(out, "eyJ") {
			t.Errorf("docker, %q: got a token", host)
		}
		if !strings.Contains(host, "\x00") {
			for _, argv := range [][]string{{"terraform", "get", host}, {"headers", "https://" + host + "/"}, {"keyring", "get", "https://" + host + "/", "me"}} {
				if _, out, _ := p.helps("", []string{"PATH=/nowhere"}, append([]string{"helper"}, argv...)...); strings.Contains(out, "eyJ") {
					t.Errorf("%v: got a token", argv)
				}
			}
		}
	}
	if _, out, _ := p.helps("protocol=http\nhost=api.corp.example\n\n", nil, "helper", "git", "get"); out != "" {
		t.Error("plain http: got an answer")
	}
}

// S9: what a client sends drives no terminal, and neither does what it shows of our errors.
func TestS9NothingDrivesTheTerminal(t *testing.T) {
	p := signedIn(t, nil)
	evil := "\x1b]0;pwned\x07\u202e"
	for _, run := range [][]string{
		{"protocol=https\nhost=" + evil + "\n\n", "helper", "git", "get"},
		{evil, "helper", "docker", "get"}, {"{\"uri\":\"https://" + evil + "/\"}", "helper", "bazel", "get"},
		{"", "helper", "terraform", "get", evil}, {"", "helper", "headers", "https://" + evil + "/"},
		{"", "helper", evil}, {"", "helper", "git", evil}, {"", "helper", "--profile", evil, "pnpm"},
		{"", "setup", evil}, {"", "setup", "git", "https://" + evil}, {"", "exec", "--env", evil, "--", "true"}, {"", "exec", "--env", "A=id", "--", evil},
	} {
		_, out, errs := p.helps(run[0], nil, run[1:]...)
		if strings.ContainsAny(out+errs, "\x1b\x07\u202e") {
			t.Errorf("%q: got\n%q\n%q", run[1:], out, errs)
		}
	}
}

// What a protocol refuses by itself has a status and advice as everything else has.
func TestProtocolsOwnRefusals(t *testing.T) {
	p := signedIn(t, nil)
	for _, c := range []struct {
		stdin string
		env   []string
		argv  []string
		exit  int
		hint  bool
	}{
		{`{"token":"x"}`, nil, []string{"terraform", "store", "api.corp.example"}, exitMisconfigured, true},
		{"x", []string{"VAULT_ADDR=https://api.corp.example"}, []string{"vault", "store"}, exitFailed, true},
		{"", []string{"VAULT_ADDR=:::"}, []string{"vault", "get"}, exitMisconfigured, true},
		{"x\n", nil, []string{"keyring", "set", "https://api.corp.example/", "me"}, exitFailed, true},
	} {
		status, out, errs := p.helps(c.stdin, c.env, append([]string{"helper"}, c.argv...)...)
		if status != c.exit || out != "" || strings.Contains(errs, "cogauth: hint: ") != c.hint {
			t.Errorf("%v: got status %d, %q and\n%s\nwant %d and a hint: %v", c.argv, status, out, errs, c.exit, c.hint)
		}
	}
}
