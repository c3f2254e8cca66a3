//go:build !linux && !windows

package cogauth

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long ago the machine was started, sleep included. The kernel of macOS moves its boot time
// when the clock is set.
func uptime() (time.Duration, bool) {
	if runtime.GOOS != "darwin" {
		return 0, false
	}
	boot, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return 0, false
	}
	return time.Since(time.Unix(boot.Unix())), true
}
