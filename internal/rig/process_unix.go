//go:build unix

package rig

import (
	"errors"
	"syscall"
)

func suspend(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }
func resume(pid int) error  { return syscall.Kill(pid, syscall.SIGCONT) }
func kill(pid int) error    { return syscall.Kill(pid, syscall.SIGKILL) }
func alive(pid int) bool    { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
