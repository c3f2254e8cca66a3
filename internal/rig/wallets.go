package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Wallet is a Secret Service that is not gnome-keyring, on a private session bus, in a home of its own. All
// of it ends with the test.
type Wallet struct {
	Dir string // its folder

	t    testing.TB
	env  []string
	conn *dbus.Conn
	cmd  *exec.Cmd
}

// Env is the environment for programs of the session.
func (w *Wallet) Env() []string { return append([]string{}, w.env...) }

// newWallet has a bus on which nothing can be started.
func newWallet(t testing.TB, extra ...string) *Wallet {
	t.Helper()
	dir, env := home(t)
	env = append(env, extra...)
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, []byte(bareBus), 0o600); err != nil {
		t.Fatal(err)
	}
	address, _ := startBus(t, Environ(env...), "--config-file="+config)
	w := &Wallet{Dir: dir, t: t, env: Environ(append(env, "DBUS_SESSION_BUS_ADDRESS="+address)...)}
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatalf("connect to the rig's bus: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	w.conn = conn
	return w
}

// until waits for something to be so.
func (w *Wallet) until(what string, so func() bool) {
	w.t.Helper()
	for end := time.Now().Add(hang); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("rig: %s: it does not happen", what)
		}
	}
}

func (w *Wallet) owned(name string) bool {
	var owned bool
	err := w.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
	return err == nil && owned
}

// collections are how many the Secret Service lists.
func (w *Wallet) collections() int {
	v, err := w.conn.Object(secrets, secretPath).GetProperty("org.freedesktop.Secret.Service.Collections")
	if err != nil {
		return 0
	}
	paths, _ := v.Value().([]dbus.ObjectPath)
	return len(paths)
}

// locked reports whether the default collection is, or is not there.
func (w *Wallet) locked() bool {
	v, err := w.conn.Object(secrets, "/org/freedesktop/secrets/aliases/default").GetProperty("org.freedesktop.Secret.Collection.Locked")
	return err != nil || v.Value() != false
}

// run starts the daemon in place of the one before.
func (w *Wallet) run(cmd *exec.Cmd) {
	w.t.Helper()
	w.stop()
	cmd.Env = w.env
	w.cmd = cmd
	start(w.t, cmd)
}

// stop ends the daemon, and returns when the bus knows it.
func (w *Wallet) stop() {
	w.t.Helper()
	if w.cmd == nil {
		return
	}
	w.cmd.Process.Kill()
	w.cmd.Wait()
	w.cmd = nil
	w.until("the Secret Service leaves the bus", func() bool { return !w.owned(secrets) })
}

const kwallet = "org.kde.kwalletd5"

// KWallet is KWallet with an open wallet, or with a closed one.
func KWallet(t testing.TB, open bool) *Wallet {
	t.Helper()
	Require(t, "kwallet")
	w := newWallet(t, "QT_QPA_PLATFORM=offscreen")
	rc := `[Wallet]
Enabled=true
First Use=false
Use One Wallet=true
Default Wallet=kdewallet
Prompt on Open=false
Close When Idle=false
Leave Open=true
[org.freedesktop.secrets]
apiEnabled=true
`
	if err := os.WriteFile(w.Dir+"/home/.config/kwalletrc", []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(w.Dir+"/home/.local/share/kwalletd", 0o700); err != nil {
		t.Fatal(err)
	}
	// The first run makes the wallet; only the second offers it as a collection.
	for range 2 {
		w.run(exec.Command("kwalletd5"))
		w.until("kwalletd5 takes its name", func() bool { return w.owned(secrets) && w.owned(kwallet) })
		w.unlockKWallet()
	}
	w.until("KWallet lists its wallet", func() bool { return w.collections() > 0 })
	if !open {
		w.run(exec.Command("kwalletd5"))
		w.until("kwalletd5 takes its name", func() bool { return w.owned(secrets) })
		w.until("KWallet lists its wallet", func() bool { return w.collections() > 0 })
	}
	return w
}

// unlockKWallet does what the system's login does with the person's password.
func (w *Wallet) unlockKWallet() {
	w.t.Helper()
	hash := make([]byte, 56)
	for i := range hash {
		hash[i] = byte(i + 1)
	}
	wallet := w.conn.Object(kwallet, "/modules/kwalletd5")
	if err := wallet.Call("org.kde.KWallet.pamOpen", 0, "kdewallet", hash, int32(0)).Err; err != nil {
		w.t.Fatalf("rig: open KWallet: %v", err)
	}
	w.until("KWallet opens", func() bool {
		var open bool
		return wallet.Call("org.kde.KWallet.isOpen", 0, "kdewallet").Store(&open) == nil && open
	})
}

// keepassDatabase offers its root group as a Secret Service.
const keepassDatabase = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<KeePassFile>
 <Meta><Generator>rig</Generator><DatabaseName>rig</DatabaseName>
  <MemoryProtection><ProtectPassword>True</ProtectPassword></MemoryProtection>
  <RecycleBinEnabled>False</RecycleBinEnabled>
  <CustomData><Item><Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{01234567-89ab-cdef-0123-456789abcdef}</Value></Item></CustomData>
 </Meta>
 <Root><Group><UUID>ASNFZ4mrze8BI0VniavN7w==</UUID><Name>Root</Name></Group></Root>
</KeePassFile>
`

// KeePassXC is KeePassXC with an open database, or with a locked one. It needs a display.
func KeePassXC(t testing.TB, display string, open bool) *Wallet {
	t.Helper()
	Require(t, "keepassxc")
	w := newWallet(t, "DISPLAY="+display, "QT_LOGGING_RULES=*=false")
	ini := `[General]
ConfigVersion=2
UpdateCheckMessageShown=true
SingleInstance=false
[GUI]
CheckForUpdates=false
[FdoSecrets]
Enabled=true
ConfirmAccessItem=false
ConfirmDeleteItem=false
UnlockBeforeSearch=true
ShowNotification=false
`
	xml, database := w.Dir+"/rig.xml", w.Dir+"/rig.kdbx"
	for path, text := range map[string]string{w.Dir + "/home/.config/keepassxc/keepassxc.ini": ini, xml: keepassDatabase} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	make := exec.Command("keepassxc-cli", "import", "-p", xml, database)
	make.Env, make.Stdin = w.env, strings.NewReader("rig\nrig\n")
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("keepassxc-cli import: %v\n%s", err, tail(out))
	}
	cmd := exec.Command("keepassxc", database)
	if open {
		cmd = exec.Command("keepassxc", "--pw-stdin", database)
		cmd.Stdin = strings.NewReader("rig\n")
	}
	w.run(cmd)
	w.until("KeePassXC takes the Secret Service's name", func() bool { return w.owned(secrets) })
	if open {
		w.until("KeePassXC opens its database", func() bool { return w.collections() > 0 && !w.locked() })
	}
	return w
}

// XDisplay starts an X server without a screen and returns its display. It is told not to begin anew when
// its last client leaves, as servers do, since it turns clients away meanwhile.
func XDisplay(t testing.TB) string {
	t.Helper()
	Require(t, "xvfb")
	cmd := exec.Command("Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	var number int
	if _, err := fmt.Fscan(out, &number); err != nil {
		t.Fatalf("Xvfb names no display: %v", err)
	}
	return fmt.Sprintf(":%d", number)
}
