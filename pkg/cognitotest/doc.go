// Package cognitotest is a stand-in for an Amazon Cognito user pool, for tests and demonstrations,
// in the manner of net/http/httptest: a real HTTP server that answers as a pool and its hosted UI do.
//
//	pool, err := cognitotest.New(cognitotest.Config{})
//	if err != nil { … }
//	if err := pool.Start(); err != nil { … }
//	defer pool.Close()
//	// sign in to pool.Issuer() as pool.Client().ID; pool.UserAgent() plays the browser
//
// One Config describes a pool: its app clients and their secrets, users, groups, identity providers,
// domains, lifetimes and failures. UpdateClient and UpdateUser are its administrator, Outbox is the
// person's e-mail, Fail makes an endpoint misbehave.
//
// # What it answers
//
// The issuer and the hosted UI are two origins, as they are at AWS; identity providers have a third.
//
//	issuer  /POOLID/.well-known/openid-configuration, /POOLID/.well-known/jwks.json
//	domain  /oauth2/authorize, /login and the pages behind it, /oauth2/token, /oauth2/revoke,
//	        /oauth2/userInfo, /oauth2/idpresponse, /saml2/idpresponse, /logout, /error,
//	        /outbox, /signed-out
//
// Start serves plain HTTP on loopback. StartAWS serves the names that AWS would use, over TLS, behind
// a CONNECT proxy, so that a program can be tested without any setting that redirects AWS names.
//
// # Where it is stricter than, or a guess about, the real service
//
//   - A parameter that is sent twice is refused (RFC 6749 §3.1).
//   - A wrong or missing code_verifier is invalid_grant (RFC 7636 §4.6); VerifierError changes that.
//   - A rotated-out refresh token is invalid_grant and does not end its session; RevokeOnReuse makes
//     it. Within the grace period every use brings another new one; GraceRepeats changes that.
//   - ID tokens that come from a refresh have at_hash but no nonce (OpenID Connect Core §12.2);
//     NonceOnRefresh adds it.
//   - A scope that is not enabled is invalid_scope for the client; ScopeErrorPage and
//     IgnoreUnknownScopes are the other two things that people have seen.
//   - Errors that are not for the client redirect to /error in both generations of the hosted UI;
//     ErrorPagesInPlace shows them at once.
//   - acr is loa:1, and loa:2 after a second factor.
//   - DOMAIN/outbox and DOMAIN/signed-out are the stand-in's own; AWS has no such pages. Nor is it
//     known where AWS asks for a one-time password or for a new one: here it is /mfa and /newPassword.
//   - The pages are in English, German, Spanish, French and Japanese; any other lang is remembered,
//     and English.
//   - An HTTP Host other than the pool's own is refused (421), so that a page on the internet cannot
//     reach a pool on loopback by rebinding a name.
//
// The package never imports testing, exits, prints or logs. What a pool signs is worth nothing: its
// keys are made when it starts and are gone when it ends.
package cognitotest
