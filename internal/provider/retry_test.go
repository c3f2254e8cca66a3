package provider

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/secret"
)

const goodTokens = `{"access_token":"a","id_token":"i","token_type":"Bearer","expires_in":3600}`

// answers is a server that answers its n-th request, from 1, as told, and the rest as the last one.
func answers(t *testing.T, each ...func(http.ResponseWriter)) (*Provider, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1))
		each[min(i, len(each))-1](w)
	}))
	t.Cleanup(srv.Close)
	p := &Provider{ClientID: "c", HTTP: NewHTTPClient(nil, "test")}
	p.TokenEndpoint, p.RevocationEndpoint, p.JWKSURI = srv.URL+"/token", srv.URL+"/revoke", srv.URL+"/keys"
	return p, &n
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func body(code int, text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		w.Write([]byte(text))
	}
}

// broken drops the connection without an answer, or in the middle of one.
func broken(half bool) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		if half {
			buf.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + goodTokens)
			buf.Flush()
		}
		conn.Close()
	}
}

var (
	good    = body(200, goodTokens)
	invalid = body(400, `{"error":"invalid_grant"}`)
	busy    = body(400, `{"error":"TooManyRequestsException"}`)
)

type call func(*Provider) error

func refresh(p *Provider) error {
	_, err := p.Refresh(context.Background(), secret.New("r"))
	return err
}

func exchangeCode(p *Provider) error {
	_, err := p.Exchange(context.Background(), "code", strings.Repeat("v", 43), "http://localhost/cb")
	return err
}

func revoke(p *Provider) error { return p.Revoke(context.Background(), secret.New("r")) }

func keys(p *Provider) error {
	_, err := p.FetchKeys(context.Background())
	return err
}

// F3: what is worth another try gets one, and nothing else does.
func TestF3TransientTroubleIsTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		name     string
		call     call
		answers  []func(http.ResponseWriter)
		requests int32
		kind     Kind // 0 is success
		lost     bool
	}{
		{"429 then 200", refresh, []func(http.ResponseWriter){status(429), good}, 2, 0, false},
		{"throttled as AWS does, then 200", refresh, []func(http.ResponseWriter){busy, good}, 2, 0, false},
		{"Retry-After of a second", refresh, []func(http.ResponseWriter){status(429, "Retry-After", "1"), good}, 2, 0, false},
		{"Retry-After of an hour", refresh, []func(http.ResponseWriter){status(429, "Retry-After", "3600"), good}, 1, Offline, false},
		{"503 twice, then 200", refresh, []func(http.ResponseWriter){status(503), status(503), good}, 3, 0, false},
		{"503 always", refresh, []func(http.ResponseWriter){status(503)}, 3, Offline, false},
		{"cut, then 200", refresh, []func(http.ResponseWriter){broken(false), good}, 2, 0, false},
		{"half an answer, then 200", refresh, []func(http.ResponseWriter){broken(true), good}, 2, 0, false},
		{"cut, and then the token is spent", refresh, []func(http.ResponseWriter){broken(false), invalid}, 2, Refused, true},
		{"half an answer, and then the token is spent", refresh, []func(http.ResponseWriter){broken(true), invalid}, 2, Refused, true},
		{"503, and then refused", refresh, []func(http.ResponseWriter){status(503), invalid}, 2, Refused, false},
		{"refused", refresh, []func(http.ResponseWriter){invalid}, 1, Refused, false},
		{"a firewall's page", refresh, []func(http.ResponseWriter){status(403)}, 1, Refused, false},

		{"code: 429 then 200", exchangeCode, []func(http.ResponseWriter){status(429), good}, 2, 0, false},
		{"code: 503 then 200", exchangeCode, []func(http.ResponseWriter){status(503), good}, 2, 0, false},
		{"code: 500 may have been served", exchangeCode, []func(http.ResponseWriter){status(500), good}, 1, Offline, false},
		{"code: cut may have been served", exchangeCode, []func(http.ResponseWriter){broken(false), good}, 1, Offline, false},
		{"code: half an answer was served", exchangeCode, []func(http.ResponseWriter){broken(true), good}, 1, Offline, false},

		{"revocation: 503 then 200", revoke, []func(http.ResponseWriter){status(503), status(200)}, 2, 0, false},
		{"revocation: cut then 200", revoke, []func(http.ResponseWriter){broken(false), status(200)}, 2, 0, false},
		{"keys: half an answer, then whole", keys, []func(http.ResponseWriter){broken(true), good}, 2, 0, false},
		{"keys: 500 then 200", keys, []func(http.ResponseWriter){status(500), good}, 2, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, n := answers(t, tc.answers...)
			err := tc.call(p)
			var e *Error
			var kind Kind
			lost := false
			if errors.As(err, &e) {
				kind, lost = e.Kind, e.AnswerLost
			} else if err != nil {
				t.Fatalf("got %v, want an *Error", err)
			}
			if kind != tc.kind || lost != tc.lost || n.Load() != tc.requests {
				t.Errorf("got kind %d, answer lost %v, %d requests (%v), want %d, %v, %d", kind, lost, n.Load(), err, tc.kind, tc.lost, tc.requests)
			}
		})
	}
}

// F3: a server that asks for more patience than a caller has is quoted.
func TestF3LongRetryAfterIsSaid(t *testing.T) {
	p, _ := answers(t, status(429, "Retry-After", "120"))
	if err := refresh(p); err == nil || !strings.Contains(err.Error(), "come back later (HTTP 429), in 2m0s") {
		t.Errorf("got %v, want how long", err)
	}
}

// The caller's end is the end of the waiting, and of nothing that was sent.
func TestEndOfContextEndsTheWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, n := answers(t, func(w http.ResponseWriter) {
		cancel()
		time.Sleep(50 * time.Millisecond)
		w.WriteHeader(503)
	})
	_, err := p.Refresh(ctx, secret.New("r"))
	if !errors.Is(err, context.Canceled) || n.Load() != 1 {
		t.Errorf("got %v after %d requests, want the context's error after 1", err, n.Load())
	}
	ctx, cancel = context.WithCancel(t.Context())
	p, _ = answers(t, func(w http.ResponseWriter) {
		cancel()
		time.Sleep(50 * time.Millisecond)
		good(w)
	})
	if _, err := p.Refresh(ctx, secret.New("r")); err != nil {
		t.Errorf("got %v for an answer that came after the context's end, want the tokens", err)
	}
}

// E2: the difference of the clocks is learnt from the header Date of a token answer.
func TestE2SkewFromTheDate(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Second, 10 * time.Second, -4 * time.Minute, 20 * time.Minute} {
		p, _ := answers(t, func(w http.ResponseWriter) {
			w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
			good(w)
		})
		tokens, err := p.Refresh(t.Context(), secret.New("r"))
		if err != nil {
			t.Fatal(err)
		}
		want := skew
		if skew.Abs() <= time.Second {
			want = 0
		}
		if off := tokens.Skew - want; off.Abs() > time.Second || want == 0 && off != 0 {
			t.Errorf("clock off by %v: got %v", skew, tokens.Skew)
		}
	}
	p, _ := answers(t, func(w http.ResponseWriter) {
		w.Header()["Date"] = nil // none
		good(w)
	})
	if tokens, err := p.Refresh(t.Context(), secret.New("r")); err != nil || tokens.Skew != 0 {
		t.Errorf("no Date: got %v, %v, want no skew", tokens.Skew, err)
	}
}
