package credentialhelper

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func init() { conforms(terraform, terraformParses) }

func FuzzTerraform(f *testing.F) { fuzzProtocol(f, terraform) }

// terraformParses reads as terraform does: an object for get, and nothing for the others.
func terraformParses(c *transcript) error {
	if c.args[0] != "get" {
		if c.out != "" || len(c.source.handed) > 0 {
			return fmt.Errorf("%s is answered with %q", c.args[0], c.out)
		}
		return nil
	}
	var a map[string]any
	if err := json.Unmarshal([]byte(c.out), &a); err != nil {
		return err
	}
	switch {
	case len(c.source.handed) == 0 && len(a) == 0:
		return nil
	case len(c.source.handed) == 0:
		return errors.New("an answer, but no token was handed out")
	case len(a) != 1 || a["token"] != c.source.handed[0].Token:
		return fmt.Errorf("terraform reads %q", a)
	}
	return nil
}
