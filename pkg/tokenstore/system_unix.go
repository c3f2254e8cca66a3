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
	"sync/atomic"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// The Secret Service, https://specifications.freedesktop.org/secret-service/.
const (
	secretService  = "org.freedesktop.secrets"
	secretRoot     = dbus.ObjectPath("/org/freedesktop/secrets")
	unlockMember   = "org.freedesktop.Secret.Service.Unlock"
	collectionType = "org.freedesktop.Secret.Collection"
	promptType     = "org.freedesktop.Secret.Prompt"
	ownerChanged   = "org.freedesktop.DBus.NameOwnerChanged"
)

// collections are the two that go-keyring uses, in its order.
var collections = []dbus.ObjectPath{
	"/org/freedesktop/secrets/collection/login",
	"/org/freedesktop/secrets/aliases/default",
}

// open sees that the collection is unlocked when go-keyring is called: go-keyring waits for ever on a
// prompt whose daemon has died, and panics when the bus dies. An open collection costs one round trip
// over the connection that go-keyring will use. A service that is not running is started by it, if
// the bus knows how, and is then locked. asking tells whether a person has been asked and not answered.
func open(ctx context.Context, prompt bool, asking *atomic.Bool) error {
	if !hasBus() {
		return noBus()
	}
	conn, err := dbus.SessionBus()
	if err != nil {
		return unreachable(err)
	}
	collection, locked, err := findCollection(ctx, conn)
	if err != nil || !locked {
		return err
	}
	return unlock(ctx, conn, collection, prompt, asking)
}

// findCollection reads one property, which starts no session of the service and asks nobody anything.
func findCollection(ctx context.Context, conn *dbus.Conn) (path dbus.ObjectPath, locked bool, err error) {
	for _, path := range collections {
		call := conn.Object(secretService, path).CallWithContext(ctx,
			"org.freedesktop.DBus.Properties.Get", 0, collectionType, "Locked")
		var property dbus.Variant
		err := call.Store(&property)
		if err == nil {
			locked, ok := property.Value().(bool)
			if !ok {
				return "", false, fmt.Errorf("%w: its Locked property is not a boolean", ErrBroken)
			}
			return path, locked, nil
		}
		if !absent(err) {
			return "", false, err
		}
	}
	return "", false, fmt.Errorf("%w: it has no collection yet", ErrUnavailable)
}

// unlock has the service unlock a collection. One without a password, as desktops with automatic login
// have, counts as locked until somebody does this, and opens without a question. For any other the
// service prepares a prompt, which is shown only if prompt allows it.
func unlock(ctx context.Context, conn *dbus.Conn, collection dbus.ObjectPath, prompt bool, asking *atomic.Bool) error {
	var unlocked []dbus.ObjectPath
	var question dbus.ObjectPath
	err := conn.Object(secretService, secretRoot).CallWithContext(ctx, unlockMember, 0, []dbus.ObjectPath{collection}).Store(&unlocked, &question)
	switch {
	case err != nil:
		return err
	case question == "/" && len(unlocked) == 0:
		return fmt.Errorf("%w: its collection was not unlocked", ErrLocked)
	case question == "/":
		return nil
	}
	// A prompt that is not needed any more is taken back, and its window with it. Nobody waits for the
	// answer, and no service is started for it.
	dismiss := func() {
		conn.Object(secretService, question).Go(promptType+".Dismiss", dbus.FlagNoReplyExpected|dbus.FlagNoAutoStart, nil)
	}
	if !prompt {
		if walletIsOpen(ctx, conn, collection) {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if ask(short, conn, question) == nil {
				return nil
			}
		}
		dismiss()
		return fmt.Errorf("%w: its collection is locked", ErrLocked)
	}
	asking.Store(true)
	err = ask(ctx, conn, question)
	if err != nil {
		dismiss()
		return err
	}
	asking.Store(false)
	return nil
}

// ask shows a prompt and waits for what becomes of it.
func ask(ctx context.Context, conn *dbus.Conn, question dbus.ObjectPath) error {
	signals := make(chan *dbus.Signal, 16) // closed when the connection ends
	conn.Signal(signals)
	defer conn.RemoveSignal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchObjectPath(question), dbus.WithMatchInterface(promptType)},
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secretService)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return err
		}
		defer conn.RemoveMatchSignal(match...)
	}
	if err := conn.Object(secretService, question).CallWithContext(ctx, promptType+".Prompt", 0, "").Err; err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case signal, ok := <-signals:
			switch {
			case !ok:
				return fmt.Errorf("%w: the session bus hung up while it was asking", ErrBroken)
			case signal.Name == ownerChanged && len(signal.Body) > 0 && signal.Body[0] == secretService:
				return fmt.Errorf("%w: it went away while it was asking", ErrBroken)
			case signal.Name != promptType+".Completed" || signal.Path != question:
				continue
			}
			var dismissed bool
			var result dbus.Variant
			if err := dbus.Store(signal.Body, &dismissed, &result); err != nil {
				return fmt.Errorf("%w: its prompt ended with nonsense", ErrBroken)
			}
			if unlocked, _ := result.Value().([]dbus.ObjectPath); dismissed || len(unlocked) == 0 {
				// Declined, or there is nothing that could show a window.
				return fmt.Errorf("%w: its collection was not unlocked", ErrLocked)
			}
			return nil
		}
	}
}

// walletIsOpen reports whether the collection is a wallet of KWallet that is open already, as it is
// after a login that opened it. Its Secret Service calls it locked until the first prompt of the
// session, which then completes without a window.
func walletIsOpen(ctx context.Context, conn *dbus.Conn, collection dbus.ObjectPath) bool {
	owner := func(name string) (unique string) {
		conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, name).Store(&unique)
		return unique
	}
	var label dbus.Variant // the wallet's name
	if conn.Object(secretService, collection).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, collectionType, "Label").Store(&label) != nil {
		return false
	}
	for _, module := range []string{"kwalletd5", "kwalletd6"} {
		if unique := owner("org.kde." + module); unique == "" || unique != owner(secretService) {
			continue
		}
		var open bool
		conn.Object("org.kde."+module, dbus.ObjectPath("/modules/"+module)).
			CallWithContext(ctx, "org.kde.KWallet.isOpen", dbus.FlagNoAutoStart, label.Value()).Store(&open)
		return open
	}
	return false
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

// noBus explains why there is no bus. Other D-Bus libraries look into XDG_RUNTIME_DIR; godbus goes by its
// own idea of that folder, and a library must not set the variable that would help it.
func noBus() error {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		path := filepath.Join(dir, "bus")
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
			return fmt.Errorf("%w: DBUS_SESSION_BUS_ADDRESS is not set; the session bus seems to be unix:path=%s", ErrUnavailable, dbus.EscapeBusAddressValue(path))
		}
	}
	return fmt.Errorf("%w: this session has no D-Bus", ErrUnavailable)
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

// died reports whether err is what a call says whose service ended before the answer, or between two
// calls: the bus tells of the end, or its successor does not know what the call is about.
func died(err error) bool {
	switch errorName(err) {
	case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.Secret.Error.NoSession":
		return true
	}
	return absent(err)
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
