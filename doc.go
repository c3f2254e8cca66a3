// Package cogauth signs a person in to an Amazon Cognito user pool, or to any OpenID Connect
// issuer, from a program that runs on that person's machine.
//
// It is the whole of a public client (RFC 8252): the system browser opens at the hosted UI with
// PKCE, the code arrives on a loopback callback, it is exchanged, the tokens are verified, and the
// refresh token is kept in the operating system's keychain. From then on [Client.IDToken] answers
// with a fresh token, without a browser and mostly without the network.
//
//	client, err := cogauth.New(cogauth.Config{
//		UserPoolID: "eu-west-1_AbCdEfGhI",
//		ClientID:   "1h57kf5cpq17m0eml12EXAMPLE",
//	})
//	if err != nil {
//		return err
//	}
//	token, err := client.IDToken(ctx)
//	if errors.Is(err, cogauth.ErrLoginRequired) {
//		if _, err = client.Login(ctx, nil); err == nil {
//			token, err = client.IDToken(ctx)
//		}
//	}
//
// # Where a token comes from
//
// In this order: the cached token, while enough of its life is left; a refresh, if the session has
// a refresh token; otherwise [ErrLoginRequired]. Only [Client.Login] opens a browser.
//
// # What is kept where
//
// The session's record (refresh token, session ID, issuer, what was asked for) and the key of the
// cache are entries of [Config.Store], normally the keychain. The ID and access tokens are in one
// encrypted file below [Config.CacheDir]; losing it costs a refresh, never a login.
//
// Programs that use the same profile and client ID share one session: signed in by one, used by
// the other. All writes happen under one kernel lock per credential, so that any number of
// processes redeem a rotating refresh token once.
//
// # Promises
//
// This package never exits the program, prints, logs except to [Config.Logger], reads the command
// line or installs a signal handler. Errors match one of its Err values, one of package
// tokenstore's, or the context's, and never contain a secret. Exported names follow semantic
// versioning from v1 on.
package cogauth
