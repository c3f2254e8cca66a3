package cognitotest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxProviderName = 32
	maxIdentifiers  = 50
)

// providerTypes are the values of IdentityProvider.Type.
var providerTypes = []string{"OIDC", "SAML", "Google", "Facebook", "LoginWithAmazon", "SignInWithApple"}

// normaliseSignIn checks and completes what the pages go by: users, groups, identity providers and
// times.
func normaliseSignIn(cfg *Config, fail func(string, ...any)) {
	cfg.SignInLifetime = or(cfg.SignInLifetime, 5*time.Minute)
	if cfg.SignInLifetime < 0 {
		fail("SignInLifetime must not be negative")
	}
	cfg.Groups = slices.Clone(cfg.Groups)
	groups := map[string]bool{}
	for _, g := range cfg.Groups {
		if g.Name == "" || groups[g.Name] {
			fail("group %q has no name, or is there twice", g.Name)
		}
		groups[g.Name] = true
		if g.Precedence < 0 {
			fail("group %q: Precedence must not be negative", g.Name)
		}
	}
	cfg.IdentityProviders = slices.Clone(cfg.IdentityProviders)
	names, identifiers := map[string]bool{"COGNITO": true}, map[string]bool{}
	for i := range cfg.IdentityProviders {
		idp := &cfg.IdentityProviders[i]
		normaliseProvider(idp, fail)
		if names[idp.Name] {
			fail("identity provider %q is there twice, or is the pool itself", idp.Name)
		}
		names[idp.Name] = true
		for _, id := range idp.Identifiers {
			if id == "" || identifiers[id] {
				fail("identity provider %q: the identifier %q is empty, or there twice", idp.Name, id)
			}
			identifiers[id] = true
		}
		for _, u := range cfg.Users {
			if prefix := idp.Name + "_"; len(u.Username) > len(prefix) && strings.EqualFold(u.Username[:len(prefix)], prefix) {
				fail("user %q is named like one from identity provider %s", u.Username, idp.Name)
			}
		}
	}
	for _, c := range cfg.Clients {
		for _, name := range c.IdentityProviders {
			if !names[name] {
				fail("client %s: there is no identity provider %q", c.ID, name)
			}
		}
	}
}

func normaliseProvider(idp *IdentityProvider, fail func(string, ...any)) {
	idp.Type = or(idp.Type, "OIDC")
	idp.Identifiers = slices.Clone(idp.Identifiers)
	idp.Users = slices.Clone(idp.Users)
	if idp.Users == nil {
		idp.Users = []User{DefaultUser()}
	}
	normaliseUsers(idp.Users, func(format string, args ...any) {
		fail("identity provider %q: "+format, append([]any{idp.Name}, args...)...)
	})
	odd := func(r rune) bool {
		return r == '/' || r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsGraphic(r)
	}
	if idp.Name == "" || utf8.RuneCountInString(idp.Name) > maxProviderName || strings.ContainsFunc(idp.Name, odd) || strings.Trim(idp.Name, ".") == "" {
		fail("identity provider %q: the name is not 1 to %d characters without spaces and slashes", idp.Name, maxProviderName)
	}
	if !slices.Contains(providerTypes, idp.Type) {
		fail("identity provider %q: Type %q is none of %s", idp.Name, idp.Type, strings.Join(providerTypes, ", "))
	}
	if len(idp.Identifiers) > maxIdentifiers {
		fail("identity provider %q: more than %d Identifiers", idp.Name, maxIdentifiers)
	}
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
	users := slices.Clone(p.cfg.Users)
	for _, u := range p.signIns.federated {
		users = append(users, *u)
	}
	return users
}

// IdentityProviders returns the identity providers. Their slices must not be changed.
func (p *Pool) IdentityProviders() []IdentityProvider { return slices.Clone(p.cfg.IdentityProviders) }

// snapshot returns the user as they are now. Whatever changes a user later replaces their map and slice.
func (p *Pool) snapshot(u *User) User {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *u
}

// clone returns a copy that shares nothing with u but the identity provider.
func (u User) clone() User {
	u.Attributes, u.Groups = maps.Clone(u.Attributes), slices.Clone(u.Groups)
	return u
}

// localUser returns the user of the pool's own with that name, or nil. The caller holds p.mu.
func (p *Pool) localUser(username string) *User {
	for i := range p.cfg.Users {
		if strings.EqualFold(p.cfg.Users[i].Username, strings.TrimSpace(username)) {
			return &p.cfg.Users[i]
		}
	}
	return nil
}

// federatedUser is localUser for those from identity providers.
func (p *Pool) federatedUser(username string) *User {
	for _, u := range p.signIns.federated {
		if strings.EqualFold(u.Username, username) {
			return u
		}
	}
	return nil
}

// UpdateUser changes a user, as an administrator does. The next token that is issued shows it, also one
// from a refresh. Fields that are left at their zero value get their defaults again. The error is that of
// New, or says that there is no such user; nothing has changed then. Someone from an identity provider is
// there once they have signed in, and keeps their name. change must not call methods of p.
func (p *Pool) UpdateUser(username string, change func(*User)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.localUser(username)
	if u == nil {
		u = p.federatedUser(username)
	}
	if u == nil {
		return fmt.Errorf("cognitotest: there is no user %q", username)
	}
	given := u.clone()
	change(&given)
	changed := given.clone() // change may have kept hold of the other
	changed.provider, changed.subject, changed.linked = u.provider, u.subject, u.linked
	cfg := p.cfg
	if u.provider != nil {
		changed.Username, changed.Password = u.Username, u.Password
		changed.Sub = or(changed.Sub, u.Sub)
		*u = changed
		return nil
	}
	cfg.Users = slices.Clone(cfg.Users)
	for i := range cfg.Users {
		if &p.cfg.Users[i] == u {
			cfg.Users[i] = changed
		}
	}
	cfg, err := cfg.normalised()
	if err != nil {
		return err
	}
	copy(p.cfg.Users, cfg.Users) // in place: sessions point there
	p.noteUsers(p.cfg.Users)
	return nil
}

// noteUsers remembers passwords and the like for Secrets. The caller holds p.mu, or is New.
func (p *Pool) noteUsers(users []User) {
	for _, u := range users {
		p.noteSecret(u.Password, u.TOTPSecret)
	}
}
