// Command cogauth signs a person in to an Amazon Cognito user pool, or any OpenID Connect issuer,
// and prints fresh tokens for other programs.
//
// Rules of this program:
//   - Standard output carries the answer, in one write, after all else succeeded, or nothing.
//   - All else goes to standard error: "cogauth: error: FACT", then "cogauth: hint: FIX".
//   - Nothing below main exits, so that deferred work runs.
package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() { os.Exit(start(os.Args[1:])) }

// start is everything that main and a test's re-executed program have in common.
func start(args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, caught()...)
	go func() {
		s := <-signals
		signal.Stop(signals) // a second one ends the program at once
		cancel(&signalError{s})
	}()
	a := &app{
		in:       os.Stdin,
		out:      os.Stdout,
		err:      os.Stderr,
		getenv:   os.Getenv,
		terminal: func() bool { return term.IsTerminal(int(os.Stderr.Fd())) },
		asks:     func() bool { return term.IsTerminal(int(os.Stdin.Fd())) },
	}
	a.deepen()
	return a.report(ctx, a.dispatch(ctx, args))
}

// caught are the signals that end the program in an orderly way. One that whoever started it has it ignore,
// as nohup does, stays ignored, here and in what exec puts in this program's place. The runtime keeps that
// for these two alone; SIGTERM's is lost before main.
func caught() []os.Signal {
	signals := []os.Signal{syscall.SIGTERM}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signals
}

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	terminal func() bool // whether standard error reaches a person
	asks     func() bool // whether questions can be asked and answered

	flags      flags
	opened     *session      // the last one, for advice on its errors
	lines      *bufio.Reader // of in; see input
	unattended bool          // the demo signs in by itself: nobody is asked to do anything
	depth      int           // how many of this program stand above this run, and it
	tokenFile  *string       // what was read from the file that tokenFileVariable names
}

// dispatch is by the name that the program was started by: that of a helper, or its own.
func (a *app) dispatch(ctx context.Context, args []string) error {
	p, profile, ok := called(os.Args[0])
	if !ok || a.plugin(p) {
		return a.run(ctx, args)
	}
	a.flags.profile = profile
	return a.helper(ctx, p, args)
}

// run dispatches. The commands that other programs call all day long are answered before
// cobra's tree is built; anything unusual about them falls through to it.
func (a *app) run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "token":
			if fs := a.tokenFlags(); fs.Parse(args[1:]) == nil && fs.NArg() == 0 {
				return a.token(ctx)
			}
			a.flags = flags{}
		case "helper":
			if len(args) > 1 && args[1] != "--help" && args[1] != "-h" {
				return a.namedHelper(ctx, args[1:])
			}
		case "version":
			if len(args) == 1 {
				return a.version()
			}
		}
	}
	root := a.command()
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// signalError is why the context ended.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return "ended by signal: " + e.signal.String() }

// status is 128 plus the signal's number, as a shell reports it.
func (e *signalError) status() int {
	if n, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 130
}

// ended returns the signal that ended ctx, if one did.
func ended(ctx context.Context) *signalError {
	var s *signalError
	if errors.As(context.Cause(ctx), &s) {
		return s
	}
	return nil
}
