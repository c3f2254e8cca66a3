package cogauth

import (
	"errors"

	"github.com/cogauth/cogauth/pkg/loopback"
)

// page is what the browser shows at the end of a login: who is signed in, by verified claims, or in
// constant text what failed and what to do.
func (c *Client) page(s *Session, err error) loopback.Page {
	if err == nil {
		return loopback.Page{SignedInAs: s.Username, Profile: s.Profile, Issuer: s.Issuer}
	}
	p := loopback.Page{Failed: true, Reason: "The sign-in could not be completed."}
	for _, f := range failures {
		if errors.Is(err, f.is) {
			p.Reason, p.Advice = f.reason, f.advice
			break
		}
	}
	var oauth *Error
	if errors.As(err, &oauth) && oauth.Code == "access_denied" {
		p.Reason, p.Advice = "The sign-in was declined.", "If that was a mistake, start again from the terminal. You can close this tab."
	}
	return p
}

// failures put the kinds of error into words for the page; the terminal has the particulars.
var failures = []struct {
	is             error
	reason, advice loopback.Text
}{
	{ErrNotSaved, "The server accepted you, but this computer could not keep the session.", "Go back to the terminal: it says what happened and gives you the token. You can close this tab."},
	{ErrLoginIncomplete, "Another sign-in was finished first, and was kept.", "Go back to the terminal. You can close this tab."},
	{ErrUnexpectedPerson, "You have signed in as another person than this profile is for. Nothing was stored.", "Go back to the terminal: it says who was expected. You can close this tab."},
	{ErrRefused, "The server refused the sign-in, or sent something that could not be verified. Nothing was stored.", "Go back to the terminal: it says why. You can close this tab."},
	{ErrOffline, "The server could not be reached to complete the sign-in. Nothing was stored.", "Check the network, then start again from the terminal. You can close this tab."},
	{ErrMisconfigured, "The sign-in cannot work as it is set up. Nothing was stored.", "Go back to the terminal: it says what to change. You can close this tab."},
}
