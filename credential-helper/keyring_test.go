package credentialhelper

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func init() { conforms(keyring, keyringParses) }

func FuzzKeyring(f *testing.F) { fuzzProtocol(f, keyring) }

// keyringParses reads as pip and uv do: an object, two lines, or one.
func keyringParses(c *transcript) error {
	if len(c.source.handed) != 1 {
		return errors.New("an answer, but no token was handed out")
	}
	cred := c.source.handed[0]
	var user, password string
	lines := split(c.out)
	switch {
	case strings.HasPrefix(c.out, "{"):
		var a struct{ Username, Password string }
		if err := json.Unmarshal([]byte(c.out), &a); err != nil {
			return err
		}
		user, password = a.Username, a.Password
	case len(lines) == 2:
		user, password = lines[0], lines[1]
	case len(lines) == 1:
		password = lines[0]
	default:
		return fmt.Errorf("pip cannot read %q", c.out)
	}
	if password != cred.Token {
		return fmt.Errorf("pip reads the password %q", password)
	}
	mode := "password"
	for i, arg := range c.args {
		if value, ok := strings.CutPrefix(arg, "--mode="); ok {
			mode = value
		} else if i > 0 && c.args[i-1] == "--mode" {
			mode = arg
		}
	}
	// JSON has no bytes that are not UTF-8.
	if fits := user == cred.Username || user == string([]rune(cred.Username)) || cred.Username == "" && user != ""; (mode == "creds") != (user != "") || mode == "creds" && !fits {
		return fmt.Errorf("pip reads the user name %q", user)
	}
	return nil
}

// What a keyring on PATH is asked to do for others is theirs, with standard input and all.
func TestJ3KeyringPassesOnUntouched(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"--version"},
		{"--list-backends"},
		{"--disable", "get", "pypi.corp.example", "wanda"},
		{"--keyring-path=/opt", "get", "pypi.corp.example", "wanda"},
		{"diagnose"},
		{"--mode"},
		{"--mode=otp", "get", "pypi.corp.example", "wanda"},
		{"--output=yaml", "get", "pypi.corp.example", "wanda"},
		{"get"},
		{"get", "", "wanda"},
		{"get", "a", "b", "c"},
		{"get", "corp/mail", "wanda"},
		{"set", "https://elsewhere.example/", "wanda"},
		{"del", "elsewhere.example", "wanda"},
		{"get", "elsewhere.example", "wanda"},
	} {
		in := strings.NewReader("typed by hand\n")
		c := &transcript{args: args, source: &scripted{other: answer{err: errNobody}}}
		c.source.answers = map[string]answer{"//pypi.corp.example": {cred: Credential{Token: "t"}}}
		err := keyring.Run(t.Context(), &Call{Args: args, In: in, Out: c, Getenv: func(string) string { return "" }, Source: c.source})
		if !errors.Is(err, ErrPassOn) || c.out != "" || in.Len() != int(in.Size()) {
			t.Errorf("keyring %q: %v, wrote %q, %d of %d bytes unread", args, err, c.out, in.Len(), in.Size())
		}
	}
}

// S8: the user name that was asked for comes back in the answer.
func TestS8KeyringBreakInUserName(t *testing.T) {
	for _, bad := range []string{"wanda\nhunter2", "wanda\r", "wanda\x00"} {
		c := &transcript{
			args:   []string{"--mode=creds", "get", "https://pypi.corp.example", bad},
			source: &scripted{other: answer{cred: Credential{Token: "t"}}},
		}
		c.run(keyring)
		var malformed *MalformedError
		if !errors.As(c.err, &malformed) || c.out != "" || len(c.source.asked) > 0 {
			t.Errorf("%q: %v, wrote %q, asked %q", bad, c.err, c.out, c.source.asked)
		}
	}
}
