package rig

import (
	"os/exec"
	"syscall"
)

// noOrphan has the kernel kill cmd if this process ends without its clean-up, as a test that
// times out does.
func noOrphan(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
