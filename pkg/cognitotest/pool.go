package cognitotest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Pool is a user pool. Its methods are safe for concurrent use. Make one with New.
type Pool struct {
	cfg       Config // Clients and Users change under mu, the rest never
	csrfKey   [32]byte
	transport *http.Transport

	mu      sync.Mutex
	state   state
	origins origins
	keys    func() *keySet
	servers []*http.Server
	serving sync.WaitGroup
	aws     *awsFront // nil unless StartAWS

	codes     map[string]*authorizationCode
	refresh   map[string]*refreshToken
	access    map[string]*accessToken
	browsers  map[string]*browserSession // by cookie value
	signIns   signIns
	requests  []Request
	failures  map[string]*Failure
	redeemed  int
	secrets   []string
	secretSet map[string]bool
	tamper    func(header, claims map[string]any)
	signature Signature
}

type state int

const (
	fresh state = iota
	started
	closed
)

// origins are where the pool is reached: scheme, host and, if it has one, port.
type origins struct {
	issuer string // as in tokens
	other  string // of the other form of issuer, if it is served as well, else ""
	domain string // as in discovery; "" if the pool has none
	prefix string // of the prefix domain: domain again, unless there is a custom one
	idp    string // of the identity providers behind the pool
	tls    bool
}

// site is something that Start serves on a port of its own.
type site struct {
	origin  *string
	handler http.Handler
	port    int    // 0 leaves it to the system
	known   string // the origin that others know it by, if that is another one
}

// New returns a pool that does not serve yet. Its error names every invalid field of cfg.
func New(cfg Config) (*Pool, error) {
	cfg, err := cfg.normalised()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		cfg:       cfg,
		transport: &http.Transport{TLSHandshakeTimeout: 10 * time.Second},
		codes:     map[string]*authorizationCode{},
		refresh:   map[string]*refreshToken{},
		access:    map[string]*accessToken{},
		browsers:  map[string]*browserSession{},
		signIns:   newSignIns(),
		failures:  map[string]*Failure{},
		secretSet: map[string]bool{},
	}
	rand.Read(p.csrfKey[:])
	p.noteUsers(cfg.Users)
	for _, idp := range cfg.IdentityProviders {
		p.noteUsers(idp.Users)
	}
	for _, c := range cfg.Clients {
		p.noteSecret(c.Secrets...)
	}
	for endpoint, f := range cfg.Failures {
		p.Fail(endpoint, f)
	}
	return p, nil
}

// Start serves the pool over plain HTTP on ports of 127.0.0.1 that Config or the system picks, one for each of
// the hosts that it would have at AWS. A pool starts once: a second Start or StartAWS, or one after
// Close, is an error.
func (p *Pool) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != fresh {
		return errStarted
	}
	issuer := http.HandlerFunc(p.serveIssuer)
	domain := http.HandlerFunc(p.serveDomain)
	wanted := []site{{&p.origins.issuer, issuer, p.cfg.IssuerPort, p.cfg.IssuerOrigin}}
	if len(p.cfg.IdentityProviders) > 0 {
		wanted = append(wanted, site{&p.origins.idp, http.HandlerFunc(p.serveIdP), 0, ""})
	}
	if p.cfg.UpdatedIssuer {
		wanted = append(wanted, site{&p.origins.other, issuer, 0, ""})
	}
	if !p.cfg.NoDomain {
		wanted = append(wanted, site{&p.origins.domain, domain, p.cfg.DomainPort, p.cfg.DomainOrigin})
	}
	if p.cfg.CustomDomain != "" {
		wanted = append(wanted, site{&p.origins.prefix, domain, 0, ""})
	}
	listeners := make([]net.Listener, len(wanted))
	for i, w := range wanted {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.port)))
		if err != nil {
			for _, open := range listeners[:i] {
				open.Close()
			}
			return err
		}
		listeners[i] = l
	}
	p.state = started
	p.keys = startKeys()
	for i, w := range wanted {
		*w.origin = cmp.Or(w.known, "http://"+listeners[i].Addr().String())
		p.serve(listeners[i], w.handler)
	}
	if p.origins.prefix == "" {
		p.origins.prefix = p.origins.domain
	}
	return nil
}

