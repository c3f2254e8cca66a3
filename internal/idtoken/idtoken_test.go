package idtoken

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/internal/secret"
)

func TestDeps(t *testing.T) {
	deptest.Only(t, "github.com/golang-jwt/jwt/v5", "github.com/cogauth/cogauth/internal/secret")
}
func TestQuiet(t *testing.T) { deptest.Quiet(t) }

const (
	issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"
	client = "1h57kf5cpq17m0eml12EXAMPLE"
	kid    = "abc+/defghijklmnopqrstuvwxyz0123456789ABCDE="
)

var keys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var k [2]*rsa.PrivateKey
	for i := range k {
		k[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return k
})

func jwks(t *testing.T, kid string, k *rsa.PublicKey) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"keys": []any{
		map[string]string{"kty": "EC", "kid": "other", "crv": "P-256"},
		map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": base64.RawURLEncoding.EncodeToString(k.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.E)).Bytes())},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verifier(t *testing.T) *Verifier {
	t.Helper()
	set := jwks(t, kid, &keys()[0].PublicKey)
	return &Verifier{Issuer: issuer, ClientID: client, Keys: &KeySet{Fetch: func(context.Context) ([]byte, error) { return set, nil }}}
}

func good() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": issuer, "aud": client, "sub": "4c5a", "token_use": "id", "nonce": "n-1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
}

func sign(t *testing.T, claims jwt.MapClaims, key any, method jwt.SigningMethod, kid string) secret.Secret {
	t.Helper()
	tok := jwt.NewWithClaims(method, claims)
	tok.Header["kid"] = kid
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(s)
}

// S6: an ID token is believed only if every check holds; each case breaks exactly one.
func TestS6TamperedIDTokensAreRefused(t *testing.T) {
	ownSecret := []byte(keys()[0].PublicKey.N.Bytes())
	edit := func(f func(jwt.MapClaims)) secret.Secret {
		c := good()
		f(c)
		return sign(t, c, keys()[0], jwt.SigningMethodRS256, kid)
	}
	whole := edit(func(jwt.MapClaims) {}).Reveal()
	parts := strings.Split(whole, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	swapped := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), "4c5a", "root", 1)))
	access := secret.New("the-access-token")
	sum := sha256.Sum256([]byte(access.Reveal()))
	atHash := base64.RawURLEncoding.EncodeToString(sum[:16])

	for _, tc := range []struct {
		name, why string
		token     secret.Secret
		want      Expect
	}{
		{"no token at all", "not a JSON Web Token", secret.New("x"), Expect{}},
		{"payload changed", "signature", secret.New(parts[0] + "." + swapped + "." + parts[2]), Expect{}},
		{"signature cut off", "", secret.New(parts[0] + "." + parts[1] + "."), Expect{}},
		{"signed by another key", "signature", sign(t, good(), keys()[1], jwt.SigningMethodRS256, kid), Expect{}},
		{"unknown kid", "does not publish", sign(t, good(), keys()[0], jwt.SigningMethodRS256, "nope"), Expect{}},
		{"alg none", "RS256", sign(t, good(), jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, kid), Expect{}},
		{"HS256 with the public key as secret", "RS256", sign(t, good(), ownSecret, jwt.SigningMethodHS256, kid), Expect{}},
		{"RS384", "RS256", sign(t, good(), keys()[0], jwt.SigningMethodRS384, kid), Expect{}},
		{"another issuer", "issuer", edit(func(c jwt.MapClaims) { c["iss"] = issuer + "/" }), Expect{}},
		{"no issuer", "", edit(func(c jwt.MapClaims) { delete(c, "iss") }), Expect{}},
		{"another audience", "another client", edit(func(c jwt.MapClaims) { c["aud"] = "other" }), Expect{}},
		{"no audience", "", edit(func(c jwt.MapClaims) { delete(c, "aud") }), Expect{}},
		{"several audiences without azp", "azp", edit(func(c jwt.MapClaims) { c["aud"] = []string{client, "other"} }), Expect{}},
		{"azp of another client", "azp", edit(func(c jwt.MapClaims) { c["azp"] = "other" }), Expect{}},
		{"expired", "expired", edit(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-2 * Leeway).Unix() }), Expect{}},
		{"no exp", "missing", edit(func(c jwt.MapClaims) { delete(c, "exp") }), Expect{}},
		{"not valid yet", "not valid yet", edit(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(2 * Leeway).Unix() }), Expect{}},
		{"an access token", "token_use", edit(func(c jwt.MapClaims) { c["token_use"] = "access" }), Expect{}},
		{"token_use is no string", "token_use", edit(func(c jwt.MapClaims) { c["token_use"] = 1 }), Expect{}},
		{"no subject", "subject", edit(func(c jwt.MapClaims) { delete(c, "sub") }), Expect{}},
		{"another nonce", "nonce", edit(func(c jwt.MapClaims) { c["nonce"] = "n-2" }), Expect{Nonce: "n-1"}},
		{"no nonce", "nonce", edit(func(c jwt.MapClaims) { delete(c, "nonce") }), Expect{Nonce: "n-1"}},
		{"another person after a refresh", "another person", edit(func(jwt.MapClaims) {}), Expect{Subject: "someone-else"}},
		{"another access token's at_hash", "at_hash", edit(func(c jwt.MapClaims) { c["at_hash"] = atHash }), Expect{AccessToken: secret.New("swapped")}},
		{"at_hash is no string", "at_hash", edit(func(c jwt.MapClaims) { c["at_hash"] = 7 }), Expect{AccessToken: access}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims, err := verifier(t).ID(t.Context(), tc.token, tc.want)
			var refused *Error
			if !errors.As(err, &refused) || claims != nil {
				t.Fatalf("got claims %v and error %v, want a refusal", claims, err)
			}
			if !strings.Contains(refused.Reason, tc.why) {
				t.Errorf("got reason %q, want it to say %q", refused.Reason, tc.why)
			}
			for _, part := range strings.Split(tc.token.Reveal(), ".") {
				if len(part) > 8 && strings.Contains(err.Error(), part) {
					t.Error("the error repeats the token")
				}
			}
		})
	}
	t.Run("the untouched token passes", func(t *testing.T) {
		tok := edit(func(c jwt.MapClaims) { c["at_hash"] = atHash; c["azp"] = client; c["aud"] = []string{client} })
		if _, err := verifier(t).ID(t.Context(), tok, Expect{Nonce: "n-1", Subject: "4c5a", AccessToken: access}); err != nil {
			t.Error(err)
		}
	})
	t.Run("clocks may differ by less than the leeway", func(t *testing.T) {
		tok := edit(func(c jwt.MapClaims) {
			c["exp"] = time.Now().Add(-Leeway / 2).Unix()
			c["nbf"] = time.Now().Add(Leeway / 2).Unix()
			c["iat"] = time.Now().Add(5 * Leeway).Unix() // never a reason to refuse
		})
		if _, err := verifier(t).ID(t.Context(), tok, Expect{}); err != nil {
			t.Error(err)
		}
	})
}

