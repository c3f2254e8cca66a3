package importer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/deptest"
)

func TestDeps(t *testing.T) {
	const module = "github.com/cogauth/cogauth"
	deptest.Only(t, module+"/internal/provider", module+"/internal/secret", "golang.org/x/oauth2")
}

func TestQuiet(t *testing.T) { deptest.Quiet(t) }

const (
	amplify = `{"version":"1.4","auth":{"aws_region":"eu-west-1","user_pool_id":"eu-west-1_AbCdEfGhI","user_pool_client_id":"1h57abc","identity_pool_id":"eu-west-1:0f","oauth":{"identity_providers":["GOOGLE"],"domain":"myapp.auth.eu-west-1.amazoncognito.com","scopes":["openid","email","offline_access"],"redirect_sign_in_uri":["http://localhost:3000/"],"redirect_sign_out_uri":["http://localhost:3000/"],"response_type":"code"},"groups":[{"ADMINS":{"precedence":0}}]},"data":{"url":"x"}}`

	client = `{"UserPoolClient":{"UserPoolId":"eu-west-1_AbCdEfGhI","ClientName":"it's the web client","ClientId":"1h57abc","ClientSecret":"CANARY-secret-CANARY-secret","LastModifiedDate":"2026-01-01T00:00:00Z","CreationDate":"2026-01-01T00:00:00Z","RefreshTokenValidity":12,"AccessTokenValidity":60,"IdTokenValidity":60,"TokenValidityUnits":{"AccessToken":"minutes","IdToken":"minutes","RefreshToken":"hours"},"ReadAttributes":["email"],"SupportedIdentityProviders":["COGNITO"],"CallbackURLs":["https://app.example.com/cb"],"LogoutURLs":["https://app.example.com/bye"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid","email"],"AllowedOAuthFlowsUserPoolClient":true,"EnableTokenRevocation":true,"RefreshTokenRotation":{"Feature":"ENABLED","RetryGracePeriodSeconds":10},"SomethingNew":{"x":1}}}`

	metadata = `{"provider":"aws-cognito","providerName":"Cognito","authority":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI","clientId":"1h57abc","callbackUrl":"http://localhost:8585/callback","publicKeyUrls":["https://x"],"jwtPrincipalClaims":["preferred","email","sub"],"enableSelfSignup":true,"clientType":"public"}`
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Found // Notes, Client and Secret apart
	}{
		{"amplify", amplify, Found{UserPoolID: "eu-west-1_AbCdEfGhI", Region: "eu-west-1", Domain: "myapp.auth.eu-west-1.amazoncognito.com", ClientID: "1h57abc", Scopes: []string{"openid", "email"}}},
		{"amplify without a sign-in page", `{"version":"1","auth":{"user_pool_id":"eu-west-1_A","user_pool_client_id":"c"}}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"app client", client, Found{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "1h57abc", LogoutURL: "https://app.example.com/bye", RefreshTokenValidity: 12 * time.Hour}},
		{"app client without its wrapper, days by default", `{"UserPoolId":"eu-west-1_A","ClientId":"c","ClientName":"n","RefreshTokenValidity":30,"CallbackURLs":["http://localhost:8585/callback","http://127.0.0.1:1/x","http://localhost/none","https://localhost:1/x"]}`,
			Found{UserPoolID: "eu-west-1_A", ClientID: "c", RefreshTokenValidity: 30 * 24 * time.Hour, CallbackCandidates: []string{"http://localhost:8585/callback", "http://127.0.0.1:1/x"}}},
		{"stack", `{"Stacks":[{"StackName":"a","Outputs":[{"OutputKey":"Bucket","OutputValue":"b"}]},{"StackName":"b","Outputs":[{"OutputKey":"UserPoolId","OutputValue":"eu-west-1_A"},{"OutputKey":"UserPoolClientId","OutputValue":"c"}]}]}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"outputs alone", `[{"OutputKey":"CognitoUserPoolId","OutputValue":"eu-west-1_A"},{"OutputKey":"AppClientId","OutputValue":"c"}]`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"Terraform", `{"user_pool_id":{"sensitive":false,"type":"string","value":"eu-west-1_A"},"client_id":{"value":"c"},"list":{"value":["x"]}}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"Terraform without a pool ID", `{"cognito_domain":{"value":"https://auth.example.com/"},"region":{"value":"eu-west-1"},"user_pool_client_id":{"value":"c"}}`, Found{Domain: "auth.example.com", Region: "eu-west-1", ClientID: "c"}},
		{"CDK", `{"Net":{"Vpc":"v"},"Auth":{"UserPoolId":"eu-west-1_A","UserPoolClientId":"c"}}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"CDK with a null", `{"Auth":{"UserPoolId":"eu-west-1_A","UserPoolClientId":null,"ClientId":null}}`, Found{UserPoolID: "eu-west-1_A"}},
		{"another service's client_id beside it", `{"client_id":"other","user_pool_id":"eu-west-1_A","user_pool_client_id":"c"}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"one client by two names", `{"UserPoolId":"eu-west-1_A","UserPoolClientId":"c","AppClientId":"c"}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"plain", `{"issuer":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A","client_id":"c"}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"plain, another issuer", `{"issuer_url":"https://id.example.com","client_id":"c"}`, Found{Issuer: "https://id.example.com", ClientID: "c"}},
		{"OpenMetadata in a file", metadata, Found{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "1h57abc", UsernameClaim: "email", CallbackCandidates: []string{"http://localhost:8585/callback"}}},
		{"OpenMetadata with another provider", `{"provider":"okta","authority":"https://id.example.com","clientId":"c","callbackUrl":"https://m/callback"}`, Found{Issuer: "https://id.example.com", ClientID: "c"}},
		{"updated issuer", `{"provider":"aws-cognito","authority":"https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A","clientId":"c"}`, Found{UserPoolID: "eu-west-1_A", ClientID: "c"}},
		{"byte order mark", "\ufeff" + amplify, Found{UserPoolID: "eu-west-1_AbCdEfGhI", Region: "eu-west-1", Domain: "myapp.auth.eu-west-1.amazoncognito.com", ClientID: "1h57abc", Scopes: []string{"openid", "email"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse([]byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			if got.Source == "" {
				t.Error("got no Source")
			}
			for _, n := range got.Notes {
				if strings.Contains(n, "\n") || strings.Contains(n, "CANARY") || strings.Contains(n, " is :") {
					t.Errorf("note %q", n)
				}
			}
			bare := *got
			bare.Source, bare.Notes, bare.Client = "", nil, nil
			bare.Secret = tc.want.Secret
			if !reflect.DeepEqual(bare, tc.want) {
				t.Errorf("got %+v, want %+v", bare, tc.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing": "", "no JSON": "CANARY", "a number": "1", "a list of numbers": "[1]", "unknown": `{"hello":"CANARY"}`,
		"amplify without auth":   `{"version":"1","auth":{"x":"CANARY"}}`,
		"two stacks":             `{"Stacks":[{"StackName":"a","Outputs":[{"OutputKey":"UserPoolId","OutputValue":"eu-west-1_A"}]},{"StackName":"b","Outputs":[{"OutputKey":"UserPoolId","OutputValue":"eu-west-1_B"}]}]}`,
		"two of one name":        `{"user_pool_id":"eu-west-1_A","UserPoolId":"eu-west-1_B"}`,
		"no client":              `{"UserPoolClient":{"ClientSecret":"CANARY"}}`,
		"OpenMetadata with LDAP": `{"provider":"ldap","authority":"","clientId":"","providerName":"x"}`,
		"OpenMetadata with SAML": `{"provider":"saml","authority":"https://accounts.google.com","clientId":"c"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(in))
			e, ok := errors.AsType[*Error](err)
			if f != nil || !ok || e.Fact == "" || e.Fix == "" || strings.Contains(e.Fact+e.Fix, "CANARY") || strings.Contains(e.Fact+e.Fix, "\n") {
				t.Errorf("got %v, %#v, want an Error with fact and fix, without a value", f, err)
			}
		})
	}
}

