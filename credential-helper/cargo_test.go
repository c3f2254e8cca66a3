package credentialhelper

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func init() { parsesBack["cargo"] = rules{protocol: cargo, parse: cargoParses, dialogue: true} }

func FuzzCargo(f *testing.F) { fuzzProtocol(f, cargo) }

// cargoParses reads as Cargo does: a hello, and a line for each request.
func cargoParses(c *transcript) error {
	if c.plainError() != nil {
		if c.out != "" {
			return fmt.Errorf("written in spite of the error %v, which hides it from Cargo: %q", c.err, c.out)
		}
		return nil
	}
	hello, rest, ok := strings.Cut(c.out, "\n")
	var greeting struct{ V []int }
	if err := json.Unmarshal([]byte(hello), &greeting); err != nil || !ok || len(greeting.V) != 1 || greeting.V[0] != 1 {
		return fmt.Errorf("the hello is %q (%v)", hello, err)
	}
	requests := strings.Count(c.stdin, "\n")
	if c.stdin != "" && !strings.HasSuffix(c.stdin, "\n") {
		requests++
	}
	answers := strings.Count(rest, "\n")
	if rest != "" && !strings.HasSuffix(rest, "\n") {
		return fmt.Errorf("the last answer has no end: %q", rest)
	}
	if answers != requests || c.pieces != answers+1 {
		return fmt.Errorf("%d answers in %d pieces to %d requests: %q", answers, c.pieces, requests, c.out)
	}
	tokens := 0
	for line := range strings.Lines(rest) {
		if err := cargoAnswer(line, c.source, &tokens); err != nil {
			return fmt.Errorf("Cargo cannot read %q: %w", line, err)
		}
	}
	return nil
}

// cargoAnswer reads one line. Cargo insists on each field that is insisted on here.
func cargoAnswer(line string, s *scripted, tokens *int) error {
	var a struct {
		Ok *struct {
			Kind        string
			Token       *string
			Cache       string
			Expiration  *int64
			Independent *bool `json:"operation_independent"`
		}
		Err *struct {
			Kind    string
			Message *string
		}
	}
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return err
	}
	switch {
	case (a.Ok == nil) == (a.Err == nil):
		return errors.New("it is neither Ok nor Err")
	case a.Err != nil:
		if other := a.Err.Kind == "other"; other != (a.Err.Message != nil) && s.other.err == nil {
			return errors.New("an error of one's own has a message, and no other has one")
		}
		switch a.Err.Kind {
		case "other", "not-found", "url-not-supported", "operation-not-supported":
			return nil
		}
		return errors.New("an error of no known kind")
	case a.Ok.Kind == "login", a.Ok.Kind == "logout":
		if a.Ok.Token != nil || a.Ok.Cache != "" {
			return errors.New("a token nobody asked for")
		}
		return nil
	case a.Ok.Kind != "get" || a.Ok.Token == nil || a.Ok.Independent == nil || !*a.Ok.Independent:
		return errors.New("a field is missing")
	}
	// A login asks the Source too, and its token goes nowhere.
	for *tokens < len(s.handed) {
		cred := s.handed[*tokens]
		*tokens++
		if *a.Ok.Token != "Bearer "+cred.Token {
			continue
		}
		if cred.Expires.IsZero() {
			if a.Ok.Cache != "session" || a.Ok.Expiration != nil {
				return errors.New("an end that is not known")
			}
		} else if a.Ok.Cache != "expires" || a.Ok.Expiration == nil || *a.Ok.Expiration != cred.Expires.Unix() {
			return fmt.Errorf("the token ends at %d", cred.Expires.Unix())
		}
		return nil
	}
	return errors.New("a token that was not handed out")
}

