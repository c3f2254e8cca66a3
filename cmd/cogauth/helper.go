package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	credentialhelper "github.com/cogauth/cogauth/credential-helper"
	"github.com/cogauth/cogauth/internal/config"
)

// called splits the name by which this program was started into the protocol that it stands for and the
// profile at its end, if there are such: docker-credential-cogauth-corp.
func called(argv0 string) (p credentialhelper.Protocol, profile string, ok bool) {
	// Windows' separator counts everywhere: clients hand on what was configured.
	base := filepath.Base(strings.ReplaceAll(argv0, `\`, "/"))
	if rest := len(base) - len(".exe"); rest > 0 && strings.EqualFold(base[rest:], ".exe") {
		base = base[:rest]
	}
	for _, p := range credentialhelper.Protocols() {
		if p.Program == "" {
			continue
		}
		if base == p.Program {
			return p, "", true
		}
		if profile, found := strings.CutPrefix(base, p.Program+"-"); found && p.Suffixed && profile != "" {
			return p, profile, true
		}
	}
	return credentialhelper.Protocol{}, "", false
}

// plugin reports whether the program was started as kubectl's subcommand "kubectl cogauth" and not as its
// helper: then it is cogauth by another name.
func (a *app) plugin(p credentialhelper.Protocol) bool {
	return p.Name == "kubectl" && a.getenv("KUBERNETES_EXEC_INFO") == ""
}

// helper answers one call of a protocol. words are those of its command line, our own flags among them.
func (a *app) helper(ctx context.Context, p credentialhelper.Protocol, words []string) error {
	rest, err := a.helperFlags(words)
	if err != nil {
		return err
	}
	if p.Quiet {
		a.err = io.Discard
	}
	wire, source := pipe{ctx, a.in, a.out}, &served{a: a, ctx: ctx, profile: a.flags.profile}
	call := &credentialhelper.Call{Args: rest, In: wire, Out: wire, Getenv: a.getenv, Source: source}
	call.Say = func(err error) { a.report(ctx, err) }
	err = p.Run(ctx, call)
	var status credentialhelper.Status
	var bad *credentialhelper.MalformedError
	if source.broken != nil && !errors.Is(err, source.broken) {
		a.report(ctx, source.broken) // the protocol had no place for it
	}
	switch {
	case errors.Is(err, credentialhelper.ErrPassOn):
		if err := a.tooDeep(); err != nil {
			return err
		}
		return a.passOn(ctx, rest)
	case errors.As(err, &status):
		return silent(status)
	case errors.As(err, &bad):
		return &hintError{&usageError{err}, "this is for " + bad.Client + " to call; {cogauth} setup " + bad.Client + " shows how to set it up"}
	}
	return err
}

// pipe is what leads to the client and back. It ends with ctx: a client that is waited for may never say
// any more, and after a signal there is no answer.
type pipe struct {
	ctx context.Context
	in  io.Reader
	out io.Writer
}

func (p pipe) Read(b []byte) (int, error) {
	got, err := await(p.ctx, func() ([]byte, error) {
		own := make([]byte, len(b)) // b is not ours any more when ctx has ended
		n, err := p.in.Read(own)
		return own[:n], err
	})
	return copy(b, got), err
}

func (p pipe) Write(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.out.Write(b)
}

// await is f, given up when ctx ends. What f does then goes on until the program ends.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// helperFlags takes our own flags out of a helper's command line; the others are the protocol's.
func (a *app) helperFlags(words []string) (rest []string, err error) {
	value := func(i *int, name string) (string, bool, error) {
		word := words[*i]
		if v, ok := strings.CutPrefix(word, name+"="); ok {
			return v, true, nil
		}
		if word != name {
			return "", false, nil
		}
		if *i++; *i == len(words) {
			return "", false, &usageError{fmt.Errorf("%s needs a value", name)}
		}
		return words[*i], true, nil
	}
	for i := 0; i < len(words); i++ {
		if words[i] == "--" {
			return append(rest, words[i:]...), nil
		}
		taken := false
		for _, flag := range []struct {
			name string
			set  func(string) error
		}{
			{"--profile", func(v string) error { a.flags.profile = v; return nil }},
			{"--interactive", a.setInteractive},
			{"--min-ttl", a.setMinTTL},
		} {
			v, ok, err := value(&i, flag.name)
			if err == nil && ok {
				taken, err = true, flag.set(v)
			}
			if err != nil {
				return nil, err
			}
			if ok {
				break
			}
		}
		if !taken {
			rest = append(rest, words[i])
		}
	}
	return rest, nil
}

func (a *app) setInteractive(v string) error {
	switch v {
	case config.Never, config.Auto, config.Always:
		a.flags.interactive = v
		return nil
	}
	return &usageError{fmt.Errorf("--interactive is %q, not never, auto or always", clean(v))}
}

func (a *app) setMinTTL(v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return &usageError{errors.New("--min-ttl is not a positive duration such as 5m")}
	}
	a.flags.minTTL = d
	return nil
}

func (a *app) helperCommand() *cobra.Command {
	names := protocolNames()
	return &cobra.Command{
		Use:   "helper NAME [--profile NAME] [ARGUMENT…]",
		Short: "Answer another program that asks for a credential",
		Long: `Speak the credential-helper protocol of another program: ` + strings.Join(names, ", ") + `.
The other program calls this, people do not: see cogauth setup. What is served to whom stands in
config.toml; whoever is not served there is told, in the protocol's own words, that there is nothing.

Its own flags, anywhere in the line: --profile NAME; --min-ttl DURATION, the least time that the token
must be good for, at most half its life; --interactive never, auto or always, whether to sign in if
need be, where the protocol allows it. All other words are the protocol's.`,
		Example:            "  cogauth helper git get\n  cogauth helper headers https://api.example.com/",
		DisableFlagParsing: true,
		ValidArgsFunction:  cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return &usageError{errors.New("helper needs the name of a protocol")}
			case args[0] == "--help", args[0] == "-h":
				return cmd.Help()
			}
			return a.namedHelper(cmd.Context(), args)
		},
	}
}

