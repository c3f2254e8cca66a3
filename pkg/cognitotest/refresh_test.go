package cognitotest

import (
	"sync"
	"testing"
	"time"
)

func TestRefreshWithoutRotation(t *testing.T) {
	c := newClock()
	p := start(t, Config{Now: c.Now, Clients: []AppClient{{IDTokenValidity: time.Minute, AccessTokenValidity: 2 * time.Minute, RefreshTokenValidity: time.Hour}}})
	first := login(t, p)
	_, before, _ := claims(t, p, first.ID)
	c.add(30 * time.Minute)
	got := refresh(t, p, first.Refresh)
	if got.status != 200 || got.Refresh != "" || got.ID == "" || got.Access == "" || got.Expires != 120 {
		t.Fatalf("got status %d, %d s; want 200, 120 s, new tokens and no refresh token", got.status, got.Expires)
	}
	_, after, err := claims(t, p, got.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{"auth_time", "origin_jti", "sub"} {
		if before[kept] != after[kept] {
			t.Errorf("got %s %v, want %v", kept, after[kept], before[kept])
		}
	}
	if after["nonce"] != nil || after["jti"] == before["jti"] || after["exp"] != float64(c.Now().Add(time.Minute).Unix()) {
		t.Errorf("got %v, want no nonce, another jti and a new exp", after)
	}
	if p.Redemptions() != 1 || !p.Active(first.Refresh) {
		t.Errorf("got %d redemptions, active %v; want 1, true", p.Redemptions(), p.Active(first.Refresh))
	}
	c.add(30 * time.Minute)
	if got := refresh(t, p, first.Refresh); got.Error != "invalid_grant" || p.Active(first.Refresh) {
		t.Errorf("expired: got %q, want invalid_grant", got.Error)
	}
}

func TestRefreshTokenBelongsToItsClient(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{DefaultClient(), {ID: "other"}}})
	token := login(t, p).Refresh
	if got := post(t, p, "/oauth2/token", "grant_type", "refresh_token", "client_id", "other", "refresh_token", token); got.Error != "invalid_grant" {
		t.Errorf("refresh: got %q, want invalid_grant", got.Error)
	}
	if got := post(t, p, "/oauth2/revoke", "client_id", "other", "token", token); got.status != 400 || !p.Active(token) {
		t.Errorf("revoke: got %d, want 400 and the token left alone", got.status)
	}
}

func TestRotationWithGrace(t *testing.T) {
	c := newClock()
	p := start(t, Config{Now: c.Now, Clients: []AppClient{{RefreshTokenRotation: true, RetryGracePeriod: 10 * time.Second, RefreshTokenValidity: time.Hour}}})
	first := login(t, p).Refresh
	second := refresh(t, p, first).Refresh
	if second == "" || second == first {
		t.Fatal("got no new refresh token, want one")
	}
	c.add(9 * time.Second)
	again := refresh(t, p, first)
	if again.status != 200 || again.Refresh == "" || again.Refresh == second {
		t.Errorf("within the grace period: got %d, want 200 and a third token", again.status)
	}
	// The second use does not begin another grace period.
	c.add(time.Second)
	if got := refresh(t, p, first); got.Error != "invalid_grant" || p.Active(first) || !p.Issued(first) {
		t.Errorf("after it: got %q, want invalid_grant", got.Error)
	}
	if !p.Active(second) || !p.Active(again.Refresh) {
		t.Error("got the successors ended by reuse, want them active")
	}
	// "The new token lives only for the remaining lifetime of the original."
	c.add(time.Hour - 11*time.Second)
	if !p.Active(second) {
		t.Error("got the successor ended early, want it active")
	}
	c.add(time.Second)
	if p.Active(second) {
		t.Error("got the successor active past the original's lifetime, want it ended")
	}
}

func TestFiftyRefreshesWithOneTokenRedeemItOnce(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{RefreshTokenRotation: true}}})
	token := login(t, p).Refresh
	var mu sync.Mutex
	outcome := map[string]int{}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			got := refresh(t, p, token)
			mu.Lock()
			defer mu.Unlock()
			outcome[got.Error]++
		})
	}
	wg.Wait()
	if outcome[""] != 1 || outcome["invalid_grant"] != 49 || p.Redemptions() != 1 {
		t.Errorf("got %v and %d redemptions, want 1 success, 49 invalid_grant, 1 redemption", outcome, p.Redemptions())
	}
}

func TestMisbehavingAnswers(t *testing.T) {
	p := start(t, Config{OmitRefreshToken: true})
	if got := login(t, p); got.Refresh != "" || got.ID == "" {
		t.Error("OmitRefreshToken: got a refresh token, or no ID token")
	}
	p = start(t, Config{OmitIDTokenOnRefresh: true})
	first := login(t, p)
	if got := refresh(t, p, first.Refresh); first.ID == "" || got.ID != "" || got.Access == "" {
		t.Error("OmitIDTokenOnRefresh: got the wrong tokens")
	}
}

func TestRefreshTokenSize(t *testing.T) {
	for _, size := range []int{512, 1901, 1902, 2560} {
		if got := len(newRefreshToken(size)); got != size {
			t.Errorf("got %d characters, want %d", got, size)
		}
	}
}

func TestRevoke(t *testing.T) {
	p := start(t, Config{Clients: []AppClient{{RefreshTokenRotation: true, RetryGracePeriod: time.Minute}, {ID: "fixed", DisableTokenRevocation: true}}})
	id := p.Client().ID
	first, other := login(t, p), login(t, p)
	second := refresh(t, p, first.Refresh)
	for _, tt := range []struct {
		name   string
		status int
		code   string
		pairs  []string
	}{
		{"no token", 400, "invalid_request", []string{"client_id", id}},
		{"no client", 401, "invalid_client", []string{"token", second.Refresh}},
		{"unknown client", 401, "invalid_client", []string{"client_id", "x", "token", second.Refresh}},
		{"revocation disabled", 400, "invalid_request", []string{"client_id", "fixed", "token", second.Refresh}},
		{"access token", 400, "unsupported_token_type", []string{"client_id", id, "token", first.Access}},
		{"garbage", 200, "", []string{"client_id", id, "token", "garbage"}},
		{"refresh token", 200, "", []string{"client_id", id, "token", second.Refresh}},
		{"the same again", 200, "", []string{"client_id", id, "token", second.Refresh}},
	} {
		got := post(t, p, "/oauth2/revoke", tt.pairs...)
		if got.status != tt.status || got.Error != tt.code || tt.status == 200 && got.body != "" {
			t.Errorf("%s: got %d %q, want %d %q", tt.name, got.status, got.Error, tt.status, tt.code)
		}
		if ended := !p.Active(second.Refresh); ended != (tt.status == 200 && tt.name != "garbage") {
			t.Errorf("%s: got the session ended %v, want %v", tt.name, ended, !ended)
		}
	}
	if p.Active(first.Refresh) || p.Active(second.Refresh) || !p.Active(other.Refresh) {
		t.Error("got another session ended, or this one not; want this one only")
	}
	if got := userInfo(t, p, first.Access); got.status != 401 {
		t.Errorf("userInfo of the ended session: got %d, want 401", got.status)
	}
	p.RevokeAll()
	if got := refresh(t, p, other.Refresh); got.Error != "invalid_grant" {
		t.Errorf("after RevokeAll: got %q, want invalid_grant", got.Error)
	}
}
