// Command conformance tests any helper that speaks the protocol of PROTOCOL.md, by talking to it:
//
//	conformance -served URL -foreign URL [-timeout D] -- HELPER [ARG]...
//
// -served is what the helper is configured for, exactly, and has a token for; -foreign is a place that it
// has nothing for. The last tests reject the helper's token.
//
// It prints a line for each test, in the form of the Test Anything Protocol, and ends with exit status 0
// if all is well, 1 if not, and 2 if it was called wrongly. No token is printed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	served := flags.String("served", "", "`URL` that the helper is configured for, exactly, and has a token for")
	foreign := flags.String("foreign", "", "`URL` on another host, that the helper has nothing for")
	timeout := flags.Duration("timeout", 30*time.Second, "how long one answer may take")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: conformance -served URL -foreign URL [-timeout D] -- HELPER [ARG]...")
		flags.PrintDefaults()
	}
	if flags.Parse(args) != nil {
		return 2
	}
	t := &tester{helper: flags.Args(), served: *served, foreign: *foreign, timeout: *timeout}
	s, err := url.Parse(*served)
	f, err2 := url.Parse(*foreign)
	if err != nil || err2 != nil || s.Hostname() == "" || f.Hostname() == "" || s.Hostname() == f.Hostname() || s.RawQuery != "" || s.User != nil || len(t.helper) == 0 {
		flags.Usage()
		return 2
	}
	t.origin = s
	return t.runAll(ctx, stdout)
}

// test is one statement of PROTOCOL.md, and how to find out.
type test struct {
	name string
	run  func(t *tester, ctx context.Context) error
}

func (t *tester) runAll(ctx context.Context, stdout io.Writer) int {
	fmt.Fprintf(stdout, "TAP version 13\n1..%d\n", len(tests))
	failed := 0
	for i, test := range tests {
		err := test.run(t, ctx)
		if err == nil {
			fmt.Fprintf(stdout, "ok %d - %s\n", i+1, test.name)
			continue
		}
		failed++
		fmt.Fprintf(stdout, "not ok %d - %s\n# %s\n", i+1, test.name, t.plain(err.Error()))
		if i == 0 || ctx.Err() != nil {
			fmt.Fprintln(stdout, "Bail out! Without a token there is nothing to test.")
			return 1
		}
	}
	if failed > 0 {
		fmt.Fprintf(stdout, "# %d of %d are not ok\n", failed, len(tests))
		return 1
	}
	return 0
}
