package cognitotest

// normaliseSignIn checks and completes what the pages go by: users, groups, identity providers and
// times.
func normaliseSignIn(cfg *Config, fail func(string, ...any)) {
}

// snapshot returns the user as they are now.
func (p *Pool) snapshot(u *User) User {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *u
}
