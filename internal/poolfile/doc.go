// Package poolfile reads the description of a stand-in user pool from a TOML file.
//
// A key is the name of a field of package cognitotest, which says more, in lower case and with
// underscores; a list of tables has the singular. What is left out has cognitotest's default. Lengths
// of time are written as in "90s", "5m", "1h", "30d". This is a pool with every key there is:
//
//	region           = "eu-west-1"
//	pool_id          = "eu-west-1_Example01" # REGION_ID
//	domain_prefix    = "example"
//	custom_domain    = "auth.example.com" # discovery names this one
//	no_domain        = false              # a pool to which no domain was ever assigned
//	fips             = false              # PREFIX.auth-fips.REGION.amazoncognito.com
//	updated_issuer   = false              # issuer-cognito-idp in place of cognito-idp
//	classic_ui       = false              # the hosted UI of branding version 1
//	issuer_port      = 9400               # 0: any free port
//	domain_port      = 9401
//	issuer_origin    = "" # what it is called instead, such as http://127.0.0.1:8474, behind a proxy of yours
//	domain_origin    = ""
//	prefill          = true               # the sign-in page fills in the first user
//	code_lifetime    = "5m"
//	cookie_lifetime  = "1h"
//	sign_in_lifetime = "5m"
//	clock_skew       = "-30s" # the pool's clock is behind
//
//	# Sizes in bytes, and what a client must not stumble over.
//	refresh_token_bytes = 1850
//	id_token_bytes      = 0
//	access_token_bytes  = 0
//	extra_members       = true # members that nobody knows, everywhere
//
//	# What AWS does not document.
//	error_pages_in_place     = false
//	doubled_description      = false
//	verifier_error           = "invalid_grant"
//	revoke_on_reuse          = false
//	grace_repeats            = false
//	nonce_on_refresh         = false
//	ignore_unknown_scopes    = false
//	drop_error_state         = false
//	strict_lifetimes         = false # take no validity that AWS would not
//	scope_error_page         = false
//	omit_id_token_on_refresh = false
//	omit_refresh_token       = false
//
//	[[client]] # without secrets a public one
//	id                       = "1h57kf5cpq17m0eml12EXAMPLE"
//	name                     = "Example"
//	secrets                  = ["made_up_made_up_made_up_made_up_made_up"]
//	callback_urls            = ["http://localhost:8585/callback"]
//	logout_urls              = ["https://app.example.com/signed-out"]
//	default_redirect_uri     = "http://localhost:8585/callback"
//	scopes                   = ["openid", "email", "https://api.example.com/read"]
//	allowed_flows            = ["code"]
//	identity_providers       = ["COGNITO", "Corp"]
//	read_attributes          = ["email", "email_verified"]
//	unbranded                = false
//	id_token_validity        = "1h"
//	access_token_validity    = "1h"
//	refresh_token_validity   = "30d"
//	refresh_token_rotation   = true
//	retry_grace_period       = "10s"
//	disable_token_revocation = false
//
//	[[user]]
//	username             = "ada"
//	password             = "Analytical-Engine-1843"
//	sub                  = "4be5f1d2-0000-4000-8000-00000000ada1"
//	attributes           = { email = "ada@example.com", email_verified = "true", "custom:team" = "engines" }
//	groups               = ["admins"]
//	imported             = false # without a password yet
//	must_change_password = false
//	totp_secret          = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" # base32
//	disabled             = false
//	trigger_error        = "" # "PreTokenGeneration failed with error …."
//
//	[[group]]
//	name       = "admins"
//	role       = "arn:aws:iam::123456789012:role/admins"
//	precedence = 1
//
//	[[resource_server]]
//	identifier = "https://api.example.com"
//	scopes     = ["read", "write"]
//
//	[[identity_provider]]
//	name        = "Corp"
//	type        = "OIDC" # or "SAML", "Google", "Facebook", "LoginWithAmazon", "SignInWithApple"
//	identifiers = ["example.com"]
//	error       = "" # "Corp Error - 401 error getting token"
//
//	[[identity_provider.user]] # with the keys of [[user]]
//	username   = "grace"
//	password   = "Compiler-A-0-1952"
//	attributes = { email = "grace@example.com" }
//
//	[failures.token] # by cognitotest.Endpoints: discovery, jwks, authorize, login, token, …
//	mode  = "throttled" # or "429", "503", "waf", "slow", "hang", "drop"
//	delay = "3s"        # before it, or without a mode alone; 3s if slow and not given
//	times = 2           # then all is well; 0 means for ever
package poolfile
