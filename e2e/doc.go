// Package e2e holds the tests that drive the built program with real parts that are not ours: a
// browser, a keychain, an OpenID provider, strace. It is a module of its own so that what they need
// does not appear in the dependencies of those who import cogauth.
package e2e
