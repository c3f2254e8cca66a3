//go:build unix && !darwin

package tokenstore

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// KeePassXC saves its database after each change, and 2.7.4, which Debian 12 has, crashes when it is changed
// again while it does: one in some twenty quick changes ends it. It is given time.
const breath = 300 * time.Millisecond

var lastChange struct {
	sync.Mutex
	at time.Time
}

// pace waits until a change is bearable. Whoever gets past it makes the change before another does.
func pace(ctx context.Context) (done func()) {
	if !hasty(ctx) {
		return func() {}
	}
	lastChange.Lock()
	select {
	case <-time.After(time.Until(lastChange.at.Add(breath))):
	case <-ctx.Done():
	}
	return func() {
		lastChange.at = time.Now()
		lastChange.Unlock()
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
