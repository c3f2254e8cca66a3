package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

// run runs a command to its end. The console sends Ctrl-C to it as well, so that it decides.
func run(path string, args, env []string) error {
	signal.Ignore(os.Interrupt)
	cmd := exec.Command(path, args[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return silent(exit.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", clean(args[0]), err)
	}
	return nil
}