// What is ambiguous is named, in the same words each time, without its values.
func TestParseNamesCandidates(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"two stacks", `{"Stacks":[{"StackName":"dev","Outputs":[{"OutputKey":"UserPoolId","OutputValue":"CANARY1"}]},{"StackName":"prod","Outputs":[{"OutputKey":"UserPoolId","OutputValue":"CANARY2"}]}]}`,
			"several stacks name a user pool: dev, prod"},
		{"two stacks of the CDK", `{"Prod":{"UserPoolId":"CANARY1"},"Dev":{"UserPoolId":"CANARY2"}}`, "several stacks name a user pool: Dev, Prod"},
		{"two clients", `{"user_pool_id":"p","user_pool_client_id":"CANARY1","app_client_id":"CANARY2","user_pool_web_client_id":"CANARY1"}`,
			"several outputs name an app client and differ: app_client_id, user_pool_client_id, user_pool_web_client_id"},
		{"two clients in a stack of the CDK", `{"Auth":{"UserPoolId":"p","UserPoolClientId":"CANARY1","AppClientId":"CANARY2"}}`,
			"several outputs name an app client and differ: AppClientId, UserPoolClientId"},
		{"two clients in a stack", `{"Stacks":[{"StackName":"a","Outputs":[{"OutputKey":"UserPoolId","OutputValue":"p"},{"OutputKey":"UserPoolClientId","OutputValue":"CANARY1"},{"OutputKey":"AppClientId","OutputValue":"CANARY2"}]}]}`,
			"several outputs name an app client and differ: AppClientId, UserPoolClientId"},
		{"two pools of one name", `{"user_pool_id":"CANARY1","UserPoolId":"CANARY2"}`, "several outputs name a user pool and differ: UserPoolId, user_pool_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Parse([]byte(tc.in)); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{amplify, client, metadata, `[]`, `{"Stacks":null}`, `{"a":{"value":null}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := Parse(data)
		if (found == nil) == (err == nil) {
			t.Fatalf("got %v and %v", found, err)
		}
		if found != nil && found.Client != nil {
			found.Client.UpdateCommand("http://localhost:8585/callback")
			found.Client.Check([]string{"http://localhost:8585/callback"}, []string{"openid"})
		}
	})
}

