package tokenstore

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestC16SecretServiceErrors(t *testing.T) {
	op := func(what string, errno syscall.Errno) error {
		return &net.OpError{Op: what, Net: "unix", Err: os.NewSyscallError("connect", errno)}
	}
	says := func(name, message string) error { return dbus.Error{Name: name, Body: []any{message}} }
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no service", says("org.freedesktop.DBus.Error.ServiceUnknown", "The name org.freedesktop.secrets was not provided by any .service files"), "unavailable"},
		{"no owner", says("org.freedesktop.DBus.Error.NameHasNoOwner", ""), "unavailable"},
		{"service cannot start", says("org.freedesktop.DBus.Error.Spawn.ChildExited", ""), "unavailable"},
		{"bus policy", says("org.freedesktop.DBus.Error.AccessDenied", ""), "unavailable"},
		{"KWallet without a wallet", says("org.freedesktop.DBus.Error.Failed", "Alias default does not exist"), "unavailable"},
		{"relocked meanwhile", says("org.freedesktop.Secret.Error.IsLocked", ""), "locked"},
		{"declined", errors.New("failed to unlock correct collection '/org/freedesktop/secrets/collection/login'"), "locked"},
		{"daemon died", says("org.freedesktop.DBus.Error.NoReply", ""), "broken"},
		{"pointer error", dbus.NewError("org.freedesktop.DBus.Error.NameHasNoOwner", nil), "unavailable"},
		{"dead address", op("dial", syscall.ENOENT), "unavailable"},
		{"nobody listens", op("dial", syscall.ECONNREFUSED), "unavailable"},
		{"bus died", io.EOF, "broken"},
		{"bus died while written to", op("write", syscall.EPIPE), "broken"},
		{"connection closed", dbus.ErrClosed, "broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := classify(c.err); kind(got) != c.want {
				t.Errorf("got %s (%v), want %s", kind(got), got, c.want)
			}
		})
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{op("dial", syscall.ENOENT), "unavailable"},
		{errors.New("dbus: invalid bus address (no transport)"), "unavailable"},
		{errors.New("dbus: authentication failed"), "unavailable"},
		{io.EOF, "broken"},
	} {
		if got := kind(unreachable(c.err)); got != c.want {
			t.Errorf("connecting, %v: got %s, want %s", c.err, got, c.want)
		}
	}
}
