package credentialhelper

import (
	"errors"
	"fmt"
	"testing"
)

func init() { conforms(pnpm, pnpmParses) }

func FuzzPnpm(f *testing.F) { fuzzProtocol(f, pnpm) }

// pnpmParses reads as pnpm does: white space goes, and the rest is the header.
func pnpmParses(c *transcript) error {
	return oneToken(c, "Bearer %s\n")
}

// oneToken checks an answer that is the token that was handed out and nothing else.
func oneToken(c *transcript, format string) error {
	if len(c.source.handed) != 1 {
		return errors.New("an answer, but no token was handed out")
	}
	if want := fmt.Sprintf(format, c.source.handed[0].Token); c.out != want {
		return fmt.Errorf("the answer is %q, not %q", c.out, want)
	}
	return nil
}