func TestSecretIsNotFormatted(t *testing.T) {
	f, err := Parse([]byte(client))
	if err != nil || f.Secret.Reveal() != "CANARY-secret-CANARY-secret" {
		t.Fatalf("got %v, want the secret", err)
	}
	if text := f.Client.UpdateCommand("http://localhost:8585/callback"); strings.Contains(text, "CANARY") {
		t.Error("the command holds the client secret")
	}
}

func TestCheck(t *testing.T) {
	f, err := Parse([]byte(client))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Client.Check([]string{"https://app.example.com/cb"}, []string{"openid", "email"}); len(got) != 0 {
		t.Errorf("a client that has all: got %v, want no problem", got)
	}
	bare, err := Parse([]byte(`{"UserPoolId":"eu-west-1_A","ClientId":"c","ClientName":"n","EnableTokenRevocation":false,"AllowedOAuthScopes":["email"]}`))
	if err != nil {
		t.Fatal(err)
	}
	var facts []string
	for _, p := range bare.Client.Check([]string{"http://localhost:8585/callback"}, []string{"openid", "phone"}) {
		facts = append(facts, p.Fact)
	}
	for _, want := range []string{"callback URL http://localhost:8585/callback", "code grant", "scope openid", "scope phone", "no identity provider", "revocation"} {
		if !slices.ContainsFunc(facts, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("got %q, want %s among them", facts, want)
		}
	}
}

// Only what the command mends is worth a command, and what it cannot keep is said before it.
func TestCheckOrder(t *testing.T) {
	f, err := Parse([]byte(client))
	if err != nil {
		t.Fatal(err)
	}
	got := f.Client.Check([]string{"http://localhost:8585/callback"}, []string{"openid", "phone"})
	if len(got) != 3 || got[0].Mended || got[1].Mended || !got[2].Mended {
		t.Errorf("got %+v, want two problems that the command leaves and then the callback", got)
	}
	if !slices.ContainsFunc(got, func(p Problem) bool { return strings.HasSuffix(p.Fact, ": SomethingNew") }) {
		t.Errorf("got %+v, want the unknown setting named and no other", got)
	}
	machine, err := Parse([]byte(`{"UserPoolId":"eu-west-1_A","ClientId":"c","ClientName":"n","AllowedOAuthFlows":["client_credentials"],"AllowedOAuthFlowsUserPoolClient":true}`))
	if err != nil {
		t.Fatal(err)
	}
	// AWS refuses to add the code grant to such a client.
	if got := machine.Client.Check([]string{"http://localhost:8585/callback"}, []string{"openid"}); len(got) != 1 || got[0].Mended || !strings.Contains(got[0].Fact, "client_credentials") {
		t.Errorf("got %+v, want the grant and no command", got)
	}
}

