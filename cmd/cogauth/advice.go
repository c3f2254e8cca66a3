package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/importer"
	"github.com/cogauth/cogauth/internal/provider"
)

// advice is what to do about an error: one line, and a command to copy if there is one.
type advice struct{ hint, command string }

// advise knows what the server's answers mean. It goes by error codes and HTTP statuses alone:
// descriptions are quoted to the person, and may change at any time.
func (a *app) advise(ctx context.Context, e *cogauth.Error) advice {
	authorizing := e.Op == "authorize"
	switch {
	case e.Code == "redirect_mismatch", e.Code == "Required parameters missing":
		return advice{
			"register " + e.CallbackURL + " as a callback URL of the app client, byte for byte; whoever administers the pool can use the command below. " + importer.Warning,
			a.awsUpdate(e.CallbackURL),
		}
	case e.Code == "invalid_client" && authorizing:
		return advice{hint: "check client_id and the user pool: {cogauth} config explain{profile} shows them"}
	case e.Code == "invalid_client" && a.hasSecret(ctx):
		return advice{hint: "the client secret is wrong, or the app client has none: give the right one with {cogauth} configure --client-secret-stdin{profile}"}
	case e.Code == "invalid_client":
		return advice{hint: "an app client with a secret needs it: {cogauth} configure --client-secret-stdin{profile}; better for a program on people's machines is a public client, without one"}
	case e.Code == "invalid_scope":
		return advice{hint: "enable these scopes for the app client, or ask for fewer with scopes: {cogauth} config explain{profile} shows them; never ask a user pool for offline_access"}
	case e.Code == "unauthorized_client" && authorizing:
		return advice{
			"enable the authorization code grant for the app client: --allowed-o-auth-flows code --allowed-o-auth-flows-user-pool-client. " + importer.Warning,
			a.awsUpdate(e.CallbackURL),
		}
	case e.Code == "unauthorized_client":
		return advice{hint: "the authorization code grant must be enabled for the app client, and its callback URL must be, byte for byte, what {cogauth} config explain{profile} shows"}
	case e.Code == "invalid_grant":
		return advice{hint: "the code was used, is too old, or the app client may not read every attribute of its scopes (email needs email_verified too); run {login} again"}
	case e.Code == "access_denied":
		return advice{hint: "the sign-in was declined in the browser; run {login} again"}
	case e.Code == "login_required":
		return advice{hint: "nobody is signed in in the browser; run {login} without --prompt none"}
	case e.Code == "invalid_request" && authorizing:
		return advice{hint: "the user pool, one of its Lambda triggers or the identity provider behind it refused: its administrator finds the quoted text in the trigger's logs (CloudWatch) or in the identity provider's settings"}
	case e.Code == "invalid_request":
		return advice{hint: "the request was not understood: see that no proxy on the way changes it; if there is none, please report this"}
	case e.Code == "invalid_target":
		return advice{hint: "resource names an API that the provider does not know: {cogauth} config explain{profile} shows it"}
	case e.Status == 405:
		return advice{hint: "something on the way, such as a proxy that redirects, turns POST into GET: check HTTPS_PROXY, or set NO_PROXY for this host"}
	case e.Status == 403:
		return advice{hint: "a firewall before the user pool (AWS WAF) refuses this address or this program: try without VPN or proxy, or ask the pool's administrator"}
	}
	return advice{}
}

// adviseOn is for errors that have no code, but a remedy at AWS.
func (a *app) adviseOn(err error) advice {
	region, pool, client := a.poolNames()
	switch {
	case errors.Is(err, cogauth.ErrNoDomain) && pool != "":
		return advice{
			"the pool's administrator can give it one with the command below; a new domain takes a minute to appear",
			"aws cognito-idp create-user-pool-domain --region " + quoteArg(region) + " --user-pool-id " + quoteArg(pool) + " --domain PREFIX",
		}
	case errors.Is(err, cogauth.ErrNoDomain):
		return advice{hint: "check domain and region ({cogauth} config explain{profile} shows them), and the network; a new domain takes a minute to appear"}
	case errors.Is(err, cogauth.ErrNoLoginPages):
		return advice{
			"the pool's administrator can create the default style with the command below, or switch the domain to the classic hosted UI",
			"aws cognito-idp create-managed-login-branding --region " + quoteArg(region) + " --user-pool-id " + quoteArg(orPlaceholder(pool)) + " --client-id " + quoteArg(client) + " --use-cognito-provided-values",
		}
	}
	return advice{}
}

// hasSecret asks the keychain whether this profile has a client secret.
func (a *app) hasSecret(ctx context.Context) bool {
	if a.opened == nil {
		return false
	}
	has, err := a.opened.HasClientSecret(context.WithoutCancel(ctx))
	return err == nil && has
}

// awsUpdate is the command that registers a callback URL, with what is known filled in.
func (a *app) awsUpdate(callback string) string {
	region, pool, client := a.poolNames()
	if client == "" || callback == "" || !a.isCognito() {
		return ""
	}
	s := a.opened.settings
	callbacks := s.CallbackURLs
	if !slices.Contains(callbacks, callback) {
		callbacks = []string{callback}
	}
	return importer.UpdateCommandFor(region, orPlaceholder(pool), client, callbacks, s.Scopes, s.IdP)
}

func orPlaceholder(pool string) string {
	if pool == "" {
		return "USER_POOL_ID"
	}
	return pool
}

// isCognito reports whether the profile in force is known to be of a user pool.
func (a *app) isCognito() bool {
	if a.opened == nil || a.opened.settings == nil {
		return false
	}
	s := a.opened.settings
	return s.UserPoolID != "" || s.Domain != "" || provider.IsCognito(s.Issuer)
}

// poolNames are the names by which AWS knows the profile in force; pool is "" if it is not known.
func (a *app) poolNames() (region, pool, client string) {
	if a.opened == nil || a.opened.settings == nil {
		return "", "", ""
	}
	s := a.opened.settings
	pool = s.UserPoolID
	if of, ok := provider.PoolOf(s.Issuer); ok {
		pool = of
	}
	region, _, _ = strings.Cut(pool, "_")
	if s.Domain != "" {
		region = s.Region
		if region == "" {
			region = provider.HostRegion(s.Domain)
		}
	}
	return region, pool, s.ClientID
}
