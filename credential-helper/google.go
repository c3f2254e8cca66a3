package credentialhelper

import (
	"cmp"
	"context"
	"strings"
)

// google is the executable that Google's libraries run for an external account (AIP-4117). They take
// standard error for a part of the answer, and show a failure only if it is an answer with exit status 0.
var google = Protocol{Name: "google", Quiet: true, Run: runGoogle}

const googleType = "urn:ietf:params:oauth:token-type:"

// googleAnswer is a token or the reason why there is none. The library may name a file in which it looks
// before it runs the executable. Nothing is put there: that would be a token in the clear.
type googleAnswer struct {
	Version        int    `json:"version"`
	Success        bool   `json:"success"`
	TokenType      string `json:"token_type,omitempty"`
	IDToken        string `json:"id_token,omitempty"`
	ExpirationTime int64  `json:"expiration_time,omitempty"`
	Code           string `json:"code,omitempty"`
	Message        string `json:"message,omitempty"`
}

func runGoogle(ctx context.Context, c *Call) error {
	if c.Getenv("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE") == "1" {
		// Standard output is a person's terminal then, and the library wants the answer in a file.
		if err := c.googleFail(&Refusal{Reason: Misconfigured, Message: "an interactive executable writes the token to a file, and cogauth does not",
			Fix: "take interactive_timeout_millis out of the credential configuration"}); err != nil {
			return err
		}
		return Status(1)
	}
	if c.Getenv("GOOGLE_EXTERNAL_ACCOUNT_REVOKE") == "1" {
		return c.googleFail(&Refusal{Reason: Refused, Message: "the session is not Google's to end", Fix: "run: cogauth logout"})
	}
	kind := c.Getenv("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE")
	switch kind {
	case "":
		kind = googleType + "id_token"
	case googleType + "id_token", googleType + "jwt":
	default:
		return c.googleFail(&Refusal{Reason: Misconfigured, Message: "a user pool has no tokens of this type",
			Fix: "set subject_token_type to " + googleType + "id_token in the credential configuration"})
	}
	if len(c.Args) > 0 {
		return c.googleFail(malformed("google", "has arguments that this helper does not know"))
	}
	cred, err := c.token(ctx, Request{Client: "google", MinTTL: briefly})
	if err != nil {
		return c.googleFail(err)
	}
	answer := googleAnswer{Version: 1, Success: true, TokenType: kind, IDToken: cred.Token}
	if !cred.Expires.IsZero() {
		answer.ExpirationTime = cred.Expires.Unix()
	}
	return c.writeJSON(answer)
}

// googleFail says why there is no token. The libraries do not take a failure without a message.
func (c *Call) googleFail(err error) error {
	reason := ReasonOf(err).String()
	return c.writeJSON(googleAnswer{Version: 1, Code: strings.ToUpper(reason), Message: cmp.Or(advice(err), reason)})
}
