package e2e

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// jwks is a JSON Web Key Set (RFC 7517 §5). It is read here once more, by the standard library alone:
// the product and the stand-in pool share one JWT library, and with it its mistakes.
type jwks struct {
	Keys []struct {
		Kty, Kid, N, E string
	}
}

// verify checks an RS256 signature (RFC 7515 §5.2) and returns the claims.
func (s jwks) verify(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%d parts, not three", len(parts))
	}
	var header struct{ Alg, Kid string }
	var claims map[string]any
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err := errors.Join(err, decode(parts[0], &header), decode(parts[1], &claims)); err != nil {
		return nil, err
	}
	if header.Alg != "RS256" {
		return nil, fmt.Errorf("alg %q", header.Alg)
	}
	for _, k := range s.Keys {
		if k.Kid != header.Kid || k.Kty != "RSA" {
			continue
		}
		n, errN := base64.RawURLEncoding.DecodeString(k.N)
		e, errE := base64.RawURLEncoding.DecodeString(k.E)
		if err := errors.Join(errN, errE); err != nil {
			return nil, err
		}
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		return claims, rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	}
	return nil, fmt.Errorf("no key %q is published", header.Kid)
}

func decode(part string, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}
