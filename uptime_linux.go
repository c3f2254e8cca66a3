package cogauth

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long ago the machine was started, sleep included.
func uptime() (time.Duration, bool) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Duration(ts.Nano()), err == nil
}