func protocolNames() []string {
	var names []string
	for _, p := range credentialhelper.Protocols() {
		names = append(names, p.Name)
	}
	return names
}

// namedHelper is "cogauth helper NAME …".
func (a *app) namedHelper(ctx context.Context, args []string) error {
	// Flags may stand before the name, as they do with every other command.
	name, words := args[0], args[1:]
	if strings.HasPrefix(name, "-") {
		rest, err := a.helperFlags(args)
		if err != nil {
			return err
		}
		if len(rest) == 0 {
			return &usageError{errors.New("helper needs the name of a protocol")}
		}
		name, words = rest[0], rest[1:]
	}
	p, ok := credentialhelper.Find(name)
	if !ok {
		return &hintError{&usageError{fmt.Errorf("there is no helper %q", clean(name))}, "there are " + strings.Join(protocolNames(), ", ")}
	}
	return a.helper(ctx, p, words)
}

// depthVariable counts how often this program stands above itself. A configuration that has a client call
// cogauth, and cogauth that client, ends there and not when the machine is out of processes.
const (
	depthVariable = "COGAUTH_DEPTH"
	maxDepth      = 8
)

// errRecursion is a Refusal, so that a client hears of it in its own protocol's words.
var errRecursion = &credentialhelper.Refusal{
	Reason:  credentialhelper.Misconfigured,
	Message: fmt.Sprintf("this program has been started by itself more than %d times over", maxDepth),
	Fix:     "some configuration has cogauth call a program that calls cogauth: look for a helper, a BROWSER or a keyring command that leads back to it",
}

// tooDeep is the error of a run that stands below too many others.
func (a *app) tooDeep() error {
	if a.depth > maxDepth {
		return errRecursion
	}
	return nil
}

// deepen counts this run, for all that it starts. Whatever the variable says, the count begins no lower
// than 0 and does not overflow.
func (a *app) deepen() {
	above, _ := strconv.Atoi(a.getenv(depthVariable)) // the nearest number there is if it is out of range
	a.depth = max(0, min(above, maxDepth)) + 1
	os.Setenv(depthVariable, strconv.Itoa(a.depth))
}
