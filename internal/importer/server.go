package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
)

const (
	serverTimeout = 15 * time.Second
	maxAnswer     = 1 << 20
	maxRedirects  = 3
)

// FetchServer asks an OpenMetadata or Collate server how its users sign in: what its own sign-in page
// asks, without credentials. Plain http is for this machine only, and nothing is followed to another
// host. The error is an *Error, or the context's.
func FetchServer(ctx context.Context, hc *http.Client, server string) (*Found, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, bad("write it as in the browser, such as https://metadata.example.com", "the address of the server is not a URL")
	}
	if !provider.SecureURL(u) {
		return nil, bad("use https://"+secret.Clean(u.Host), "the address of the server is plain http to another machine, which anybody on the way could answer")
	}
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	base := &url.URL{Scheme: u.Scheme, Host: u.Host}
	target := base.JoinPath("api/v1/system/config/auth").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, bad("write it as in the browser", "the address of the server is not a URL")
	}
	req.Header.Set("Accept", "application/json")
	client := *hc
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || next.URL.Scheme != base.Scheme || next.URL.Host != base.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, unreachable(ctx, u.Host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(ctx, u.Host, err)
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		e := notOpenMetadata(base.String())
		if resp.StatusCode != http.StatusOK {
			e.Fact += fmt.Sprintf(" (HTTP %d)", resp.StatusCode)
		}
		return nil, e
	}
	return found(parseOpenMetadata(body, base.String()))
}

func unreachable(ctx context.Context, host string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return bad("check the address and the network", "the server %s cannot be reached: %s", secret.Clean(host), reason(err))
}

// reason is a network error without the URL around it.
func reason(err error) string {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &dns):
		return "there is no such host"
	case errors.As(err, &op):
		return secret.Clean(op.Err.Error())
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return secret.Clean(wrapped.Err.Error())
	}
	return "it gave no proper answer"
}
