//go:build linux

package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// localhost is a certificate for localhost and, behind it, that of an authority of its own: some clients
// take none that is both.
func localhost(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	sign := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (der []byte, key *ecdsa.PrivateKey) {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = key
		}
		template.SerialNumber = big.NewInt(time.Now().UnixNano())
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		template.BasicConstraintsValid = true
		if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer); err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	// OpenSSL finds an authority by its name: no two may have the same.
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "authority " + rand.Text()}, KeyUsage: x509.KeyUsageCertSign, IsCA: true}
	authority, signer := sign(issuer, issuer, nil)
	server, key := sign(&x509.Certificate{
		Subject:  pkix.Name{CommonName: "localhost"},
		DNSNames: append([]string{"localhost"}, names...), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, issuer, signer)
	return tls.Certificate{Certificate: [][]byte{server, authority}, PrivateKey: key}
}

// trustIn is a file that has a client trust a server with this certificate.
func trustIn(c tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[len(c.Certificate)-1]}))
}
