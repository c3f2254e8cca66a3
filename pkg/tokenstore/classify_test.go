package tokenstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"
)

func TestC16GoKeyringsOwnErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{keyring.ErrNotFound, "notfound"},
		{keyring.ErrSetDataTooBig, "toolarge"},
		{keyring.ErrUnsupportedPlatform, "unavailable"},
		{fmt.Errorf("%w: a fact", ErrLocked), "locked"},
		{errors.New("anything else"), "broken"},
	} {
		if got := kind(classify(c.err)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}

// The statuses are the low bytes of the OSStatus named, as the shell sees them.
func TestC9MacOSStatuses(t *testing.T) {
	for _, c := range []struct {
		osstatus int
		want     string
	}{
		{-25308, "locked"}, {-25293, "locked"}, {-128, "locked"}, {-25300, "notfound"},
		{-25307, "unavailable"}, {-25294, "unavailable"}, {-25291, "unavailable"},
		{-25299, "broken"}, {1, "broken"},
	} {
		if got := kind(securityStatus(c.osstatus & 0xff)); got != c.want {
			t.Errorf("OSStatus %d: got %s, want %s", c.osstatus, got, c.want)
		}
	}
	if got := securityStatus(-25308 & 0xff).Error(); !strings.Contains(got, "security unlock-keychain") {
		t.Errorf("got %q, want the command that helps over SSH", got)
	}
}

func TestC13WindowsErrors(t *testing.T) {
	for code, want := range map[uint32]string{1168: "notfound", 1312: "unavailable", 1062: "unavailable", 1722: "unavailable", 1783: "toolarge", 5: "broken"} {
		if got := kind(credentialStatus(code)); got != want {
			t.Errorf("error %d: got %s, want %s", code, got, want)
		}
	}
	if got := credentialStatus(1312).Error(); !strings.Contains(got, "SSH") || !strings.Contains(got, "console") {
		t.Errorf("got %q, want how this comes and what helps", got)
	}
}
