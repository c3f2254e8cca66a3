package cognitotest

import "net/http"

// signInAddress is where authorize sends a browser that is not signed in: the sign-in page, or the
// identity provider that the request names.
func (p *Pool) signInAddress(req *authRequest, query string) string {
	return req.origin + "/login?" + query
}

// providerButtons are the ways to the client's identity providers, for the sign-in page; "" if there
// are none.
func (p *Pool) providerButtons(_ *authRequest, _ string) string { return "" }

// serveIdP answers on the identity providers' origin.
func (p *Pool) serveIdP(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, p.where().idp, route{"other", p.notFoundPage})
}
