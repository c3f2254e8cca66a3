package tokenstore

import (
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// C6: a wallet that is closed and a database that is locked are locked, for a program that nobody sits at,
// within its time and without a window.
func TestC6ClosedWallets(t *testing.T) {
	t.Run("KWallet", func(t *testing.T) {
		c := startChild(t, rig.KWallet(t, false).Env(), helper)
		c.want("locked", "get work")
		c.want("locked", "put work one")
		c.want("locked", "delete work")
	})
	t.Run("KeePassXC", func(t *testing.T) {
		display := rig.XDisplay(t)
		w := rig.KeePassXC(t, display, false)
		c := startChild(t, w.Env(), helper)
		for _, call := range []string{"get work", "put work one", "delete work"} {
			if got, detail := c.ask("%s", call); got != "locked" && got != "unavailable" { // it may list no database at all
				t.Errorf("%s: got %s %s, want locked", call, got, detail)
			}
		}
	})
}

// C6: an open KWallet that a program without a person calls works, whatever it says of itself.
func TestC6OpenKWalletNeedsNobody(t *testing.T) {
	w := rig.KWallet(t, true)
	startChild(t, w.Env(), helper).want("ok", "put work one")
	c := startChild(t, w.Env(), helper)
	if got := c.want("ok", "get work"); got != "one" {
		t.Errorf("got %q, want one", got)
	}
	c.want("ok", "delete work")
}
