package credentialhelper

import (
	"context"
	"encoding/json"
)

// bazel is the protocol of Bazel's credential helpers, which EngFlow's specification describes and other
// build tools took over. A helper gets no arguments of its own: the profile is in the program's name.
var bazel = Protocol{Name: "bazel", Program: "bazel-cogauth", Suffixed: true, Run: runBazel}

func runBazel(ctx context.Context, c *Call) error {
	switch {
	case len(c.Args) == 0:
		return malformed("bazel", "has no command: it is called with get")
	case c.Args[0] != "get": // what follows get may be ignored
		return malformed("bazel", "is for another command than get")
	}
	in, err := c.readAll("bazel")
	if err != nil {
		return err
	}
	var q struct {
		URI string `json:"uri"`
	}
	if json.Unmarshal(in, &q) != nil {
		return malformed("bazel", "is not the JSON object that get has")
	}
	if !absolute(q.URI) {
		return malformed("bazel", "has no uri with a scheme and a host")
	}
	// Nobody can be asked: it is Bazel's server that calls, and it waits for ten seconds.
	cred, err := c.token(ctx, Request{Client: "bazel", URL: withoutQuery(q.URI), MinTTL: briefly})
	switch {
	case ReasonOf(err) == NotServed:
		// An error would end a build that is well off without a token.
		return c.writeJSON(bazelAnswer{Headers: map[string][]string{}})
	case err != nil:
		return err
	}
	answer := bazelAnswer{Headers: map[string][]string{"Authorization": {"Bearer " + cred.Token}}}
	if !cred.Expires.IsZero() {
		answer.Expires = wholeSeconds(cred.Expires)
	}
	return c.writeJSON(answer)
}

type bazelAnswer struct {
	Headers map[string][]string `json:"headers"`
	Expires string              `json:"expires,omitempty"`
}
