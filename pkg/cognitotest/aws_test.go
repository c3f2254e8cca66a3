package cognitotest

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func trust(t *testing.T, text []byte) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatal("got no certificate, want one")
	}
	return &tls.Config{RootCAs: roots}
}

func spkiPin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestTheAuthorityIsGoodForTwoNamesOnly(t *testing.T) {
	p := startAWS(t, Config{})
	cert := parse(t, p.CertPEM())
	if !cert.IsCA || !cert.PermittedDNSDomainsCritical || len(cert.PermittedDNSDomains) != 2 {
		t.Errorf("got constraints %v, want two names, critical", cert.PermittedDNSDomains)
	}
}

func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("got no PEM block, want one")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func startAWS(t *testing.T, cfg Config) *Pool {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.StartAWS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// refusals counts what the proxy has refused.
func refusals(p *Pool) (n int) {
	for _, tunnel := range p.Tunnels() {
		if tunnel.Refused {
			n++
		}
	}
	return n
}

func TestAWSNamesThroughTheProxy(t *testing.T) {
	p := startAWS(t, Config{Region: "eu-central-1", DomainPrefix: "acme"})
	if p.Issuer() != "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_CogAuth01" || p.Domain() != "https://acme.auth.eu-central-1.amazoncognito.com" {
		t.Fatalf("got %s and %s, want AWS's names", p.Issuer(), p.Domain())
	}
	// A client of one's own, made from what the pool tells.
	proxy, err := url.Parse(p.ProxyURL())
	if err != nil {
		t.Fatal(err)
	}
	own := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: trust(t, p.CertPEM())}}
	defer own.CloseIdleConnections()
	resp, err := own.Get(p.Issuer() + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	err = json.NewDecoder(resp.Body).Decode(&doc)
	resp.Body.Close()
	if err != nil || doc["issuer"] != p.Issuer() || doc["token_endpoint"] != p.Domain()+"/oauth2/token" {
		t.Errorf("got issuer %v (%v), want %s", doc["issuer"], err, p.Issuer())
	}
	if pin := spkiPin(resp.TLS.PeerCertificates[0]); p.SPKIPin() != pin {
		t.Errorf("got pin %s, want %s", p.SPKIPin(), pin)
	}
	if got := resp.Header.Get("Strict-Transport-Security"); got == "" {
		t.Error("got no Strict-Transport-Security, want it under TLS")
	}
	for _, foreign := range []string{"https://example.com/", "http://example.com/", "https://cognito-idp.eu-central-1.amazonaws.com:8443/"} {
		resp, err := own.Get(foreign)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: got status %d, want 403", foreign, resp.StatusCode)
			}
		}
	}
	if refused := refusals(p); refused != 3 {
		t.Errorf("got %d refusals at the proxy, want 3", refused)
	}
}

func TestLoginUnderAWSNames(t *testing.T) {
	cb := client(t)
	p := startAWS(t, Config{Clients: []AppClient{{CallbackURLs: []string{cb, callback}}}})
	page, err := p.UserAgent().SignIn(t.Context(), authorizeURL(p, "redirect_uri", cb), p.User().Username, p.User().Password)
	if err != nil || page.Body != "welcome" {
		t.Errorf("got error %v, want the program's last page", err)
	}
	got := login(t, p)
	if _, _, err := claims(t, p, got.ID); err != nil {
		t.Errorf("got %v, want a good signature", err)
	}
	// The callback was asked for directly, never through the proxy.
	if refused := refusals(p); refused != 0 {
		t.Errorf("got %d refusals at the proxy, want none: %v", refused, p.Tunnels())
	}
	if page, _, err := p.UserAgent().hop(t.Context(), http.MethodGet, loginURL(p), nil); err != nil || !strings.Contains(page.Header.Get("Set-Cookie"), "; Secure") {
		t.Errorf("got a cookie that is not Secure (%v), want Secure under TLS", err)
	}
}

func TestCloseEndsTunnels(t *testing.T) {
	p := startAWS(t, Config{})
	proxy, err := net.Dial("tcp", strings.TrimPrefix(p.ProxyURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	host := strings.TrimPrefix(p.Domain(), "https://") + ":443"
	fmt.Fprintf(proxy, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
	answer := make([]byte, 12)
	if _, err := io.ReadFull(proxy, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Fatalf("got %q (%v), want a tunnel", answer, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	proxy.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, proxy); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("got a tunnel that outlives Close, want it ended")
	}
}

func TestWithoutAWSThereIsNoProxy(t *testing.T) {
	p := start(t, Config{})
	if p.ProxyURL() != "" || p.CertPEM() != nil || p.SPKIPin() != "" || p.Tunnels() != nil {
		t.Error("got a proxy from Start, want none")
	}
}
