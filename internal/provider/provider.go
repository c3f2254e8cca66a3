// Package provider talks to an OpenID provider: discovery, the token endpoint, revocation.
//
// Endpoints come from the discovery document only. Client parameters always go in the body of a
// token request, and nothing is probed: a code is spent by the first attempt.
package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/cogauth/cogauth/internal/secret"
)

// Metadata is what is used of a discovery document (OpenID Connect Discovery 1.0 §3). Members that
// are not listed are ignored.
type Metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	ScopesSupported       []string `json:"scopes_supported"`
	IssParameter          bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
}

// Provider is one issuer as one app client sees it. Safe for concurrent use.
type Provider struct {
	Metadata
	ClientID     string
	ClientSecret secret.Secret    // of a confidential client; sent in the body (RFC 6749 §2.3.1)
	HTTP         *http.Client     // from NewHTTPClient or Harden
	Now          func() time.Time // by which Tokens.Skew is measured; nil means time.Now
}

// Discover fetches the discovery document below the first of issuers, or below the next if there is
// no such host or no such document. The issuer that it names must be one of them, byte for byte
// (OpenID Connect Discovery 1.0 §4.3).
func Discover(ctx context.Context, hc *http.Client, clientID string, issuers ...string) (*Provider, error) {
	var first error
	for _, base := range issuers {
		p, err := discover(ctx, hc, clientID, base, issuers)
		if err == nil {
			return p, nil
		}
		if first == nil {
			first = err
		}
		if e, ok := errors.AsType[*Error](err); !ok || !e.NoHost && !e.NoDocument {
			break
		}
	}
	return nil, first
}

func discover(ctx context.Context, hc *http.Client, clientID, base string, accepted []string) (*Provider, error) {
	const op = "discovery"
	p := &Provider{ClientID: clientID, HTTP: hc}
	// A trailing slash of the issuer is not doubled (Discovery §4.1).
	target := strings.TrimSuffix(base, "/") + "/.well-known/openid-configuration"
	status, err := getJSON(ctx, hc, op, target, &p.Metadata)
	switch {
	case err != nil && (status == 0 || status == http.StatusForbidden):
		return nil, err // nothing is known about the issuer: a firewall answered
	case err != nil:
		return nil, &Error{Kind: Misconfigured, Op: op, Status: status, NoDocument: true, Fact: "the issuer " + base + " has no usable discovery document (HTTP " + fmt.Sprint(status) + ")"}
	case !slices.Contains(accepted, p.Issuer):
		return nil, &Error{Kind: Misconfigured, Op: op, Status: status, Fact: fmt.Sprintf("the document names the issuer %q, not %q", secret.Clean(p.Issuer), base)}
	}
	return p, p.check(op)
}

