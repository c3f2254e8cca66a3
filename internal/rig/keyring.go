package rig

import (
	"context"
	"encoding/base64"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	secrets    = "org.freedesktop.secrets"
	secretPath = dbus.ObjectPath("/org/freedesktop/secrets")
	login      = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
)

// Session is a private session bus with a gnome-keyring whose login collection is unlocked, in a
// home of its own. All of it ends with the test.
type Session struct {
	Dir     string // its folder; Dir/home is the home
	Address string // of the bus

	t    testing.TB
	env  []string
	bus  *exec.Cmd
	conn *dbus.Conn

	daemon int // the process that Keyring has started
}

// Keyring starts a Session, or skips the test as Require does. extra is added to the environment
// of the bus and of all that it starts, such as DISPLAY for the prompter.
func Keyring(t testing.TB, extra ...string) *Session {
	t.Helper()
	s := FreshKeyring(t, extra...)
	s.startDaemon()
	return s
}

func (s *Session) startDaemon() {
	s.t.Helper()
	cmd := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	cmd.Env = s.env
	cmd.Stdin = strings.NewReader("rig") // the password; a newline would become part of it
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	start(s.t, cmd)
	s.daemon = cmd.Process.Pid
	for deadline := time.Now().Add(hang); ; time.Sleep(5 * time.Millisecond) {
		if s.owner(secrets) == s.daemon {
			if locked, err := s.conn.Object(secrets, login).GetProperty("org.freedesktop.Secret.Collection.Locked"); err == nil && locked.Value() == false {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("gnome-keyring-daemon does not come up\n%s", tail(log.Bytes()))
		}
	}
}

// Revive starts the daemon anew if it has died by itself, and reports whether it had. gnome-keyring 42 is
// seen to do that when one of some hundred clients is killed in the middle of a call; the bus then starts
// another, which is locked.
func (s *Session) Revive() bool {
	s.t.Helper()
	switch s.owner(secrets) {
	case s.daemon:
		return false
	case 0:
	default:
		s.KillDaemon()
	}
	s.t.Log("gnome-keyring died; it is started anew, with what it has on disk")
	s.startDaemon()
	return true
}

// FreshKeyring is a Session in which no keychain runs yet and the home holds no collection: the first
// call to it makes the bus start one.
func FreshKeyring(t testing.TB, extra ...string) *Session {
	t.Helper()
	Require(t, "gnome-keyring")
	dir, env := home(t)
	s := &Session{Dir: dir, t: t, env: Environ(append(env, extra...)...)}
	// The environment comes before the bus: a keychain that the bus starts has the bus's.
	s.Address, s.bus = startBus(t, s.env, "--session")
	s.env = append(s.env, "DBUS_SESSION_BUS_ADDRESS="+s.Address)
	s.conn = s.connect()
	t.Cleanup(func() {
		// What the bus started is not our child; the bus knows its process.
		for _, name := range []string{secrets, "org.gnome.keyring.SystemPrompter"} {
			if pid := s.owner(name); pid != 0 {
				kill(pid)
			}
		}
		s.conn.Close()
	})
	return s
}

// Env is the environment for programs of the session.
func (s *Session) Env() []string { return slices.Clone(s.env) }

func (s *Session) connect() *dbus.Conn {
	s.t.Helper()
	conn, err := dbus.Connect(s.Address)
	if err != nil {
		s.t.Fatalf("connect to the rig's bus: %v", err)
	}
	return conn
}

// owner is the process that owns a name on the bus, or 0.
func (s *Session) owner(name string) int {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	var pid uint32
	err := s.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name).Store(&pid)
	if err != nil {
		return 0
	}
	return int(pid)
}

// DaemonPID is the process ID of the keychain.
func (s *Session) DaemonPID() int {
	s.t.Helper()
	pid := s.owner(secrets)
	if pid == 0 {
		s.t.Fatal("no keychain runs in the session")
	}
	return pid
}

// Lock locks the login collection.
func (s *Session) Lock() {
	s.t.Helper()
	var locked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	err := s.conn.Object(secrets, secretPath).
		Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{login}).Store(&locked, &prompt)
	if err != nil || len(locked) != 1 {
		s.t.Fatalf("lock the login collection: got %v, %v, want one collection", locked, err)
	}
}

// Freeze stops the keychain as a debugger does: it holds its name and answers nothing.
func (s *Session) Freeze() { s.signal(suspend) }

// Thaw ends Freeze.
func (s *Session) Thaw() { s.signal(resume) }