// Cargo keeps standard input open until it has the answer: one who waited for its end would wait forever.
func TestCargoAnswersEachLine(t *testing.T) {
	in, request := io.Pipe()
	answer, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- cargo.Run(context.Background(), &Call{
			Args: []string{"--cargo-plugin"}, In: in, Out: out,
			Source: &scripted{other: answered("eyJ.e30.c2ln")},
		})
		out.Close()
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(answer); s.Scan(); {
			lines <- s.Text()
		}
	}()
	next := func() string {
		t.Helper()
		select {
		case line := <-lines:
			return line
		case <-time.After(time.Minute):
			t.Fatal("no answer within a minute")
			return ""
		}
	}
	if hello := next(); hello != `{"v":[1]}` {
		t.Fatalf("hello is %q", hello)
	}
	for range 3 {
		fmt.Fprintln(request, `{"v":1,"registry":{"index-url":"https://crates.corp.example/"},"kind":"get","operation":"read"}`)
		if line := next(); !strings.Contains(line, "Bearer eyJ.e30.c2ln") {
			t.Fatalf("answer is %q", line)
		}
	}
	request.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Cargo shows errors that are answers, and of an exit status only its number.
func TestCargoTooLarge(t *testing.T) {
	c := &transcript{args: []string{"--cargo-plugin"}, stdin: strings.Repeat("x", maxRequest+1), source: &scripted{}}
	c.run(cargo)
	if want := "{\"v\":[1]}\n" + `{"Err":{"kind":"other","message":"the request of cargo is larger than 1 MiB"}}` + "\n"; c.err != nil || c.out != want {
		t.Errorf("%v, %q", c.err, c.out)
	}
}

// A registry may answer with long headers, and Cargo hands them on.
func TestCargoLongLine(t *testing.T) {
	request := `{"v":1,"registry":{"index-url":"https://c.example/","headers":["X: ` + strings.Repeat("x", 200<<10) + `"]},"kind":"get","operation":"read"}`
	c := &transcript{args: []string{"--cargo-plugin"}, stdin: request, source: &scripted{other: answered("eyJ.e30.c2ln")}}
	c.run(cargo)
	if c.err != nil || !strings.Contains(c.out, `"token":"Bearer eyJ.e30.c2ln"`) {
		t.Errorf("%v, %q", c.err, c.out)
	}
}

// A token that was not to be kept stays out of all that is said.
func TestJ6CargoLoginTokenIsNotRepeated(t *testing.T) {
	for _, stdin := range []string{
		`{"v":1,"registry":{"index-url":"https://c.example/"},"kind":"login","token":"canary"}`,
		`{"v":1,"registry":{"index-url":"https://c.example/"},"kind":"login","token":["canary"]}`,
		`{"v":1,"registry":{"index-url":"https://c.example/"},"kind":"login","token":"canary"`,
		`{"v":1,"registry":{"index-url":"https://c.example/"},"kind":"login","args":["--token=canary"]}`,
	} {
		c := &transcript{args: []string{"--cargo-plugin"}, stdin: stdin, source: &scripted{other: answered("eyJ.e30.c2ln")}}
		c.run(cargo)
		if c.err != nil || strings.Contains(c.out, "canary") || !strings.Contains(c.out, `{"Err":{"kind":"other"`) || len(c.source.asked) > 0 {
			t.Errorf("%s\nasked %q, answered %q, %v", stdin, c.source.asked, c.out, c.err)
		}
	}
}

// An answer that cannot be written ends the call.
func TestCargoGone(t *testing.T) {
	gone := errors.New("gone")
	err := cargo.Run(context.Background(), &Call{Args: []string{"--cargo-plugin"}, In: &bytes.Buffer{}, Out: failing{gone}, Source: &scripted{}})
	if !errors.Is(err, gone) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func answered(token string) answer { return answer{cred: Credential{Token: token, Type: "id"}} }

// What Cargo says of a token that it does not find is no help; the person is told besides.
func TestCargoSaysHowToSignIn(t *testing.T) {
	gone := &Refusal{Reason: LoginRequired, Message: "the session is over", Fix: "run cogauth login"}
	for kind, want := range map[string]error{"get": gone, "login": nil} {
		var said error
		c := &Call{
			Args: []string{"--cargo-plugin"}, Out: io.Discard, Source: &scripted{other: answer{err: gone}},
			In:  strings.NewReader(`{"v":1,"registry":{"index-url":"sparse+https://crates.corp.example/index/"},"kind":"` + kind + `"}` + "\n"),
			Say: func(err error) { said = err },
		}
		if err := cargo.Run(t.Context(), c); err != nil || !errors.Is(said, want) {
			t.Errorf("%s: got %v, and said %v, want %v", kind, err, said, want)
		}
	}
}
