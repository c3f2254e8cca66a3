// Package config reads and edits cogauth's config.toml: a list of profiles, each naming one app
// client to sign in to.
//
//	default_profile = "collate"
//
//	[profiles.collate]
//	user_pool_id = "eu-west-1_AbCdEfGhI"
//	client_id    = "1h57kf5cpq17m0eml12EXAMPLE"
//
//	[profiles.archive] # nobody was told the pool's ID
//	domain    = "archive" # or a host, such as auth.example.com
//	region    = "eu-west-1"
//	client_id = "7abcDEF12345EXAMPLE"
//
//	[profiles.corp] # with every other key there is
//	issuer         = "https://id.example.com"
//	client_id      = "cli"
//	callback_urls  = ["http://localhost:8585/callback"]
//	scopes         = ["openid", "email"]
//	idp            = "Google" # or idp_identifier = "example.com"
//	lang           = "de"
//	resource       = "https://api.example.com"
//	logout_url     = "https://app.example.com/signed-out"
//	expect         = "@example.com" # or an address, or sub:…
//	ca_file        = "~/corp.pem"
//	username_claim = "email"
//	interactive    = "auto" # or never, the default, or always
//	store          = "file" # or keychain, the default
//	store_key      = "/run/secrets/cogauth" # opens the file store
//	store_dir      = "/var/lib/me/cogauth"  # where it is
//
//	refresh_token_validity = "30d" # as the app client has it
//
//	[[profiles.corp.serve]] # who is handed a token by cogauth helper; one table for each
//	origin   = "https://*.corp.example:8443/team" # one whole label may be *, the path is a prefix
//	token    = "access" # or id; else as the protocol has it
//	username = "oauth2" # where a protocol needs one
//	client   = "git"    # for this protocol alone
//
//	[[profiles.corp.serve]]
//	client = "pnpm" # names no target when it asks
//
// A client secret has no key: it is kept where the session is.
//
// A flag beats the environment, which beats the file, which beats the default; Settings.Explain
// tells which of them a value came from. What identifies a session (the pool or issuer, the client,
// its scopes and callback URLs) comes from the file alone. In particular the callback URLs are the
// only source of the address cogauth listens on, so listener and redirect URI cannot drift apart.
//
// No error of this package quotes a value of the file, because it may be a secret in the wrong
// place; names of keys and profiles are quoted, made safe for a terminal.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/BurntSushi/toml"
)

// Values of the key interactive: whether a command that needs a login may open a browser.
const (
	Never  = "never"
	Auto   = "auto"
	Always = "always"
)

// Values of the key store: where sessions are kept.
const (
	Keychain  = "keychain"
	FileStore = "file"
)

// Reserved is the name of the profile that cogauth's demo keeps outside the file. The file cannot
// define it.
const Reserved = "demo"

// maxSize is the largest config.toml that is read, in bytes: a guard against COGAUTH_CONFIG naming
// a device or the wrong file.
const maxSize = 1 << 20

// File is a parsed config.toml. It is not safe for concurrent use while Put runs.
type File struct {
	Path           string             // where it was read from and where Put writes
	DefaultProfile string             // "" if the file names none
	Profiles       map[string]Profile // by name; never nil after Load

	src string // the text, to find the line that an error is about

	locked     bool  // Lock has been called
	unlockable error // why what is being changed cannot be locked, and so not be written
}

// Profile is one [profiles.NAME] table as written: nothing expanded, no defaults filled in. An
// empty string and a nil slice mean that the key is not set.
type Profile struct {
	UserPoolID    string   // user_pool_id: an Amazon Cognito user pool; excludes Issuer
	Issuer        string   // issuer: any OpenID provider, byte for byte as in its iss claim
	Domain        string   // domain: of a pool's hosted UI, prefix or host, where its ID is not known
	Region        string   // region: AWS Region of Domain
	ClientID      string   // client_id: required
	CallbackURLs  []string // callback_urls: loopback redirect URIs as registered, tried in order
	Scopes        []string // scopes: RFC 6749 §3.3 tokens, openid among them
	IdP           string   // idp: the pool's name for the identity provider to go to at once
	IdPIdentifier string   // idp_identifier: the same by an identifier; excludes IdP
	Lang          string   // lang: of the sign-in page, such as de
	Resource      string   // resource: the API that the access token is for (RFC 8707)
	LogoutURL     string   // logout_url: a registered sign-out URL
	Expect        string   // expect: who must sign in: a@b, @b or sub:…
	CAFile        string   // ca_file: PEM certificates to trust besides the system's
	UsernameClaim string   // username_claim: the ID-token claim that names the person
	Interactive   string   // interactive: Never, Auto or Always
	Store         string   // store: Keychain or FileStore, where the session is kept
	StoreKey      string   // store_key: an age or SSH key that opens the file store
	StoreDir      string   // store_dir: the folder of the file store

	RefreshTokenValidity string // refresh_token_validity: how long a sign-in lasts, such as 30d

	Serve []Serve // serve: who may be handed a token; nil if nobody
}

