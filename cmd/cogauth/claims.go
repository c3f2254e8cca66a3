package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cogauth/cogauth"
)

func (a *app) claimsCommand() *cobra.Command {
	c := sub("claims", "Show what is in a token",
		`Print the claims of the ID token, or of the access token, as JSON. The token was
verified when it came; nothing is asked of the server, and an expired token is
shown as well, with a remark.`,
		"  cogauth claims\n  cogauth claims --type access --profile work", a.claims)
	c.Flags().StringVar(&a.flags.tokenType, "type", "id", "token to show: id or access")
	_ = c.RegisterFlagCompletionFunc("type", fixed("id", "access"))
	return c
}

// claims decodes a cached token. It makes no request and changes nothing.
func (a *app) claims(ctx context.Context) error {
	typ, err := a.wantedType()
	if err != nil {
		return err
	}
	s, err := a.session()
	if err != nil {
		return err
	}
	sess, err := s.Session(ctx)
	if err != nil {
		return s.explain(err)
	}
	claims, expires := sess.Claims, sess.IDTokenExpires
	if typ == cogauth.AccessToken {
		claims, expires = sess.AccessClaims, sess.AccessTokenExpires
	}
	switch {
	case claims == nil && expires.IsZero():
		return &hintError{fmt.Errorf("there is no %s token on this machine at the moment", typ), "run {cogauth} token --type " + typ.String() + "{profile} >/dev/null to get one"}
	case claims == nil:
		return &hintError{errors.New("the access token is not a JSON Web Token: only its issuer can read it"), "the ID token says who you are: {cogauth} claims{profile}"}
	}
	if err := a.printJSON(claims); err != nil {
		return err
	}
	if now := time.Now(); !expires.After(now) {
		a.say("this token %s", until(expires, now))
	}
	return nil
}

// wantedType reads --type.
func (a *app) wantedType() (cogauth.TokenType, error) {
	switch a.flags.tokenType {
	case "id":
		return cogauth.IDToken, nil
	case "access":
		return cogauth.AccessToken, nil
	}
	return 0, &usageError{fmt.Errorf("--type is %q, not id or access", clean(a.flags.tokenType))}
}

// requirements are what whoami is asked to check.
type requirements struct{ groups, claims []string }

func (r requirements) any() bool { return len(r.groups)+len(r.claims) > 0 }

// require answers by its error alone: nil if everything that was asked for holds.
func (a *app) require(ctx context.Context, s *session) error {
	for _, c := range a.flags.require.claims {
		if name, value, ok := strings.Cut(c, "="); !ok || name == "" || value == "" {
			return &usageError{fmt.Errorf("--require-claim is %q, not NAME=VALUE", clean(c))}
		}
	}
	// By a token that is in force: what an expired one says may have been taken away since.
	if _, err := s.Token(ctx, nil); err != nil {
		return s.explain(err)
	}
	sess, err := s.Session(ctx)
	if err != nil {
		return s.explain(err)
	}
	const hint = "changes made since the last token came show after {cogauth} token --refresh{profile} >/dev/null"
	for _, group := range a.flags.require.groups {
		if !slices.Contains(sess.Groups(), group) {
			return &hintError{notMet(fmt.Sprintf("%s is not in the group %s", sess.Username, clean(group))), hint}
		}
	}
	for _, c := range a.flags.require.claims {
		name, value, _ := strings.Cut(c, "=")
		if !sess.HasClaim(name, value) {
			return &hintError{notMet(fmt.Sprintf("the claim %s of %s is not %s", clean(name), sess.Username, clean(value))), hint}
		}
	}
	return nil
}

// notMet is a requirement that the person does not meet.
type notMet string

func (e notMet) Error() string { return string(e) }

// Is makes it exit status 4.
func (e notMet) Is(target error) bool { return target == cogauth.ErrRefused }
