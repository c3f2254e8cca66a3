package cognitotest

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"sync"
)

// Signature says how ID tokens are signed, for the tests of a verifier.
type Signature int

const (
	// SignatureValid is RS256 with the pool's key.
	SignatureValid Signature = iota
	// SignatureForeignKey is RS256 under the pool's kid with a key that the JWKS does not list.
	SignatureForeignKey
	// SignatureBroken has one bit of a valid signature turned over.
	SignatureBroken
	// SignatureNone has alg "none" and no signature (RFC 7515 Appendix A.5).
	SignatureNone
	// SignatureHS256 has alg "HS256" and the PEM form of the pool's public key as the HMAC key, the
	// algorithm confusion of RFC 8725 §2.1.
	SignatureHS256
)

// signingKey is one of the two RSA keys of a pool.
type signingKey struct {
	kid     string
	private *rsa.PrivateKey
}

// keySet holds both: Cognito signs ID tokens with one and access tokens with the other.
type keySet struct {
	id, access signingKey
	foreign    func() *rsa.PrivateKey // in no JWKS
	retired    []signingKey           // sign nothing any more, but are still published
}

// published are the keys of the JWKS.
func (s *keySet) published() []jwk {
	keys := []jwk{s.id.jwk(), s.access.jwk()}
	for _, k := range s.retired {
		keys = append(keys, k.jwk())
	}
	return keys
}

// startKeys begins to make two keys, at the same time, and returns a function that waits for them.
func startKeys() func() *keySet {
	set := &keySet{foreign: sync.OnceValue(generate)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		wg.Go(func() { set.id = newSigningKey() })
		set.access = newSigningKey()
		wg.Wait()
	}()
	return func() *keySet {
		<-done
		return set
	}
}

func generate() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // only for a size that rsa refuses
	}
	return key
}

func newSigningKey() signingKey {
	key := generate()
	sum := sha256.Sum256(key.N.Bytes())
	// Standard, not URL-safe, base64 with its padding: clients meet "+", "/" and "=" in real kids.
	return signingKey{kid: base64.StdEncoding.EncodeToString(sum[:]), private: key}
}

// jwk has its members in the order of Cognito's document.
type jwk struct {
	Alg string `json:"alg"`
	E   string `json:"e"`
	Kid string `json:"kid"`
	Kty string `json:"kty"`
	N   string `json:"n"`
	Use string `json:"use"`
}

func (k signingKey) jwk() jwk {
	e := big.NewInt(int64(k.private.E)).Bytes()
	return jwk{
		Alg: "RS256", E: base64.RawURLEncoding.EncodeToString(e), Kid: k.kid, Kty: "RSA",
		N: base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()), Use: "sig",
	}
}

// jwt returns the compact form (RFC 7515 §7.1) of claims, signed with k. The pool does not use a JWT
// library on purpose: what it makes must not share a mistake with what a client checks it with.
func (k signingKey) jwt(header, claims map[string]any, how Signature, foreign func() *rsa.PrivateKey) string {
	switch how {
	case SignatureNone:
		header["alg"] = "none"
	case SignatureHS256:
		header["alg"] = "HS256"
	}
	input := segment(marshalHeader(header)) + "." + segment(escapeSlashes(marshal(claims)))
	private := k.private
	if how == SignatureForeignKey {
		private = foreign()
	}
	var sig []byte
	switch how {
	case SignatureNone:
	case SignatureHS256:
		sig = hs256(input, k.private)
	default:
		sig = rs256(input, private)
		if how == SignatureBroken {
			sig[len(sig)/2] ^= 1
		}
	}
	return input + "." + segment(sig)
}

func rs256(input string, key *rsa.PrivateKey) []byte {
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // only for a key that is too small
	}
	return sig
}

func hs256(input string, key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err) // only for an unknown kind of key
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(input))
	return mac.Sum(nil)
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// marshalHeader puts kid before alg, as Cognito does.
func marshalHeader(header map[string]any) []byte {
	if len(header) == 2 && header["kid"] != nil && header["alg"] != nil {
		return escapeSlashes(marshal(struct {
			Kid any `json:"kid"`
			Alg any `json:"alg"`
		}{header["kid"], header["alg"]}))
	}
	return escapeSlashes(marshal(header))
}

// escapeSlashes writes "/" as "\/", which JSON allows and Cognito does. A slash occurs only inside
// strings, and json.Marshal never escapes one.
func escapeSlashes(b []byte) []byte { return bytes.ReplaceAll(b, []byte("/"), []byte(`\/`)) }

// marshal is json.Marshal without the escapes meant for HTML.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Reached only if a TamperIDToken hook puts in what JSON cannot say.
		panic("cognitotest: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// RotateKeys gives the pool new signing keys. The old ones disappear from its JWKS at once, so
// tokens signed with them no longer verify.
func (p *Pool) RotateKeys() {
	keys := startKeys()
	keys()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// AddKeys gives the pool new signing keys and goes on publishing the old ones, so that tokens signed
// with either verify. Before Start there are none to add to, and nothing happens.
func (p *Pool) AddKeys() {
	fresh := startKeys()()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		return
	}
	old := p.keys()
	fresh.retired = append([]signingKey{old.id, old.access}, old.retired...)
	p.keys = func() *keySet { return fresh }
}

// TamperIDToken has change edit the header and the claims of every ID token from now on, before it
// is signed; nil restores honest tokens. change is called from the goroutine of each request.
func (p *Pool) TamperIDToken(change func(header, claims map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper = change
}

// SignIDTokens selects how ID tokens are signed from now on.
func (p *Pool) SignIDTokens(how Signature) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signature = how
}

// signing returns what a token is to be signed with now.
func (p *Pool) signing() (keys *keySet, change func(header, claims map[string]any), how Signature) {
	p.mu.Lock()
	wait, change, how := p.keys, p.tamper, p.signature
	p.mu.Unlock()
	return wait(), change, how
}
