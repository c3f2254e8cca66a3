package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds on one request. A helper's caller would rather hear "offline" than wait.
const (
	connectTimeout = 5 * time.Second
	callTimeout    = 15 * time.Second
	maxBody        = 1 << 20
)

// NewHTTPClient returns the client for all requests to a provider: 5 s to connect, 15 s for the
// whole call, proxies as the environment says (never for loopback), and roots, if not nil, instead
// of the system's.
func NewHTTPClient(roots *x509.CertPool, userAgent string) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout}
	return Harden(&http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       30 * time.Second,
		ResponseHeaderTimeout: callTimeout,
	}}, userAgent)
}

// Harden returns a copy of an embedder's client that keeps this package's promises: bounded, no
// redirects, no plain http but to this machine.
func Harden(hc *http.Client, userAgent string) *http.Client {
	c := *hc
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.Transport = guard{next: next, userAgent: userAgent}
	// A redirected POST would carry a code or a refresh token to whatever host the answer names.
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Timeout == 0 {
		c.Timeout = callTimeout
	}
	return &c
}

// guard refuses plain http to other machines, however the URL came about.
type guard struct {
	next      http.RoundTripper
	userAgent string
}

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if !SecureURL(req.URL) {
		return nil, &insecureError{req.URL.Host}
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", g.userAgent)
	resp, err := g.next.RoundTrip(req)
	if x := observed(req.Context()); x != nil && err == nil {
		x.note(resp)
	}
	return resp, err
}

type insecureError struct{ host string }

func (e *insecureError) Error() string {
	return "refusing plain http to " + e.host + ": it is not this machine"
}

// SecureURL reports whether u may carry credentials: https, or http to a loopback host.
func SecureURL(u *url.URL) bool {
	switch u.Scheme {
	case "https":
		return u.Host != ""
	case "http":
		return isLoopback(u.Hostname())
	}
	return false
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}
