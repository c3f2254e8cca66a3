// Package credentialhelper speaks the protocols by which other programs ask for credentials: git's,
// Docker's, kubectl's and more, and one of its own that PROTOCOL.md describes.
//
// Each protocol is a translation and nothing else. It reads the request from a reader, asks a Source for
// a token, and writes the answer to a writer. It knows no network, no files, no clock and no keychain;
// whether a target is served, by whom, and how a token is had, is for the Source to know. A program that
// embeds cogauth can be a helper of its own by implementing Source.
//
// Every answer is written in one piece, after all else succeeded, or not at all. No CR, LF or NUL crosses
// from a request into a Source or from a Source into an answer: such a value ends the call with an error
// (CVE-2020-5260, CVE-2024-50338).
package credentialhelper
