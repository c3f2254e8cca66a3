package cogauth

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/oauth2"

	"github.com/cogauth/cogauth/internal/secret"
)

// MinTTL is the default of TokenOptions.MinTTL.
const MinTTL = 60 * time.Second

// TokenType is which of a session's two tokens is meant.
type TokenType byte

const (
	// IDToken says who the person is (OpenID Connect Core §2).
	IDToken TokenType = 1
	// AccessToken says what the person may do (RFC 6749 §1.4).
	AccessToken TokenType = 2
)

// String returns "id" or "access".
func (t TokenType) String() string {
	switch t {
	case IDToken:
		return "id"
	case AccessToken:
		return "access"
	}
	return "unknown"
}

// Token is a token of a session. It prints as "[secret]" under every verb; Reveal gives the token.
// The zero Token is empty.
type Token struct {
	typ     TokenType
	value   secret.Secret
	issued  time.Time
	expires time.Time
	skew    time.Duration // the issuer's clock minus this machine's, when the token came
	boot    time.Time     // moment.boot when the token came; zero if unknown
}

// Type says which token it is.
func (t Token) Type() TokenType { return t.typ }

// Reveal returns the token itself.
func (t Token) Reveal() string { return t.value.Reveal() }

// Issued is when the token was made, by the issuer's clock if it says.
func (t Token) Issued() time.Time { return t.issued }

// Expires is the end of the token's life, its exp claim. An access token that is no JWT has what
// expires_in said, and the zero time if nothing did.
func (t Token) Expires() time.Time { return t.expires }

// ExpiresHere is Expires by this machine's clock, which may be wrong: it is what a program compares
// with time.Now. The difference is learnt from the server when a token comes (RFC 9110 §6.6.1).
func (t Token) ExpiresHere() time.Time {
	if t.expires.IsZero() {
		return t.expires
	}
	return t.expires.Add(-t.skew)
}

// Format implements fmt.Formatter so that a token never reaches a log.
func (Token) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// goodFor reports whether t can be handed out: more than ttl of its life is left. ttl is capped at
// half that life, or a demand longer than the life would refresh for ever.
func (t Token) goodFor(now moment, ttl time.Duration) bool {
	if life := t.expires.Sub(t.issued); ttl > life/2 {
		ttl = life / 2
	}
	return t.left(now) > ttl
}

// left is what remains of the token's life. Where the clock may have been set since the token came, it
// is the least of what can be meant: a refresh too many is better than a token that has expired.
func (t Token) left(now moment) time.Duration {
	// Round strips the monotonic reading, which stands still while the machine sleeps.
	wall := now.wall.Round(0)
	left := t.expires.Sub(wall.Add(t.skew))
	if t.boot.IsZero() || now.boot.IsZero() {
		return left
	}
	if moved := now.boot.Sub(t.boot); moved.Abs() > clockMoved {
		left = min(left, t.expires.Sub(wall), t.expires.Sub(wall.Add(t.skew-moved)))
	}
	return left
}

// moment is what this machine's clock shows, and when the machine was started by that clock: setting the
// clock moves that, and sleep and time do not.
type moment struct{ wall, boot time.Time }

// clockMoved is how much of a change is none: clocks are kept right by being slowed down and sped up.
const clockMoved = 5 * time.Second

func (c *Client) moment() moment {
	m := moment{wall: c.now()}
	if c.uptime != nil {
		if up, ok := c.uptime(); ok {
			m.boot = m.wall.Round(0).Add(-up)
		}
	}
	return m
}

// TokenOptions refine what token is wanted. nil means all defaults.
type TokenOptions struct {
	// Type of the token. Zero means IDToken.
	Type TokenType
	// MinTTL is how much of the token's life must be left, at most half of it. Zero means 60 s.
	MinTTL time.Duration
	// Refresh asks for a token issued after the call began, to pick up changed groups or claims.
	Refresh bool
}

// Token returns a verified token: the cached one, or after a refresh. It never opens a browser.
//
// Errors: ErrLoginRequired if only a person can help; ErrOffline if a refresh was needed and the
// server could not be asked; ErrRefused if it answered no; tokenstore's errors if the keychain is
// missing, locked or broken. A SaveError is not returned: the token is, and Config.Logger is told.
//
// The warm path makes no request, takes no lock and reads one entry of the store.
func (c *Client) Token(ctx context.Context, opts *TokenOptions) (Token, error) {
	var o TokenOptions
	if opts != nil {
		o = *opts
	}
	if o.Type == 0 {
		o.Type = IDToken
	}
	if o.MinTTL == 0 {
		o.MinTTL = MinTTL
	}
	if o.Refresh {
		before, _ := c.cache.read()
		return c.refreshed(ctx, o, before)
	}
	c.persistLate(ctx)
	t, ok, err := c.cached(ctx, o)
	if ok || err != nil {
		return t, err
	}
	return c.refreshed(ctx, o, nil)
}

// cached is the warm path.
func (c *Client) cached(ctx context.Context, o TokenOptions) (Token, bool, error) {
	now := c.moment()
	c.mu.Lock()
	unsaved := c.unsaved.get(o.Type)
	c.mu.Unlock()
	if !unsaved.value.Empty() && unsaved.goodFor(now, o.MinTTL) {
		return unsaved, true, nil
	}
	sealed, err := c.cache.read()
	if err != nil || !usable(sealed, o.Type, now, o.MinTTL) {
		return Token{}, false, nil // a cache that cannot be read is only a cache
	}
	key, err := c.readKey(ctx)
	if key == nil || err != nil {
		return Token{}, false, err
	}
	t := c.open(key, sealed).get(o.Type)
	return t, !t.value.Empty() && t.goodFor(now, o.MinTTL), nil
}

// IDToken returns a fresh, verified ID token. It is Token with the defaults.
func (c *Client) IDToken(ctx context.Context) (string, error) {
	t, err := c.Token(ctx, nil)
	return t.Reveal(), err
}

// TokenSource returns a source of access tokens for package oauth2, bound to ctx: pass the
// program's context, not a request's. The ID token is each token's Extra("id_token"). Unlike
// oauth2.Config.TokenSource it keeps a rotated refresh token before it answers.
func (c *Client) TokenSource(ctx context.Context) oauth2.TokenSource { return tokenSource{ctx, c} }

type tokenSource struct {
	ctx    context.Context
	client *Client
}

func (s tokenSource) Token() (*oauth2.Token, error) {
	access, err := s.client.Token(s.ctx, &TokenOptions{Type: AccessToken})
	if err != nil {
		return nil, err
	}
	id, err := s.client.Token(s.ctx, nil)
	if err != nil {
		return nil, err
	}
	tok := &oauth2.Token{AccessToken: access.Reveal(), TokenType: "Bearer", Expiry: access.ExpiresHere()}
	return tok.WithExtra(map[string]any{"id_token": id.Reveal()}), nil
}
