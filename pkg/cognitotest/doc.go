// Package cognitotest is a stand-in for an Amazon Cognito user pool, for tests and demonstrations,
// in the manner of net/http/httptest: a real HTTP server that answers as a pool and its hosted UI do.
//
//	pool, err := cognitotest.New(cognitotest.Config{})
//	if err != nil { … }
//	if err := pool.Start(); err != nil { … }
//	defer pool.Close()
//	// sign in to pool.Issuer() as pool.Client().ID; pool.UserAgent() plays the browser
//
// # What it answers
//
// The issuer and the hosted UI are two origins, as they are at AWS.
//
//	issuer  /POOLID/.well-known/openid-configuration, /POOLID/.well-known/jwks.json
//	domain  /oauth2/authorize, /login, /oauth2/token, /oauth2/revoke, /oauth2/userInfo,
//	        /logout, /error, /signed-out
//
// Start serves plain HTTP on loopback. StartAWS serves the names that AWS would use, over TLS, behind
// a CONNECT proxy, so that a program can be tested without any setting that redirects AWS names.
//
// # Where it is stricter than, or a guess about, the real service
//
//   - Every app client is public, so an Authorization header or a client_secret is invalid_client.
//   - An authorization request without an S256 code_challenge is refused: Cognito accepts one.
//     OAuth 2.0 Security Best Current Practice (RFC 9700 §2.1.1) wants PKCE from every public client.
//   - redirect_uri is required, and a parameter that is sent twice is refused (RFC 6749 §3.1).
//   - A wrong or missing code_verifier is invalid_grant (RFC 7636 §4.6); AWS does not document it.
//   - A rotated-out refresh token is invalid_grant and does not end its session. Within the grace
//     period every use of the old token brings another new one. AWS documents neither.
//   - ID tokens that come from a refresh have at_hash but no nonce (OpenID Connect Core §12.2).
//   - Only the authorization code and refresh grants exist; response_type=token is refused.
//   - DOMAIN/signed-out is a sign-out URL of every app client; AWS has no such page.
//   - An HTTP Host other than the pool's own is refused (421), so that a page on the internet cannot
//     reach a pool on loopback by rebinding a name.
//
// The package never imports testing, exits, prints or logs. What a pool signs is worth nothing: its
// keys are made when it starts and are gone when it ends.
package cognitotest
