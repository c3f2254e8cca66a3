package credentialhelper

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
)

// headers is for tools that run a command for a header or a token: rclone, logcli, Claude Code's
// apiKeyHelper and headersHelper, and whatever a shell can wrap.
//
//	headers [--json|--bare] [URL]
//
// It prints the line "Authorization: Bearer TOKEN", or an object of headers, or the token alone.
var headers = Protocol{Name: "headers", Run: runHeaders}

func runHeaders(ctx context.Context, c *Call) error {
	// Claude Code names the MCP server in the environment. Claude's desktop program says there whether a
	// person is waiting; nobody else does, and these tools run their command again and again.
	r := Request{
		Client:      "headers",
		URL:         c.Getenv("CLAUDE_CODE_MCP_SERVER_URL"),
		MinTTL:      briefly,
		Interactive: c.Getenv("CLAUDE_HELPER_CONTEXT") == "interactive",
	}
	form, urls := "", 0
	for _, arg := range c.Args {
		switch {
		case arg == "--json" || arg == "--bare":
			if form != "" && form != arg {
				return malformed("headers", "has --json and --bare, which are two answers")
			}
			form = arg
		case strings.HasPrefix(arg, "-"):
			return malformed("headers", "has an option that is neither --json nor --bare")
		default:
			if urls++; urls > 1 || arg == "" {
				return malformed("headers", "names no target or more than one: it takes one URL")
			}
			r.URL = arg
		}
	}
	if named := c.Getenv("CLAUDE_CODE_MCP_SERVER_URL"); named != "" {
		if place(named) != place(r.URL) {
			return &Refusal{Reason: NotServed, Message: "Claude Code wants headers for another server than the one that this command names",
				Fix: "leave the address out of headersHelper: Claude Code says it"}
		}
		r.URL = named // that is where it sends them
	}
	cred, err := c.token(ctx, r)
	if err != nil {
		return err
	}
	switch form {
	case "--json":
		b, _ := json.Marshal(map[string]string{"Authorization": "Bearer " + cred.Token}) // strings always marshal
		return c.write(string(b) + "\n")
	case "--bare":
		return c.write(cred.Token + "\n")
	}
	return c.write("Authorization: Bearer " + cred.Token + "\n")
}

// place is where a URL leads, without its path. What is no URL is a place of its own.
func place(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.User != nil {
		return rawURL
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	for protocol, port := range map[string]string{"https": ":443", "http": ":80"} {
		if scheme == protocol {
			host = strings.TrimSuffix(host, port)
		}
	}
	return scheme + "://" + host
}
