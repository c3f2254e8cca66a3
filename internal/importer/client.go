package importer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/secret"
)

// AppClient is an app client as describe-user-pool-client shows it.
type AppClient struct {
	members map[string]json.RawMessage // all of them, but the secret

	pool, id      string
	hasSecret     bool
	callbackURLs  []string
	flows, scopes []string
	oauth         bool // AllowedOAuthFlowsUserPoolClient
	providers     []string
	revocation    *bool
}

// Problem is why a sign-in at the app client would fail.
type Problem struct {
	Fact, Fix string
	Mended    bool // by UpdateCommand
}

// clientJSON is what is used of a UserPoolClientType.
type clientJSON struct {
	UserPoolID                      string `json:"UserPoolId"`
	ClientID                        string `json:"ClientId"`
	ClientSecret                    string
	CallbackURLs, LogoutURLs        []string
	AllowedOAuthFlows               []string
	AllowedOAuthScopes              []string
	AllowedOAuthFlowsUserPoolClient bool
	SupportedIdentityProviders      []string
	EnableTokenRevocation           *bool
	RefreshTokenValidity            int64
	TokenValidityUnits              struct{ RefreshToken string }
}

func parseClient(data json.RawMessage) (*Found, *Error) {
	var j clientJSON
	c := &AppClient{}
	if json.Unmarshal(data, &j) != nil || json.Unmarshal(data, &c.members) != nil || !word(j.ClientID) || !word(strings.Replace(j.UserPoolID, "-", "_", -1)) {
		return nil, bad("run aws cognito-idp describe-user-pool-client --user-pool-id POOL --client-id CLIENT", "this describes no app client")
	}
	delete(c.members, "ClientSecret")
	c.pool, c.id, c.hasSecret = j.UserPoolID, j.ClientID, j.ClientSecret != ""
	c.callbackURLs, c.flows, c.scopes = j.CallbackURLs, j.AllowedOAuthFlows, j.AllowedOAuthScopes
	c.oauth, c.providers, c.revocation = j.AllowedOAuthFlowsUserPoolClient, j.SupportedIdentityProviders, j.EnableTokenRevocation

	f := &Found{
		Source: "app client description", UserPoolID: j.UserPoolID, ClientID: j.ClientID, Client: c,
		CallbackCandidates: callbacks(j.CallbackURLs), Secret: secret.New(j.ClientSecret),
	}
	if len(j.LogoutURLs) == 1 {
		f.LogoutURL = j.LogoutURLs[0]
	}
	// Without units AWS means days.
	unit := map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour, "": 24 * time.Hour}
	if d := unit[j.TokenValidityUnits.RefreshToken] * time.Duration(j.RefreshTokenValidity); d >= time.Hour && d <= 3650*24*time.Hour {
		f.RefreshTokenValidity = d
	}
	if c.hasSecret {
		f.note("this app client has a secret, so it is a confidential one")
	}
	return f, nil
}

// Check says what would keep a sign-in with these callbacks and scopes from working, without a request.
// What UpdateCommand mends comes last.
func (c *AppClient) Check(callbackURLs, scopes []string) []Problem {
	var problems []Problem
	add := func(mended bool, fix, format string, args ...any) {
		problems = append(problems, Problem{secret.Clean(fmt.Sprintf(format, args...)), fix, mended})
	}
	// No client can have both grants, so no command helps this one.
	if slices.Contains(c.flows, "client_credentials") {
		add(false, "sign in with another app client, or create one", "the app client is for machines (client_credentials), which excludes the authorization code grant")
		return problems
	}
	for _, u := range callbackURLs {
		if !slices.Contains(c.callbackURLs, u) {
			add(true, "register it, byte for byte", "the callback URL %s is not registered for the app client", u)
		}
	}
	if !c.oauth || !slices.Contains(c.flows, "code") {
		add(true, "enable it", "the authorization code grant is not enabled for the app client")
	}
	for _, s := range scopes {
		if !slices.Contains(c.scopes, s) {
			add(s == "openid", "enable it for the app client, or leave it out of scopes", "the scope %s is not enabled for the app client", s)
		}
	}
	if len(c.providers) == 0 {
		add(true, "enable the user pool itself (COGNITO), or a provider", "no identity provider is enabled for the app client")
	}
	if c.revocation != nil && !*c.revocation {
		add(false, "enable token revocation for the app client, so that signing out ends the session at the server", "token revocation is off")
	}
	mended := func(p Problem) bool { return p.Mended }
	if unknown := c.unknown(); len(unknown) > 0 && slices.ContainsFunc(problems, mended) {
		add(false, "set them again afterwards", "the command leaves out settings that this version does not know, which resets them: %s", strings.Join(unknown, ", "))
	}
	return append(slices.DeleteFunc(slices.Clone(problems), mended), slices.DeleteFunc(problems, func(p Problem) bool { return !p.Mended })...)
}

