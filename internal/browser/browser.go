// Package browser opens the system browser through github.com/pkg/browser, with what that package
// leaves to its caller: the URL is checked, the call does not block until the browser is closed,
// the opener's chatter stays off standard output, and no text browser takes over the terminal.
//
// A nil error means no more than that the opener did not fail so far: openers report success when
// nothing has opened. Always show the person the URL as well.
package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/pkg/browser"
)

// defaultGrace is how long Open watches the opener. xdg-open gives up within 30 ms where nothing
// is registered, but runs as long as the browser if it has to start one itself.
const defaultGrace = time.Second

// ErrNoBrowser means that there is no graphical browser to open: no display, or no opener.
var ErrNoBrowser = errors.New("no graphical browser")

// Opener opens URLs. Its methods are safe for concurrent use.
type Opener struct {
	// Getenv reads the environment, to tell whether there is a browser to open (see Available).
	// It should be that of the process, which openers inherit. Nil means an empty environment.
	Getenv func(string) string

	// Output receives what the opener, and a browser it starts, print on standard output and
	// standard error. Nil discards it. As pkg/browser has one setting for the whole process, the
	// first Opener to get as far as opening decides. Prefer an *os.File: a browser that outlives
	// this process keeps it, where the pipe behind any other writer breaks.
	Output io.Writer

	// Grace is how long Open waits for the opener to fail; zero means 1 second.
	Grace time.Duration
}

// Open shows url in the person's browser and returns when the opener did, or after Grace. The
// opener goes on after Open has returned, also if ctx ends.
//
// The error is an *URLError if the URL is refused, matches ErrNoBrowser if there is nothing to open
// it with, or is the opener's or the context's. None of them holds the URL, whose state is secret.
func (o *Opener) Open(ctx context.Context, url string) error {
	if err := CheckURL(url); err != nil {
		return err
	}
	getenv := o.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	if err := Available(getenv); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	setOutput(o.Output)
	done := make(chan error, 1)
	go func() { done <- browser.OpenURL(url) }()

	grace := o.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return explain(err)
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func explain(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: no opener is installed", ErrNoBrowser)
	case errors.As(err, &exit):
		return fmt.Errorf("the browser's opener failed: %s", exit.ProcessState)
	default:
		return fmt.Errorf("open the browser: %w", err)
	}
}

var outputOnce sync.Once

// setOutput replaces pkg/browser's default, our own standard output, where an opener's chatter
// would end up in the answer that a script reads.
func setOutput(w io.Writer) {
	outputOnce.Do(func() {
		if w == nil {
			// The null device itself rather than io.Discard: that would put a pipe between, which
			// breaks when this process ends before the browser.
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				w = io.Discard
			} else {
				w = null // open as long as the process, like standard error
			}
		}
		browser.Stdout, browser.Stderr = w, w
	})
}
