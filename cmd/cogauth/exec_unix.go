//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// run has a command take this program's place, its standard streams and its signals.
func run(path string, args, env []string) error {
	err := syscall.Exec(path, args, env)
	return fmt.Errorf("run %s: %w", clean(args[0]), err)
}