func TestAccessToken(t *testing.T) {
	claims := func(f func(jwt.MapClaims)) secret.Secret {
		c := jwt.MapClaims{"iss": issuer, "client_id": client, "sub": "4c5a", "token_use": "access", "exp": time.Now().Add(time.Hour).Unix()}
		f(c)
		return sign(t, c, keys()[0], jwt.SigningMethodRS256, kid)
	}
	v := verifier(t)
	if _, err := v.Access(t.Context(), claims(func(jwt.MapClaims) {})); err != nil {
		t.Error(err)
	}
	for name, tok := range map[string]secret.Secret{
		"an ID token":    claims(func(c jwt.MapClaims) { c["token_use"] = "id" }),
		"another client": claims(func(c jwt.MapClaims) { c["client_id"] = "other" }),
		"another issuer": claims(func(c jwt.MapClaims) { c["iss"] = "https://elsewhere.example" }),
		"expired":        claims(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-2 * Leeway).Unix() }),
	} {
		if _, err := v.Access(t.Context(), tok); err == nil {
			t.Errorf("%s was accepted as our access token", name)
		}
	}
}

// Keys rotate: an unknown kid is looked up once more, but not at every token.
func TestKeySetRefetches(t *testing.T) {
	fetches := 0
	set := jwks(t, "old", &keys()[0].PublicKey)
	ks := &KeySet{Fetch: func(context.Context) ([]byte, error) { fetches++; return set, nil }}
	for range 3 {
		if _, err := ks.Key(t.Context(), "old"); err != nil {
			t.Fatal(err)
		}
	}
	if fetches != 1 {
		t.Errorf("got %d fetches for a known kid, want 1", fetches)
	}
	set = jwks(t, "new", &keys()[1].PublicKey)
	for range 5 {
		ks.Key(t.Context(), "new")
	}
	if fetches != 1 {
		t.Errorf("got %d fetches within %v, want 1", fetches, refetchAfter)
	}
	ks.fetched = ks.fetched.Add(-2 * refetchAfter)
	if k, err := ks.Key(t.Context(), "new"); err != nil || k.N.Cmp(keys()[1].N) != 0 {
		t.Errorf("the rotated key was not found: %v", err)
	}
	ks = &KeySet{Fetch: func(context.Context) ([]byte, error) { return nil, context.DeadlineExceeded }}
	if _, err := ks.Key(t.Context(), "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the fetch's own error", err)
	}
}

func TestKeySetPassesOverWeakAndForeignKeys(t *testing.T) {
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	for name, raw := range map[string][]byte{
		"1024 bits":      jwks(t, kid, &small.PublicKey),
		"encryption key": []byte(strings.Replace(string(jwks(t, kid, &keys()[0].PublicKey)), `"use":"sig"`, `"use":"enc"`, 1)),
		"no keys":        []byte(`{"keys":[]}`),
	} {
		got, err := parseKeys(raw)
		if err != nil || len(got) != 0 {
			t.Errorf("%s: got %d keys and %v, want none", name, len(got), err)
		}
	}
	if _, err := parseKeys([]byte("<html>")); err == nil {
		t.Error("a web page was taken for a key set")
	}
}

func FuzzUnverified(f *testing.F) {
	f.Add("a.e30.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Unverified(secret.New(s))
		if err != nil && c != nil {
			t.Error("claims together with an error")
		}
	})
}
