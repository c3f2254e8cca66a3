package cognitotest

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestFailures(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{RefreshTokenRotation: true}}})
	token := login(t, p).Refresh
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {p.Client().ID}, "refresh_token": {token}}
	send := func() (tokens, error) {
		resp, err := p.UserAgent().client.PostForm(p.Domain()+"/oauth2/token", form)
		if err != nil {
			return tokens{}, err
		}
		return decode(t, resp), nil
	}

	p.Fail("token", Failure{Times: 2, Status: 400, Body: `{"error":"invalid_grant"}`})
	p.Fail("revoke", Failure{Status: 503}) // no other endpoint's
	for range 2 {
		if got, err := send(); err != nil || got.Error != "invalid_grant" || got.header.Get("Content-Type") != jsonType {
			t.Errorf("got %q (%v), want invalid_grant as JSON", got.Error, err)
		}
	}
	if requests := p.Requests(); requests[len(requests)-1].Error != "invalid_grant" {
		t.Error("got no error on record, want invalid_grant")
	}
	p.Fail("token", Failure{CloseBefore: true})
	if _, err := send(); err == nil || !p.Active(token) {
		t.Error("CloseBefore: got an answer or a redemption, want neither")
	}
	p.Fail("token", Failure{Status: 403, ContentType: "text/html", Body: "<html>blocked"})
	if got, _ := send(); got.status != 403 || got.body != "<html>blocked" || got.header.Get("Content-Type") != "text/html" {
		t.Errorf("got %d %q, want the page of a firewall", got.status, got.body)
	}
	p.Fail("token", Failure{CloseAfter: true, Times: 1})
	if _, err := send(); err == nil || p.Active(token) || p.Redemptions() != 1 {
		t.Error("CloseAfter: got an answer or no redemption, want a redemption only")
	}
	if got, err := send(); err != nil || got.Error != "invalid_grant" {
		t.Errorf("got %q (%v) after the failure, want the real invalid_grant", got.Error, err)
	}
	p.Fail("token", Failure{Delay: time.Millisecond})
	if got, err := send(); err != nil || got.Error != "invalid_grant" {
		t.Errorf("late: got %q (%v), want the real answer", got.Error, err)
	}
	p.Fail("token", Failure{Status: 500})
	p.Fail("token", Failure{})
	if got, err := send(); err != nil || got.status != 400 {
		t.Errorf("cleared: got %d (%v), want the real answer", got.status, err)
	}
}

// Each mode is what a client meets when the service, or what stands before it, has had enough.
func TestFailureModes(t *testing.T) {
	p := start(t, Config{})
	for _, tt := range []struct {
		name                     string
		failure                  Failure
		status                   int
		code, retry, contentType string
	}{
		{"Throttled", Throttled(), 400, "TooManyRequestsException", "", jsonType},
		{"TooManyRequests", TooManyRequests(7 * time.Second), 429, "", "7", jsonType},
		{"TooManyRequests, part of a second", TooManyRequests(1200 * time.Millisecond), 429, "", "2", jsonType},
		{"TooManyRequests without Retry-After", TooManyRequests(0), 429, "", "", jsonType},
		{"Unavailable", Unavailable(), 503, "", "", "text/html"},
		{"Blocked", Blocked(), 403, "", "", "text/html"},
		{"Slow", Slow(time.Millisecond), 400, "invalid_grant", "", jsonType},
	} {
		p.Fail("token", tt.failure)
		got := refresh(t, p, "x")
		if got.status != tt.status || got.Error != tt.code || got.header.Get("Retry-After") != tt.retry || got.header.Get("Content-Type") != tt.contentType {
			t.Errorf("%s: got %d %q, Retry-After %q, %s; want %d %q, %q, %s", tt.name, got.status, got.Error,
				got.header.Get("Retry-After"), got.header.Get("Content-Type"), tt.status, tt.code, tt.retry, tt.contentType)
		}
		if resp, _ := get(t, p, p.Issuer()+"/.well-known/jwks.json"); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d elsewhere, want 200", tt.name, resp.StatusCode)
		}
	}
}

func TestHangEndsWhenTheClientGoes(t *testing.T) {
	p := start(t, Config{})
	p.Fail("discovery", Failure{Hang: true})
	p.Fail("token", Failure{Hang: true})
	gone := &http.Client{Transport: p.transport, Timeout: 50 * time.Millisecond}
	if _, err := gone.Get(p.Issuer() + "/.well-known/openid-configuration"); err == nil {
		t.Error("got an answer, want none")
	}
	if _, err := gone.Post(p.Domain()+"/oauth2/token", "application/json", strings.NewReader("{}")); err == nil {
		t.Error("got an answer, want none")
	}
	hanging := func() bool {
		stacks := make([]byte, 1<<20)
		return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("(*Failure).pause"))
	}
	for end := time.Now().Add(30 * time.Second); hanging(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("got handlers that wait for clients that are gone, want none")
		}
	}
}

func TestCloseEndsAHangingRequest(t *testing.T) {
	p := start(t, Config{})
	p.Fail("token", Failure{Hang: true})
	done := make(chan error)
	go func() {
		resp, err := (&http.Client{Transport: p.transport}).PostForm(p.Domain()+"/oauth2/token", url.Values{"a": {"b"}})
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	for p.Count("token") == 0 {
		time.Sleep(time.Millisecond)
	}
	p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("got an answer, want a dropped connection")
		}
	case <-ctx.Done():
		t.Fatal("the request hangs after Close")
	}
}
