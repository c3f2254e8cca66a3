package cognitotest

import (
	"time"
)

// Config describes a user pool. The zero value is a pool with one public app client and one user.
type Config struct {
	Region       string      // AWS Region; "" means the part of PoolID before "_", else "eu-west-1"
	PoolID       string      // "" means Region + "_CogAuth01"
	DomainPrefix string      // hosted UI prefix; "" means "cogauth-test"
	Clients      []AppClient // nil means {DefaultClient()}
	Users        []User      // nil means {DefaultUser()}

	// CustomDomain is a host of the owner's, such as "auth.example.com". Discovery then names it and
	// not the prefix domain, which goes on working.
	CustomDomain string
	// NoDomain is a pool to which no domain was ever assigned: discovery names endpoints on the
	// issuer's own host, which are not there.
	NoDomain bool
	// FIPS gives the prefix domain its auth-fips form. A GovCloud (us-gov) Region has no other.
	FIPS bool
	// UpdatedIssuer is the pool setting IssuerConfiguration.Type UPDATED: tokens and discovery name
	// issuer-cognito-idp instead of cognito-idp. Both hosts serve discovery and keys.
	UpdatedIssuer bool
	// ClassicUI is branding version 1, the classic hosted UI, which ignores prompt and lang. The
	// zero value is managed login.
	ClassicUI bool

	Groups            []Group
	ResourceServers   []ResourceServer
	IdentityProviders []IdentityProvider

	// Prefill makes the sign-in page show and fill in the first user's name and password.
	Prefill bool
	// Now is the pool's clock, which also sets the Date header; nil means time.Now. It is called
	// from many goroutines.
	Now func() time.Time
	// RefreshTokenBytes is the length of refresh tokens, at least 512; zero means 1,850.
	RefreshTokenBytes int
	// CookieLifetime is how long a browser stays signed in; zero means 1 hour.
	CookieLifetime time.Duration
	// CodeLifetime is how long an authorization code can be redeemed; zero means 5 minutes.
	CodeLifetime time.Duration

	// IssuerPort and DomainPort are where Start serves the issuer and the hosted UI, so that a program
	// under development need not be told a new address every day; zero means any free port.
	IssuerPort, DomainPort int
	// IssuerOrigin and DomainOrigin are what Start calls those two instead, such as
	// "http://127.0.0.1:8474", where the pool is reached through a proxy that a test has put there. ""
	// means where they are.
	IssuerOrigin, DomainOrigin string

	// SignInLifetime is how long a person may take over the sign-in pages; zero means 5 minutes.
	SignInLifetime time.Duration
	// ClockSkew is how far the pool's clock is ahead of Now, or behind if negative: in tokens and in
	// the Date header.
	ClockSkew time.Duration

	// IDTokenBytes and AccessTokenBytes are the least length of each token, reached by a claim of
	// padding; a token is at most 3 bytes longer, unless its own claims and the name of that one make
	// it so. Zero means no padding.
	IDTokenBytes, AccessTokenBytes int
	// ExtraMembers puts members that nobody knows into discovery, keys, tokens and token responses.
	ExtraMembers bool

	// Failures are in force from the start, by endpoint: see Pool.Fail.
	Failures map[string]Failure

	// What AWS does not document has a switch. The zero value is what is most likely.

	// ErrorPagesInPlace shows errors that are not for the client at once, with status 400, instead of
	// redirecting to /error.
	ErrorPagesInPlace bool
	// DoubledDescription writes error_description=error_description=… as one of AWS's examples does.
	DoubledDescription bool
	// VerifierError is the token endpoint's error for a wrong or missing code_verifier; "" means invalid_grant.
	VerifierError string
	// RevokeOnReuse ends the whole session when a refresh token is used after its grace period.
	RevokeOnReuse bool
	// GraceRepeats returns the same successor for every use of a refresh token within its grace
	// period; else each use gets a new one.
	GraceRepeats bool
	// NonceOnRefresh repeats the nonce in refreshed ID tokens.
	NonceOnRefresh bool
	// IgnoreUnknownScopes grants what is allowed of the scopes and is silent on the rest.
	IgnoreUnknownScopes bool
	// StrictLifetimes makes New refuse token validities that AWS would: less than 5 minutes or more than 1
	// day for ID and access tokens, less than 1 hour or more than 10 years for refresh tokens.
	StrictLifetimes bool
	// DropErrorState leaves state out of every error sent to the client but login_required.
	DropErrorState bool
	// ScopeErrorPage answers invalid_scope on the pool's own error page, where the client sees nothing.
	ScopeErrorPage bool
	// OmitIDTokenOnRefresh leaves id_token out of the answer to a refresh.
	OmitIDTokenOnRefresh bool
	// OmitRefreshToken leaves refresh_token out of every answer.
	OmitRefreshToken bool
}

// Group is a group of the pool. One that only a User's Groups name has no role.
type Group struct {
	Name string
	// Role is the ARN of an IAM role, or "": the groups' roles are in cognito:roles, and the role of
	// the group with the lowest Precedence is cognito:preferred_role unless two tie with different roles.
	Role       string
	Precedence int
}

