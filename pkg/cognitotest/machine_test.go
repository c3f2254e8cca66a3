package cognitotest

import (
	"net/http"
	"slices"
	"testing"
)

// The client credentials grant is a client's, and nobody's: RFC 6749 §4.4.
func TestMachineTokens(t *testing.T) {
	p := start(t, Config{
		ExtraMembers: true, AccessTokenBytes: 3000,
		ResourceServers: []ResourceServer{{Identifier: "https://api.example.com", Scopes: []string{"read", "write"}}, {Identifier: "other", Scopes: []string{"read"}}},
		Clients: []AppClient{DefaultClient(), {
			ID: "machine", Secrets: []string{secretOne}, AllowedFlows: []string{"client_credentials"},
			Scopes: []string{"openid", "https://api.example.com/read", "https://api.example.com/write"},
		}},
	})
	ask := func(pairs ...string) tokens {
		t.Helper()
		return post(t, p, "/oauth2/token", append([]string{"grant_type", "client_credentials", "client_id", "machine", "client_secret", secretOne}, pairs...)...)
	}
	const all = "https://api.example.com/read https://api.example.com/write"
	for scope, want := range map[string]string{"-": all, all: all, "https://api.example.com/read": "https://api.example.com/read"} {
		got := ask("scope", scope)
		if got.status != http.StatusOK || got.ID != "" || got.Refresh != "" || got.Type != "Bearer" || got.Expires != 3600 {
			t.Fatalf("%s: got %d %s, want an access token only", scope, got.status, got.Error)
		}
		_, c, err := claims(t, p, got.Access)
		if err != nil || c["scope"] != want || c["sub"] != "machine" || c["client_id"] != "machine" || c["iss"] != p.Issuer() || c["token_use"] != "access" {
			t.Errorf("%s: got %v (%v), want the client as its subject", scope, c, err)
		}
		for _, absent := range []string{"username", "cognito:groups", "origin_jti", "aud"} {
			if c[absent] != nil {
				t.Errorf("%s: got %s %v, want none", scope, absent, c[absent])
			}
		}
		if c["x_unknown_member"] == nil || len(got.Access) < 3000 || len(got.Access) > 3003 {
			t.Errorf("%s: got %d bytes, unknown member %v; want 3000 and one", scope, len(got.Access), c["x_unknown_member"])
		}
		if info := userInfo(t, p, got.Access); info.status != http.StatusUnauthorized {
			t.Errorf("userInfo: got %d, want 401: there is no person", info.status)
		}
	}
	for scope, want := range map[string]string{
		"other/read": "invalid_grant", "openid": "invalid_grant", "nosuch": "invalid_scope", "https://api.example.com/nosuch": "invalid_scope",
	} {
		if got := ask("scope", scope); got.status != http.StatusBadRequest || got.Error != want {
			t.Errorf("%s: got %d %s, want 400 %s", scope, got.status, got.Error, want)
		}
	}
	if got := ask("client_secret", "-"); got.Error != "invalid_client" {
		t.Errorf("no secret: got %s, want invalid_client", got.Error)
	}
	if got := ask("client_id", p.Client().ID, "client_secret", "-"); got.Error != "unauthorized_client" {
		t.Errorf("a person's client: got %s, want unauthorized_client", got.Error)
	}
	if last := p.Requests()[0]; last.Grant != "client_credentials" {
		t.Errorf("got grant %q on record, want client_credentials", last.Grant)
	}
	if !slices.Contains(p.Secrets(), secretOne) {
		t.Error("got Secrets without the client secret, want it there")
	}
}