// The command keeps every setting that it could reset, survives a shell, and is what AWS takes.
func TestUpdateCommand(t *testing.T) {
	f, err := Parse([]byte(client))
	if err != nil {
		t.Fatal(err)
	}
	command := f.Client.UpdateCommand("http://localhost:8585/callback", "https://app.example.com/cb")
	script := `aws() { for a in "$@"; do printf '%s\0' "$a"; done; }; ` + command
	out, err := exec.Command("sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(args) != 6 || !slices.Equal(args[:5], []string{"cognito-idp", "update-user-pool-client", "--region", "eu-west-1", "--cli-input-json"}) {
		t.Fatalf("got %q", args)
	}
	var request, described map[string]any
	if err := json.Unmarshal([]byte(args[5]), &request); err != nil {
		t.Fatal(err)
	}
	var wrapper struct{ UserPoolClient map[string]any }
	if err := json.Unmarshal([]byte(client), &wrapper); err != nil {
		t.Fatal(err)
	}
	described = wrapper.UserPoolClient
	for name, value := range described {
		switch name {
		case "ClientSecret", "CreationDate", "LastModifiedDate", "SomethingNew":
			if _, there := request[name]; there {
				t.Errorf("%s is in the request, which AWS would refuse", name)
			}
		case "CallbackURLs":
			if want := []any{"https://app.example.com/cb", "http://localhost:8585/callback"}; !reflect.DeepEqual(request[name], want) {
				t.Errorf("CallbackURLs: got %v, want %v", request[name], want)
			}
		default:
			if !reflect.DeepEqual(request[name], value) {
				t.Errorf("%s: got %v, want %v", name, request[name], value)
			}
		}
	}
	short := UpdateCommandFor("eu-west-1", "eu-west-1_A", "c", []string{"http://localhost:8585/it's"}, []string{"openid", "https://api/read"}, "Google")
	out, err = exec.Command("sh", "-c", `aws() { printf '%s\n' "$@"; }; `+short).Output()
	if err != nil || !strings.Contains(string(out), "\nhttp://localhost:8585/it's\n") || !strings.Contains(string(out), "\nopenid\nhttps://api/read\n") || !strings.HasSuffix(string(out), "\nGoogle\n") {
		t.Errorf("got %q, %v, want the callback in one word", out, err)
	}
}

func TestFetchServer(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/system/config/auth" || r.Header.Get("Authorization") != "" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, metadata)
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	for _, address := range []string{server.URL, server.URL + "/", server.URL + "/signin?x=y"} {
		f, err := FetchServer(t.Context(), http.DefaultClient, address)
		if err != nil || f.UserPoolID != "eu-west-1_AbCdEfGhI" || f.ClientID != "1h57abc" {
			t.Errorf("%s: got %+v, %v", address, f, err)
		}
	}
	elsewhere := httptest.NewServer(http.RedirectHandler(server.URL+"/api/v1/system/config/auth", http.StatusFound))
	defer elsewhere.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>CANARY") }))
	defer page.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/new" {
			http.Redirect(w, r, "/new", http.StatusFound)
			return
		}
		io.WriteString(w, metadata)
	}))
	defer moved.Close()
	if f, err := FetchServer(t.Context(), http.DefaultClient, moved.URL); err != nil || f.ClientID != "1h57abc" {
		t.Errorf("moved on the same host: got %+v, %v", f, err)
	}
	var turns atomic.Int32
	circle := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turns.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	}))
	defer circle.Close()
	huge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat(" ", maxAnswer)+metadata)
	}))
	defer huge.Close()
	short := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9999")
		io.WriteString(w, metadata)
	}))
	defer short.Close()
	for _, address := range []string{circle.URL, huge.URL, short.URL, elsewhere.URL, page.URL, gone.URL, "http://metadata.example.com", "ftp://x", "https://", server.URL[:7], "http://\x7f"} {
		f, err := FetchServer(t.Context(), http.DefaultClient, address)
		if e, ok := errors.AsType[*Error](err); f != nil || !ok || e.Fix == "" || strings.Contains(e.Fact, "CANARY") {
			t.Errorf("%s: got %v, %v, want an Error", address, f, err)
		}
	}
	if got := turns.Load(); got != maxRedirects+1 {
		t.Errorf("a circle of redirects: got %d requests, want %d", got, maxRedirects+1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FetchServer(ctx, http.DefaultClient, server.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}