// ResourceServer defines the custom scopes Identifier/Scope.
type ResourceServer struct {
	Identifier string
	Scopes     []string
}

// IdentityProvider is an upstream provider of a federated pool. The pool plays it as well, with a
// sign-in page of its own on an origin of its own.
type IdentityProvider struct {
	Name        string   // as identity_provider takes it
	Type        string   // "OIDC", "SAML", "Google", "Facebook", "LoginWithAmazon", "SignInWithApple"; "" means OIDC
	Identifiers []string // as idp_identifier takes them
	// Users sign in by their Username and Password at the provider, unless they are Disabled; nil means
	// {DefaultUser()}. Attributes are what its mapping brings into the pool. In the pool such a user is
	// called Name_Username, is in the group PoolID_Name, and begins with their TriggerError here; their
	// other fields are not used.
	Users []User
	// Error, if not "", is what the pool tells the client, as error_description of invalid_request,
	// instead of a code: "Acme Error - 401 error getting token".
	Error string
}

// AppClient is an app client: a confidential one if it has Secrets, else a public one.
type AppClient struct {
	ID   string // "" means DefaultClient's
	Name string // shown on the sign-in page; "" means ID
	// Secrets are the client secrets in force, at most two, each of 24 to 64 letters, digits, _ or +.
	Secrets []string
	// IdentityProviders are those offered on the sign-in page, "COGNITO" for the pool's own users;
	// nil means COGNITO and every one of the pool.
	IdentityProviders []string
	// Unbranded is a client made by API without a branding style: with managed login there are no
	// sign-in pages for it ("Login pages unavailable").
	Unbranded bool
	// ReadAttributes are the attributes that the client may read; nil means all. A scope of which it
	// may not read every attribute makes the code exchange fail with invalid_grant.
	ReadAttributes []string
	// DefaultRedirectURI is used when redirect_uri is missing, which is allowed if the client has exactly
	// one identity provider; with a single callback URL that one is used.
	DefaultRedirectURI string
	// CallbackURLs are compared with redirect_uri character by character; nil means DefaultClient's.
	CallbackURLs []string
	LogoutURLs   []string // sign-out URLs, compared in the same way
	Scopes       []string // what may be asked for; nil means openid, email, phone, profile
	// AllowedFlows holds "code" and "implicit", or else "client_credentials", which needs a secret; nil
	// means {"code"}.
	AllowedFlows []string

	// RefreshTokenRotation makes every refresh return a new refresh token, which lives for what is
	// left of the original's lifetime. The old one works for RetryGracePeriod, 0 to 60 s, after its first use.
	RefreshTokenRotation bool
	RetryGracePeriod     time.Duration

	// AWS allows 5 minutes to 1 day for the first two and 1 hour to 10 years for the last; a pool
	// for tests takes anything positive, unless Config.StrictLifetimes is set. Zero means 1 hour, 1 hour and 30 days.
	IDTokenValidity, AccessTokenValidity, RefreshTokenValidity time.Duration

	DisableTokenRevocation bool // the revocation endpoint answers invalid_request
}

// User is a person in the pool. Names are compared without regard to case, as in a new user pool.
type User struct {
	Username string // "" means DefaultUser's
	Password string // "" means DefaultUser's
	Sub      string // "" means a UUID made from Username
	// Attributes are standard ("email") or custom ("custom:team") attributes. The values of
	// email_verified and phone_number_verified are "true" or "false". Nil means none.
	Attributes map[string]string
	Groups     []string

	// Imported is a user who was imported without a password: only "Forgot your password?" lets
	// them in. Password is not used until then.
	Imported bool
	// MustChangePassword makes the first sign-in ask for a new password.
	MustChangePassword bool
	// TOTPSecret, in base32, makes every sign-in ask for a time-based one-time password (RFC 6238,
	// SHA-1, 6 digits, 30 s).
	TOTPSecret string
	// Disabled users cannot sign in, and their refresh tokens are invalid_grant.
	Disabled bool
	// TriggerError, if not "", is the error_description of invalid_request that the client gets
	// instead of a code: "PreTokenGeneration failed with error no.".
	TriggerError string

	// Of a federated user: whose, by what name there, and since when.
	provider *IdentityProvider
	subject  string
	linked   time.Time
}

// DefaultClient returns the app client of a zero Config.
func DefaultClient() AppClient {
	return AppClient{
		ID:           "5cogauthtestclient1example",
		Name:         "cogauth",
		CallbackURLs: []string{"http://localhost:8585/callback", "http://localhost:8586/callback", "http://localhost:8587/callback"},
		Scopes:       []string{"openid", "email", "phone", "profile"},
		AllowedFlows: []string{"code"},

		IDTokenValidity:      time.Hour,
		AccessTokenValidity:  time.Hour,
		RefreshTokenValidity: 30 * 24 * time.Hour,
	}
}

// DefaultUser returns the user of a zero Config.
func DefaultUser() User {
	return User{
		Username: "ada",
		Password: "Analytical-Engine-1843",
		Attributes: map[string]string{
			"email":          "ada@example.com",
			"email_verified": "true",
			"name":           "Ada Lovelace",
		},
		Groups: []string{"engineers"},
	}
}
