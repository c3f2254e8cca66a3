package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cogauth/cogauth/internal/origin"
)

// planners know the clients, by the names of their protocols.
var planners = map[string]func(*setupCase) (*plan, error){
	"git": planGit, "docker": planDocker, "kubectl": planKubectl, "bazel": planBazel, "cargo": planCargo,
	"goauth": planGoauth, "terraform": planTerraform, "google": planGoogle, "pnpm": planPnpm,
	"keyring": planKeyring, "vault": planVault, "headers": planHeaders, "native": planNative,
}

func planGit(c *setupCase) (*plan, error) {
	p := &plan{where: "Run these, once"} // git matches "*." as cogauth does, so that the key is the same
	helper := "cogauth --profile " + quoteArg(c.profile)
	if _, ok := c.byName("git-credential-cogauth"); !ok {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		helper = "!" + quoteArg(filepath.ToSlash(self)) + " helper git --profile " + quoteArg(c.profile)
	}
	key := "credential." + c.origin + "."
	chain, err := gitChain(c)
	if err != nil {
		p.notes = append(p.notes, "git cannot be asked what it has: "+oneLine(err.Error()))
	}
	ours := slices.IndexFunc(chain, func(h gitHelper) bool { return h.command == helper })
	if len(chain) > 0 {
		p.has = "helpers for this server, in this order: " + strings.Join(names(chain), ", ")
	}
	p.done = ours == 0 && len(chain) == 1
	if ours >= 0 && ours < len(chain)-1 {
		other := chain[ours+1]
		p.trouble = "git gives the token to " + other.command + " as well, to keep, because " + other.from + " names that after cogauth"
		p.fix = "move the section [credential \"" + c.origin + "\"] to the end of your .gitconfig, or take the other helper out"
	}
	p.commands = [][]string{
		// The empty one keeps helpers for all hosts from storing this host's tokens.
		{"git", "config", "--global", "--add", key + "helper", ""},
		{"git", "config", "--global", "--add", key + "helper", helper},
	}
	if c.path != "" {
		p.commands = append(p.commands, []string{"git", "config", "--global", key + "useHttpPath", "true"})
		// The user's own "on" may be written in another way; git itself says what it means.
		on, _ := output(c.ctx, "git", "config", "--global", "--type=bool", "--get", key+"useHttpPath")
		p.done = p.done && on == "true"
	}
	for _, argv := range p.commands {
		p.paste += commandLine(argv) + "\n"
	}
	return p, nil
}

// gitHelper is one of the helpers that git runs for a server.
type gitHelper struct{ key, command, from string }

func names(chain []gitHelper) []string {
	var list []string
	for _, h := range chain {
		list = append(list, h.command)
	}
	return list
}

// gitChain returns the helpers in the order in which git runs them, as far as they do not depend on the
// folder: an empty one ends the list before it.
func gitChain(c *setupCase) ([]gitHelper, error) {
	out, err := output(c.ctx, "git", "config", "--null", "--show-origin", "--get-regexp", `^credential(\..*)?\.helper$`)
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			return nil, nil // there is none
		}
		return nil, err
	}
	var chain []gitHelper
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		key, command, _ := strings.Cut(fields[i+1], "\n")
		of := strings.TrimSuffix(strings.TrimPrefix(key, "credential."), "helper")
		if of = strings.TrimSuffix(of, "."); of != "" && !gitMatches(of, c.origin) {
			continue
		}
		if command == "" {
			chain = nil
			continue
		}
		chain = append(chain, gitHelper{key, command, strings.TrimPrefix(fields[i], "file:")})
	}
	return chain, nil
}

// gitMatches reports whether a section for an address counts for an origin.
func gitMatches(of, served string) bool {
	pattern, err := origin.Parse(strings.TrimSuffix(of, "/"))
	if err != nil {
		return false
	}
	if pattern.String() == served {
		return true
	}
	_, ok := pattern.Match(served)
	return ok
}

