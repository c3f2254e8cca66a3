package cogauth

import (
	"time"

	"golang.org/x/sys/windows"
)

// uptime is how long ago the machine was started, sleep included.
func uptime() (time.Duration, bool) { return windows.DurationSinceBoot(), true }
