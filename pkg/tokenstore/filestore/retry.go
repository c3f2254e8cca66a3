package filestore

import "time"

// On Windows a file that somebody reads cannot be replaced, removed, or sometimes opened, for that moment.
const (
	tries      = 12
	firstPause = 2 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// patiently tries again, some 600 ms in all, while the file is in use.
func patiently(try func() error) error { return retry(try, inUse, time.Sleep) }

func retry(try func() error, inUse func(error) bool, sleep func(time.Duration)) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == tries || !inUse(err) {
			return err
		}
		sleep(pause)
		pause = min(2*pause, lastPause)
	}
}
