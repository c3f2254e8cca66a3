package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// G5: the address of a server that colleagues know is enough; discovery fills in the rest. (What
// files give is in configure-from.txtar.)
func TestG5FromAServersAddressToAToken(t *testing.T) {
	p := setup{}.start(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/system/config/auth" {
			http.NotFound(w, r)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{
			"provider": "aws-cognito", "authority": p.pool.Issuer(), "clientId": p.pool.Client().ID,
			"callbackUrl": p.pool.Client().CallbackURLs[0], "jwtPrincipalClaims": []string{"email", "sub"}, "clientType": "public",
		})
	}))
	defer server.Close()
	for _, args := range [][]string{
		{"configure", "--from", server.URL, "--profile", "b", "--ca-file", p.dir + "/ca.pem"},
		{"login", "--no-browser", "--profile", "b"},
		{"token", "--profile", "b"},
		{"logout", "--profile", "b"},
	} {
		status, out, errs := p.run(args...)
		if status != 0 {
			t.Fatalf("%v: status %d\n%s", args, status, errs)
		}
		if use, ok := tokenUse(strings.TrimSpace(out)); args[0] == "token" && (!ok || use != "id") {
			t.Errorf("token: got %q", out)
		}
	}
}

// K3: claims and whoami are offline and read-only: with the network denied, an expired token still
// decodes and says so. (See also session-claims.txtar.)
func TestK3ClaimsOffline(t *testing.T) {
	p := setup{client: func(c *cognitotest.AppClient) {
		c.IDTokenValidity, c.AccessTokenValidity = 2*time.Second, 2*time.Second
	}}.start(t)
	if status, _, errs := p.run("login", "--no-browser"); status != 0 {
		t.Fatalf("login: status %d\n%s", status, errs)
	}
	p.pool.Close()
	time.Sleep(3 * time.Second) // until the tokens have expired
	requests, tunnels := len(p.pool.Requests()), len(p.pool.Tunnels())
	for args, want := range map[string]string{
		"claims":               `"token_use": "id"`,
		"claims --type access": `"token_use": "access"`,
		"whoami":               "ada@example.com",
	} {
		status, out, errs := p.run(strings.Fields(args)...)
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, %q\n%s", args, status, out, errs)
		}
		if expired := strings.Contains(errs, "expired"); expired != strings.HasPrefix(args, "claims") {
			t.Errorf("%s: standard error %q", args, errs)
		}
	}
	if len(p.pool.Requests()) != requests || len(p.pool.Tunnels()) != tunnels {
		t.Error("the network was used")
	}
}

// G6: every kind of domain that AWS has, named in every way that a person can.
func TestG6EveryKindOfDomain(t *testing.T) {
	for name, pool := range map[string]func(*cognitotest.Config){
		"custom domain": func(c *cognitotest.Config) { c.CustomDomain = "auth.example.com" },
		"GovCloud":      func(c *cognitotest.Config) { c.Region, c.PoolID = "us-gov-west-1", "us-gov-west-1_Gov000001" },
		"FIPS":          func(c *cognitotest.Config) { c.Region, c.PoolID, c.FIPS = "us-east-1", "us-east-1_Fips00001", true },
		"EU sovereign":  func(c *cognitotest.Config) { c.Region, c.PoolID = "eusc-de-east-1", "eusc-de-east-1_Eusc00001" },
	} {
		for _, how := range []string{"pool ID", "issuer", "domain"} {
			t.Run(name+" by "+how, func(t *testing.T) {
				p := setup{pool: pool, byIss: how == "issuer", domain: how == "domain"}.start(t)
				for _, args := range [][]string{{"login", "--no-browser"}, {"token", "--refresh"}, {"logout"}} {
					if status, _, errs := p.run(args...); status != 0 {
						t.Fatalf("%v: status %d\n%s", args, status, errs)
					}
				}
			})
		}
	}
}
