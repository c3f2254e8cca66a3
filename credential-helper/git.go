package credentialhelper

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// git is Git's (gitcredentials(7)). Its answer is a bearer token where git can take one (2.46 and newer
// say so), else user name and password.
var git = Protocol{Name: "git", Program: "git-credential-cogauth", Run: runGit}

func runGit(ctx context.Context, c *Call) error {
	op := ""
	if len(c.Args) > 0 {
		op = c.Args[len(c.Args)-1]
	}
	switch op {
	case "get", "erase":
	case "capability":
		return c.write("version 0\ncapability authtype\n")
	case "":
		return malformed("git", "has no operation: it is called with get, store or erase")
	default:
		return nil // store, and what newer versions may add: gitcredentials(7) wants them ignored
	}
	in, err := c.readBlock("git")
	if err != nil {
		return err
	}
	q, err := parseGit(string(in))
	if err != nil {
		return err
	}
	r := Request{Client: "git", URL: q.url(), MinTTL: briefly, Interactive: q.interactive(c.Getenv)}
	if r.URL == "" {
		return nil
	}
	if op == "erase" {
		token := q.password
		if q.credential != "" {
			token = q.credential
		}
		if token == "" {
			return nil // somebody clears a host by hand: there is nothing of it here
		}
		return ignoreNotServed(c.Source.Reject(ctx, r, token))
	}
	cred, err := c.token(ctx, r)
	switch {
	case err == nil:
		return c.write(q.answer(cred))
	case ReasonOf(err) == NotServed:
		return nil
	}
	// Git would go on to ask for a user name and a password, and there are none here.
	return errors.Join(err, c.write("quit=1\n"))
}

// gitQuery is a request: what it says of the target, and what git can take.
type gitQuery struct {
	protocol, host, path           string
	username, password, credential string
	authtype                       bool // git can take something else than a user name and a password
	challenged, bearer             bool // the server said what it takes, and that it takes a bearer token
}

func parseGit(in string) (q gitQuery, err error) {
	for line := range strings.Lines(in) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" {
			return q, malformed("git", "has a line that is not KEY=VALUE")
		}
		if err := plain("git", key, value); err != nil {
			return q, err
		}
		switch key {
		case "protocol":
			q.protocol = value
		case "host":
			q.host = value
		case "path":
			q.path = value
		case "username":
			q.username = value
		case "password":
			q.password = value
		case "credential":
			q.credential = value
		case "capability[]":
			if value == "" {
				q.authtype = false // an empty one clears the list
			}
			q.authtype = q.authtype || value == "authtype"
		case "wwwauth[]":
			scheme, _, _ := strings.Cut(value, " ")
			q.challenged = q.challenged || value != ""
			q.bearer = q.bearer || strings.EqualFold(scheme, "Bearer")
		}
	}
	return q, nil
}

// url is the target, or "" if there is none that a token could be for: ssh and files have no use for one,
// and git has undone the escapes in a host, so that one with "/" or "#" in it is not what it looks like.
func (q gitQuery) url() string {
	if q.protocol != "https" && q.protocol != "http" || q.host == "" || strings.ContainsAny(q.host, "/?#@\\% ") {
		return ""
	}
	target := q.protocol + "://" + q.host
	if q.path != "" {
		target += (&url.URL{Path: "/" + q.path}).EscapedPath() // those of the path as well
	}
	return target
}

// interactive reports whether whoever called git lets it ask a person.
func (q gitQuery) interactive(getenv func(string) string) bool {
	for _, name := range []string{"GIT_TERMINAL_PROMPT", "GCM_INTERACTIVE"} {
		if v := getenv(name); v != "" && gitOff(v) {
			return false
		}
	}
	// Git hands the configuration of its own command line on, in two ways. Once off is off: who says it
	// in a script does not want to be asked, whatever else is said.
	params := strings.ToLower(getenv("GIT_CONFIG_PARAMETERS"))
	for _, form := range []string{"'credential.interactive'='", "'credential.interactive="} {
		for _, rest := range strings.Split(params, form)[1:] {
			if value, _, ok := strings.Cut(rest, "'"); ok && gitOff(value) {
				return false
			}
		}
	}
	n, _ := strconv.Atoi(getenv("GIT_CONFIG_COUNT"))
	for i := range min(n, 100) {
		if strings.EqualFold(getenv("GIT_CONFIG_KEY_"+strconv.Itoa(i)), "credential.interactive") &&
			gitOff(getenv("GIT_CONFIG_VALUE_"+strconv.Itoa(i))) {
			return false
		}
	}
	return true
}

// gitOff reports whether a value means that nobody is to be asked: "never", or what git takes for false,
// which is nothing at all and any way to write 0 besides the words.
func gitOff(value string) bool {
	switch value = strings.ToLower(value); value {
	case "", "false", "never", "no", "off":
		return true
	}
	n, err := strconv.ParseInt(strings.TrimRight(value, "kmg"), 0, 64)
	return err == nil && n == 0
}

// answer is written so that no other helper keeps the token for longer than it is good.
func (q gitQuery) answer(cred Credential) string {
	var b strings.Builder
	line := func(key, value string) { b.WriteString(key + "=" + value + "\n") }
	if q.authtype && cred.Username == "" && (q.bearer || !q.challenged) {
		line("capability[]", "authtype")
		line("authtype", "Bearer")
		line("credential", cred.Token)
		line("ephemeral", "1")
	} else {
		user := cred.Username
		if user == "" {
			user = q.username
		}
		if user == "" {
			user = "oauth2"
		}
		line("username", user)
		line("password", cred.Token)
	}
	if !cred.Expires.IsZero() {
		line("password_expiry_utc", strconv.FormatInt(cred.Expires.Unix(), 10))
	}
	b.WriteString("\n")
	return b.String()
}

// ignoreNotServed is for protocols in which nothing to say is said by silence.
func ignoreNotServed(err error) error {
	if ReasonOf(err) == NotServed && err != nil {
		return nil
	}
	return err
}