// check refuses a document whose endpoints cannot be used.
func (p *Provider) check(op string) error {
	for _, e := range []struct {
		name, value string
		required    bool
	}{
		{"authorization_endpoint", p.AuthorizationEndpoint, true},
		{"token_endpoint", p.TokenEndpoint, true},
		{"jwks_uri", p.JWKSURI, true},
		{"revocation_endpoint", p.RevocationEndpoint, false},
		{"end_session_endpoint", p.EndSessionEndpoint, false},
	} {
		if e.value == "" && !e.required {
			continue
		}
		u, err := url.Parse(e.value)
		if err != nil || !SecureURL(u) || u.User != nil || u.Fragment != "" {
			return &Error{Kind: Misconfigured, Op: op, Fact: "the document's " + e.name + " is not a usable https URL"}
		}
	}
	// A pool without a domain names endpoints on the issuer's own host, which do not exist there.
	if IsCognito(p.Issuer) && hostOf(p.AuthorizationEndpoint) == hostOf(p.Issuer) {
		return &Error{Kind: Misconfigured, Op: op, NoDomain: true, Fact: "the user pool has no domain, so it has no sign-in page"}
	}
	return nil
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// OffersOfflineAccess reports whether a refresh token must be asked for with a scope. Cognito gives
// one unasked, and refuses the scope.
func (p *Provider) OffersOfflineAccess() bool {
	return !IsCognito(p.Issuer) && slices.Contains(p.ScopesSupported, "offline_access")
}

// Tokens is a token response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3), not yet verified.
type Tokens struct {
	ID, Access, Refresh secret.Secret // empty if absent
	AccessExpiry        time.Time     // from expires_in; zero if absent
	Skew                time.Duration // the server's clock minus this machine's when the answer came; 0 up to 2 s
}

func (p *Provider) config(redirectURI string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     p.ClientID,
		ClientSecret: p.ClientSecret.Reveal(),
		RedirectURL:  redirectURI,
		Endpoint:     oauth2.Endpoint{AuthURL: p.AuthorizationEndpoint, TokenURL: p.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// Exchange redeems an authorization code (RFC 6749 §4.1.3 with RFC 7636 §4.5). It is tried again only if
// the server did not serve the request: a code that is redeemed twice is revoked.
func (p *Provider) Exchange(ctx context.Context, code, verifier, redirectURI string) (*Tokens, error) {
	var t *Tokens
	err := repeat(ctx, p.Now, unserved, func(ctx context.Context) (err error) {
		t, err = p.token(ctx, "exchange code", func(ctx context.Context) (*oauth2.Token, error) {
			return p.config(redirectURI).Exchange(ctx, code, oauth2.VerifierOption(verifier))
		})
		return err
	})
	return t, err
}

// Refresh redeems a refresh token (RFC 6749 §6). Tokens.Refresh is empty unless the answer brought
// a new one, which then replaces the old.
//
// A request that has been sent is not given up when ctx ends, because its answer may hold the only good
// refresh token there is; its own bound of 15 s ends it. It is tried again also where the server may have
// served it: with a grace period the same token brings the answer that was lost.
func (p *Provider) Refresh(ctx context.Context, refreshToken secret.Secret) (*Tokens, error) {
	var t *Tokens
	err := repeat(ctx, p.Now, always, func(ctx context.Context) (err error) {
		t, err = p.token(context.WithoutCancel(ctx), "refresh token", func(ctx context.Context) (*oauth2.Token, error) {
			return p.config("").TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken.Reveal()}).Token()
		})
		return err
	})
	if err == nil && t.Refresh.Equal(refreshToken) {
		t.Refresh = secret.Secret{} // x/oauth2 hands back the old one when the answer brought none
	}
	return t, err
}

// token makes one try.
func (p *Provider) token(ctx context.Context, op string, send func(context.Context) (*oauth2.Token, error)) (*Tokens, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	x := observed(ctx)
	tok, err := send(context.WithValue(ctx, oauth2.HTTPClient, p.HTTP))
	if err != nil {
		if x.bodyErr != nil { // which x/oauth2 only quotes
			err = &url.Error{Op: "Post", Err: x.bodyErr}
		}
		return nil, netError(ctx, op, hostOf(p.TokenEndpoint), err)
	}
	t := &Tokens{Access: secret.New(tok.AccessToken), Refresh: secret.New(tok.RefreshToken), AccessExpiry: tok.Expiry, Skew: x.skew()}
	if id, ok := tok.Extra("id_token").(string); ok {
		t.ID = secret.New(id)
	}
	return t, nil
}

// ErrNoRevocation is returned by Revoke when the provider offers no revocation endpoint.
var ErrNoRevocation = errors.New("revoke token: the provider has no revocation endpoint")

// Revoke ends the grant behind a refresh token (RFC 7009 §2.1).
func (p *Provider) Revoke(ctx context.Context, refreshToken secret.Secret) error {
	const op = "revoke token"
	if p.RevocationEndpoint == "" {
		return ErrNoRevocation
	}
	return repeat(ctx, p.Now, always, func(ctx context.Context) error { return p.revoke(ctx, op, refreshToken) })
}

// revoke makes one try.
func (p *Provider) revoke(ctx context.Context, op string, refreshToken secret.Secret) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	form := url.Values{"token": {refreshToken.Reveal()}, "client_id": {p.ClientID}}
	if !p.ClientSecret.Empty() {
		form.Set("client_secret", p.ClientSecret.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.RevocationEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return &Error{Kind: Misconfigured, Op: op, Fact: "the revocation endpoint is not a URL"}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.HTTP.Do(req)
	if err != nil {
		return netError(ctx, op, hostOf(p.RevocationEndpoint), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	e := &Error{Kind: Refused, Op: op, Status: resp.StatusCode, Fact: statusFact(hostOf(p.RevocationEndpoint), resp.StatusCode)}
	var body struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&body) == nil {
		e.Code, e.Description = secret.Clean(body.Code), secret.Clean(body.Description)
	}
	e.Kind = judge(resp.StatusCode, body.Code)
	return e
}

// FetchKeys fetches the provider's JSON Web Key Set, undecoded.
func (p *Provider) FetchKeys(ctx context.Context) ([]byte, error) {
	var raw json.RawMessage
	_, err := getJSON(ctx, p.HTTP, "fetch keys", p.JWKSURI, &raw)
	return raw, err
}

// getJSON decodes the JSON document at target into v and returns the HTTP status, 0 if there was
// no answer worth speaking of.
func getJSON(ctx context.Context, hc *http.Client, op, target string, v any) (status int, err error) {
	err = repeat(ctx, nil, always, func(ctx context.Context) (err error) {
		status, err = getJSONOnce(ctx, hc, op, target, v)
		return err
	})
	return status, err
}

func getJSONOnce(ctx context.Context, hc *http.Client, op, target string, v any) (int, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	host := hostOf(target)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, &Error{Kind: Misconfigured, Op: op, Fact: "not a URL: " + secret.Clean(target)}
	}
	req.Header.Set("Accept", "application/json")
	resp, err := hc.Do(req)
	if err != nil {
		return 0, netError(ctx, op, host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		e := &Error{Kind: Refused, Op: op, Status: resp.StatusCode, Fact: statusFact(host, resp.StatusCode)}
		if transient(resp.StatusCode, "") {
			e.Kind = Offline
			return 0, e
		}
		return resp.StatusCode, e
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, netError(ctx, op, host, &url.Error{Op: "Get", Err: err})
	}
	if json.Unmarshal(body, v) != nil {
		return resp.StatusCode, &Error{Kind: Refused, Op: op, Status: resp.StatusCode, Fact: host + " did not answer with JSON"}
	}
	return resp.StatusCode, nil
}
