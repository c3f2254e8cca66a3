package credentialhelper

import (
	"context"
	"net/url"
	"strings"
)

// goauth is the protocol of the commands in GOAUTH. The go command runs them without an address before
// it fetches anything, and once more with the address for each answer with a status of 400 to 499, an
// ordinary 404 included. It sends the headers to what is below the addresses in the answer, https only.
var goauth = Protocol{Name: "goauth", Program: "goauth-cogauth", Run: runGoauth}

func runGoauth(ctx context.Context, c *Call) error {
	switch len(c.Args) {
	case 0:
		return c.goauthAll(ctx)
	case 1:
		return c.goauthOne(ctx, c.Args[0])
	}
	return malformed("goauth", "has more words than an address")
}

// goauthAll answers with whatever is served, for the go command has not said what it is about to fetch.
func (c *Call) goauthAll(ctx context.Context) error {
	origins, err := c.Source.Origins(ctx, goauthRequest(""))
	if err != nil {
		return ignoreNotServed(err)
	}
	var answer strings.Builder
	var first error // why there is nothing, if there is nothing
	for _, origin := range origins {
		if !goauthAddress(origin) {
			continue
		}
		cred, err := c.token(ctx, goauthRequest(origin))
		if err != nil {
			if first == nil {
				first = ignoreNotServed(err)
			}
			continue
		}
		answer.WriteString(goauthBlock(origin, cred))
	}
	if answer.Len() == 0 {
		return first
	}
	return c.write(answer.String())
}

// goauthOne answers for the address of a response that the go command was not content with.
func (c *Call) goauthOne(ctx context.Context, address string) error {
	in, err := c.readAll("goauth")
	if err != nil {
		return err
	}
	refused, err := parseGoauth(string(in))
	if err != nil {
		return err
	}
	if !goauthAddress(address) {
		return nil
	}
	r := goauthRequest(withoutQuery(address))
	r.Refresh = refused
	cred, err := c.token(ctx, r)
	if err != nil {
		return ignoreNotServed(err)
	}
	prefix, err := c.goauthPrefix(ctx, address, cred)
	if err != nil {
		return err
	}
	return c.write(goauthBlock(prefix, cred))
}

// goauthPrefix is the address below which cred may be sent: that which is served and holds address, or
// all of its host where a wildcard serves it. The go command compares addresses byte for byte, so it is
// written as the client writes it.
func (c *Call) goauthPrefix(ctx context.Context, address string, cred Credential) (string, error) {
	origins, err := c.Source.Origins(ctx, goauthRequest(""))
	if err != nil {
		return "", err
	}
	prefix := goauthHost(address)
	for _, origin := range origins {
		// The go command goes by the longest that it knows, which therefore is the one to replace.
		if goauthAddress(origin) && under(address, origin) && len(origin) >= len(prefix) {
			prefix = origin
		}
	}
	if !under(address, prefix) {
		return address, nil // of a host without a path, but with a query
	}
	// What serves address may be limited to a path. Then a wider prefix gets another token, or none.
	wide, err := c.token(ctx, goauthRequest(prefix))
	if err != nil || wide.Token != cred.Token {
		return address, nil
	}
	return prefix, nil
}

// under reports whether the go command uses the headers of prefix for address.
func under(address, prefix string) bool {
	rest, ok := strings.CutPrefix(address, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// goauthRequest asks for a token with most of its life left: the go command keeps it for as long as it runs.
func goauthRequest(url string) Request { return Request{Client: "goauth", URL: url, MinTTL: long} }

// goauthAddress reports whether s is an address that the go command sends headers to, and can read.
func goauthAddress(s string) bool {
	u, err := url.ParseRequestURI(s)
	return err == nil && strings.HasPrefix(s, "https://") && u.Host != "" && u.User == nil
}

// goauthHost is the address without what follows the host.
func goauthHost(address string) string {
	host := strings.TrimPrefix(address, "https://")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return "https://" + host
}

// goauthBlock is an answer for one prefix. The last line is empty too: without it the go command says
// that the format is wrong.
func goauthBlock(prefix string, cred Credential) string {
	return prefix + "\n\nAuthorization: Bearer " + cred.Token + "\n\n"
}

// parseGoauth reads the response, and reports whether it says that the token was refused, or missing. A
// 404 says neither: the go command looks for modules in places where there are none all the time.
func parseGoauth(response string) (refused bool, err error) {
	status, _, _ := strings.Cut(response, "\n")
	if strings.TrimSpace(status) == "" {
		return false, nil
	}
	fields := strings.Fields(status)
	if !strings.HasPrefix(fields[0], "HTTP/") || len(fields) < 2 || len(fields[1]) != 3 {
		return false, malformed("goauth", "does not begin with the status line of a response")
	}
	return fields[1] == "401", nil
}
