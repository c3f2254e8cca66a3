package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// tester talks to one helper.
type tester struct {
	helper          []string
	served, foreign string
	origin          *url.URL // served
	timeout         time.Duration

	mu     sync.Mutex
	tokens []string // all that were handed out, to be kept out of what is printed
}

// request is an object; a member that is "absent" in it is left out.
type request map[string]any

// get is a request that a helper has a token for.
func (t *tester) get(members ...any) request {
	r := request{"version": 1, "action": "get", "url": t.served}
	for i := 0; i < len(members); i += 2 {
		if r[members[i].(string)] = members[i+1]; members[i+1] == absent {
			delete(r, members[i].(string))
		}
	}
	return r
}

const absent = "absent"

// reply is a well-formed answer.
type reply struct {
	Version   int
	Token     *string
	TokenType *string `json:"token_type"`
	ExpiresAt *string `json:"expires_at"`
	Username  *string
	Error     *string
	Message   *string
	Fix       *string
	Versions  []int
}

// names are the errors that a helper may answer with.
var names = []string{"not_served", "login_required", "refused", "keychain_unavailable", "misconfigured", "offline", "failed", "malformed", "unsupported_action", "unsupported_version"}

// ask runs the helper once. The error says in which way the answer is not as the protocol has it.
func (t *tester) ask(ctx context.Context, r any) (reply, error) {
	raw, ok := r.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(r); err != nil {
			return reply{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, t.helper[0], t.helper[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), &stdout, &stderr
	cmd.WaitDelay = time.Second // a child of the helper may hold the pipe open
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return reply{}, fmt.Errorf("no answer within %v", t.timeout)
	case err != nil && !errors.As(err, &exit):
		return reply{}, fmt.Errorf("the helper did not run: %w", err)
	}
	return t.read(stdout.Bytes(), stderr.Bytes(), cmd.ProcessState.ExitCode())
}

// read checks what is true of every answer.
func (t *tester) read(stdout, stderr []byte, status int) (a reply, err error) {
	text, lf := bytes.CutSuffix(stdout, []byte("\n"))
	members := map[string]json.RawMessage{}
	switch {
	case len(stdout) == 0:
		return a, fmt.Errorf("no answer, exit status %d", status)
	case json.Unmarshal(text, &members) != nil:
		return a, errors.New("what is on standard output is not one JSON object")
	case !lf || bytes.ContainsAny(text, "\r\n\x00"):
		return a, errors.New("the answer is not one line that ends in LF")
	}
	// encoding/json takes "Token" for "token", which no other client does.
	for name := range members {
		if lower := strings.ToLower(name); lower != name {
			delete(members, name)
		}
	}
	text, _ = json.Marshal(members)
	if err := json.Unmarshal(text, &a); err != nil {
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) {
			return a, fmt.Errorf("%s is of the wrong type", typ.Field)
		}
		return a, errors.New("a member is of the wrong type")
	}
	if a.Token != nil && *a.Token != "" {
		t.mu.Lock()
		t.tokens = append(t.tokens, *a.Token)
		t.mu.Unlock()
	}
	switch {
	case a.Error != nil && status != 1, a.Error == nil && status != 0:
		return a, fmt.Errorf("the exit status is %d", status)
	case a.Version != 1:
		return a, fmt.Errorf("the answer is of version %d", a.Version)
	case a.Error != nil && a.Token != nil:
		return a, errors.New("the answer has a token and an error")
	case a.Token != nil:
		err = a.checkToken()
	case a.Error != nil:
		err = a.checkError()
	}
	if err == nil && a.Error == nil && len(stderr) > 0 {
		err = errors.New("the helper succeeds, and says something on standard error")
	}
	for _, token := range t.seen() {
		if err == nil && (bytes.Contains(stderr, []byte(token)) || a.Message != nil && strings.Contains(*a.Message+deref(a.Fix), token)) {
			err = errors.New("there is a token on standard error or in a message")
		}
	}
	return a, err
}

// seen are the tokens that were handed out so far.
func (t *tester) seen() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.tokens)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (a reply) checkToken() error {
	switch {
	case *a.Token == "" || strings.ContainsFunc(*a.Token, func(r rune) bool { return r < '!' || r > '~' }):
		return errors.New("the token has characters that cannot stand in a header")
	case a.TokenType == nil || *a.TokenType != "id" && *a.TokenType != "access":
		return errors.New("token_type is neither id nor access")
	case strings.ContainsAny(deref(a.Username), "\r\n\x00"):
		return errors.New("username holds a line break or a NUL")
	case a.ExpiresAt == nil:
		return nil
	}
	end, err := time.Parse("2006-01-02T15:04:05Z", *a.ExpiresAt)
	switch {
	case err != nil || len(*a.ExpiresAt) != len("2006-01-02T15:04:05Z"): // Parse takes fractions, too
		return fmt.Errorf("expires_at is %q", *a.ExpiresAt)
	case end.Before(time.Now()):
		return fmt.Errorf("the token ended at %s, by this machine's clock", *a.ExpiresAt)
	}
	return nil
}

func (a reply) checkError() error {
	switch {
	case !slices.Contains(names, *a.Error):
		return fmt.Errorf("there is no error %q", *a.Error)
	case deref(a.Message) == "":
		return errors.New("the error has no message")
	case unsafe(*a.Message) || unsafe(deref(a.Fix)):
		return errors.New("message or fix holds something that a terminal would obey")
	case a.TokenType != nil || a.ExpiresAt != nil:
		return errors.New("the error says something of a token")
	}
	return nil
}

func unsafe(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) })
}

// plain makes a text fit for a line of output, without any token that was seen.
func (t *tester) plain(s string) string {
	for _, token := range t.seen() {
		s = strings.ReplaceAll(s, token, "[token]")
	}
	return strings.Map(func(r rune) rune {
		if unsafe(string(r)) {
			return ' '
		}
		return r
	}, s)
}

// wantToken asks, and there has to be a token.
func (t *tester) wantToken(ctx context.Context, r any) (string, error) {
	a, err := t.ask(ctx, r)
	switch {
	case err != nil:
		return "", err
	case a.Error != nil:
		return "", fmt.Errorf("the error %s: %s; %s", *a.Error, *a.Message, deref(a.Fix))
	case a.Token == nil:
		return "", errors.New("no token")
	}
	return *a.Token, nil
}

// wantError asks, and there has to be one of these errors.
func (t *tester) wantError(ctx context.Context, r any, want ...string) (reply, error) {
	a, err := t.ask(ctx, r)
	switch {
	case err != nil:
		return a, err
	case a.Token != nil:
		return a, errors.New("a token")
	case a.Error == nil:
		return a, errors.New("no error")
	case !slices.Contains(want, *a.Error):
		return a, fmt.Errorf("the error %s (%s), not %s", *a.Error, *a.Message, strings.Join(want, " or "))
	}
	return a, nil
}

// wantDone asks, and there has to be nothing in the answer but a version.
func (t *tester) wantDone(ctx context.Context, r any) error {
	a, err := t.ask(ctx, r)
	switch {
	case err != nil:
		return err
	case a.Error != nil:
		return fmt.Errorf("the error %s: %s", *a.Error, *a.Message)
	case a.Token != nil:
		return errors.New("a token")
	}
	return nil
}
