package cognitotest

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

const totpStep = 30 * time.Second

// TOTP returns the 6 digits that an authenticator app shows at that time for a secret in base32, by
// RFC 6238 with SHA-1 and steps of 30 s. As in an app, the secret's case and spaces do not matter. It
// returns "" for what is no secret.
func TOTP(secret string, at time.Time) string {
	key, ok := totpKey(secret)
	if !ok {
		return ""
	}
	return hotp(key, at.Unix()/int64(totpStep/time.Second), 6)
}

func totpKey(secret string) (key []byte, ok bool) {
	plain := strings.TrimRight(strings.ToUpper(withoutSpace(secret)), "=")
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(plain)
	return key, err == nil && len(key) > 0
}

// hotp is RFC 4226 §5.3.
func hotp(key []byte, counter int64, digits int) string {
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(counter)))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	text := fmt.Sprintf("%010d", number)
	return text[len(text)-digits:]
}

// useTOTP reports whether code is the user's now, or one step before or after: "We RECOMMEND that at most
// one time step is allowed as the network delay" (RFC 6238 §5.2). "The verifier MUST NOT accept the second
// attempt of the OTP after the successful validation has been issued for the first OTP" (there), so a code
// that was used takes itself and those before it away. The caller holds p.mu.
func (p *Pool) useTOTP(user *User, code string) bool {
	key, _ := totpKey(user.TOTPSecret)
	now := p.now().Unix() / int64(totpStep/time.Second)
	for step := now - 1; step <= now+1; step++ {
		if step <= p.signIns.totpSteps[user] || subtle.ConstantTimeCompare([]byte(hotp(key, step, 6)), []byte(code)) != 1 {
			continue
		}
		p.signIns.totpSteps[user] = step
		return true
	}
	return false
}

// withoutSpace drops the spaces that people type or copy along.
func withoutSpace(s string) string { return strings.Join(strings.Fields(s), "") }