func planDocker(c *setupCase) (*plan, error) {
	name := "cogauth-" + c.profile
	p := &plan{
		where: "In ~/.docker/config.json, among what is there (podman, skopeo and buildah read it too)",
		paste: fmt.Sprintf("{\n  \"credHelpers\": {\n    %q: %q\n  }\n}\n", c.host, name),
	}
	dir := c.a.getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".docker")
	}
	var has struct {
		CredHelpers map[string]string `json:"credHelpers"`
		CredsStore  string            `json:"credsStore"`
	}
	if b, err := os.ReadFile(filepath.Join(dir, "config.json")); err == nil && json.Unmarshal(b, &has) == nil {
		if helper := has.CredHelpers[c.host]; helper != "" {
			p.has = fmt.Sprintf("credHelpers has %q for %s", helper, c.host)
			p.done = helper == name
		} else if has.CredsStore != "" {
			p.has = fmt.Sprintf("credsStore is %q; credHelpers beats it for this registry", has.CredsStore)
		}
	}
	if _, ok := c.byName("docker-credential-" + name); !ok {
		p.done = false
		p.notes = append(p.notes, c.linkNote("docker-credential-"+name))
	}
	return p, nil
}

func planKubectl(c *setupCase) (*plan, error) {
	user := "cogauth-" + c.profile // one that exists may have other credentials, which kubectl would add these to
	p := &plan{where: "Run this, once"}
	argv := []string{
		"kubectl", "config", "set-credentials", user, "--exec-api-version=client.authentication.k8s.io/v1",
		"--exec-command=" + c.cogauth, "--exec-arg=helper", "--exec-arg=kubectl", "--exec-arg=--profile", "--exec-arg=" + c.profile,
		"--exec-interactive-mode=IfAvailable", "--exec-provide-cluster-info=true",
	}
	p.commands = [][]string{argv}
	p.paste = commandLine(argv) + "\n"
	p.notes = append(p.notes, "a context uses it from: kubectl config set-context CONTEXT --user="+user)
	has, err := output(c.ctx, "kubectl", "config", "view", "--raw=false", "-o", `jsonpath={.users[?(@.name=="`+user+`")].user.exec}`)
	if err == nil && has != "" {
		var exec struct {
			Command            string   `json:"command"`
			Args               []string `json:"args"`
			ProvideClusterInfo bool     `json:"provideClusterInfo"`
		}
		if json.Unmarshal([]byte(has), &exec) == nil {
			p.has = "the user " + user + " runs " + commandLine(append([]string{exec.Command}, exec.Args...))
			p.done = exec.Command == c.cogauth && exec.ProvideClusterInfo && strings.Join(exec.Args, " ") == "helper kubectl --profile "+c.profile
		}
	}
	help, err := output(c.ctx, "kubectl", "config", "set-credentials", "--help")
	if err == nil && !strings.Contains(help, "--exec-provide-cluster-info") {
		// Before 1.26 or so the command knows less, and before 1.22 there is only v1beta1.
		p.commands = nil
		p.where = "In your kubeconfig, as a user of that name (this kubectl is too old to set it by a command)"
		version := "client.authentication.k8s.io/v1beta1"
		p.paste = "users:\n- name: " + user + "\n  user:\n    exec:\n      apiVersion: " + version + "\n      command: " + c.cogauth +
			"\n      args: [helper, kubectl, --profile, " + c.profile + "]\n      provideClusterInfo: true\n"
	}
	return p, nil
}

func planBazel(c *setupCase) (*plan, error) {
	path, ok := c.byName("bazel-cogauth-" + c.profile)
	p := &plan{where: "In ~/.bazelrc", paste: "common --credential_helper=" + hostOnly(c.host) + "=" + path + "\n"}
	if !ok {
		p.notes = append(p.notes, c.linkNote("bazel-cogauth-"+c.profile))
	}
	if c.path != "" {
		p.notes = append(p.notes, "Bazel asks for a host as a whole; cogauth answers for the path "+c.path+" alone.")
	}
	p.lookIn(c, ".bazelrc", strings.TrimSpace(p.paste), "--credential_helper="+hostOnly(c.host)+"=")
	return p, nil
}

