package cognitotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Errors of UserAgent.
var (
	// ErrNoSignInPage means that the pool showed another page, such as its error page.
	ErrNoSignInPage = errors.New("cognitotest: the pool did not show its sign-in page")
	// ErrRefused means that the pool did not take the username and password, or not without more.
	ErrRefused = errors.New("cognitotest: the pool refused the username or password")
	// ErrForeignPage means that an address is neither the pool's nor one of its identity providers':
	// passwords go nowhere else.
	ErrForeignPage = errors.New("cognitotest: not a page of this pool")
	// ErrNotOnPage means that a page has no such form or link.
	ErrNotOnPage = errors.New("cognitotest: the page has no such form or link")
)

// UserAgent is a browser without a screen: it keeps cookies, follows redirects and links, and fills in
// forms. Unlike a browser it runs no script and loads nothing that a page refers to. It may
// be used from several goroutines, which then share its cookies.
type UserAgent struct {
	pool   *Pool
	client http.Client
}

// UserAgent returns a new browser with no cookies, which trusts the pool and reaches it as
// HTTPClient does. Call it after Start.
func (p *Pool) UserAgent() *UserAgent {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // documented to be nil
	}
	return &UserAgent{pool: p, client: http.Client{
		Transport: p.transport,
		Jar:       jar,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// Page is the page that a UserAgent ended on.
type Page struct {
	URL    string // may hold an authorization code
	Status int
	Header http.Header
	Body   string
}

// maxHops and maxPage are what browsers allow, or less.
const (
	maxHops = 10
	maxPage = 1 << 20
)

// Authorize requests authorizeURL, follows no redirect, and returns its Location: of the client
// with a code or an error, of the sign-in page, or of the pool's error page.
func (u *UserAgent) Authorize(ctx context.Context, authorizeURL string) (location string, err error) {
	page, location, err := u.hop(ctx, http.MethodGet, authorizeURL, nil)
	if err == nil && location == "" {
		err = fmt.Errorf("cognitotest: authorize answered %d without a redirect", page.Status)
	}
	return location, err
}

// SignIn opens authorizeURL, signs in, and follows the redirect to the client and on to the last
// page, which it returns. If the browser is signed in already, or the client is sent an error, no
// form is filled in. A request that names an identity provider is signed in there. The client's callback is
// requested directly, never through a proxy.
//
// Its error is ErrNoSignInPage or ErrRefused, along with the page; ErrForeignPage if the password would go anywhere
// but to the pool's own hosted UI or its identity providers; or what net/http says, without the URL. ErrRefused comes
// too if the pool asks for more than name and password: Submit goes on from its page, and Open begins step by step.
func (u *UserAgent) SignIn(ctx context.Context, authorizeURL, username, password string) (*Page, error) {
	if !u.ours(authorizeURL) {
		return nil, ErrForeignPage
	}
	page, err := u.Open(ctx, authorizeURL)
	if err != nil || !u.known(page.URL) {
		return page, err
	}
	f := parseForm(page.Body)
	if f == nil || f.method != http.MethodPost || !f.has("username") || !f.has("password") {
		return page, ErrNoSignInPage
	}
	asked := page
	page, err = u.Submit(ctx, page, map[string]string{"username": username, "password": password})
	if err == ErrForeignPage {
		return asked, err
	}
	if err == nil && u.known(page.URL) {
		if f := parseForm(page.Body); f != nil && f.has("SAMLResponse") {
			page, err = u.Submit(ctx, page, nil)
		}
	}
	if err == nil && u.known(page.URL) {
		err = ErrRefused
	}
	return page, err
}

// Open goes to a page, follows its redirects, and returns the last one, whatever its status. Its error is
// what net/http says, without the URL.
func (u *UserAgent) Open(ctx context.Context, target string) (*Page, error) {
	return u.follow(ctx, http.MethodGet, target, nil)
}

// Submit fills in a form of page and sends it as Enter does, follows the redirects, and returns the last
// page. The form is the first that has every one of fields, whether as an input or as its first button; what
// fields does not name goes as it stands on the page.
//
// Its error is ErrNotOnPage; ErrForeignPage if page or the form's address is not the hosted UI's or an identity
// provider's of this pool; or what net/http says, without the URL.
func (u *UserAgent) Submit(ctx context.Context, page *Page, fields map[string]string) (*Page, error) {
	for _, f := range parseForms(page.Body) {
		if !f.hasAll(fields) {
			continue
		}
		action, err := resolve(page.URL, f.action)
		if err != nil {
			return nil, err
		}
		if !u.known(page.URL) || !u.known(action) {
			return nil, ErrForeignPage
		}
		if f.button[0] != "" {
			f.values.Set(f.button[0], f.button[1])
		}
		for name, value := range fields {
			f.values.Set(name, value)
		}
		if f.method == http.MethodPost {
			return u.follow(ctx, http.MethodPost, action, f.values)
		}
		at, _, _ := strings.Cut(action, "?") // a GET form replaces the query
		return u.follow(ctx, http.MethodGet, at+"?"+f.values.Encode(), nil)
	}
	return nil, ErrNotOnPage
}

func (f *form) hasAll(fields map[string]string) bool {
	for name := range fields {
		if !f.has(name) {
			return false
		}
	}
	return true
}

// Follow goes where the first link with that text leads, follows the redirects, and returns the last page.
// Its error is ErrNotOnPage, or what net/http says, without the URL.
func (u *UserAgent) Follow(ctx context.Context, page *Page, linkText string) (*Page, error) {
	href, ok := findLink(page.Body, linkText)
	if !ok {
		return nil, ErrNotOnPage
	}
	target, err := resolve(page.URL, href)
	if err != nil {
		return nil, err
	}
	return u.follow(ctx, http.MethodGet, target, nil)
}

// ours reports whether a URL has an origin of the pool's hosted UI.
func (u *UserAgent) ours(raw string) bool {
	o := u.pool.where()
	at := originOf(raw)
	return at != "" && (at == o.domain || at == o.prefix)
}

// known is ours, or an identity provider's.
func (u *UserAgent) known(raw string) bool {
	at := originOf(raw)
	return u.ours(raw) || at != "" && at == u.pool.where().idp
}

// originOf returns scheme, host and port; "" if there are none, or a user name before them.
func originOf(raw string) string {
	parsed, err := url.Parse(raw)
	if err != nil || parsed.User != nil || parsed.Host == "" {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}

// follow requests a URL and whatever it redirects to. The form is sent to the first address only:
// every redirect of the pool is a 302, which browsers follow with GET.
func (u *UserAgent) follow(ctx context.Context, method, target string, form url.Values) (*Page, error) {
	for range maxHops {
		page, location, err := u.hop(ctx, method, target, form)
		if err != nil || location == "" {
			return page, err
		}
		method, target, form = http.MethodGet, location, nil
	}
	return nil, fmt.Errorf("cognitotest: more than %d redirects", maxHops)
}

func (u *UserAgent) hop(ctx context.Context, method, target string, form url.Values) (page *Page, location string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", withoutURL(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, "", withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, "", err
	}
	page = &Page{URL: target, Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
	if resp.StatusCode < 300 || resp.StatusCode > 399 || resp.Header.Get("Location") == "" {
		return page, "", nil
	}
	location, err = resolve(target, resp.Header.Get("Location"))
	return page, location, err
}

func resolve(base, ref string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", withoutURL(err)
	}
	r, err := b.Parse(ref)
	if err != nil {
		return "", withoutURL(err)
	}
	return r.String(), nil
}

// withoutURL keeps codes and states out of error texts.
func withoutURL(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return fmt.Errorf("cognitotest: %w", withURL.Err)
	}
	return err
}
