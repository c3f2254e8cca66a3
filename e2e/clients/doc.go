// Package clients holds the tests in which real clients (git, crane, kubectl, cargo and more) get their
// tokens from cogauth by their own credential-helper protocols, for servers that demand a token and verify
// it with the user pool's keys.
//
// Every client goes through the same four states: cold (a refresh is needed), warm, signed out, and an
// origin that is not served.
package clients
