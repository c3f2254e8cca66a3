package cogauth

// ChangeKind says what has become of a session.
type ChangeKind byte

const (
	// SignedIn: a login has stored a new session.
	SignedIn ChangeKind = iota + 1
	// Refreshed: new tokens are there, and with rotation a new refresh token.
	Refreshed
	// SignedOut: Logout or Revoke has removed the session.
	SignedOut
	// Ended: the server no longer takes the refresh token; only a person can go on.
	Ended
)

// String returns "signed in", "refreshed", "signed out" or "ended".
func (k ChangeKind) String() string {
	switch k {
	case SignedIn:
		return "signed in"
	case Refreshed:
		return "refreshed"
	case SignedOut:
		return "signed out"
	case Ended:
		return "ended"
	}
	return "unknown"
}

// Change is what Config.OnChange is told.
type Change struct {
	Kind ChangeKind
	// Session is the session now, nil if there is none.
	Session *Session
}

func (c *Client) changedTo(change Change) {
	if change.Kind != 0 {
		c.changed(change.Kind, change.Session)
	}
}

// changed tells the embedder. No lock of the session is held.
func (c *Client) changed(kind ChangeKind, s *Session) {
	if c.cfg.OnChange != nil {
		c.cfg.OnChange(Change{kind, s})
	}
}