var errStarted = errors.New("cognitotest: the pool has already been started or closed")

// serve runs a server on l until Close. The caller holds p.mu.
func (p *Pool) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		// A browser that goes away, or a client that does not like our certificate, is no news.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	p.servers = append(p.servers, srv)
	p.serving.Go(func() { srv.Serve(l) })
}

// Close stops serving, ends every connection and waits for the servers to end. Closing twice, or a
// pool that was never started, does nothing.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.state == closed {
		p.mu.Unlock()
		return nil
	}
	p.state = closed
	servers := p.servers
	p.mu.Unlock()

	var errs []error
	for _, srv := range servers {
		errs = append(errs, srv.Close())
	}
	p.transport.CloseIdleConnections()
	p.serving.Wait()
	return errors.Join(errs...)
}

// Issuer returns the issuer URL as it stands in tokens, without a slash at its end. It is only
// "/POOLID" before Start.
func (p *Pool) Issuer() string { return p.where().issuer + "/" + p.cfg.PoolID }

// Domain returns the base URL of the hosted UI, without a slash at its end; "" before Start and for a
// pool without a domain.
func (p *Pool) Domain() string { return p.where().domain }

// PrefixDomain returns the base URL of the prefix domain, which is Domain unless there is a custom one.
func (p *Pool) PrefixDomain() string { return p.where().prefix }

// PoolID returns the user pool's ID.
func (p *Pool) PoolID() string { return p.cfg.PoolID }

func (p *Pool) where() origins {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.origins
}

// HTTPClient returns a client that trusts the pool and, after StartAWS, reaches it through its
// proxy; loopback hosts it reaches directly. It follows redirects and keeps no cookies. Call it after Start.
func (p *Pool) HTTPClient() *http.Client {
	return &http.Client{Transport: p.transport, Timeout: 30 * time.Second}
}

// Client returns the first app client with every default filled in.
func (p *Pool) Client() AppClient {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg.Clients[0].clone()
}

// clone returns a copy that shares nothing with c.
func (c AppClient) clone() AppClient {
	for _, list := range []*[]string{&c.Secrets, &c.CallbackURLs, &c.LogoutURLs, &c.Scopes, &c.AllowedFlows, &c.IdentityProviders, &c.ReadAttributes} {
		*list = slices.Clone(*list)
	}
	return c
}

// User returns the first user as they are now, with every default filled in. Its maps and slices must
// not be changed.
func (p *Pool) User() User {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg.Users[0]
}

func (p *Pool) now() time.Time { return p.cfg.Now().Add(p.cfg.ClockSkew) }

// client returns the app client with that ID as it is now, or nil. Nobody changes what is returned.
func (p *Pool) client(id string) *AppClient {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.cfg.Clients {
		if p.cfg.Clients[i].ID == id {
			c := p.cfg.Clients[i]
			return &c
		}
	}
	return nil
}

// UpdateClient changes an app client, as an administrator does. Fields that are left at their zero
// value get their defaults again. Sessions that exist go on with the settings they began with. The
// error is that of New, or says that there is no such client; nothing has changed then. change must
// not call methods of p.
func (p *Pool) UpdateClient(id string, change func(*AppClient)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.cfg.Clients, func(c AppClient) bool { return c.ID == id })
	if i < 0 {
		return fmt.Errorf("cognitotest: there is no app client %q", id)
	}
	c := p.cfg.Clients[i].clone()
	change(&c)
	all := slices.Clone(p.cfg.Clients)
	all[i] = c
	cfg := p.cfg
	cfg.Clients = all
	cfg, err := cfg.normalised()
	if err != nil {
		return err
	}
	p.cfg.Clients = cfg.Clients
	p.noteSecret(cfg.Clients[i].Secrets...)
	return nil
}

// hostOf returns the Host header that belongs to an origin.
func hostOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Host
}