func planCargo(c *setupCase) (*plan, error) {
	command := []string{"cargo-credential-cogauth"}
	path, ok := c.byName(command[0])
	if ok {
		command[0] = path
	}
	command = append(command, "--profile", c.profile)
	b, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	line := "credential-provider = " + string(b)
	p := &plan{
		where: "In ~/.cargo/config.toml",
		paste: "[registries.corp] # the name by which Cargo.toml knows the registry\nindex = \"sparse+" + c.origin + "/\"\n" + line + "\n",
	}
	if !ok {
		p.notes = append(p.notes, c.linkNote("cargo-credential-cogauth"))
	}
	p.lookIn(c, ".cargo/config.toml", line, "cargo-credential-cogauth")
	return p, nil
}

func planGoauth(c *setupCase) (*plan, error) {
	command := commandLine([]string{c.cogauth, "helper", "goauth", "--profile", c.profile})
	p := &plan{where: "Run this, once (Go 1.24 and later)"}
	value := command + ";netrc"
	if set := c.a.getenv("GOAUTH"); set != "" {
		p.notes = append(p.notes, "GOAUTH is set in the environment, which beats what go env -w writes: unset it")
	}
	if has, err := outputWithout(c.ctx, "GOAUTH", "go", "env", "GOAUTH"); err == nil && has != "" {
		p.has = "GOAUTH is " + has
		ours := slices.ContainsFunc(strings.Split(has, ";"), func(one string) bool { return strings.TrimSpace(one) == command })
		switch {
		case ours:
			p.done = true
		case has == "off":
			value = command
		default:
			value = command + ";" + has
		}
	}
	p.commands = [][]string{{"go", "env", "-w", "GOAUTH=" + value}}
	p.paste = commandLine(p.commands[0]) + "\n"
	p.notes = append(p.notes, "go hides what helpers say; go get -x shows it.")
	return p, nil
}

func planTerraform(c *setupCase) (*plan, error) {
	p := &plan{
		where: "In ~/.terraformrc (OpenTofu: ~/.tofurc)",
		paste: "credentials_helper \"cogauth\" {\n  args = [\"--profile\", " + fmt.Sprintf("%q", c.profile) + "]\n}\n",
	}
	const link = ".terraform.d/plugins/terraform-credentials-cogauth"
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	if home, err := os.UserHomeDir(); err == nil {
		if _, err := os.Stat(filepath.Join(home, filepath.FromSlash(link))); err != nil {
			p.notes = append(p.notes, "terraform looks for helpers in ~/.terraform.d/plugins alone, and says nothing if there is none: "+
				"mkdir -p ~/.terraform.d/plugins && ln -s "+quoteArg(self)+" ~/.terraform.d/plugins/terraform-credentials-cogauth")
		}
	}
	p.notes = append(p.notes, "terraform hides what helpers say; TF_LOG=warn shows it.")
	args := strings.TrimSpace(strings.Split(p.paste, "\n")[1])
	p.lookIn(c, ".terraformrc", args, "credentials_helper")
	p.done = p.done && len(p.notes) == 1
	return p, nil
}

