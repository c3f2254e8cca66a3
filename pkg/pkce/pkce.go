// Package pkce makes the code verifier and code challenge of RFC 7636, Proof Key for Code Exchange.
//
//	v := pkce.New()
//	// authorization request: code_challenge=v.Challenge(), code_challenge_method=pkce.Method
//	// token request:         code_verifier=v.Reveal()
//
// Only S256 is offered: RFC 9700 §2.1.1 wants it, and Amazon Cognito accepts nothing else.
package pkce

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Method is the code_challenge_method that belongs to Challenge.
const Method = "S256"

// ErrInvalidVerifier is returned by Parse.
var ErrInvalidVerifier = errors.New("pkce: code verifier is not 43 to 128 unreserved characters")

// Verifier is a code verifier. It prints as "[secret]" under every verb; Reveal gives its value.
// The zero Verifier is invalid: Reveal returns "" and Challenge panics.
type Verifier struct{ p *string }

// New returns a verifier with 256 bits of entropy.
func New() Verifier {
	// "It is RECOMMENDED that the output of a suitable random number generator be used to create a
	// 32-octet sequence" (RFC 7636 §4.1). crypto/rand.Read never fails.
	var b [32]byte
	rand.Read(b[:])
	s := base64.RawURLEncoding.EncodeToString(b[:])
	return Verifier{&s}
}

// Parse accepts a verifier made elsewhere.
func Parse(s string) (Verifier, error) {
	if len(s) < 43 || len(s) > 128 {
		return Verifier{}, ErrInvalidVerifier
	}
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) {
			return Verifier{}, ErrInvalidVerifier
		}
	}
	return Verifier{&s}, nil
}

// unreserved is RFC 3986 §2.3: ALPHA / DIGIT / "-" / "." / "_" / "~".
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// Challenge returns the S256 code challenge for v.
func (v Verifier) Challenge() string {
	if v.p == nil {
		panic("pkce: Challenge of a zero Verifier")
	}
	// "BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))" (RFC 7636 §4.2); unpadded, per its Appendix A.
	sum := sha256.Sum256([]byte(*v.p))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Reveal returns the verifier itself, for the token request's code_verifier parameter.
func (v Verifier) Reveal() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}

// Format implements fmt.Formatter so that a verifier never reaches a log.
func (Verifier) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }
