package cognitotest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// statement is one thing that AWS documents (D), or that its published code shows (S), of user pools, in
// our own words. Either a test asks the stand-in for it by hand, or there is a reason why none does.
type statement struct {
	id   string // section of the fact sheet, a hyphen, and a name
	text string
	test string // function that checks it
	why  string // "not of the wire: …", or "not served: …" for what the stand-in leaves out
}

var statements = []statement{
	// Discovery, issuer, keys, domains.
	{id: "1.1-region-from-pool-id", text: "The Region of a pool is what stands before the underscore of its ID.", test: "TestStatement11RegionFromPoolID"},
	{id: "1.1-pool-id-suffix", text: "What follows the underscore is letters and digits.", test: "TestStatement11SuffixIsLettersAndDigits"},
	{id: "1.1-issuer-original", text: "The original issuer is on cognito-idp.REGION, with the pool ID as its path.", test: "TestStatement11OriginalIssuer"},
	{id: "1.1-issuer-updated", text: "A pool can be set to an issuer on issuer-cognito-idp.REGION instead.", test: "TestStatement11UpdatedIssuer"},
	{id: "1.1-issuer-no-slash", text: "Neither issuer ends with a slash.", test: "TestStatement11NoSlashAfterIssuer"},
	{id: "1.1-issuer-primary-region", text: "The updated issuer names the primary Region of a pool that is replicated.", why: "not of the wire: a pool on loopback has one Region"},
	{id: "1.1-issuer-incompatible", text: "ALB and REST API authorizers do not take the updated issuer.", why: "not of the wire: it is said of other services"},
	{id: "1.1-issuer-verifier", text: "AWS's own JWT verifier knows the original issuer only.", why: "not of the wire: it is said of a library"},

	{id: "1.2-document-under-issuer", text: "The discovery document is below the issuer and not on the hosted UI's domain.", test: "TestStatement12DocumentUnderIssuer"},
	{id: "1.2-document-names-endpoints", text: "It names the endpoints of the domain, userInfo among them.", test: "TestStatement12DocumentNamesEndpoints"},
	{id: "1.2-document-may-grow", text: "It may get members that it does not have today.", test: "TestStatement12DocumentMayGrow"},
	{id: "1.2-tokens-may-grow", text: "So may tokens.", test: "TestStatement12TokensMayGrow"},
	{id: "1.2-custom-domain-listed", text: "With a prefix and a custom domain, the document names the custom one only.", test: "TestStatement12CustomDomainListedAlone"},
	{id: "1.2-prefix-domain-works", text: "The prefix domain goes on working, with the same keys and tokens.", test: "TestStatement12PrefixDomainStillWorks"},

	{id: "1.3-keys-under-issuer", text: "The keys are below the issuer and not on the domain.", test: "TestStatement13KeysUnderIssuer"},
	{id: "1.3-two-rsa-keys", text: "A pool has two RSA keys of 2,048 bits for RS256.", test: "TestStatement13TwoRSAKeys"},
	{id: "1.3-key-per-token-kind", text: "One signs ID tokens, the other access tokens.", test: "TestStatement13OneKeyPerTokenKind"},
	{id: "1.3-kid-padding", text: "A kid ends with an equals sign.", test: "TestStatement13KidEndsInPadding"},
	{id: "1.3-keys-rotate", text: "The keys may change at any time.", test: "TestStatement13KeysMayRotate"},
	{id: "1.3-list-grows", text: "The list may get more keys.", test: "TestStatement13ListMayGrow"},
	{id: "1.3-refetch-pause", text: "AWS's verifier waits 10 s after a kid that it did not find.", why: "not of the wire: it is said of a client"},
	{id: "1.3-fetch-quota", text: "Keys can be fetched 50,000 times a second.", why: "not of the wire: a quota"},

	{id: "1.4-prefix-host", text: "A prefix domain is PREFIX.auth.REGION.amazoncognito.com.", test: "TestStatement14PrefixHost"},
	{id: "1.4-prefix-rules", text: "A prefix is up to 63 of a-z, 0-9 and inner hyphens, without AWS's own names in it.", test: "TestStatement14PrefixRules"},
	{id: "1.4-fips-host", text: "Some US Regions have auth-fips in its place.", test: "TestStatement14FIPSHost"},
	{id: "1.4-govcloud-host", text: "GovCloud has auth-fips only.", test: "TestStatement14GovCloudHost"},
	{id: "1.4-govcloud-custom", text: "GovCloud has no custom domains.", test: "TestStatement14NoCustomDomainInGovCloud"},
	{id: "1.4-govcloud-api", text: "GovCloud's API is on hosts of its own.", why: "not of the wire: the stand-in is no service API"},
	{id: "1.4-custom-host", text: "A custom domain is any host name of its owner.", test: "TestStatement14CustomHost"},
	{id: "1.4-custom-certificate", text: "A custom domain needs a certificate of us-east-1 and is no top-level name.", why: "not of the wire: a rule of its setting-up"},
	{id: "1.4-china", text: "There are no user pools in China.", why: "not of the wire: what is not there has no answers"},
	{id: "1.4-eu-sovereign-host", text: "The European sovereign cloud has its hosts under amazonaws.eu.", test: "TestStatement14EUSovereignHost"},
	{id: "1.4-dns-suffixes", text: "The end of a host name goes by the partition.", test: "TestStatement14DNSSuffixByPartition"},
	{id: "1.4-tls", text: "Domains speak TLS 1.2 or newer.", test: "TestStatement14TLS12OrNewer"},
	{id: "1.4-ip-versions", text: "Domains have addresses of IPv4 and IPv6.", why: "not of the wire: it is said of AWS's name servers"},
	{id: "1.4-pinning", text: "Only Amazon's root certificates can be pinned.", why: "not of the wire: the stand-in has none of them"},
	{id: "1.4-delays", text: "A new domain or branding takes seconds to an hour to be there.", why: "not of the wire: it is said of AWS's name servers and caches"},

	{id: "1.5-fixed-paths", text: "The paths of the endpoints are the same for every pool.", test: "TestStatement15FixedPaths"},

	// The authorization endpoint.
	{id: "2.1-get-only", text: "Authorize takes GET.", test: "TestStatement21GetOnly"},
	{id: "2.1-to-login", text: "It sends the browser to /login with the query as it came.", test: "TestStatement21SentToLoginWithSameQuery"},
	{id: "2.1-to-provider", text: "It sends it straight to an identity provider that the request names.", test: "TestStatement21SentStraightToProvider"},
	{id: "2.1-response-type", text: "response_type is code or token.", test: "TestStatement21ResponseTypes"},
	{id: "2.1-client-id", text: "A client ID is 1 to 128 word characters or plus signs.", test: "TestStatement21ClientIDForm"},
	{id: "2.1-redirect-uri-omitted", text: "A client with one identity provider may leave redirect_uri out.", test: "TestStatement21RedirectURIMayBeOmitted"},
	{id: "2.1-state", text: "state comes back as it was sent.", test: "TestStatement21StateComesBack"},
	{id: "2.1-state-json", text: "state must not be JSON that is URL-encoded.", why: "not of the wire: a duty of clients, and what a pool does otherwise is not said"},
	{id: "2.1-scopes", text: "Scopes are separated by spaces.", test: "TestStatement21ScopesAreSpaceSeparated"},
	{id: "2.1-custom-scopes", text: "A custom scope is the resource server's identifier, a slash and a name.", test: "TestStatement21CustomScopeForm"},
	{id: "2.1-profile-scopes", text: "email, phone and profile need openid beside them.", test: "TestStatement21ProfileScopesNeedOpenID"},
	{id: "2.1-no-openid", text: "Without openid there is no ID token.", test: "TestStatement21NoIDTokenWithoutOpenID"},
	{id: "2.1-no-scope", text: "No scope means all that the client may have.", test: "TestStatement21NoScopeMeansAll"},
	{id: "2.1-challenge", text: "A challenge is the SHA-256 of the verifier in base64url without padding.", test: "TestStatement21ChallengeIsS256OfVerifier"},
	{id: "2.1-challenge-optional", text: "A request may come without a challenge.", test: "TestStatement21ChallengeIsOptional"},
	{id: "2.1-nonce", text: "A nonce comes back in the ID token.", test: "TestStatement21NonceIsInIDToken"},
	{id: "2.1-identity-provider", text: "identity_provider takes the names of providers, those of social ones, and COGNITO for the pool's own users.", test: "TestStatement21ProviderNames"},
	{id: "2.1-idp-identifier", text: "idp_identifier takes another name of an OIDC or SAML provider.", test: "TestStatement21ProviderIdentifier"},
	{id: "2.1-lang", text: "lang takes thirteen codes.", test: "TestStatement21LangCodes"},
	{id: "2.1-lang-cookie", text: "The language is remembered in a cookie.", test: "TestStatement21LangIsRemembered"},
	{id: "2.1-lang-managed", text: "lang means something to managed login only.", test: "TestStatement21LangInManagedLoginOnly"},
	{id: "2.1-login-hint", text: "login_hint fills in the username.", test: "TestStatement21LoginHintFillsInUsername"},
	{id: "2.1-login-hint-provider", text: "login_hint is passed on to OIDC providers, and not to SAML or social ones.", test: "TestStatement21LoginHintForOIDCProvidersOnly"},
	{id: "2.1-prompt-none", text: "prompt=none answers without a page.", test: "TestStatement21PromptNoneIsSilent"},
	{id: "2.1-prompt-login", text: "prompt=login shows the sign-in page and leaves the old session alone.", test: "TestStatement21PromptLoginForcesSignIn"},
	{id: "2.1-prompt-combined", text: "Values of prompt can be combined.", test: "TestStatement21PromptValuesCombine"},
	{id: "2.1-prompt-provider", text: "All values but none are passed on to identity providers.", test: "TestStatement21PromptReachesProvider"},
	{id: "2.1-prompt-classic", text: "The classic hosted UI ignores prompt.", test: "TestStatement21PromptIgnoredByClassicUI"},
	{id: "2.1-resource", text: "resource becomes the audience of the access token.", test: "TestStatement21ResourceBecomesAudience"},
	{id: "2.1-resource-form", text: "resource is one value, of https, http on localhost or a scheme of one's own.", test: "TestStatement21ResourceForm"},
	{id: "2.1-resource-refresh", text: "It survives refreshes.", test: "TestStatement21ResourceSurvivesRefresh"},
	{id: "2.1-resource-managed", text: "It means something to managed login only.", test: "TestStatement21ResourceInManagedLoginOnly"},
	{id: "2.1-resource-machine", text: "It means nothing to client_credentials.", test: "TestStatement21ResourceNotForMachines"},
	{id: "2.1-resource-since", text: "resource has been there since October 2025.", why: "not of the wire: a date"},
	{id: "2.1-acr-values", text: "acr_values is ignored in silence on the Lite plan.", test: "TestStatement21ACRValuesDoNoHarm"},
	{id: "2.1-max-age", text: "max_age makes a person sign in again whose sign-in is older.", test: "TestStatement21MaxAgeForcesSignIn"},
	{id: "2.1-code-lifetime", text: "A code lives 5 minutes.", test: "TestStatement21CodeLivesFiveMinutes"},
	{id: "2.1-code-once", text: "A code works once.", test: "TestStatement21CodeIsSingleUse"},
	{id: "2.1-code-shape", text: "A code has the shape of a UUID.", test: "TestStatement21CodeIsUUIDShaped"},
	{id: "2.1-sign-in-lifetime", text: "Who takes more than 5 minutes over the pages has to begin again.", test: "TestStatement21SignInLastsFiveMinutes"},
	{id: "2.1-session-cookie", text: "The session cookie is called cognito and lasts 1 hour, however much it is used.", test: "TestStatement21CookieLastsOneHour"},
	{id: "2.1-xsrf-cookie", text: "There is a cookie called XSRF-TOKEN.", test: "TestStatement21XSRFCookie"},
	{id: "2.1-cookies-blocked", text: "A browser without cookies cannot sign in.", test: "TestStatement21NoSignInWithoutCookies"},
	{id: "2.1-other-cookies", text: "csrf-state and page-data are names of further cookies.", why: "not served: what is in them is not said, and the pages here need none"},
	{id: "2.1-forbidden-scope", text: "A scope that the client may not have is ignored, or is invalid_scope: AWS says both.", test: "TestStatement21ForbiddenScopeIgnoredOrRefused"},
	{id: "2.1-forbidden-custom-scope", text: "A custom scope that the client may not have makes the sign-in fail.", test: "TestStatement21UnassociatedCustomScopeFails"},
	{id: "2.1-offline-access", text: "offline_access changes nothing.", test: "TestStatement21OfflineAccessHasNoEffect"},

	{id: "2.2-code-in-query", text: "A code and the state are in the query of a 302 to redirect_uri.", test: "TestStatement22CodeInQuery"},
	{id: "2.2-implicit", text: "The implicit grant has its tokens in the fragment, and no refresh token.", test: "TestStatement22ImplicitGrant"},

	{id: "2.3-invalid-request", text: "No response_type, a challenge without its method, and a method but S256 are invalid_request.", test: "TestStatement23InvalidRequest"},
	{id: "2.3-unauthorized-client", text: "A flow that the client does not have is unauthorized_client.", test: "TestStatement23UnauthorizedClient"},
	{id: "2.3-invalid-scope", text: "An unknown or malformed scope is invalid_scope.", test: "TestStatement23InvalidScope"},
	{id: "2.3-server-error", text: "A fault of the service's own is server_error.", test: "TestStatement23ServerError"},
	{id: "2.3-login-required", text: "prompt=none without a session is login_required, with the state.", test: "TestStatement23LoginRequired"},
	{id: "2.3-provider-timeout", text: "A provider that does not answer is invalid_request and told of.", test: "TestStatement23ProviderTimeout"},
	{id: "2.3-doubled-description", text: "A timeout of a provider's keys is told of with the key error_description written twice.", test: "TestStatement23DoubledDescription"},
	{id: "2.3-provider-error", text: "A provider's own error is invalid_request, with its name and status.", test: "TestStatement23ProviderError"},
	{id: "2.3-provider-network", text: "A broken connection to a provider is invalid_request and told of.", test: "TestStatement23NetworkToProvider"},
	{id: "2.3-order", text: "The description may come before the error.", test: "TestStatement23DescriptionMayComeFirst"},
	{id: "2.3-state", text: "State is shown with login_required, and not with the other errors.", test: "TestStatement23StateOfErrors"},

	{id: "2.5-openid", text: "openid alone lets every readable attribute through.", test: "TestStatement25OpenIDAloneMeansEverything"},
	{id: "2.5-email", text: "email beside it limits them to the address and its flag.", test: "TestStatement25EmailLimits"},
	{id: "2.5-phone", text: "phone does the same for the telephone number.", test: "TestStatement25PhoneLimits"},
	{id: "2.5-profile", text: "profile lets all of them through.", test: "TestStatement25ProfileMeansEverything"},
	{id: "2.5-admin-user-info", text: "aws.cognito.signin.user.admin changes nothing for userInfo.", test: "TestStatement25AdminScopeAndUserInfo"},
	{id: "2.5-admin-api", text: "The same scope is what the API asks of an access token.", why: "not of the wire: the stand-in is no service API"},
	{id: "2.5-scope-form", text: "A client has up to 50 scopes, of 1 to 256 visible characters without quote and backslash.", test: "TestStatement25ScopeForm"},

	// The token endpoint.
	{id: "3.1-post", text: "The endpoint takes POST.", test: "TestStatement31PostOnly"},
	{id: "3.1-form", text: "The body is a form.", test: "TestStatement31FormEncoded"},
	{id: "3.1-public-client", text: "A public client names itself in the body.", test: "TestStatement31PublicClientInBody"},
	{id: "3.1-secret-header", text: "A confidential client may send its secret in a Basic header.", test: "TestStatement31ConfidentialClientInHeader"},
	{id: "3.1-secret-body", text: "Or it may send it in the body.", test: "TestStatement31ConfidentialClientInBody"},
	{id: "3.1-same-redirect-uri", text: "redirect_uri is the same text as at authorize.", test: "TestStatement31SameRedirectURI"},
	{id: "3.1-verifier", text: "code_verifier is there if a challenge was.", test: "TestStatement31VerifierBelongsToChallenge"},
	{id: "3.1-refresh-fields", text: "A refresh has the client and the token.", test: "TestStatement31RefreshFields"},
	{id: "3.1-machine-fields", text: "client_credentials may have scope and aws_client_metadata.", test: "TestStatement31MachineFields"},
	{id: "3.1-machine-secret", text: "It takes a secret.", test: "TestStatement31MachineNeedsSecret"},
	{id: "3.1-machine-alone", text: "A client that has it has no other flow.", test: "TestStatement31MachineClientHasOneFlow"},
	{id: "3.1-pkce-example", text: "The verifier and challenge on AWS's page belong together.", test: "TestStatement31PKCEExample"},

	{id: "3.2-json", text: "The answer is 200 and JSON in UTF-8.", test: "TestStatement32JSON"},
	{id: "3.2-request-id", text: "It has a request ID, a UUID.", test: "TestStatement32RequestID"},
	{id: "3.2-any-origin", text: "Scripts of every origin may read it.", test: "TestStatement32AnyOrigin"},
	{id: "3.2-code", text: "A code brings three tokens.", test: "TestStatement32CodeAnswer"},
	{id: "3.2-code-no-openid", text: "Without openid it brings no ID token.", test: "TestStatement32CodeAnswerWithoutOpenID"},
	{id: "3.2-refresh", text: "A refresh without rotation brings no refresh token.", test: "TestStatement32RefreshAnswer"},
	{id: "3.2-rotation", text: "A refresh with rotation brings another one.", test: "TestStatement32RotatedRefreshAnswer"},
	{id: "3.2-machine", text: "client_credentials bring an access token only.", test: "TestStatement32MachineAnswer"},
	{id: "3.2-no-scope", text: "No answer has a scope member.", test: "TestStatement32NoScopeMember"},
	{id: "3.2-token-type", text: "token_type is Bearer.", test: "TestStatement32TokenTypeIsBearer"},
	{id: "3.2-expires-in", text: "expires_in is a number of seconds.", test: "TestStatement32ExpiresInSeconds"},

	{id: "3.3-status", text: "Errors are 400 with an error member.", test: "TestStatement33ErrorsAre400"},
	{id: "3.3-invalid-request", text: "A missing field or another content type is invalid_request.", test: "TestStatement33InvalidRequest"},
	{id: "3.3-grant-type", text: "An unknown grant is unsupported_grant_type.", test: "TestStatement33UnsupportedGrantType"},
	{id: "3.3-invalid-client", text: "An unknown client or a wrong secret is invalid_client.", test: "TestStatement33InvalidClient"},
	{id: "3.3-invalid-grant-code", text: "A code that is used, old or unknown is invalid_grant.", test: "TestStatement33InvalidGrantForCodes"},
	{id: "3.3-invalid-grant-refresh", text: "A revoked refresh token is invalid_grant.", test: "TestStatement33InvalidGrantForRevokedRefreshToken"},
	{id: "3.3-unreadable-attribute", text: "A scope of which the client may not read every attribute is invalid_grant, after a sign-in that worked.", test: "TestStatement33UnreadableAttribute"},
	{id: "3.3-invalid-redirect", text: "Another redirect_uri is unauthorized_client, described as invalid_redirect.", test: "TestStatement33InvalidRedirect"},
	{id: "3.3-unauthorized-client", text: "A grant that the client does not have is unauthorized_client.", test: "TestStatement33UnauthorizedClient"},
	{id: "3.3-machine-scopes", text: "client_credentials with a scope that is not allowed is invalid_grant, with an unknown one invalid_scope.", test: "TestStatement33MachineScopes"},
	{id: "3.3-firewall", text: "A firewall before the pool answers as its owner likes.", test: "TestStatement33FirewallAnswersAsItLikes"},
	{id: "3.3-throttled", text: "Throttling in the manner of the API is 400 TooManyRequestsException.", test: "TestStatement33ThrottledAsTheAPIIs"},

	{id: "3.4-from-code-grant", text: "Refresh tokens come of the code grant, asked for or not.", test: "TestStatement34RefreshTokensFromCodeGrant"},
	{id: "3.4-same-client", text: "A refresh token is the client's that got it.", test: "TestStatement34RefreshBySameClientOnly"},
	{id: "3.4-federated", text: "Federated sessions can be refreshed.", test: "TestStatement34FederatedSessionsRefresh"},
	{id: "3.4-remembered-devices", text: "Sessions of the API cannot, where devices are remembered.", why: "not of the wire: the stand-in is no service API"},
	{id: "3.4-auth-time", text: "auth_time stays that of the sign-in.", test: "TestStatement34AuthTimeIsKept"},
	{id: "3.4-origin", text: "origin_jti stays the same.", test: "TestStatement34OriginIsKept"},
	{id: "3.4-context", text: "acr and amr stay the same.", test: "TestStatement34ContextIsKept"},
	{id: "3.4-audience", text: "A bound audience stays the same.", test: "TestStatement34BoundAudienceIsKept"},
	{id: "3.4-cookie", text: "A refresh does nothing for the browser's session.", test: "TestStatement34RefreshLeavesBrowserAlone"},

	{id: "3.5-replaces", text: "With rotation every refresh brings a new refresh token.", test: "TestStatement35RotationReplaces"},
	{id: "3.5-no-grace", text: "Without grace the old one ends at once.", test: "TestStatement35NoGrace"},
	{id: "3.5-grace", text: "With it the old one lives on for as long.", test: "TestStatement35Grace"},
	{id: "3.5-grace-range", text: "Grace is 0 to 60 s.", test: "TestStatement35GraceRange"},
	{id: "3.5-never-extends", text: "The new one has what is left of the first one's life.", test: "TestStatement35RotationNeverExtends"},
	{id: "3.5-api", text: "The API has an operation of its own for it, and closes another one.", why: "not of the wire: the stand-in is no service API"},
	{id: "3.5-api-reuse", text: "The API has an exception of its own for reuse.", why: "not of the wire: the stand-in is no service API"},

	{id: "3.6-headers", text: "Answers are not to be cached, sniffed or framed.", test: "TestStatement36Headers"},
	{id: "3.6-strict-transport", text: "Over TLS they ask for TLS from now on.", test: "TestStatement36StrictTransport"},

	// Revocation, sign-out, userInfo, pages.
	{id: "4.1-public", text: "A public client sends the refresh token and its ID.", test: "TestStatement41PublicClientFields"},
	{id: "4.1-confidential", text: "A confidential one sends a Basic header.", test: "TestStatement41ConfidentialClientHeader"},
	{id: "4.1-descendants", text: "What came of the refresh token ends with it.", test: "TestStatement41DescendantsDie"},
	{id: "4.1-other-sessions", text: "Other sessions go on.", test: "TestStatement41OtherSessionsLive"},
	{id: "4.1-empty", text: "The answer is 200 and empty.", test: "TestStatement41EmptyBody"},
	{id: "4.1-again", text: "So it is for a token that is revoked already, or is none.", test: "TestStatement41AgainOrGarbage"},
	{id: "4.1-no-token", text: "No token is invalid_request.", test: "TestStatement41NoToken"},
	{id: "4.1-switched-off", text: "So is a client whose tokens cannot be revoked.", test: "TestStatement41RevocationSwitchedOff"},
	{id: "4.1-token-type", text: "An ID or access token is unsupported_token_type.", test: "TestStatement41OtherTokenKinds"},
	{id: "4.1-credentials", text: "Bad credentials are 401 invalid_client.", test: "TestStatement41BadCredentials"},
	{id: "4.1-offline", text: "Signatures of revoked tokens are as good as before.", test: "TestStatement41RevokedTokensStillVerify"},
	{id: "4.1-global", text: "An operation of the API signs a person out everywhere.", why: "not of the wire: the stand-in is no service API"},

	{id: "4.2-logout-uri", text: "logout_uri ends the browser's session and is where it goes next, whatever else is there.", test: "TestStatement42LogoutURI"},
	{id: "4.2-sign-in-again", text: "redirect_uri ends it and leads to the sign-in page, with the request's parameters.", test: "TestStatement42SignInAsSomeoneElse"},
	{id: "4.2-no-provider", text: "Sign-out does not lead to an identity provider.", test: "TestStatement42LogoutWithoutProviders"},
	{id: "4.2-scopes", text: "Scopes that are missing are filled in.", test: "TestStatement42LogoutFillsInScopes"},
	{id: "4.2-both", text: "logout_uri wins over redirect_uri.", test: "TestStatement42LogoutURIWins"},
	{id: "4.2-provider-session", text: "The session at an OIDC or social provider goes on.", test: "TestStatement42ProviderStaysSignedIn"},
	{id: "4.2-saml", text: "That at a SAML provider ends if single logout is set up.", why: "not served: single logout is between the pool and the provider"},
	{id: "4.2-tokens", text: "Tokens stay good.", test: "TestStatement42LogoutRevokesNothing"},
	{id: "4.2-own-list", text: "A sign-out URL has to be registered as one.", test: "TestStatement42SignOutURLsAreTheirOwnList"},

	{id: "4.3-bearer", text: "userInfo takes an access token in the header.", test: "TestStatement43BearerToken"},
	{id: "4.3-openid", text: "The token needs the scope openid.", test: "TestStatement43NeedsOpenID"},
	{id: "4.3-api-tokens", text: "Tokens of the API's sign-in are not taken.", why: "not of the wire: the stand-in is no service API"},
	{id: "4.3-members", text: "The answer has sub, username and the attributes.", test: "TestStatement43Members"},
	{id: "4.3-booleans", text: "Its flags are texts.", test: "TestStatement43BooleansAreStrings"},
	{id: "4.3-bad-request", text: "Without a token it is 400 with invalid_request in WWW-Authenticate.", test: "TestStatement43BadRequest"},
	{id: "4.3-invalid-token", text: "With a dead one it is 401 with invalid_token there.", test: "TestStatement43InvalidToken"},
	{id: "4.3-online", text: "So it tells whether a token was revoked.", test: "TestStatement43ChecksRevocationOnline"},

	{id: "4.4-login-parameters", text: "/login takes what authorize takes.", test: "TestStatement44LoginTakesEverything"},
	{id: "4.4-form-target", text: "The form is posted to /login with the same query.", test: "TestStatement44FormGoesBackToLogin"},
	{id: "4.4-form-fields", text: "It has a username, a password and a fingerprint of the device.", test: "TestStatement44FormFields"},
	{id: "4.4-paths", text: "There are pages for forgotten passwords and answers of providers.", test: "TestStatement44OtherPaths"},
	{id: "4.4-sign-up-paths", text: "There are pages for sign-up, confirmation and passkeys, and SAML's sign-out.", why: "not served: nobody signs up, or adds a passkey, to a program's login"},
	{id: "4.4-branding", text: "Managed login and the classic hosted UI have the same endpoints.", test: "TestStatement44BrandingKeepsEndpoints"},
	{id: "4.4-lite", text: "The Lite plan has the classic one only.", why: "not of the wire: a price list"},
	{id: "4.4-unbranded", text: "With managed login, a client without a style has no pages.", test: "TestStatement44UnbrandedClientHasNoPages"},
	{id: "4.4-cors", text: "Scripts of other origins may read token, revoke and userInfo, and no page.", test: "TestStatement44CORS"},
	{id: "4.4-custom-challenges", text: "Managed login knows no custom challenges.", why: "not of the wire: what is not there has no answers"},

	// Callback URLs.
	{id: "5-absolute", text: "A callback URL is absolute and has no fragment.", test: "TestStatement5AbsoluteWithoutFragment"},
	{id: "5-count", text: "A client has at most 100.", test: "TestStatement5AtMostAHundred"},
	{id: "5-length", text: "Each is 1 to 1,024 visible characters.", test: "TestStatement5LengthAndCharacters"},
	{id: "5-http", text: "http is for localhost, 127.0.0.1 and ::1, with any port.", test: "TestStatement5HTTPOnLoopbackOnly"},
	{id: "5-list", text: "redirect_uri has to be in the list.", test: "TestStatement5MustBeInTheList"},
	{id: "5-custom-scheme", text: "A scheme of one's own is allowed.", test: "TestStatement5CustomScheme"},

	// Tokens.
	{id: "6.1-header", text: "The header has kid and alg, RS256, and no typ.", test: "TestStatement61Header"},
	{id: "6.2-always", text: "Every ID token has sub, iss, aud, exp, iat and token_use.", test: "TestStatement62AlwaysThere"},
	{id: "6.2-sub", text: "sub looks like a UUID.", test: "TestStatement62Sub"},
	{id: "6.2-aud", text: "aud is the client ID.", test: "TestStatement62AudienceIsClient"},
	{id: "6.2-aud-array", text: "AWS's verifier takes aud as a list as well.", why: "not of the wire: it is said of a library"},
	{id: "6.2-token-use", text: "token_use is id.", test: "TestStatement62TokenUse"},
	{id: "6.2-times", text: "auth_time, iat and exp are seconds since 1970.", test: "TestStatement62Times"},
	{id: "6.2-jti", text: "jti and origin_jti are there if revocation or rotation is on.", test: "TestStatement62JTI"},
	{id: "6.2-event-id", text: "There is an event_id.", test: "TestStatement62EventID"},
	{id: "6.2-nonce", text: "nonce is the request's.", test: "TestStatement62NonceWithoutRequest"},
	{id: "6.2-own-nonce", text: "A federated person's token may have a nonce that nobody sent.", why: "not served: nobody can go by it, and Pool.TamperIDToken can put one in"},
	{id: "6.2-username-uuid", text: "Where people sign in by e-mail, cognito:username looks like sub.", why: "not served: people sign in by their username here"},
	{id: "6.2-username", text: "cognito:username is Provider_subject for federated people.", test: "TestStatement62Username"},
	{id: "6.2-groups", text: "cognito:groups is a list of names.", test: "TestStatement62Groups"},
	{id: "6.2-groups-limit", text: "A person has at most 100 groups.", why: "not of the wire: a quota"},
	{id: "6.2-provider-group", text: "Federated people are in a group named after pool and provider.", test: "TestStatement62GroupOfProvider"},
	{id: "6.2-roles", text: "cognito:roles is a list of ARNs.", test: "TestStatement62Roles"},
	{id: "6.2-preferred-role", text: "cognito:preferred_role is that of the first group, unless two tie.", test: "TestStatement62PreferredRole"},
	{id: "6.2-identities", text: "identities says who a federated person is at the provider, all in text.", test: "TestStatement62Identities"},
	{id: "6.2-flags", text: "The flags are booleans.", test: "TestStatement62VerifiedFlagsAreBooleans"},
	{id: "6.2-custom", text: "Custom attributes are text.", test: "TestStatement62CustomAttributesAreText"},
	{id: "6.2-acr", text: "Both tokens have acr, a URN with a level of 1 to 4.", test: "TestStatement62ContextClass"},
	{id: "6.2-amr", text: "Both tokens have amr, how the person signed in.", test: "TestStatement62MethodReferences"},
	{id: "6.3-claims", text: "An access token has client_id, scope, username and the rest.", test: "TestStatement63AccessTokenClaims"},
	{id: "6.3-device-key", text: "It may have a device_key.", why: "not served: devices are remembered by the API"},
	{id: "6.3-no-aud", text: "It has no aud unless a resource was named.", test: "TestStatement63NoAudienceUnbound"},
	{id: "6.3-machine", text: "A program's has the client as its sub, and nothing of a person.", test: "TestStatement63MachineToken"},
	{id: "6.4-tokens", text: "ID and access tokens last 1 hour by default.", test: "TestStatement64TokensLastAnHour"},
	{id: "6.4-refresh-tokens", text: "Refresh tokens last 30 days by default.", test: "TestStatement64RefreshTokensLastThirtyDays"},
	{id: "6.4-challenges", text: "A challenge such as a one-time password lasts 3 minutes by default.", test: "TestStatement64ChallengesLastThreeMinutes"},
	{id: "6.4-ranges", text: "Each lifetime has a least and a greatest value.", test: "TestStatement64Ranges"},
	{id: "6.5-alphabet", text: "A refresh token is letters, digits and -_=.", test: "TestStatement65RefreshTokenAlphabet"},
	{id: "6.5-opaque", text: "Nothing can be read from it.", test: "TestStatement65RefreshTokenIsOpaque"},
	{id: "6.5-size", text: "No token has a greatest length.", test: "TestStatement65AnySize"},
}

