// Package importer reads what people have of a user pool, such as amplify_outputs.json or the outputs
// of a CloudFormation stack, and says what of it makes a profile.
//
// Members that are not known are ignored: these documents only ever gain some.
package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
)

// Found is what a document says. Whatever it does not say is empty.
type Found struct {
	Source string // what kind of document it is, in words

	UserPoolID, Issuer, Domain, Region string
	ClientID                           string
	CallbackCandidates                 []string // loopback callbacks; whether they are ours is not known
	Scopes                             []string
	UsernameClaim                      string
	LogoutURL                          string
	RefreshTokenValidity               time.Duration
	Secret                             secret.Secret // of the app client

	Client *AppClient // nil unless the document is the app client's own description
	Notes  []string   // facts for the person, a line each
}

// Error is a document that cannot be used, and what to do about it. It quotes no value that could be
// a secret.
type Error struct {
	Fact, Fix string

	ambiguous bool // it names several pools or clients, so reading on would be a guess
}

func (e *Error) Error() string { return e.Fact }

func bad(fix, format string, args ...any) *Error {
	return &Error{Fact: fmt.Sprintf(format, args...), Fix: fix}
}

// several is the error of a document that names more than one of what a profile has one of.
func several(fix, what string, names []string) *Error {
	return &Error{Fact: secret.Clean(fmt.Sprintf("several %s: %s", what, strings.Join(names, ", "))), Fix: fix, ambiguous: true}
}

const kinds = "--from understands amplify_outputs.json, the JSON of aws cognito-idp describe-user-pool-client, " +
	"the outputs of CloudFormation or Terraform as JSON, and the URL of an OpenMetadata or Collate server"

// Parse recognises a document by its members. The error is an *Error.
func Parse(data []byte) (*Found, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var list []json.RawMessage
	if json.Unmarshal(data, &list) == nil {
		return found(parseOutputs(data))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, bad(kinds, "this is not a JSON document")
	}
	has := func(name string) bool { _, ok := members[name]; return ok }
	switch {
	case has("auth") && has("version"), has("auth") && !has("provider"):
		return found(parseAmplify(members["auth"]))
	case has("UserPoolClient"):
		return found(parseClient(members["UserPoolClient"]))
	case has("ClientId") && has("UserPoolId") && (has("ClientName") || has("CallbackURLs") || has("CreationDate")):
		return found(parseClient(data))
	case has("provider") && (has("authority") || has("clientId") || has("providerName")):
		return found(parseOpenMetadata(data, ""))
	case has("Stacks"):
		return found(parseStacks(members["Stacks"]))
	case has("Outputs"):
		return found(parseOutputs(members["Outputs"]))
	}
	return found(parseNames(members))
}

// found keeps a nil *Error from becoming an error.
func found(f *Found, err *Error) (*Found, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// setIssuer takes an issuer, or the pool whose issuer it is.
func (f *Found) setIssuer(issuer string) {
	if pool, ok := provider.PoolOf(issuer); ok {
		f.UserPoolID = pool
		return
	}
	f.Issuer = issuer
}

func (f *Found) note(format string, args ...any) {
	f.Notes = append(f.Notes, secret.Clean(fmt.Sprintf(format, args...)))
}

// callbacks keeps those that a program on this machine can listen on.
func callbacks(urls []string) (local []string) {
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" || u.Port() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			continue
		}
		switch u.Hostname() {
		case "localhost", "127.0.0.1", "::1":
			local = append(local, raw)
		}
	}
	return local
}

