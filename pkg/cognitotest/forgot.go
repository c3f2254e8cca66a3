package cognitotest

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// reset is the code that was sent for a forgotten password.
type reset struct {
	code    string
	expires time.Time
	wrong   int // tries
}

const resetLifetime = time.Hour

// forgetful does what both pages begin with; the reply is nil unless it ends there. A client that is not
// for the pool's own users has no use for their passwords: its people go back to the sign-in page.
func (p *Pool) forgetful(r *http.Request, rec *Request) (*visit, *reply) {
	v, done := p.visit(r, rec)
	if done != nil {
		return nil, done
	}
	if _, local := p.providersOf(v.req.client); !local {
		return nil, redirectTo(v.req.origin + v.to("/login"))
	}
	return v, nil
}

// forgotPassword answers /forgotPassword, where a code can be asked for. What it shows does not depend
// on whether there is such a user.
func (p *Pool) forgotPassword(r *http.Request, rec *Request) *reply {
	v, done := p.forgetful(r, rec)
	switch {
	case done != nil:
		return done
	case !v.posted:
		return v.askUsername("")
	case !v.genuine:
		return v.askUsername(v.words.expired)
	}
	username := strings.TrimSpace(r.PostForm.Get("username"))
	p.sendCode(username)
	return v.askCode(username, "")
}

func (v *visit) askUsername(problem string) *reply {
	w := v.words
	return v.show(step{
		action: v.to("/forgotPassword"), heading: w.resetTitle, lead: esc(w.resetLead), problem: problem,
		fields: []field{usernameField(w, v.r.PostForm.Get("username"), false)}, button: w.resetButton, after: v.backLink(),
	})
}

func (v *visit) backLink() string {
	return `<p class="links"><a href="` + esc(v.to("/login")) + `">` + esc(v.words.back) + "</a></p>\n"
}

// sendCode puts a code into the outbox, if it is one of the pool's own users and not disabled. It
// replaces an earlier one.
func (p *Pool) sendCode(username string) {
	number, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	code := fmt.Sprintf("%06d", number)
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.localUser(username)
	if u == nil || u.Disabled {
		return
	}
	now := p.now()
	p.signIns.resets[u] = &reset{code: code, expires: now.Add(resetLifetime)}
	p.noteSecret(code)
	p.signIns.outbox = append(p.signIns.outbox, Message{
		Time: now, To: or(or(u.Attributes["email"], u.Attributes["phone_number"]), u.Username),
		Subject: "Your password reset code", Code: code,
	})
}

// confirmForgotPassword answers /confirmforgotPassword, where a new password is set with the code. The
// person is signed in then.
func (p *Pool) confirmForgotPassword(r *http.Request, rec *Request) *reply {
	v, done := p.forgetful(r, rec)
	if done != nil {
		return done
	}
	f := r.PostForm
	username, chosen := f.Get("username"), f.Get("new_password")
	switch {
	case !v.posted:
		return v.askCode("", "")
	case !v.genuine:
		return v.askCode(username, v.words.expired)
	case !goodPassword(chosen): // before the code is looked at, so that no try is lost
		return v.askCode(username, v.words.tooShort)
	}
	user := p.resetPassword(username, withoutSpace(f.Get("code")), chosen)
	if user == nil {
		return v.askCode(username, v.words.badCode)
	}
	return v.afterPassword(user)
}

// askCode asks for the username too if it is "": a code lives longer than the way to this page.
func (v *visit) askCode(username, problem string) *reply {
	w := v.words
	s := step{
		action: v.to("/confirmforgotPassword"), heading: w.codeTitle, lead: esc(w.codeLead), problem: problem, button: w.change,
		after: `<p class="links"><a href="/outbox" target="_blank" rel="noopener">` + esc(w.outbox) + "</a></p>\n" + v.backLink(),
	}
	if username == "" {
		s.fields = append(s.fields, usernameField(w, "", false))
	} else {
		s.hidden = append(s.hidden, [2]string{"username", username})
	}
	code := ""
	if problem != w.badCode {
		code = withoutSpace(v.r.PostForm.Get("code"))
	}
	s.fields = append(s.fields, codeField("code", w.code, code, problem == w.badCode), newPasswordField(w, problem == w.tooShort))
	return v.show(s)
}

// resetPassword returns nil if the code is not right, or no longer.
func (p *Pool) resetPassword(username, code, password string) *User {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.localUser(username)
	r := p.signIns.resets[u]
	if u == nil || r == nil || !p.now().Before(r.expires) {
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(r.code), []byte(code)) != 1 {
		if r.wrong++; r.wrong >= maxWrong {
			delete(p.signIns.resets, u)
		}
		return nil
	}
	delete(p.signIns.resets, u)
	u.Password, u.Imported, u.MustChangePassword = password, false, false
	return u
}
