package cognitotest

import (
	"net/http"
	"time"
	"unicode/utf8"
)

// pending is a challenge: what stands between a right password and the client: a new password, or a code.
type pending struct {
	user     *User
	clientID string
	path     string // of its page
	expires  time.Time
	wrong    int // answers
}

const (
	challengeLifetime = 3 * time.Minute // as in AWS's default
	maxWrong          = 5               // answers to a challenge, and codes for one forgotten password

	minPassword = 8
	maxPassword = 256
)

// goodPassword applies the one rule that the stand-in has.
func goodPassword(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= minPassword && n <= maxPassword
}

// afterPassword goes on once name and password were right. That is when it may be told that the user is
// disabled.
func (v *visit) afterPassword(user *User) *reply {
	u := v.p.snapshot(user)
	switch {
	case u.Disabled:
		return v.signIn(v.words.disabled)
	case u.MustChangePassword:
		return v.askNewPassword(v.p.newChallenge(user, v.req.client.ID, "/newPassword"), "")
	}
	return v.secondFactor(user)
}

func (v *visit) secondFactor(user *User) *reply {
	if v.p.snapshot(user).TOTPSecret != "" {
		return v.askTOTP(v.p.newChallenge(user, v.req.client.ID, "/mfa"), "")
	}
	return v.p.signedIn(v.rec, v.req, user, "pwd")
}

func (p *Pool) newChallenge(user *User, clientID, path string) (session string) {
	session = randomText(64)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	sweep(p.signIns.pending, func(c *pending) bool { return !now.Before(c.expires) })
	p.signIns.pending[session] = &pending{user: user, clientID: clientID, path: path, expires: now.Add(challengeLifetime)}
	p.noteSecret(session)
	return session
}

// sweep forgets what is over.
func sweep[V any](m map[string]V, over func(V) bool) {
	for key, v := range m {
		if over(v) {
			delete(m, key)
		}
	}
}

// answer passes the challenge that r is an answer to, under p.mu, to right, which says whether the
// answer is. It ends the challenge if so, or if there were too many wrong ones. over reports that there
// is none, or no longer.
func (v *visit) answer(path string, right func(*pending) bool) (user *User, over bool) {
	p, session := v.p, v.r.PostForm.Get("session")
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.signIns.pending[session]
	if c == nil || c.path != path || c.clientID != v.req.client.ID || !p.now().Before(c.expires) {
		return nil, true
	}
	if !right(c) {
		c.wrong++
		if c.wrong >= maxWrong {
			delete(p.signIns.pending, session)
			return nil, true
		}
		return nil, false
	}
	delete(p.signIns.pending, session)
	return c.user, false
}

// challenged does what both pages begin with; the reply is nil unless it ends there.
func (p *Pool) challenged(r *http.Request, rec *Request) (*visit, *reply) {
	v, done := p.visit(r, rec)
	switch {
	case done != nil:
		return nil, done
	case !v.posted:
		return nil, redirectTo(v.req.origin + v.to("/login"))
	case !v.genuine:
		return nil, v.signIn(v.words.expired)
	}
	return v, nil
}

// newPassword answers /newPassword, where a temporary password is changed.
func (p *Pool) newPassword(r *http.Request, rec *Request) *reply {
	v, done := p.challenged(r, rec)
	if done != nil {
		return done
	}
	chosen := r.PostForm.Get("new_password")
	if !goodPassword(chosen) {
		return v.askNewPassword(r.PostForm.Get("session"), v.words.tooShort)
	}
	user, over := v.answer("/newPassword", func(c *pending) bool {
		c.user.Password, c.user.MustChangePassword = chosen, false
		return true
	})
	if over {
		return v.signIn(v.words.tooLong)
	}
	return v.secondFactor(user)
}

func (v *visit) askNewPassword(session, problem string) *reply {
	w := v.words
	return v.show(step{
		action: v.to("/newPassword"), heading: w.changeTitle, lead: esc(w.changeLead), problem: problem,
		hidden: [][2]string{{"session", session}},
		fields: []field{newPasswordField(w, problem != "")}, button: w.change,
	})
}

// mfa answers /mfa, where a one-time password is asked for.
func (p *Pool) mfa(r *http.Request, rec *Request) *reply {
	v, done := p.challenged(r, rec)
	if done != nil {
		return done
	}
	code := withoutSpace(r.PostForm.Get("code"))
	user, over := v.answer("/mfa", func(c *pending) bool { return p.useTOTP(c.user, code) })
	switch {
	case over:
		return v.signIn(v.words.tooLong)
	case user == nil:
		return v.askTOTP(r.PostForm.Get("session"), v.words.badMFA)
	}
	return p.signedIn(rec, v.req, user, "pwd", "otp", "mfa")
}

func (v *visit) askTOTP(session, problem string) *reply {
	w := v.words
	return v.show(step{
		action: v.to("/mfa"), heading: w.mfaTitle, lead: esc(w.mfaLead), problem: problem,
		hidden: [][2]string{{"session", session}},
		fields: []field{codeField("code", w.mfaCode, "", problem != "")}, button: w.goAhead,
	})
}
