package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cogauth/cogauth"
)

// status describes the session without a request. It answers 3 if there is none.
func (a *app) status(ctx context.Context) error {
	s, err := a.session()
	if err != nil {
		return err
	}
	sess, err := s.Session(ctx)
	if errors.Is(err, cogauth.ErrLoginRequired) && a.flags.json {
		if err := a.printJSON(statusJSON{Profile: s.profile}); err != nil {
			return err
		}
		return silent(exitLoginRequired)
	}
	if err != nil {
		return s.explain(err)
	}
	if a.flags.json {
		return a.printJSON(statusJSON{
			Profile: s.profile, SignedIn: true, Issuer: sess.Issuer, ClientID: sess.ClientID, Username: sess.Username, Subject: sess.Subject,
			SignedInAt: stamp(sess.SignedInAt), IDTokenExpires: stamp(sess.IDTokenExpires), AccessTokenExpires: stamp(sess.AccessTokenExpires), Refreshable: sess.Refreshable, Ends: stamp(sess.Ends),
		})
	}
	now := time.Now()
	renewal := "by itself, with the refresh token in " + placeOf(s.settings)
	switch {
	case s.demo:
		renewal = "only while the demo pool runs"
	case !sess.Refreshable:
		renewal = "never: the sign-in brought no refresh token"
	}
	rows := [][2]string{
		{"profile", s.profile},
		{"signed in as", sess.Username},
		{"since", sess.SignedInAt.Local().Format("2006-01-02 15:04")},
		{"issuer", sess.Issuer},
		{"client ID", sess.ClientID},
		{"ID token", expiry(sess.IDTokenExpires, now)},
		{"access token", expiry(sess.AccessTokenExpires, now)},
		{"renewed", renewal},
	}
	if !sess.Ends.IsZero() {
		rows = append(rows, [2]string{"sign-in ends", until(sess.Ends, now)})
	}
	return a.printTable(rows)
}

func expiry(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "none in the cache"
	case t.After(now):
		return "good, expires " + until(t, now)
	}
	return until(t, now)
}

type statusJSON struct {
	Profile            string     `json:"profile"`
	SignedIn           bool       `json:"signed_in"`
	Issuer             string     `json:"issuer,omitempty"`
	ClientID           string     `json:"client_id,omitempty"`
	Username           string     `json:"username,omitempty"`
	Subject            string     `json:"sub,omitempty"`
	SignedInAt         *time.Time `json:"signed_in_at,omitempty"`
	IDTokenExpires     *time.Time `json:"id_token_expires_at,omitempty"`
	AccessTokenExpires *time.Time `json:"access_token_expires_at,omitempty"`
	Refreshable        bool       `json:"refreshable"`
	Ends               *time.Time `json:"sign_in_ends_at,omitempty"`
}

// stamp leaves a zero time out of JSON.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// whoami says who is signed in, by the claims of the newest ID token, which were verified when it
// came. It makes a request only if the cache has been lost.
func (a *app) whoami(ctx context.Context) error {
	s, err := a.session()
	if err != nil {
		return err
	}
	if a.flags.require.any() {
		return a.require(ctx, s)
	}
	sess, err := s.Session(ctx)
	if err == nil && sess.Claims == nil {
		if _, err = s.Token(ctx, nil); err == nil {
			sess, err = s.Session(ctx)
		}
	}
	if err != nil {
		return s.explain(err)
	}
	if a.flags.json {
		return a.printJSON(struct {
			Username string         `json:"username"`
			Profile  string         `json:"profile"`
			Groups   []string       `json:"groups,omitempty"`
			Roles    []string       `json:"roles,omitempty"`
			Claims   map[string]any `json:"claims"`
		}{sess.Username, s.profile, sess.Groups(), sess.Roles(), sess.Claims})
	}
	rows := [][2]string{{"user", sess.Username}}
	for _, r := range []struct {
		label string
		claim any
	}{
		{"name", sess.Claims["name"]}, {"email", sess.Claims["email"]}, {"username", sess.Claims["cognito:username"]},
		{"groups", strings.Join(sess.Groups(), ", ")}, {"roles", strings.Join(sess.Roles(), ", ")},
		{"subject", sess.Claims["sub"]}, {"issuer", sess.Claims["iss"]},
	} {
		if v := show(r.claim); v != "" && v != sess.Username {
			rows = append(rows, [2]string{r.label, v})
		}
	}
	return a.printTable(append(rows, [2]string{"profile", s.profile}))
}

// show writes a claim for people.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return clean(v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = show(v[i])
		}
		return strings.Join(parts, ", ")
	default:
		return clean(fmt.Sprint(v))
	}
}

// printTable prints aligned rows of label and value.
func (a *app) printTable(rows [][2]string) error {
	cells := make([][]string, len(rows))
	for i := range rows {
		cells[i] = rows[i][:]
	}
	return a.printRows(cells)
}

// printRows prints aligned cells.
func (a *app) printRows(rows [][]string) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		cells := make([]string, len(r))
		for i := range r {
			cells[i] = visible(r[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
	return a.print(b.String())
}
