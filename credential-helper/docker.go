package credentialhelper

import (
	"context"
	"errors"
	"strings"
)

// docker is the one of docker, podman, skopeo, crane, helm and others
// (github.com/docker/docker-credential-helpers). It goes by the exit status and by what stands on
// standard output, failures too: a text there is shown, and one fixed text means that there is nothing.
var docker = Protocol{Name: "docker", Program: "docker-credential-cogauth", Suffixed: true, Run: runDocker}

const (
	// dockerNothing makes clients go on without credentials. Other words, or these on standard error,
	// make them give up, and with them every pull from a public registry.
	dockerNothing  = "credentials not found in native keychain"
	dockerNoServer = "no credentials server URL"
	// dockerUser is sent where no name is configured: clients drop a password that has no user name.
	dockerUser = "cognito"
)

func runDocker(ctx context.Context, c *Call) error {
	if len(c.Args) != 1 {
		return malformed("docker", "has no single operation: it is called with get, store, erase, list or version")
	}
	r := Request{Client: "docker"}
	switch c.Args[0] {
	case "get":
		return c.dockerGet(ctx, r)
	case "erase":
		return c.dockerErase(ctx, r)
	case "list":
		return c.dockerList(ctx, r)
	case "store":
		// To accept a password that no "get" will ever return would be worse than to fail, and what
		// "get" returns is not worth keeping.
		return c.dockerSay("cogauth keeps no passwords for registries: to sign in to one that it serves, run: cogauth login; give others a helper of their own in credHelpers")
	case "version", "--version", "-v":
		return c.write("docker-credential-cogauth (github.com/cogauth/cogauth)\n")
	}
	return malformed("docker", "has an unknown operation: there are get, store, erase, list and version")
}

func (c *Call) dockerGet(ctx context.Context, r Request) error {
	server, err := c.dockerServer()
	if err != nil {
		return c.dockerSay(advice(err))
	}
	if server == "" {
		return c.dockerSay(dockerNoServer)
	}
	r.URL, r.MinTTL = dockerURL(server), long // clients keep it for as long as a pull or a push takes
	cred, err := c.token(ctx, r)
	switch {
	case err != nil && ReasonOf(err) == NotServed:
		return c.dockerSay(dockerNothing)
	case err != nil:
		// Most clients show what stands on standard output. docker itself drops it, goes on without
		// credentials and shows only what came on standard error.
		return errors.Join(err, c.write(advice(err)+"\n"))
	}
	answer := struct{ ServerURL, Username, Secret string }{server, cred.Username, cred.Token}
	if answer.Username == "" {
		answer.Username = dockerUser
	}
	return c.writeJSON(answer)
}

// dockerErase forgets the token and nothing else: "docker logout" is not "cogauth logout".
func (c *Call) dockerErase(ctx context.Context, r Request) error {
	server, err := c.dockerServer()
	if err != nil {
		return c.dockerSay(advice(err))
	}
	if server == "" {
		return c.dockerSay(dockerNoServer)
	}
	r.URL = dockerURL(server)
	if err := ignoreNotServed(c.Source.Reject(ctx, r, "")); err != nil {
		return c.dockerSay(advice(err))
	}
	return nil
}

// dockerList names the registries in the form in which clients ask for them. It fetches no token: clients
// ask for each of them afterwards, and "docker build" fails if one of these fails.
func (c *Call) dockerList(ctx context.Context, r Request) error {
	origins, err := c.Source.Origins(ctx, r)
	if err := ignoreNotServed(err); err != nil {
		return c.dockerSay(advice(err))
	}
	users := map[string]string{}
	for _, origin := range origins {
		if _, server, ok := strings.Cut(origin, "://"); ok && !strings.ContainsFunc(server, isBreak) {
			users[strings.TrimSuffix(server, "/")] = dockerUser
		}
	}
	return c.writeJSON(users)
}

// dockerServer reads what names the registry; it comes with a line end from some and without from others.
func (c *Call) dockerServer() (string, error) {
	in, err := c.readAll("docker")
	if err != nil {
		return "", err
	}
	server := strings.TrimSpace(string(in))
	return server, plain("docker", server)
}

// dockerURL makes a target of "registry.corp.example:5000", "index.docker.io/library/alpine" or
// "https://index.docker.io/v1/". A scheme there is mostly an ornament, and how the registry will be spoken
// to is not said; but who says http does not mean https.
func dockerURL(server string) string {
	scheme, rest, ok := strings.Cut(server, "://")
	switch {
	case !ok:
		return "//" + server
	case strings.EqualFold(scheme, "https"):
		return "//" + rest
	}
	return server
}

// dockerSay ends the call with a text that the client understands or shows.
func (c *Call) dockerSay(text string) error {
	if err := c.write(text + "\n"); err != nil {
		return err
	}
	return Status(1)
}
