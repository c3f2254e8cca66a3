package tokenstore_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/tokenstore"
	"github.com/cogauth/cogauth/pkg/tokenstore/storetest"
)

// The contract of a Store, on each keychain there is for Linux. The shared D-Bus connection belongs to a
// process, so each keychain has one: this test binary again.

const contractVar = "TOKENSTORE_CONTRACT"

func TestContractInside(t *testing.T) {
	if os.Getenv(contractVar) == "" {
		t.Skip("is run by TestContract")
	}
	storetest.Run(t, func(*testing.T) tokenstore.Store { return &tokenstore.Keyring{Timeout: 30e9} })
}

// C1-C3, C17: one contract, whoever keeps the entries.
func TestContract(t *testing.T) {
	for name, env := range map[string]func(*testing.T) []string{
		"gnome-keyring": func(t *testing.T) []string { return rig.Keyring(t).Env() },
		"KWallet":       func(t *testing.T) []string { return rig.KWallet(t, true).Env() },
		"KeePassXC":     func(t *testing.T) []string { return rig.KeePassXC(t, rig.XDisplay(t), true).Env() },
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestContractInside$", "-test.timeout=5m")
			if name == "KeePassXC" { // it saves its database at each change
				cmd.Args = append(cmd.Args, "-test.short")
			}
			cmd.Env = append(env(t), contractVar+"=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
