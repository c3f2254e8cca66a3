package tokenstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/zalando/go-keyring"
)

// classify turns what go-keyring said into this package's answers. It wraps none of go-keyring's
// errors: theirs are mostly bare strings, and an answer must match one of ours only.
func classify(err error) error {
	for _, ours := range []error{ErrNotFound, ErrTooLarge, ErrLocked, ErrUnavailable, ErrBroken} {
		if errors.Is(err, ours) {
			return err
		}
	}
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return fmt.Errorf("%w for this system's keychain", ErrTooLarge)
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return fmt.Errorf("%w: this operating system has none that is supported", ErrUnavailable)
	}
	if known := classifySystem(err); known != nil {
		return known
	}
	return fmt.Errorf("%w: it answered %s", ErrBroken, quote(err.Error()))
}

// quote makes text that somebody else wrote fit for one line of a terminal.
func quote(s string) string {
	const most = 160
	if len(s) > most {
		s = s[:most]
	}
	return strconv.QuoteToASCII(s)
}

// securityStatus explains an exit status of macOS's security(1), which is the low byte of an
// OSStatus of Security.framework (SecBase.h).
func securityStatus(status int) error {
	switch status {
	case 36: // errSecInteractionNotAllowed, -25308: locked, and this session cannot show a dialog
		return fmt.Errorf("%w: it cannot ask anybody in this session, as over SSH; \"security unlock-keychain\" asks in the terminal", ErrLocked)
	case 51: // errSecAuthFailed, -25293
		return fmt.Errorf("%w: the password was not accepted", ErrLocked)
	case 128: // errSecUserCanceled, -128
		return fmt.Errorf("%w: access was declined", ErrLocked)
	case 44: // errSecItemNotFound, -25300; go-keyring goes by the English message only
		return ErrNotFound
	case 37: // errSecNoDefaultKeychain, -25307
		return fmt.Errorf("%w: this user has no default keychain", ErrUnavailable)
	case 50: // errSecNoSuchKeychain, -25294
		return fmt.Errorf("%w: the default keychain does not exist", ErrUnavailable)
	case 53: // errSecNotAvailable, -25291
		return fmt.Errorf("%w: this session has none", ErrUnavailable)
	}
	return fmt.Errorf("%w: status %d", ErrBroken, status)
}

// credentialStatus explains an error of Windows' CredRead, CredWrite and CredDelete (winerror.h).
func credentialStatus(code uint32) error {
	switch code {
	case 1168: // ERROR_NOT_FOUND
		return ErrNotFound
	case 1312: // ERROR_NO_SUCH_LOGON_SESSION: a network logon, as over SSH with a key
		return fmt.Errorf("%w: this logon session has no credentials of its own, as over SSH with a key; sign in at the console, or with a password", ErrUnavailable)
	case 1062, 1722: // ERROR_SERVICE_NOT_ACTIVE, RPC_S_SERVER_UNAVAILABLE
		return fmt.Errorf("%w: the credential manager is not running", ErrUnavailable)
	case 1783: // RPC_X_BAD_STUB_DATA: how CredWrite refuses a blob above its limit
		return fmt.Errorf("%w for this system's keychain", ErrTooLarge)
	}
	return fmt.Errorf("%w: error %d", ErrBroken, code)
}

// securityLimit is the most bytes of a value that go-keyring can hand to macOS's security(1).
func securityLimit(service, name string) int {
	const line = 4096
	command := len("add-generic-password -U -s  -a  -w 'go-keyring-base64:'\n") + quotedLen(service) + quotedLen(slotsOf(name)[1].first) + len("10000")
	return (line - command) / 4 * 3
}

// quotedLen is the most that a word can take when it is quoted for a shell.
func quotedLen(s string) int { return len("''") + len(s) + strings.Count(s, "'")*len(`"'"'`) }