func planGoogle(c *setupCase) (*plan, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	type executable struct {
		Command string `json:"command"`
		Timeout int    `json:"timeout_millis"`
	}
	type source struct {
		Executable executable `json:"executable"`
	}
	b, err := json.MarshalIndent(struct {
		Type     string `json:"type"`
		Audience string `json:"audience"`
		Subject  string `json:"subject_token_type"`
		TokenURL string `json:"token_url"`
		Source   source `json:"credential_source"`
	}{
		"external_account", "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
		"urn:ietf:params:oauth:token-type:id_token", "https://sts.googleapis.com/v1/token",
		source{executable{commandLine([]string{self, "helper", "google", "--profile", c.profile}), 30000}},
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	return &plan{
		where: "In a file that GOOGLE_APPLICATION_CREDENTIALS names, with your pool's own audience; and set GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1",
		paste: string(b) + "\n",
	}, nil
}

func planPnpm(c *setupCase) (*plan, error) {
	path, ok := c.byName("pnpm-cogauth-" + c.profile)
	host := c.host
	if host == "" {
		host = "npm.corp.example"
	}
	if c.path != "" {
		host += "/" + c.path
	}
	line := "//" + host + "/:tokenHelper=" + path
	p := &plan{where: "In ~/.npmrc (your own: pnpm refuses it in a project's)", paste: line + "\n"}
	if !ok {
		p.notes = append(p.notes, c.linkNote("pnpm-cogauth-"+c.profile))
	}
	p.lookIn(c, ".npmrc", line, "//"+host+"/:tokenHelper=")
	p.notes = append(p.notes, "pnpm does not tell a helper the registry: what cogauth prints for it goes to the one in this line.")
	return p, nil
}

func planKeyring(c *setupCase) (*plan, error) {
	user := orText(c.entry.Username, "cogauth")
	index := strings.Replace(c.origin, "://", "://"+user+"@", 1) + "/"
	p := &plan{
		where: "In your shell's profile, with DIR the folder of " + c.a.spell("{cogauth} install-links DIR"),
		paste: "export PATH=\"DIR/" + shims + ":$PATH\"\nexport PIP_KEYRING_PROVIDER=subprocess\nexport PIP_INDEX_URL=" + quoteArg(index) +
			"\nexport UV_KEYRING_PROVIDER=subprocess\n",
		notes: []string{
			"pip asks for a password only where the address has a user name (26.2 and later always).",
			"A keyring that you have already goes on to answer for what cogauth does not serve.",
		},
	}
	if found, err := exec.LookPath("keyring"); err == nil {
		p.has = "keyring is " + found
	}
	return p, nil
}

func planVault(c *setupCase) (*plan, error) {
	path, ok := c.byName("vault-token-cogauth-" + c.profile)
	line := fmt.Sprintf("token_helper = %q", path)
	p := &plan{where: "In ~/.vault, and set VAULT_ADDR to " + c.origin, paste: line + "\n"}
	if !ok {
		p.notes = append(p.notes, c.linkNote("vault-token-cogauth-"+c.profile))
	}
	p.notes = append(p.notes, "COGAUTH_VAULT_ROLE and COGAUTH_VAULT_MOUNT (default jwt) say which role of which JWT method to log in with.")
	p.lookIn(c, ".vault", line, "token_helper")
	return p, nil
}

func planHeaders(c *setupCase) (*plan, error) {
	words := []string{c.cogauth, "helper", "headers", "--profile", c.profile}
	with := func(more ...string) string {
		argv := append(append([]string{}, words...), more...)
		if c.origin != "" {
			argv = append(argv, c.origin+"/")
		}
		return commandLine(argv)
	}
	return &plan{
		where: "As the command that your program asks for",
		paste: "# one header on a line:\n" + with() +
			"\n# a JSON object of headers; Claude Code's headersHelper says the address itself:\n" + commandLine(append(words, "--json")) +
			"\n# the token alone (rclone's bearer_token_command, apiKeyHelper):\n" + with("--bare") + "\n",
	}, nil
}

func planNative(c *setupCase) (*plan, error) {
	return &plan{
		where: "Have your program run this and speak credential-helper/PROTOCOL.md to it",
		paste: commandLine([]string{c.cogauth, "helper", "native", "--profile", c.profile}) + "\n",
	}, nil
}

// lookIn looks whether a file of the client's in the home folder has the line, or something in its place.
func (p *plan) lookIn(c *setupCase, name, line, instead string) {
	home, err := os.UserHomeDir()
	if err != nil {
		return
	}
	b, err := os.ReadFile(filepath.Join(home, filepath.FromSlash(name)))
	if err != nil {
		return
	}
	for has := range strings.Lines(string(b)) {
		has = strings.TrimSpace(has)
		if has == line {
			p.has, p.done = "~/"+name+" has "+line, true
			return
		}
		if strings.Contains(has, instead) && p.has == "" {
			p.has = "~/" + name + " has another " + strings.TrimRight(instead, "=")
		}
	}
}

// hostOnly is the host without its port, which Bazel does not look at.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}
