package cognitotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Tunnel is one CONNECT, or any other request, that reached the proxy of StartAWS.
type Tunnel struct {
	Target  string // host and port
	Refused bool   // because the host is not the pool's
}

// awsFront is what stands before a pool that answers under its real names.
type awsFront struct {
	proxyURL string
	certPEM  []byte
	spkiPin  string
	sites    map[string]http.Handler // by host
	backend  string                  // address of the TLS listener

	mu      sync.Mutex
	tunnels []Tunnel
}

// StartAWS serves the pool over TLS as cognito-idp.REGION.amazonaws.com,
// PREFIX.auth.REGION.amazoncognito.com and whatever other names its Config gives it, and its identity
// providers as idp.example, on loopback and with a certificate from an authority of its own. ProxyURL
// leads there, CertPEM makes it trusted. It speaks HTTP/1.1 only, so that a Failure that drops the
// connection drops one request. See Start for when it fails.
func (p *Pool) StartAWS() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != fresh {
		return errStarted
	}
	o, front := p.cfg.awsOrigins(), &awsFront{sites: map[string]http.Handler{}}
	for origin, handler := range map[string]http.HandlerFunc{
		o.issuer: p.serveIssuer, o.other: p.serveIssuer, o.domain: p.serveDomain, o.prefix: p.serveDomain, o.idp: p.serveIdP,
	} {
		if origin != "" {
			front.sites[hostOf(origin)] = handler
		}
	}
	cert, roots, err := front.certify()
	if err != nil {
		return err
	}
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		backend.Close()
		return err
	}
	front.backend = backend.Addr().String()
	front.proxyURL = "http://" + proxy.Addr().String()
	p.transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	p.transport.Proxy = front.choose

	p.state = started
	p.aws = front
	p.keys = startKeys()
	p.origins = o
	p.serve(tls.NewListener(backend, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}),
		http.HandlerFunc(front.serveSite))
	p.serve(proxy, http.HandlerFunc(front.serveProxy))
	return nil
}

// awsOrigins are the names that a pool has at AWS.
func (cfg *Config) awsOrigins() origins {
	suffix := "amazonaws.com"
	domainSuffix := "amazoncognito.com"
	if strings.HasPrefix(cfg.Region, "eusc-") {
		suffix, domainSuffix = "amazonaws.eu", "amazoncognito.eu"
	}
	if strings.HasPrefix(cfg.Region, "cn-") {
		suffix = "amazonaws.com.cn" // where there are no user pools
	}
	auth := ".auth."
	if cfg.FIPS || strings.HasPrefix(cfg.Region, "us-gov-") {
		auth = ".auth-fips."
	}
	o := origins{issuer: "https://cognito-idp." + cfg.Region + "." + suffix, tls: true}
	if len(cfg.IdentityProviders) > 0 {
		o.idp = "https://idp.example"
	}
	if cfg.UpdatedIssuer {
		o.other, o.issuer = o.issuer, "https://issuer-cognito-idp."+cfg.Region+"."+suffix
	}
	if cfg.NoDomain {
		return o
	}
	o.prefix = "https://" + cfg.DomainPrefix + auth + cfg.Region + "." + domainSuffix
	o.domain = o.prefix
	if cfg.CustomDomain != "" {
		o.domain = "https://" + cfg.CustomDomain
	}
	return o
}

// serveSite tells the names apart: one listener has them all.
func (f *awsFront) serveSite(w http.ResponseWriter, r *http.Request) {
	site := f.sites[r.Host]
	if site == nil {
		w.WriteHeader(http.StatusMisdirectedRequest)
		return
	}
	site.ServeHTTP(w, r)
}

// choose sends everything but loopback through the proxy, as browsers do.
func (f *awsFront) choose(r *http.Request) (*url.URL, error) {
	if loopbackHost(r.URL.Hostname()) {
		return nil, nil
	}
	return url.Parse(f.proxyURL)
}

// ProxyURL returns the address of the CONNECT proxy, in the form that HTTPS_PROXY takes. The proxy
// connects the pool's names, port 443, and answers 403 for everything else. "" without StartAWS.
func (p *Pool) ProxyURL() string { return p.front().proxyURL }

// CertPEM returns the certificate of the authority to trust; nil without StartAWS. It is good for
// the pool's names only.
func (p *Pool) CertPEM() []byte { return slices.Clone(p.front().certPEM) }

// SPKIPin returns the base64 SHA-256 hash of the server's public key, in the form that Chromium's
// --ignore-certificate-errors-spki-list takes; "" without StartAWS.
func (p *Pool) SPKIPin() string { return p.front().spkiPin }

// Tunnels returns what has reached the proxy, in order. A client that keeps its connection makes
// many requests through one tunnel.
func (p *Pool) Tunnels() []Tunnel {
	f := p.front()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.tunnels)
}

func (p *Pool) front() *awsFront {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.aws == nil {
		return &awsFront{}
	}
	return p.aws
}

// certify makes an authority and a server certificate. Elliptic curve keys take no time to make. The
// clock is the real one: whoever verifies does not know the pool's.
func (f *awsFront) certify() (tls.Certificate, *x509.CertPool, error) {
	names := slices.Sorted(maps.Keys(f.sites))
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "cognitotest, worthless outside its process"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 7),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		// Whoever trusts the authority by mistake trusts it for nothing else.
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "cognitotest"},
		NotBefore:    ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: names,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(leafKey.Public())
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	sum := sha256.Sum256(spki)
	f.spkiPin = base64.StdEncoding.EncodeToString(sum[:])
	f.certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(f.certPEM)
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, roots, nil
}

// serveProxy is the CONNECT method of RFC 9110 §9.3.6 and nothing else.
func (f *awsFront) serveProxy(w http.ResponseWriter, r *http.Request) {
	target := strings.ToLower(r.Host)
	host, port, _ := strings.Cut(target, ":")
	allowed := r.Method == http.MethodConnect && f.sites[host] != nil && port == "443"
	f.mu.Lock()
	f.tunnels = append(f.tunnels, Tunnel{Target: r.Host, Refused: !allowed})
	f.mu.Unlock()
	if !allowed {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	server, err := net.Dial("tcp", f.backend)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		server.Close()
		return
	}
	go pipe(server, buffered)
	io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n") // a failure shows in the copies
	go pipe(client, server)
}

// pipe copies until src ends and then ends dst, which in turn ends the pipe the other way: a TLS
// session has no use for half a connection. So Close, which ends every connection of the server behind
// the proxy, ends the tunnels as well.
func pipe(dst net.Conn, src io.Reader) {
	io.Copy(dst, src)
	dst.Close()
}
