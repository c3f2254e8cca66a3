package credentialhelper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// cargo is Cargo's credential provider protocol: a dialogue of JSON lines that the provider begins.
// Arguments that a person configures come inside the requests.
var cargo = Protocol{Name: "cargo", Program: "cargo-credential-cogauth", Run: runCargo}

func runCargo(ctx context.Context, c *Call) error {
	if len(c.Args) != 1 || c.Args[0] != "--cargo-plugin" {
		return malformed("cargo", "is not called with --cargo-plugin, and nothing else, as Cargo does")
	}
	if err := c.write(`{"v":[1]}` + "\n"); err != nil {
		return err
	}
	// Cargo waits for each answer before it goes on, so lines are served as they come. From here on
	// errors are answers: Cargo shows those, and for another exit status than 0 would show that alone.
	lines := bufio.NewScanner(c.In)
	lines.Buffer(nil, maxRequest)
	for lines.Scan() {
		if err := c.write(cargoLine(c.cargo(ctx, lines.Bytes()))); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return c.write(cargoLine(nil, malformed("cargo", "is larger than 1 MiB")))
	case err != nil:
		return fmt.Errorf("read the request: %w", err)
	}
	return nil
}

// cargo answers one request.
func (c *Call) cargo(ctx context.Context, line []byte) (*cargoOK, error) {
	q, r, err := parseCargo(line)
	if err != nil {
		return nil, err
	}
	switch q.Kind {
	case "get":
		cred, err := c.token(ctx, r)
		if ReasonOf(err) == LoginRequired {
			// "cargo login" first tries a get, and goes on to its login after this answer alone. What Cargo
			// itself says of it does not tell how to sign in.
			if c.Say != nil {
				c.Say(err)
			}
			return nil, errCargoNone
		}
		if err != nil {
			return nil, err
		}
		ok := &cargoOK{Kind: "get", Token: "Bearer " + cred.Token, Cache: "session", Independent: new(true)}
		if !cred.Expires.IsZero() {
			ok.Cache, ok.Expiration = "expires", new(cred.Expires.Unix())
		}
		return ok, nil
	case "login":
		if q.Token != "" {
			return nil, &Refusal{Reason: Misconfigured, Message: "cogauth keeps no tokens that others give it", Fix: `run "cargo login" without one`}
		}
		r.Interactive = true // a person typed "cargo login"
		if _, err := c.token(ctx, r); err != nil {
			return nil, err
		}
		return &cargoOK{Kind: "login"}, nil
	case "logout":
		// The session stays: it is not Cargo's alone.
		if err := c.Source.Reject(ctx, r, ""); err != nil {
			return nil, err
		}
		return &cargoOK{Kind: "logout"}, nil
	}
	return nil, errCargoKind
}

// errCargoKind is for what newer versions may ask.
var errCargoKind = errors.New("cargo asks for another thing than get, login and logout")

// errCargoNone is for a token that only a person can get.
var errCargoNone = errors.New("there is no token for cargo yet")

// cargoQuery is a request: the parts of it that matter here.
type cargoQuery struct {
	V        int    `json:"v"`
	Kind     string `json:"kind"`
	Registry struct {
		Index string `json:"index-url"`
	} `json:"registry"`
	Args  []string `json:"args"`
	Token string   `json:"token"` // of "cargo login"
}

func parseCargo(line []byte) (q cargoQuery, r Request, err error) {
	if json.Unmarshal(line, &q) != nil {
		return q, r, malformed("cargo", "is not a JSON object of the protocol")
	}
	if q.V != 1 {
		return q, r, malformed("cargo", "is of version %d of the protocol, and this is 1", q.V)
	}
	// Longer than the minute before the end in which Cargo takes a token for expired.
	r = Request{Client: "cargo", URL: cargoURL(q.Registry.Index), MinTTL: 2 * time.Minute}
	if !absolute(r.URL) {
		return q, r, malformed("cargo", "has no index-url with a scheme and a host")
	}
	for args := q.Args; len(args) > 0; args = args[1:] {
		name, value, ok := strings.Cut(args[0], "=")
		if name == "--profile" && !ok && len(args) > 1 {
			args = args[1:]
			value = args[0]
		}
		if name != "--profile" || value == "" {
			return q, r, malformed("cargo", "has arguments other than --profile PROFILE")
		}
		r.Profile = value
	}
	return q, r, plain("cargo", r.URL, r.Profile)
}

// cargoURL is the registry's address without what Cargo puts in front to say how it speaks to it, as in
// "sparse+https://".
func cargoURL(index string) string {
	scheme, rest, ok := strings.Cut(index, "://")
	if !ok {
		return index
	}
	scheme = scheme[strings.LastIndexByte(scheme, '+')+1:]
	return withoutQuery(scheme + "://" + rest)
}

// cargoOK is what Cargo calls a credential response. Which fields there are depends on its kind.
type cargoOK struct {
	Kind        string `json:"kind"`
	Token       string `json:"token,omitempty"`
	Cache       string `json:"cache,omitempty"`
	Expiration  *int64 `json:"expiration,omitempty"`
	Independent *bool  `json:"operation_independent,omitempty"` // of what the token is used for
}

type cargoErr struct {
	Kind    string `json:"kind"`
	Message string `json:"message,omitempty"`
}

// cargoLine is the answer on the wire.
func cargoLine(ok *cargoOK, err error) string {
	switch {
	case err == nil:
		return jsonLine(map[string]*cargoOK{"Ok": ok})
	case ReasonOf(err) == NotServed:
		return jsonLine(map[string]cargoErr{"Err": {Kind: "url-not-supported"}})
	case errors.Is(err, errCargoNone):
		return jsonLine(map[string]cargoErr{"Err": {Kind: "not-found"}})
	case errors.Is(err, errCargoKind):
		return jsonLine(map[string]cargoErr{"Err": {Kind: "operation-not-supported"}})
	}
	return jsonLine(map[string]cargoErr{"Err": {"other", advice(err)}})
}
