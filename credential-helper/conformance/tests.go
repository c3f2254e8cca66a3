package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// tests are all there are. The first finds out whether the helper has a token at all, and the last take it.
var tests = []test{
	{"a served URL has a token", func(t *tester, ctx context.Context) error {
		_, err := t.wantToken(ctx, t.get())
		return err
	}},
	{"white space around the object does not matter", func(t *tester, ctx context.Context) error {
		_, err := t.wantToken(ctx, []byte("\n { \"url\": \""+t.served+"\",\n\t\"action\": \"get\", \"version\": 1 }\n\n"))
		return err
	}},
	{"members that are not known are ignored", func(t *tester, ctx context.Context) error {
		_, err := t.wantToken(ctx, t.get("later", map[string]any{"url": t.foreign, "list": []any{1, nil}}, "expires_at", 7))
		return err
	}},
	{"null is the same as leaving it out", func(t *tester, ctx context.Context) error {
		_, err := t.wantToken(ctx, t.get("client", nil, "profile", nil, "min_ttl_seconds", nil, "interactive", nil, "refresh", nil, "token", nil))
		return err
	}},
	{"every member may be there", func(t *tester, ctx context.Context) error {
		_, err := t.wantToken(ctx, t.get("client", "conformance 1.0 (ünï)", "min_ttl_seconds", 60, "interactive", false, "refresh", false))
		return err
	}},
	{"whole numbers may be written with a fraction of 0", func(t *tester, ctx context.Context) error {
		_, err := t.wantToken(ctx, []byte(`{"version":1.0,"action":"get","url":"`+t.served+`","min_ttl_seconds":60.0}`))
		return err
	}},
	{"a token that ends sooner than wished is no error", func(t *tester, ctx context.Context) error {
		_, err := t.wantToken(ctx, t.get("min_ttl_seconds", 1_000_000_000))
		return err
	}},
	{"scheme and host in capitals, the scheme's own port, path and query are the same target", func(t *tester, ctx context.Context) error {
		for _, u := range t.same() {
			if _, err := t.wantToken(ctx, t.get("url", u)); err != nil {
				return fmt.Errorf("%s: %w", u, err)
			}
		}
		return nil
	}},
	{"names are case-sensitive", func(t *tester, ctx context.Context) error {
		// Behind the real ones, where a reader that does not care takes them.
		if _, err := t.wantToken(ctx, []byte(`{"version":1,"action":"get","url":"`+t.served+`","URL":"`+t.foreign+`"}`)); err != nil {
			return err
		}
		_, err := t.wantError(ctx, []byte(`{"version":1,"action":"get","url":"`+t.foreign+`","URL":"`+t.served+`"}`), "not_served")
		return err
	}},
	{"eight at once have a token each", func(t *tester, ctx context.Context) error {
		answers := make(chan error, 8)
		for range cap(answers) {
			go func() { _, err := t.wantToken(ctx, t.get()); answers <- err }()
		}
		var errs []error
		for range cap(answers) {
			errs = append(errs, <-answers)
		}
		return errors.Join(errs...)
	}},

	{"a foreign URL is not served", func(t *tester, ctx context.Context) error {
		_, err := t.wantError(ctx, t.get("url", t.foreign), "not_served")
		return err
	}},
	{"a URL that only looks like the served one is not served", func(t *tester, ctx context.Context) error {
		return t.none(ctx, "url", t.similar(), "not_served", "malformed")
	}},
	{"a URL that programs read in different ways is not served", func(t *tester, ctx context.Context) error {
		return t.none(ctx, "url", t.tricks(), "not_served", "malformed")
	}},
	{"a profile that is not known gets nothing", func(t *tester, ctx context.Context) error {
		_, err := t.wantError(ctx, t.get("profile", "no-such-profile-of-conformance"), "not_served", "misconfigured", "failed", "login_required")
		return err
	}},
	{"CR, LF and NUL are refused in every string", func(t *tester, ctx context.Context) error {
		for _, name := range []string{"url", "client", "profile", "token"} {
			values := []any{t.served + "\r", t.served + "/\nhost=" + t.foreign, t.served + "/\x00"}
			if err := t.none(ctx, name, values, "malformed"); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}},
	{"a value of another type is refused", func(t *tester, ctx context.Context) error {
		for name, values := range map[string][]any{
			"action": {absent, []any{"get"}}, "url": {1, []any{t.served}}, "client": {1}, "profile": {false},
			"token": {1}, "interactive": {"true"}, "refresh": {0}, "min_ttl_seconds": {"60", -1, 0.5},
		} {
			if err := t.none(ctx, name, values, "malformed"); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}},
	{"a request without a version is refused", func(t *tester, ctx context.Context) error {
		return t.none(ctx, "version", []any{absent, nil, "1", 0, 1.5, true}, "malformed")
	}},
	{"what is not one JSON object is refused", func(t *tester, ctx context.Context) error {
		whole := `{"version":1,"action":"get","url":"` + t.served + `"}`
		for _, text := range []string{"", "\n", "null", "1", `"get"`, "[" + whole + "]", whole[:len(whole)-1], whole + whole, whole + "\nget", "get " + t.served, "url=" + t.served} {
			if _, err := t.wantError(ctx, []byte(text), "malformed"); err != nil {
				return fmt.Errorf("%.60q: %w", text, err)
			}
		}
		return nil
	}},
	{"an action that is not known is answered with unsupported_action", func(t *tester, ctx context.Context) error {
		return t.none(ctx, "action", []any{"list", "GET", "get "}, "unsupported_action")
	}},
	{"a version that is not known is answered with those that are, whatever else is in the request", func(t *tester, ctx context.Context) error {
		for _, r := range []request{t.get("version", 99), {"version": 99}, {"version": 99, "action": []int{1}, "url": 7}} {
			a, err := t.wantError(ctx, r, "unsupported_version")
			if err != nil {
				return err
			}
			if !slices.Contains(a.Versions, 1) {
				return errors.New("version 1 is not in versions")
			}
		}
		return nil
	}},

	{"reject for a foreign URL is not served", func(t *tester, ctx context.Context) error {
		_, err := t.wantError(ctx, t.get("action", "reject", "url", t.foreign, "token", "x"), "not_served")
		return err
	}},
	{"reject of another token leaves this one alone", func(t *tester, ctx context.Context) error {
		before, err := t.wantToken(ctx, t.get())
		if err != nil {
			return err
		}
		if err := t.wantDone(ctx, t.get("action", "reject", "token", before+"x")); err != nil {
			return err
		}
		after, err := t.wantToken(ctx, t.get())
		if err == nil && before != after {
			err = errors.New("there is another token now")
		}
		return err
	}},
	{"a token that was rejected is not handed out again", func(t *tester, ctx context.Context) error {
		before, err := t.wantToken(ctx, t.get())
		if err != nil {
			return err
		}
		if err := t.wantDone(ctx, t.get("action", "reject", "token", before)); err != nil {
			return err
		}
		return t.other(ctx, t.get(), before)
	}},
	{"refresh, and reject without a token, leave the target served", func(t *tester, ctx context.Context) error {
		if err := t.other(ctx, t.get("refresh", true), ""); err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		if err := t.wantDone(ctx, t.get("action", "reject")); err != nil {
			return fmt.Errorf("reject: %w", err)
		}
		return t.other(ctx, t.get(), "")
	}},
}

// none asks with each of values in the member called name: all have to end in one of the errors want.
func (t *tester) none(ctx context.Context, name string, values []any, want ...string) error {
	for _, v := range values {
		if _, err := t.wantError(ctx, t.get(name, v), want...); err != nil {
			return fmt.Errorf("%q: %w", fmt.Sprint(v), err)
		}
	}
	return nil
}

// other asks for a token that is not old. A helper that cannot get one says so.
func (t *tester) other(ctx context.Context, r request, old string) error {
	a, err := t.ask(ctx, r)
	switch {
	case err != nil:
		return err
	case a.Error != nil && (*a.Error == "not_served" || *a.Error == "malformed"):
		return fmt.Errorf("the error %s: %s", *a.Error, *a.Message)
	case a.Error == nil && a.Token == nil:
		return errors.New("no token")
	case a.Token != nil && *a.Token == old:
		return errors.New("the same token again")
	}
	return nil
}

// with is the served URL with something changed.
func (t *tester) with(change func(u *url.URL)) string {
	u := *t.origin
	change(&u)
	return u.String()
}

func (t *tester) port() string {
	if p := t.origin.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[strings.ToLower(t.origin.Scheme)]
}

// same are other ways to write the served URL.
func (t *tester) same() []string {
	rest := strings.TrimPrefix(t.served[len(t.origin.Scheme)+len("://"):], t.origin.Host)
	capitals := strings.ToUpper(t.origin.Scheme + "://" + t.origin.Host)
	urls := []string{
		capitals + rest,
		t.with(func(u *url.URL) { u.Host = net.JoinHostPort(u.Hostname(), t.port()) }),
		t.with(func(u *url.URL) { *u = *u.JoinPath("team", "repo.git") }),
		t.with(func(u *url.URL) { *u = *u.JoinPath("team"); u.RawQuery = "a=b&c=" + url.QueryEscape(t.foreign) }),
	}
	return urls
}

// similar are URLs of somebody else that a careless comparison takes for the served one.
func (t *tester) similar() []any {
	port, _ := strconv.Atoi(t.port())
	urls := []any{
		t.with(func(u *url.URL) { u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(port%65535+1)) }),
		t.with(func(u *url.URL) {
			u.Scheme = map[string]string{"https": "http", "http": "https"}[strings.ToLower(u.Scheme)]
		}),
		t.with(func(u *url.URL) { u.Scheme = "ftp" }),
		t.foreign + "/" + t.served,
		t.foreign + "?" + t.served,
		t.foreign + "#" + t.served,
		t.origin.Hostname(),
	}
	if !strings.Contains(t.origin.Hostname(), ":") { // names, and not addresses of version 6
		for _, host := range []string{t.origin.Hostname() + ".elsewhere.example", t.origin.Hostname() + "x", "x" + t.origin.Hostname(), "x." + t.origin.Hostname()} {
			urls = append(urls, t.with(func(u *url.URL) { u.Host = strings.Replace(u.Host, u.Hostname(), host, 1) }))
		}
	}
	if path := strings.TrimSuffix(t.origin.Path, "/"); path != "" {
		for _, other := range []string{path + "x", "/", path + "/../x", path + "/./../x"} {
			urls = append(urls, t.with(func(u *url.URL) { u.Path, u.RawPath = other, "" }))
		}
		urls = append(urls, strings.TrimSuffix(t.served, "/")+"/%2e%2e/x", strings.TrimSuffix(t.served, "/")+"%2fx/..%2f..")
	}
	return urls
}

// tricks are URLs of which one program reads the one host and another the other.
func (t *tester) tricks() []any {
	scheme, host := t.origin.Scheme+"://", t.origin.Host
	f, _ := url.Parse(t.foreign)
	escaped := fmt.Sprintf("%%%02x", host[0]) + host[1:]
	return []any{
		scheme + host + "@" + f.Host + "/",
		scheme + f.Host + "@" + host + "/",
		scheme + "user:password@" + host + "/",
		scheme + f.Host + `\@` + host + "/",
		scheme + host + `\@` + f.Host + "/",
		scheme + host + `\.` + f.Host + "/",
		scheme + host + " ." + f.Host + "/",
		scheme + host + "\t." + f.Host + "/",
		scheme + escaped + "/",
		scheme + host + "%00." + f.Host + "/",
		scheme + host + "%2f." + f.Host + "/",
		scheme + "/" + host + "/",
		t.origin.Scheme + ":" + host + "/",
		" " + t.served,
		scheme,
	}
}
