package credentialhelper

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Source has the tokens. A Source may be asked several times in a call, never from two goroutines.
type Source interface {
	// Token returns a verified token for what r names. The error is a *Refusal where the Source can say
	// why there is none.
	Token(ctx context.Context, r Request) (Credential, error)

	// Origins returns what is served to r.Client, such as "https://proxy.corp.example/team", without
	// those that have a wildcard: what a client may be told before it has named a target.
	Origins(ctx context.Context, r Request) ([]string, error)

	// Reject says that r's target did not take token: it is not to be handed out from the cache again.
	// If token is "", the client did not say which; that means the cached one. The session stays.
	Reject(ctx context.Context, r Request, token string) error
}

// Request is what a client wants.
type Request struct {
	// Client is the protocol's name, such as "git".
	Client string
	// URL is the target: scheme, host, port and path as far as the client tells them. Without a scheme
	// it begins with "//", as "//registry.corp.example:5000". "" means that the protocol names no target.
	URL string
	// Profile is set if the request itself names one.
	Profile string
	// MinTTL is how long the token is to be good for; a Source may cap it at half the token's life.
	// Zero means that the Source decides.
	MinTTL time.Duration
	// Interactive says that the protocol and the caller permit the Source to turn to a person, as by
	// opening a browser. Where false the Source must not.
	Interactive bool
	// Refresh says that the token that was handed out last was refused.
	Refresh bool
}

// Credential is a token for a target.
type Credential struct {
	Token string
	// Expires is when the token ends, by this machine's clock. Zero if that is not known.
	Expires time.Time
	// Username is what to send besides the token where a protocol needs one. "" means that it does not
	// matter, and the protocol has a default.
	Username string
	// Type is "id" or "access".
	Type string
}

// Reason is why there is no token.
type Reason int

const (
	// Failed is for a reason that is none of the others.
	Failed Reason = iota
	// NotServed: the target is none that this helper is for. Protocols answer that they have nothing.
	NotServed
	// LoginRequired: only a person can go on.
	LoginRequired
	// Refused: the server said no.
	Refused
	// Unavailable: the keychain is missing, locked or broken.
	Unavailable
	// Offline: the server could not be reached.
	Offline
	// Misconfigured: it cannot work as it is set up.
	Misconfigured
)

var reasons = [...]string{"failed", "not_served", "login_required", "refused", "keychain_unavailable", "offline", "misconfigured"}

// String returns the reason's name on the wire, such as "login_required".
func (r Reason) String() string {
	if r < 0 || int(r) >= len(reasons) {
		return reasons[Failed]
	}
	return reasons[r]
}

// Refusal is an error that says why there is no token.
type Refusal struct {
	Reason Reason
	// Message says what happened, and Fix what to do about it, each in a line that is safe for a
	// terminal. Fix may be "".
	Message, Fix string
	Err          error // the cause; may be nil
}

// Error returns Message.
func (r *Refusal) Error() string { return r.Message }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// ReasonOf returns why err came. It is Failed for an error that is no Refusal.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return Failed
}

// advice is message and fix in one line, for protocols that show one.
func advice(err error) string {
	var r *Refusal
	if errors.As(err, &r) && r.Fix != "" {
		return oneLine(r.Message) + "; " + oneLine(r.Fix)
	}
	return oneLine(err.Error())
}

// Status is an error that says: everything that the protocol has to say is said, end with this exit status.
type Status int

func (s Status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// MalformedError is a request that is not as the protocol has it.
type MalformedError struct{ Client, Fact string }

func (e *MalformedError) Error() string { return "the request of " + e.Client + " " + e.Fact }

func malformed(client, format string, args ...any) error {
	return &MalformedError{client, fmt.Sprintf(format, args...)}
}

// Call is one run of a helper.
type Call struct {
	Args   []string // what follows the helper's name
	In     io.Reader
	Out    io.Writer
	Getenv func(string) string
	Source Source
	// Say tells the person what the answer has no room for; may be nil.
	Say func(error)
}

// Protocol is one way to ask.
type Protocol struct {
	// Name is what "cogauth helper" calls it, and Request.Client.
	Name string
	// Program is the name by which the client starts it, without a profile: "docker-credential-cogauth".
	// "" if the client can be told any command.
	Program string
	// Suffixed says that the client can pass no arguments: the program's name may end in "-PROFILE".
	Suffixed bool
	// Quiet says that nothing may go to standard error, because the client takes it for the answer.
	Quiet bool
	// Run answers one call. An error that is neither a Status nor nil is the caller's to say on standard
	// error, with an exit status that is not 0.
	Run func(ctx context.Context, c *Call) error
}

// Protocols are all there are, in the order in which documentation has them.
func Protocols() []Protocol {
	return []Protocol{git, docker, kubectl, bazel, cargo, goauth, terraform, google, pnpm, keyring, vault, headers, native}
}

// Find returns the protocol of that name.
func Find(name string) (Protocol, bool) {
	for _, p := range Protocols() {
		if p.Name == name {
			return p, true
		}
	}
	return Protocol{}, false
}

// maxRequest is more than any client sends, in bytes.
const maxRequest = 1 << 20

// readAll reads a whole request.
func (c *Call) readAll(client string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(c.In, maxRequest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the request: %w", err)
	case len(b) > maxRequest:
		return nil, malformed(client, "is larger than 1 MiB")
	}
	return b, nil
}

// readBlock reads a request that ends with an empty line, or with its input. The caller may keep that open.
func (c *Call) readBlock(client string) ([]byte, error) {
	in := bufio.NewReader(io.LimitReader(c.In, maxRequest+1))
	var all []byte
	for {
		line, err := in.ReadBytes('\n')
		all = append(all, line...)
		switch {
		case len(all) > maxRequest:
			return nil, malformed(client, "is larger than 1 MiB")
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read the request: %w", err)
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return all, nil
		}
	}
}

// write writes the answer in one piece.
func (c *Call) write(answer string) error {
	if _, err := io.WriteString(c.Out, answer); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// token asks the source, and answers for the Credential that nothing in it breaks a line.
func (c *Call) token(ctx context.Context, r Request) (Credential, error) {
	if err := plain(r.Client, r.URL, r.Profile); err != nil {
		return Credential{}, err
	}
	cred, err := c.Source.Token(ctx, r)
	if err != nil {
		return Credential{}, err
	}
	if cred.Token == "" || strings.ContainsFunc(cred.Token, notToken) {
		return Credential{}, &Refusal{Reason: Failed, Message: "the token cannot be put on a line"}
	}
	if strings.ContainsFunc(cred.Username, isBreak) {
		return Credential{}, &Refusal{Reason: Misconfigured, Message: "the user name for this target holds a line break or a NUL"}
	}
	return cred, nil
}

// Lives that clients need. Those that keep a token for as long as they run get one with as much of its
// life left as can be had: a Source caps the demand at half of that life.
const (
	briefly = 5 * time.Minute
	long    = 24 * time.Hour
)