// usable keeps the scopes that a profile can have: openid must be among them, offline_access must not.
func usable(scopes []string) []string {
	var kept []string
	for _, s := range scopes {
		if s != "offline_access" && !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	if !slices.Contains(kept, "openid") {
		return nil
	}
	return kept
}

func parseAmplify(auth json.RawMessage) (*Found, *Error) {
	var a struct {
		Region   string `json:"aws_region"`
		Pool     string `json:"user_pool_id"`
		ClientID string `json:"user_pool_client_id"`
		OAuth    *struct {
			Domain      string   `json:"domain"`
			Scopes      []string `json:"scopes"`
			RedirectURI []string `json:"redirect_sign_in_uri"`
		} `json:"oauth"`
	}
	if json.Unmarshal(auth, &a) != nil || a.Pool == "" || a.ClientID == "" {
		return nil, bad("run ampx generate outputs after the deployment of a backend with auth, and give that file",
			"this amplify_outputs.json names no user pool and client")
	}
	f := &Found{Source: "amplify_outputs.json", UserPoolID: a.Pool, ClientID: a.ClientID, Region: a.Region}
	if a.OAuth == nil {
		f.note("this backend has no sign-in page (auth.externalProviders is not set): the user pool needs a domain, and its app client the authorization code grant")
		return f, nil
	}
	f.Domain, f.Scopes = a.OAuth.Domain, usable(a.OAuth.Scopes)
	if local := callbacks(a.OAuth.RedirectURI); len(local) > 0 {
		f.note("its callbacks, such as %s, are the web app's: register http://localhost:8585/callback beside them", local[0])
	}
	return f, nil
}

// The OpenMetadata and Collate server's own description of how its users sign in.
func parseOpenMetadata(data []byte, server string) (*Found, *Error) {
	var c struct {
		Provider, ProviderName, Authority, ClientID, CallbackURL, ClientType string
		JWTPrincipalClaims                                                   []string
	}
	if json.Unmarshal(data, &c) != nil || c.Provider == "" {
		return nil, notOpenMetadata(server)
	}
	f := &Found{Source: "OpenMetadata server", ClientID: c.ClientID}
	if server != "" {
		f.Source += " " + secret.Clean(server)
	}
	// A server without an OpenID provider may still have an authority: its configuration's default one.
	own := slices.Contains([]string{"basic", "ldap", "saml"}, strings.ToLower(c.Provider))
	if own || c.Authority == "" || c.ClientID == "" || !strings.Contains(c.Authority, "://") {
		return nil, bad("its users sign in in another way; ask its administrator for an issuer and a client ID",
			"this server signs its users in by %q, not by an OpenID provider", secret.Clean(c.Provider))
	}
	f.setIssuer(c.Authority)
	for _, claim := range c.JWTPrincipalClaims {
		// Such lists name claims of several providers; one that Cognito has comes first here.
		if slices.Contains([]string{"email", "preferred_username", "cognito:username", "sub"}, claim) {
			f.UsernameClaim = claim
			break
		}
	}
	if strings.EqualFold(c.ClientType, "confidential") {
		f.note("the server's app client is a confidential one: give its secret with --client-secret-stdin, or use a public client of your own")
	}
	if local := callbacks([]string{c.CallbackURL}); len(local) > 0 {
		f.CallbackCandidates = local
		f.note("the callback %s is the server's own; where it runs on this machine its port is taken: register a second one, such as http://localhost:8586/callback", local[0])
	} else if c.CallbackURL != "" {
		f.note("the server's own callback is %s: http://localhost:8585/callback must be registered beside it", c.CallbackURL)
	}
	return f, nil
}

func notOpenMetadata(server string) *Error {
	return bad("give the address that you open in the browser, such as https://metadata.example.com",
		"%s does not answer as an OpenMetadata or Collate server does", secret.Clean(server))
}

func parseStacks(data json.RawMessage) (*Found, *Error) {
	var stacks []struct {
		StackName string
		Outputs   json.RawMessage
	}
	if json.Unmarshal(data, &stacks) != nil {
		return nil, bad(kinds, "the Stacks of this document are no list")
	}
	var all []*Found
	var names []string
	for _, s := range stacks {
		if f, err := parseOutputs(s.Outputs); err == nil {
			all, names = append(all, f), append(names, secret.Clean(s.StackName))
		} else if err.ambiguous {
			return nil, err
		}
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return nil, noNames("these stacks have no output")
	}
	return nil, several("describe one of them: aws cloudformation describe-stacks --stack-name NAME", "stacks name a user pool", names)
}

func parseOutputs(data json.RawMessage) (*Found, *Error) {
	var outputs []struct{ OutputKey, OutputValue string }
	if json.Unmarshal(data, &outputs) != nil {
		return nil, bad(kinds, "the outputs of this document are no list of OutputKey and OutputValue")
	}
	values := map[string]string{}
	for _, o := range outputs {
		values[o.OutputKey] = o.OutputValue
	}
	return fromNames("CloudFormation outputs", values)
}

// parseNames reads an object of names and values: Terraform's outputs, the CDK's file of outputs by
// stack, or a plain one.
func parseNames(members map[string]json.RawMessage) (*Found, *Error) {
	values, nested, terraform := map[string]string{}, map[string]map[string]string{}, false
	for name, raw := range members {
		var output struct{ Value json.RawMessage }
		var inner map[string]json.RawMessage
		if value, ok := text(raw); ok {
			values[name] = value
		} else if json.Unmarshal(raw, &output) == nil && output.Value != nil {
			terraform = true
			if value, ok := text(output.Value); ok {
				values[name] = value
			}
		} else if json.Unmarshal(raw, &inner) == nil {
			nested[name] = map[string]string{}
			for key, v := range inner {
				if value, ok := text(v); ok {
					nested[name][key] = value
				}
			}
		}
	}
	kind := "outputs"
	if terraform {
		kind = "Terraform outputs"
	}
	f, err := fromNames(kind, values)
	if err == nil || len(nested) == 0 || err.ambiguous {
		return f, err
	}
	var stacks []string
	for _, stack := range slices.Sorted(maps.Keys(nested)) {
		if found, innerErr := fromNames("CDK outputs", nested[stack]); innerErr == nil {
			f, stacks = found, append(stacks, secret.Clean(stack))
		} else if innerErr.ambiguous {
			return nil, innerErr
		}
	}
	switch len(stacks) {
	case 0:
		return nil, err
	case 1:
		return f, nil
	}
	return nil, several(keepOne, "stacks name a user pool", stacks)
}

const keepOne = "keep one of them in the file"

// text is the string that raw is, if it is one: json.Unmarshal takes null for any string.
func text(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// usualNames are how people call these outputs, without case, underscores and hyphens. Names on one line
// mean the same: they must not differ. A line counts where those above it have nothing, since client_id
// beside user_pool_client_id is likely to be another service's.
func usualNames(what string) [][]string {
	return map[string][][]string{
		"a user pool": {
			{"userpoolid", "cognitouserpoolid"},
			{"poolid"},
		},
		"an app client": {
			{"userpoolclientid", "cognitouserpoolclientid", "cognitoclientid", "appclientid", "userpoolappclientid", "userpoolwebclientid"},
			{"clientid"},
		},
		// A prefix, a host and a URL can be the same domain, so each name is alone.
		"a domain":  {{"userpooldomain"}, {"cognitodomain"}, {"cognitouserpooldomain"}, {"hosteduidomain"}, {"domain"}, {"domainprefix"}},
		"a Region":  {{"region"}, {"awsregion"}, {"cognitoregion"}},
		"an issuer": {{"issuer"}, {"issuerurl"}, {"cognitoissuer"}, {"authority"}},
	}[what]
}

func squash(s string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(s))
}

// fromNames picks the usual names.
func fromNames(source string, values map[string]string) (*Found, *Error) {
	f := &Found{Source: source}
	for _, want := range []struct {
		what  string
		field *string
	}{{"a user pool", &f.UserPoolID}, {"an app client", &f.ClientID}, {"a domain", &f.Domain}, {"a Region", &f.Region}, {"an issuer", &f.Issuer}} {
		for _, usual := range usualNames(want.what) {
			var names []string
			differ := false
			for _, name := range slices.Sorted(maps.Keys(values)) {
				value := values[name]
				if value == "" || !slices.Contains(usual, squash(name)) {
					continue
				}
				differ = differ || *want.field != "" && *want.field != value
				*want.field, names = value, append(names, name)
			}
			if differ {
				return nil, several(keepOne, "outputs name "+want.what+" and differ", names)
			}
			if *want.field != "" {
				break
			}
		}
	}
	f.Domain = strings.TrimSuffix(strings.TrimPrefix(f.Domain, "https://"), "/")
	if f.UserPoolID == "" && f.Issuer != "" {
		f.setIssuer(f.Issuer)
	}
	if f.UserPoolID != "" {
		f.Issuer = ""
	}
	if f.UserPoolID+f.Issuer == "" && (f.Domain == "" || f.ClientID == "") {
		return nil, noNames("this document has no value")
	}
	if f.ClientID == "" {
		f.note("it names no app client: give its ID with --client-id")
	}
	return f, nil
}

func noNames(what string) *Error {
	return bad(kinds+"; in outputs the usual names are UserPoolId or user_pool_id, UserPoolClientId or user_pool_client_id, UserPoolDomain and Region",
		"%s that names a user pool", what)
}
