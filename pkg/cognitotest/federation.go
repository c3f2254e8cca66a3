package cognitotest

// signInAddress is where authorize sends a browser that is not signed in: the sign-in page, or the
// identity provider that the request names.
func (p *Pool) signInAddress(_ *authRequest, query string) string {
	return p.Domain() + "/login?" + query
}