// KillDaemon kills the keychain. The next call makes the bus start a new one, which is locked.
// When KillDaemon returns, the bus knows that the old one has gone.
func (s *Session) KillDaemon() {
	s.t.Helper()
	pid := s.DaemonPID()
	s.signal(kill)
	for end := time.Now().Add(hang); s.owner(secrets) == pid; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("the killed keychain still owns its name")
		}
	}
}

func (s *Session) signal(send func(int) error) {
	s.t.Helper()
	if err := send(s.DaemonPID()); err != nil {
		s.t.Fatal(err)
	}
}

// KillBus kills the session bus, as the end of a desktop session does.
func (s *Session) KillBus() {
	s.t.Helper()
	if err := s.bus.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
}

// Lookup is what secret-tool finds under the attributes, such as "service", "cogauth", "username",
// "work".
func (s *Session) Lookup(attributes ...string) (string, bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, "secret-tool", append([]string{"lookup"}, attributes...)...)
	cmd.Env = s.env
	out, err := cmd.Output()
	if ctx.Err() != nil {
		s.t.Fatal("secret-tool hangs")
	}
	return string(out), err == nil
}

// Value is what cogauth keeps under a name, in whichever of its two places, as somebody without cogauth
// would find it: after the header of one entry.
func (s *Session) Value(name string) (string, bool) {
	s.t.Helper()
	for _, entry := range []string{name, name + "~b"} {
		text, found := s.Lookup("service", "cogauth", "username", entry)
		if !found {
			continue
		}
		fields := strings.SplitN(text, " ", 7) // magic, generation, entries, length, checksum, encoding
		if len(fields) != 7 || fields[2] != "1" {
			s.t.Fatalf("the entry %s is not all of a value", entry)
		}
		if fields[5] == "base64" {
			plain, err := base64.StdEncoding.DecodeString(fields[6])
			if err != nil {
				s.t.Fatalf("the entry %s: %v", entry, err)
			}
			return string(plain), true
		}
		return fields[6], true
	}
	return "", false
}

// Names are what gnome-keyring holds of cogauth, sorted. It is asked over a connection that stays: the
// first call of a new one can make it abort.
func (s *Session) Names() (names []string) {
	s.t.Helper()
	get := func(path dbus.ObjectPath, property string, value any) {
		s.t.Helper()
		v, err := s.conn.Object(secrets, path).GetProperty("org.freedesktop.Secret." + property)
		if err == nil {
			err = v.Store(value)
		}
		if err != nil {
			s.t.Fatalf("gnome-keyring: %s: %v", property, err)
		}
	}
	var items []dbus.ObjectPath
	get(login, "Collection.Items", &items)
	for _, item := range items {
		var attributes map[string]string
		get(item, "Item.Attributes", &attributes)
		if attributes["service"] == "cogauth" {
			names = append(names, attributes["username"])
		}
	}
	slices.Sort(names)
	return names
}

// Calls records the method calls that go over the bus from now on. What it returns ends the
// recording and gives them in order, each as "interface.member".
func (s *Session) Calls() (stop func() []string) {
	s.t.Helper()
	conn := s.connect()
	messages := make(chan *dbus.Message, 1<<16)
	conn.Eavesdrop(messages)
	// As an eavesdropper the connection no longer sees replies, so none is waited for.
	conn.BusObject().Call("org.freedesktop.DBus.Monitoring.BecomeMonitor", dbus.FlagNoReplyExpected, []string{"type='method_call'"}, uint32(0))
	s.mark(messages, "rig.begin")
	return func() []string {
		defer conn.Close()
		return s.mark(messages, "rig.end")
	}
}

// mark sends a call that does nothing and returns the calls seen before it.
func (s *Session) mark(messages <-chan *dbus.Message, name string) (calls []string) {
	s.t.Helper()
	again := time.NewTicker(50 * time.Millisecond) // the first may come before the monitor
	defer again.Stop()
	deadline := time.After(hang)
	s.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name)
	for {
		select {
		case msg := <-messages:
			if msg == nil {
				s.t.Fatal("the bus hung up while its calls were recorded")
			}
			if len(msg.Body) == 1 && msg.Body[0] == name {
				return calls
			}
			iface, _ := msg.Headers[dbus.FieldInterface].Value().(string)
			member, _ := msg.Headers[dbus.FieldMember].Value().(string)
			if member != "" && !slices.Contains([]any{"rig.begin", "rig.end"}, first(msg.Body)) {
				calls = append(calls, iface+"."+member)
			}
		case <-again.C:
			s.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name)
		case <-deadline:
			s.t.Fatal("the bus shows no calls to a monitor")
		}
	}
}

func first(body []any) any {
	if len(body) == 0 {
		return nil
	}
	return body[0]
}
