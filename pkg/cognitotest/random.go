package cognitotest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// newUUID returns a random UUID (RFC 9562 §5.4), the shape of Cognito's codes, jti and request IDs.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return formatUUID(b)
}

func formatUUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// randomText returns n random characters of the base64url alphabet.
func randomText(n int) string {
	b := make([]byte, n*3/4+1)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}

// jweHeader is what every refresh token of Cognito begins with:
// {"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}.
const jweHeader = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ"

// newRefreshToken returns an opaque text of size characters with the five parts of a compact JWE
// (RFC 7516 §3.1). Nothing is encrypted: nobody but the pool reads it, and the pool looks it up.
func newRefreshToken(size int) string {
	const encryptedKey, iv, tag, dots = 342, 16, 22, 4
	ciphertext := size - len(jweHeader) - encryptedKey - iv - tag - dots
	return jweHeader + "." + randomText(encryptedKey) + "." + randomText(iv) + "." + randomText(ciphertext) + "." + randomText(tag)
}
