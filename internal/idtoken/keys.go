package idtoken

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"sync"
	"time"
)

// refetchAfter is how long an unknown kid is answered from what is already known.
const refetchAfter = 10 * time.Second

var errUnknownKey = errors.New("unknown key")

// KeySet is a provider's JSON Web Key Set (RFC 7517), fetched when first needed and again when a
// token names a key it does not have. Safe for concurrent use.
//
// It is written here rather than taken from a library because all it must understand is one kind
// of key: RSA, for RS256.
type KeySet struct {
	Fetch func(context.Context) ([]byte, error)

	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	fetched time.Time
}

// Key returns the key named kid, which is matched byte for byte: Cognito's are standard base64,
// with "+", "/" and "=".
func (k *KeySet) Key(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.keys[kid]; key != nil {
		return key, nil
	}
	if !k.fetched.IsZero() && time.Since(k.fetched) < refetchAfter {
		return nil, errUnknownKey
	}
	raw, err := k.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(raw)
	if err != nil {
		return nil, err
	}
	k.keys, k.fetched = keys, time.Now()
	if key := k.keys[kid]; key != nil {
		return key, nil
	}
	return nil, errUnknownKey
}

// parseKeys keeps the usable RSA signing keys and passes over the rest.
func parseKeys(raw []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []struct {
			Kty, Use, Kid, Alg, N, E string
		} `json:"keys"`
	}
	if json.Unmarshal(raw, &set) != nil {
		return nil, &Error{"ID token", "the issuer's key set is not one"}
	}
	keys := map[string]*rsa.PublicKey{}
	for _, j := range set.Keys {
		if j.Kty != "RSA" || (j.Use != "" && j.Use != "sig") || (j.Alg != "" && j.Alg != "RS256") {
			continue
		}
		n, err1 := base64.RawURLEncoding.DecodeString(j.N)
		e, err2 := base64.RawURLEncoding.DecodeString(j.E)
		exponent := new(big.Int).SetBytes(e)
		// RS256 wants "a key of size 2048 bits or larger" (RFC 7518 §3.3).
		if err1 != nil || err2 != nil || len(n) < 256 || !exponent.IsInt64() || exponent.Int64() > 1<<31-1 || exponent.Int64() < 3 {
			continue
		}
		keys[j.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
	}
	return keys, nil
}
