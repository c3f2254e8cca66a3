package credentialhelper

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func init() { conforms(google, googleParses) }

func FuzzGoogle(f *testing.F) { fuzzProtocol(f, google) }

// googleParses reads as executablecredsource.go of golang.org/x/oauth2/google does, and holds the answer
// to what the libraries for Python and Node want as well.
func googleParses(c *transcript) error {
	var got struct {
		Version        int     `json:"version"`
		Success        *bool   `json:"success"`
		TokenType      string  `json:"token_type"`
		ExpirationTime *int64  `json:"expiration_time"`
		IDToken        string  `json:"id_token"`
		Code           string  `json:"code"`
		Message        *string `json:"message"`
	}
	if err := oneObject(c.out, &got); err != nil {
		return err
	}
	interactive := c.env["GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE"] == "1"
	if got.Version != 1 || got.Success == nil || interactive != (c.err == Status(1)) {
		return fmt.Errorf("Google reads %+v, %v", got, c.err)
	}
	if !*got.Success {
		if got.Code == "" || strings.ToUpper(got.Code) != got.Code || got.Message == nil || *got.Message == "" || got.IDToken != "" {
			return fmt.Errorf("Google reads the failure %+v", got)
		}
		return nil
	}
	if len(c.source.handed) != 1 || interactive {
		return errors.New("an answer, but no token was handed out")
	}
	cred := c.source.handed[0]
	kind, _ := strings.CutPrefix(got.TokenType, "urn:ietf:params:oauth:token-type:")
	if kind != "id_token" && kind != "jwt" || got.IDToken != cred.Token || got.Code != "" || got.Message != nil {
		return fmt.Errorf("Google reads %+v", got)
	}
	if asked := c.env["GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE"]; asked != "" && asked != got.TokenType {
		return fmt.Errorf("Google reads the type %q", got.TokenType)
	}
	if (got.ExpirationTime == nil) != (cred.Expires.IsZero() || cred.Expires.Unix() == 0) ||
		got.ExpirationTime != nil && *got.ExpirationTime != cred.Expires.Unix() {
		return errors.New("Google reads another end")
	}
	return nil
}

// TestGoogleFailuresAreAnswers: a failure with another exit status than 0 is one that nobody gets to see.
func TestGoogleFailuresAreAnswers(t *testing.T) {
	for i := range reasons {
		source := &scripted{other: answer{err: &Refusal{Reason: Reason(i), Message: `it is "so"`, Fix: "do\nthis"}}}
		want := `{"version":1,"success":false,"code":"` + strings.ToUpper(reasons[i]) + `","message":"it is \"so\"; do this"}` + "\n"
		if c := runOn(google, source, ""); c.out != want || c.err != nil {
			t.Errorf("%v: %q, %v", Reason(i), c.out, c.err)
		}
	}
}

// TestGoogleFailureHasAMessage: the library for Go does not take one without.
func TestGoogleFailureHasAMessage(t *testing.T) {
	c := runOn(google, &scripted{other: answer{err: errors.New("\n")}}, "")
	if want := `{"version":1,"success":false,"code":"FAILED","message":"failed"}` + "\n"; c.out != want || c.err != nil {
		t.Errorf("%q, %v", c.out, c.err)
	}
}

func TestL2GoogleIsNeverInteractive(t *testing.T) {
	for _, value := range []string{"", "0", "1", "true"} {
		source := &scripted{other: answer{cred: Credential{Token: "t"}}}
		c := &transcript{env: map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE": value}, source: source}
		c.run(google)
		for _, r := range source.requests {
			if r.Interactive {
				t.Errorf("%q: a person may be asked", value)
			}
		}
		if value == "1" && (len(source.asked) > 0 || strings.Contains(c.out, `"t"`)) {
			t.Errorf("a token on a terminal: %q, asked %q", c.out, source.asked)
		}
	}
}

func TestGoogleBadInput(t *testing.T) {
	for _, kind := range []string{"saml2", googleType, googleType + "saml2", googleType + "id_token\n", googleType + "access_token", "\x1b[31m"} {
		source := &scripted{other: answer{cred: Credential{Token: "t"}}}
		c := &transcript{env: map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": kind}, source: source}
		c.run(google)
		if c.err != nil || len(source.asked) > 0 || !strings.Contains(c.out, `"success":false,"code":"MISCONFIGURED"`) {
			t.Errorf("%q: %q, %v", kind, c.out, c.err)
		}
	}
}
