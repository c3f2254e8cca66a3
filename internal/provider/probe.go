package provider

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// probeTimeout bounds Probe: a person is waiting for the browser to open.
const probeTimeout = 5 * time.Second

// maxPage is how much of a page is read to find its title.
const maxPage = 64 << 10

// Answer is what a page's address answered to somebody without a browser.
type Answer struct {
	Status   int
	Location *url.URL // where it redirects to; nil if nowhere
	Title    string   // of an HTML page, or ""
}

// Probe requests an address as a browser without cookies would, and follows nothing. The error is
// the network's, as an *Error.
func (p *Provider) Probe(ctx context.Context, op, address string) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &Error{Kind: Misconfigured, Op: op, Fact: "the address is not a URL"}
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	resp, err := p.HTTP.Do(req)
	if err != nil {
		return nil, netError(ctx, op, req.URL.Hostname(), err)
	}
	defer resp.Body.Close()
	a := &Answer{Status: resp.StatusCode}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		if loc, err := resp.Location(); err == nil {
			a.Location = loc
		}
		return a, nil
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		page, _ := io.ReadAll(io.LimitReader(resp.Body, maxPage)) // a page cut short has a title all the same
		a.Title = title(string(page))
	}
	return a, nil
}

// title returns the text between the first <title> and </title>.
func title(page string) string {
	lower := strings.ToLower(page)
	start := strings.Index(lower, "<title>")
	if start < 0 {
		return ""
	}
	start += len("<title>")
	end := strings.Index(lower[start:], "</title>")
	if end < 0 || len(lower) != len(page) {
		return ""
	}
	return strings.TrimSpace(page[start : start+end])
}