// TestStatements fails if a statement has neither a test nor a reason, or if a test belongs to none.
func TestStatements(t *testing.T) {
	form := regexp.MustCompile(`^([1-6](?:\.[1-9])?)-[a-z0-9]+(?:-[a-z0-9]+)*$`)
	tests := statementTests(t)
	ids, checked := map[string]bool{}, map[string]bool{}
	for _, s := range statements {
		m := form.FindStringSubmatch(s.id)
		if m == nil || s.text == "" || ids[s.id] {
			t.Errorf("%q: the ID is not a section and a name, or is there twice, or says nothing", s.id)
			continue
		}
		ids[s.id] = true
		switch {
		case s.test == "" && s.why == "":
			t.Errorf("%s has neither a test nor a reason", s.id)
		case s.test != "" && s.why != "":
			t.Errorf("%s has a test and a reason", s.id)
		case s.test == "" && !strings.HasPrefix(s.why, "not of the wire: ") && !strings.HasPrefix(s.why, "not served: "):
			t.Errorf("%s: %q is no reason", s.id, s.why)
		case s.test == "":
		case !strings.HasPrefix(s.test, "TestStatement"+strings.ReplaceAll(m[1], ".", "")):
			t.Errorf("%s: %s is named after another section", s.id, s.test)
		case checked[s.test]:
			t.Errorf("%s: %s is another statement's test", s.id, s.test)
		case !tests[s.test]:
			t.Errorf("%s: there is no %s", s.id, s.test)
		}
		checked[s.test] = true
	}
	for name := range tests {
		if !checked[name] {
			t.Errorf("%s checks no statement", name)
		}
	}
}

// statementTests returns the names of the statement tests, and fails the test if their files import a
// package of this module that is not the stand-in itself: what checks the stand-in is not our client.
func statementTests(t *testing.T) map[string]bool {
	t.Helper()
	const module = "github.com/cogauth/cogauth/"
	files, err := fs.Glob(os.DirFS("."), "*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "TestStatement") && f.Name.Name != "TestStatements" {
				found[f.Name.Name] = true
			}
		}
		if !strings.HasPrefix(name, "statements") {
			continue
		}
		for _, spec := range file.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && path != module+"pkg/cognitotest" && path != module+"internal/rig" {
				t.Errorf("%s imports %s, want the standard library and the stand-in only", name, path)
			}
		}
	}
	return found
}
