//go:build unix && !darwin

package tokenstore

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cogauth/cogauth/internal/flock"
)

// KeePassXC saves its database after each change, and 2.7.4, which Debian 12 has, crashes when it is changed
// again while it does: one in some twenty quick changes ends it. It is given time.
const breath = 300 * time.Millisecond

// pace waits until a change is bearable. Whoever gets past it makes the change before another does, in this
// process or in any other of this user.
func pace(ctx context.Context) (done func()) {
	nothing := func() {}
	if !hasty(ctx) {
		return nothing
	}
	folder, err := lockFolder()
	if err != nil {
		return nothing
	}
	path := filepath.Join(folder, "keepassxc.lock") // when it was last written to is when the last change was made
	release, err := flock.Take(ctx, path)
	if err != nil {
		return nothing
	}
	if info, err := os.Stat(path); err == nil {
		select {
		case <-time.After(min(breath, time.Until(info.ModTime().Add(breath)))):
		case <-ctx.Done():
		}
	}
	return func() {
		now := time.Now()
		os.Chtimes(path, now, now)
		release()
	}
}

// fickle reports whether err is go-keyring's of a collection that it could not unlock. It has just been
// found unlocked.
func fickle(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed to unlock correct collection")
}

// hasty reports whether the Secret Service is KeePassXC, by its process.
func hasty(ctx context.Context) bool {
	conn, err := dbus.SessionBus()
	if err != nil {
		return false
	}
	var pid uint32
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, secretService).Store(&pid)
	if err != nil {
		return false
	}
	name, err := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/comm")
	return err == nil && strings.HasPrefix(string(name), "keepassxc")
}