const (
	keyDefault  = "default_profile"
	keyProfiles = "profiles"

	keyUserPoolID    = "user_pool_id"
	keyIssuer        = "issuer"
	keyDomain        = "domain"
	keyRegion        = "region"
	keyClientID      = "client_id"
	keyCallbackURLs  = "callback_urls"
	keyScopes        = "scopes"
	keyCAFile        = "ca_file"
	keyUsernameClaim = "username_claim"
	keyInteractive   = "interactive"
	keyIdP           = "idp"
	keyIdPIdentifier = "idp_identifier"
	keyLang          = "lang"
	keyResource      = "resource"
	keyLogoutURL     = "logout_url"
	keyExpect        = "expect"
	keyValidity      = "refresh_token_validity"
	keyStore         = "store"
	keyStoreKey      = "store_key"
	keyStoreDir      = "store_dir"
)

// topKeys and profileKeys are all there is, in the order in which they are written and explained.
var (
	topKeys     = []string{keyDefault, keyProfiles}
	profileKeys = []string{
		keyUserPoolID, keyIssuer, keyDomain, keyRegion, keyClientID, keyCallbackURLs, keyScopes,
		keyIdP, keyIdPIdentifier, keyLang, keyResource, keyLogoutURL, keyExpect, keyValidity,
		keyCAFile, keyUsernameClaim, keyInteractive, keyStore, keyStoreKey, keyStoreDir,
		keyServe,
	}
)

// field returns a pointer to what key stands for, a *string, a *[]string or a *[]Serve, or nil if there is no
// such key. Case counts, as TOML says.
func (p *Profile) field(key string) any {
	switch key {
	case keyUserPoolID:
		return &p.UserPoolID
	case keyIssuer:
		return &p.Issuer
	case keyDomain:
		return &p.Domain
	case keyRegion:
		return &p.Region
	case keyClientID:
		return &p.ClientID
	case keyCallbackURLs:
		return &p.CallbackURLs
	case keyScopes:
		return &p.Scopes
	case keyCAFile:
		return &p.CAFile
	case keyUsernameClaim:
		return &p.UsernameClaim
	case keyInteractive:
		return &p.Interactive
	case keyIdP:
		return &p.IdP
	case keyIdPIdentifier:
		return &p.IdPIdentifier
	case keyLang:
		return &p.Lang
	case keyResource:
		return &p.Resource
	case keyLogoutURL:
		return &p.LogoutURL
	case keyExpect:
		return &p.Expect
	case keyValidity:
		return &p.RefreshTokenValidity
	case keyStore:
		return &p.Store
	case keyStoreKey:
		return &p.StoreKey
	case keyStoreDir:
		return &p.StoreDir
	case keyServe:
		return &p.Serve
	}
	return nil
}

// Load reads the file at path. A missing file is an empty File, not an error. Every error is an
// *Error that matches ErrInvalid: the file cannot be read, is not TOML, or holds a key or a type
// that does not belong there. The values of a profile are checked when it is used, by Resolve, so
// that a half-edited profile does not disable the others.
func Load(path string) (*File, error) {
	src, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{Path: path, Profiles: map[string]Profile{}}, nil
	}
	if err != nil {
		return nil, err
	}
	return parse(path, src)
}

// read returns the text at path, or an *Error that also matches what the system said.
func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return "", unreadable(path, err)
	}
	if len(data) > maxSize {
		return "", &Error{File: path, Fact: "the configuration file is larger than 1 MiB", Fix: "check that COGAUTH_CONFIG names the right file"}
	}
	return string(data), nil
}

func unreadable(path string, err error) *Error {
	cause := err
	var pe *fs.PathError
	if errors.As(err, &pe) {
		cause = pe.Err // the path is already in Error.File
	}
	return &Error{
		File: path, Fact: fmt.Sprintf("the configuration file cannot be read: %v", cause),
		Fix: "check the file and its permissions", err: err,
	}
}

// parse turns the text of a config.toml into a File.
func parse(path, src string) (*File, error) {
	var root map[string]any
	// A map and not a struct: the library matches struct fields whatever their case, and this is
	// also the cheaper of the two.
	if _, err := toml.Decode(src, &root); err != nil {
		return nil, syntaxError(path, src, err)
	}
	f := &File{Path: path, Profiles: map[string]Profile{}, src: src}
	var d decoder
	for key, v := range root {
		switch key {
		case keyDefault:
			f.DefaultProfile = d.text(v, key)
		case keyProfiles:
			d.profiles(f, v)
		default:
			d.unknownTop(key, v)
		}
	}
	if err := d.first(path, src); err != nil {
		return nil, err
	}
	return f, nil
}