// unknown are the members that are neither sent by UpdateCommand nor no settings at all.
func (c *AppClient) unknown() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.members)), func(name string) bool {
		return slices.Contains(updatable, name) || name == "CreationDate" || name == "LastModifiedDate"
	})
}

// updatable are the members that UpdateUserPoolClient takes. All others of a description are left out:
// the request with an unknown one would be refused.
var updatable = []string{
	"UserPoolId", "ClientId", "ClientName", "RefreshTokenValidity", "AccessTokenValidity", "IdTokenValidity", "TokenValidityUnits",
	"ReadAttributes", "WriteAttributes", "ExplicitAuthFlows", "SupportedIdentityProviders", "CallbackURLs", "LogoutURLs",
	"DefaultRedirectURI", "AllowedOAuthFlows", "AllowedOAuthScopes", "AllowedOAuthFlowsUserPoolClient", "AnalyticsConfiguration",
	"PreventUserExistenceErrors", "EnableTokenRevocation", "EnablePropagateAdditionalUserContextData", "AuthSessionValidity",
	"RefreshTokenRotation",
}

// UpdateCommand returns the AWS command that registers callbackURLs and enables what a sign-in needs,
// and keeps every other setting: what the request leaves out is reset.
func (c *AppClient) UpdateCommand(callbackURLs ...string) string {
	request := map[string]any{}
	for _, name := range updatable {
		if v, ok := c.members[name]; ok {
			request[name] = v
		}
	}
	request["CallbackURLs"] = union(c.callbackURLs, callbackURLs)
	request["AllowedOAuthFlows"] = union(c.flows, []string{"code"})
	request["AllowedOAuthScopes"] = union(c.scopes, []string{"openid"})
	request["AllowedOAuthFlowsUserPoolClient"] = true
	if len(c.providers) == 0 {
		request["SupportedIdentityProviders"] = []string{"COGNITO"}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return "" // what was just decoded encodes
	}
	region, _, _ := strings.Cut(c.pool, "_")
	return "aws cognito-idp update-user-pool-client --region " + shellQuote(region) + " --cli-input-json " + shellQuote(secret.EscapeJSON(string(body), beyondASCII))
}

func beyondASCII(r rune) bool { return r >= 0x7f }

// word reports whether s can be the ID of an app client, or of a user pool without its hyphens.
func word(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+") == ""
}

// Is reports whether this describes that app client.
func (c *AppClient) Is(poolID, clientID string) bool { return c.pool == poolID && c.id == clientID }

// Warning goes with every UpdateCommandFor.
const Warning = "It replaces the whole list of callback URLs, scopes and providers, and resets every setting that it does not name: " +
	"add the app client's present values first, or save what aws cognito-idp describe-user-pool-client prints and let {cogauth} configure --from FILE write the whole command."

// UpdateCommandFor is the short form of UpdateCommand, for an app client of which no more is known.
func UpdateCommandFor(region, poolID, clientID string, callbackURLs, scopes []string, provider string) string {
	if provider == "" {
		provider = "COGNITO"
	}
	words := []string{"aws", "cognito-idp", "update-user-pool-client", "--region", region, "--user-pool-id", poolID, "--client-id", clientID, "--callback-urls"}
	words = append(words, callbackURLs...)
	words = append(words, "--allowed-o-auth-flows-user-pool-client", "--allowed-o-auth-flows", "code", "--allowed-o-auth-scopes")
	words = append(words, scopes...)
	words = append(words, "--supported-identity-providers", provider)
	for i, w := range words {
		words[i] = shellQuote(w)
	}
	return strings.Join(words, " ")
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// shellQuote quotes a word for a POSIX shell if it needs it.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@,+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
