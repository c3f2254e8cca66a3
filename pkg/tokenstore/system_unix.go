//go:build unix && !darwin

package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// The Secret Service, https://specifications.freedesktop.org/secret-service/.
const (
	secretService  = "org.freedesktop.secrets"
	collectionType = "org.freedesktop.Secret.Collection"
)

// collections are the two that go-keyring uses, in its order.
var collections = []dbus.ObjectPath{
	"/org/freedesktop/secrets/collection/login",
	"/org/freedesktop/secrets/aliases/default",
}

// locked reports whether the collection is locked, or why there is none. It reads one property
// over the connection that go-keyring will use: one round trip, no session, nothing that prompts.
// A service that is not running but can be started is started by it, and is then locked.
func locked(ctx context.Context) (bool, error) {
	if !hasBus() {
		return false, fmt.Errorf("%w: this session has no D-Bus", ErrUnavailable)
	}
	conn, err := dbus.SessionBus()
	if err != nil {
		return false, unreachable(err)
	}
	for _, path := range collections {
		call := conn.Object(secretService, path).CallWithContext(ctx,
			"org.freedesktop.DBus.Properties.Get", 0, collectionType, "Locked")
		var property dbus.Variant
		err := call.Store(&property)
		if err == nil {
			locked, ok := property.Value().(bool)
			if !ok {
				return false, fmt.Errorf("%w: its Locked property is not a boolean", ErrBroken)
			}
			return locked, nil
		}
		if !absent(err) {
			return false, err
		}
	}
	return false, fmt.Errorf("%w: it has no collection yet", ErrUnavailable)
}

// hasBus reports whether godbus will find a session bus by itself. If it does not, it runs
// dbus-launch, which leaves a new bus and a new keychain behind, so it must not be let to look.
func hasBus() bool {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" && address != "autolaunch:" {
		return true
	}
	// As godbus looks for it: where it cannot tell the user, it does not look here either.
	u, err := user.Current()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join("/run/user", u.Uid, "bus"))
	return err == nil
}

// unreachable explains why there is no connection to the session bus.
func unreachable(err error) error {
	if hungUp(err) {
		return fmt.Errorf("%w: the session bus hung up", ErrBroken)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("%w: the session bus cannot be reached: %v", ErrUnavailable, errno)
	}
	return fmt.Errorf("%w: the session bus cannot be used: %s", ErrUnavailable, quote(err.Error()))
}

// hungUp reports whether err is what a connection says whose other end is gone.
func hungUp(err error) bool {
	for _, end := range []error{io.EOF, dbus.ErrClosed, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// absent reports whether err says that the object asked for is not there. Services differ:
// gnome-keyring says UnknownMethod, Qt's UnknownObject, older ones UnknownInterface.
func absent(err error) bool {
	switch errorName(err) {
	case "org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.DBus.Error.UnknownInterface", "org.freedesktop.Secret.Error.NoSuchObject":
		return true
	}
	return false
}

func errorName(err error) string {
	if e, ok := errors.AsType[dbus.Error](err); ok {
		return e.Name
	}
	if e, ok := errors.AsType[*dbus.Error](err); ok {
		return e.Name
	}
	return ""
}

// classifySystem explains what D-Bus, the Secret Service and go-keyring say when they fail.
func classifySystem(err error) error {
	name := errorName(err)
	switch name {
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner":
		return fmt.Errorf("%w: no Secret Service on the session bus", ErrUnavailable)
	case "org.freedesktop.DBus.Error.AccessDenied":
		return fmt.Errorf("%w: the session bus does not let this program reach it", ErrUnavailable)
	case "org.freedesktop.Secret.Error.IsLocked":
		return fmt.Errorf("%w: its collection is locked", ErrLocked)
	}
	text := err.Error()
	switch {
	case strings.HasPrefix(name, "org.freedesktop.DBus.Error.Spawn."):
		return fmt.Errorf("%w: the Secret Service could not be started", ErrUnavailable)
	case strings.Contains(text, "Alias default does not exist"): // KWallet without a wallet
		return fmt.Errorf("%w: it has no collection yet", ErrUnavailable)
	case strings.Contains(text, "failed to unlock correct collection"): // go-keyring: declined, or no prompter
		return fmt.Errorf("%w: its collection was not unlocked", ErrLocked)
	case name != "":
		// Only the name: the message is the service's own and may hold anything.
		return fmt.Errorf("%w: it answered %s", ErrBroken, quote(name))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return unreachable(err)
	}
	if hungUp(err) {
		return fmt.Errorf("%w: the session bus hung up", ErrBroken)
	}
	return nil
}

// entryLimit: the Secret Service has none.
func entryLimit(service, name string) int { return 0 }
