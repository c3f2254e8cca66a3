package credentialhelper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/cogauth/cogauth/internal/secret"
)

// native is cogauth's own protocol, which PROTOCOL.md describes: one JSON object in, one out.
var native = Protocol{Name: "native", Run: runNative}

// nativeVersion is the version of the protocol that is spoken.
const nativeVersion = 1

// nativeAnswer is every answer there is: a token, done, or an error.
type nativeAnswer struct {
	Version int `json:"version"`

	Token     string `json:"token,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	ExpiresAt string `json:"expires_at,omitempty"`
	Username  string `json:"username,omitempty"`

	Error    string `json:"error,omitempty"`
	Message  string `json:"message,omitempty"`
	Fix      string `json:"fix,omitempty"`
	Versions []int  `json:"versions,omitempty"` // with unsupported_version only
}

func runNative(ctx context.Context, c *Call) error {
	in, err := c.readAll("native")
	var bad *MalformedError
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	a := nativeAnswer{}
	if err == nil {
		a, err = c.native(ctx, in)
	}
	if err != nil {
		a = nativeError(err)
	}
	a.Version = nativeVersion
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := c.write(string(line) + "\n"); err != nil {
		return err
	}
	if a.Error != "" {
		return Status(1)
	}
	return nil
}

func (c *Call) native(ctx context.Context, in []byte) (a nativeAnswer, err error) {
	q, err := parseNative(in)
	if err != nil {
		return a, err
	}
	switch {
	case q.Version != nativeVersion:
		return nativeAnswer{Error: "unsupported_version", Message: "this helper speaks version 1 of the protocol", Versions: []int{nativeVersion}}, nil
	case len(c.Args) > 0:
		return a, malformed("native", "has arguments: everything is said in the object")
	case q.Action != "get" && q.Action != "reject" && q.Action != "":
		return nativeAnswer{Error: "unsupported_action", Message: "this helper knows the actions get and reject"}, nil
	}
	r, err := q.request()
	if err != nil {
		return a, err
	}
	if q.Action == "reject" {
		return a, c.Source.Reject(ctx, r, q.Token)
	}
	cred, err := c.token(ctx, r)
	if err != nil {
		return a, err
	}
	if cred.Type != "id" && cred.Type != "access" {
		return a, &Refusal{Reason: Failed, Message: "it is not known what kind of token this is"}
	}
	a = nativeAnswer{Token: cred.Token, TokenType: cred.Type, Username: cred.Username}
	if !cred.Expires.IsZero() {
		a.ExpiresAt = wholeSeconds(cred.Expires)
	}
	return a, nil
}

// nativeError says why not. What it quotes may come from a server and end on a terminal.
func nativeError(err error) nativeAnswer {
	var bad *MalformedError
	if errors.As(err, &bad) {
		return nativeAnswer{Error: "malformed", Message: secret.Clean(bad.Error())}
	}
	a := nativeAnswer{Error: ReasonOf(err).String(), Message: secret.Clean(err.Error())}
	var r *Refusal
	if errors.As(err, &r) {
		a.Message, a.Fix = secret.Clean(r.Message), secret.Clean(r.Fix)
	}
	if a.Message == "" {
		a.Message = "there is no token"
	}
	return a
}

// nativeQuery is a request. Numbers may be written as 300 and as 300.0: some encoders know only the one.
type nativeQuery struct {
	Version              float64
	Action, URL          string
	Client, Profile      string
	MinTTL               float64
	Interactive, Refresh bool
	Token                string
}

// parseNative reads a request. Only the version counts if it is not ours: another version may mean
// something else by every other name.
func parseNative(in []byte) (q nativeQuery, err error) {
	members, err := object(in)
	if err != nil {
		return q, err
	}
	take := func(name string, into any) {
		raw, ok := members[name]
		if ok && err == nil && json.Unmarshal(raw, into) != nil {
			err = malformed("native", "has a value of the wrong type for %s", name)
		}
	}
	take("version", &q.Version)
	if err != nil || q.Version < 1 || q.Version != math.Trunc(q.Version) {
		return q, malformed("native", "does not say its version: a whole number from 1 on")
	}
	if q.Version != nativeVersion {
		return q, nil
	}
	take("action", &q.Action)
	take("url", &q.URL)
	take("client", &q.Client)
	take("profile", &q.Profile)
	take("min_ttl_seconds", &q.MinTTL)
	take("interactive", &q.Interactive)
	take("refresh", &q.Refresh)
	take("token", &q.Token)
	return q, err
}

// request checks what is in q and makes a Request of it. The name of the client is for people only, and
// nobody is asked here: it must be well-formed and says nothing else.
func (q nativeQuery) request() (Request, error) {
	if q.Action == "" {
		return Request{}, malformed("native", "has no action")
	}
	if err := plain("native", q.URL, q.Client, q.Profile, q.Token); err != nil {
		return Request{}, err
	}
	if q.MinTTL < 0 || q.MinTTL != math.Trunc(q.MinTTL) {
		return Request{}, malformed("native", "has a min_ttl_seconds that is not a whole number from 0 on")
	}
	return Request{
		Client:      "native",
		URL:         q.URL,
		Profile:     q.Profile,
		MinTTL:      time.Duration(min(q.MinTTL, long.Seconds())) * time.Second, // no token lives longer
		Interactive: q.Interactive,
		Refresh:     q.Refresh,
	}, nil
}

// object reads one JSON object and nothing else. Unlike encoding/json it tells upper from lower case and
// refuses a name that is there twice, as others read such an object in another way. A null counts as
// not there.
func object(in []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(in) {
		return nil, malformed("native", "is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(in))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed("native", "is not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return nil, malformed("native", "is not a JSON object")
		}
		if _, twice := members[name]; twice {
			return nil, malformed("native", "has a name twice")
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("native", "is not a whole JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed("native", "has something behind the JSON object")
	}
	return members, nil
}
