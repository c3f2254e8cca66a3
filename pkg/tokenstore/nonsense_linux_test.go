package tokenstore

import (
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cogauth/cogauth/internal/rig"
)

// strangeService is a Secret Service that no real one behaves like.
type strangeService struct {
	conn      *dbus.Conn
	locked    any
	err       *dbus.Error
	completed []any // what its prompt ends with
	other     bool  // an answer to somebody else's prompt comes first

	asked, dismissed chan struct{}
}

const strangePrompt = dbus.ObjectPath("/org/freedesktop/secrets/prompt/p1")

// Get is org.freedesktop.DBus.Properties.Get.
func (s *strangeService) Get(string, string) (dbus.Variant, *dbus.Error) {
	if s.err != nil {
		return dbus.MakeVariant(""), s.err
	}
	return dbus.MakeVariant(s.locked), nil
}

func (s *strangeService) Unlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	if s.completed == nil {
		return nil, "/", nil
	}
	return nil, strangePrompt, nil
}

func (s *strangeService) Prompt(string) *dbus.Error {
	s.asked <- struct{}{}
	if s.other {
		s.conn.Emit(strangePrompt+"2", promptType+".Completed", true, dbus.MakeVariant(""))
	}
	s.conn.Emit(strangePrompt, promptType+".Completed", s.completed...)
	return nil
}

func (s *strangeService) Dismiss() *dbus.Error {
	s.dismissed <- struct{}{}
	return nil
}

// C18: what a locked or absent default collection is said to be, and nonsense about it, is tolerated.
// No fake here stands for a keychain: these are answers that none of the real ones can be made to give.
func TestC18StrangeAnswers(t *testing.T) {
	paths := []dbus.ObjectPath{collections[0]}
	const canary = "CANARY-of-a-service"
	for _, c := range []struct {
		name          string
		service       strangeService
		options, want string
		dismissed     bool
	}{
		{"a lock that is no boolean", strangeService{locked: "yes"}, helper, "broken", false},
		{"an error of its own", strangeService{err: dbus.NewError("org.example.Odd", []any{canary})}, helper, "broken", false},
		{"locked, and neither unlocked nor a prompt", strangeService{locked: true}, helper, "locked", false},
		{"locked, nobody to ask", strangeService{locked: true, completed: []any{false, dbus.MakeVariant(paths)}}, helper, "locked", true},
		{"declined", strangeService{locked: true, completed: []any{true, dbus.MakeVariant("")}}, patient, "locked", true},
		{"unlocked nothing", strangeService{locked: true, completed: []any{false, dbus.MakeVariant([]dbus.ObjectPath{})}}, patient, "locked", true},
		{"the end of another prompt, then declined", strangeService{locked: true, other: true, completed: []any{true, dbus.MakeVariant(paths)}}, patient, "locked", true},
		{"a prompt that ends with nonsense", strangeService{locked: true, completed: []any{canary}}, patient, "broken", true},
		{"a prompt that ends with nothing", strangeService{locked: true, completed: []any{}}, patient, "broken", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := rig.BusWithoutService(t)
			var address string
			for _, kv := range env {
				if a, ok := strings.CutPrefix(kv, "DBUS_SESSION_BUS_ADDRESS="); ok {
					address = a
				}
			}
			conn, err := dbus.Connect(address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			s := c.service
			s.conn, s.asked, s.dismissed = conn, make(chan struct{}, 9), make(chan struct{}, 9)
			conn.Export(&s, collections[0], "org.freedesktop.DBus.Properties")
			conn.Export(&s, secretRoot, "org.freedesktop.Secret.Service")
			conn.Export(&s, strangePrompt, promptType)
			if _, err := conn.RequestName(secretService, dbus.NameFlagDoNotQueue); err != nil {
				t.Fatal(err)
			}
			child := startChild(t, env, c.options)
			for _, command := range []string{"get work", "delete work"} {
				if detail := child.want(c.want, "%s", command); strings.Contains(detail, "CANARY") {
					t.Errorf("got %q, want nothing of what the service wrote", detail)
				}
				if !c.dismissed {
					continue
				}
				select {
				case <-s.dismissed:
				case <-time.After(30 * time.Second):
					t.Fatal("the prompt was not taken back")
				}
			}
			if asked := len(s.asked) > 0; asked != (c.options == patient) {
				t.Errorf("it was told to ask: %v, want %v", asked, c.options == patient)
			}
		})
	}
}
