package cognitotest_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Discovery, issuer, keys and domains.

func TestStatement11RegionFromPoolID(t *testing.T) {
	s := awsPool(t, cognitotest.Config{PoolID: "ap-southeast-2_AbCdEfGhI"})
	a := s.get(t, "https://cognito-idp.ap-southeast-2.amazonaws.com/ap-southeast-2_AbCdEfGhI/.well-known/openid-configuration")
	if a.status != http.StatusOK {
		t.Errorf("got status %d at the Region of the pool ID, want 200", a.status)
	}
}

func TestStatement11SuffixIsLettersAndDigits(t *testing.T) {
	for _, suffix := range []string{"", "ab-c", "ab_c", "ab.c"} {
		refusesConfig(t, "suffix "+suffix, cognitotest.Config{PoolID: "eu-west-1_" + suffix}, cognitotest.Config{PoolID: "eu-west-1_aB3"})
	}
}

// issuers collects what a pool calls itself.
func issuers(t *testing.T, s *standIn) map[string]any {
	t.Helper()
	got := s.login(t)
	return map[string]any{
		"the discovery document": s.document(t)["issuer"],
		"an ID token":            s.verified(t, got.id).claims["iss"],
		"an access token":        s.verified(t, got.access).claims["iss"],
	}
}

// document fetches the discovery document from where it belongs.
func (s *standIn) document(t *testing.T) map[string]any {
	t.Helper()
	a := s.get(t, s.Issuer()+"/.well-known/openid-configuration")
	if a.status != http.StatusOK {
		t.Fatalf("discovery: got status %d, want 200", a.status)
	}
	return a.object(t)
}

func TestStatement11OriginalIssuer(t *testing.T) {
	cfg := housePool()
	cfg.PoolID = "eu-west-1_AbC"
	for what, got := range issuers(t, awsPool(t, cfg)) {
		if want := "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"; got != want {
			t.Errorf("%s: got issuer %v, want %s", what, got, want)
		}
	}
}

func TestStatement11UpdatedIssuer(t *testing.T) {
	cfg := housePool()
	cfg.PoolID, cfg.UpdatedIssuer = "eu-west-1_AbC", true
	for what, got := range issuers(t, awsPool(t, cfg)) {
		if want := "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"; got != want {
			t.Errorf("%s: got issuer %v, want %s", what, got, want)
		}
	}
}

func TestStatement11NoSlashAfterIssuer(t *testing.T) {
	for _, updated := range []bool{false, true} {
		s := ownPool(t, func(cfg *cognitotest.Config) { cfg.UpdatedIssuer = updated })
		for what, got := range issuers(t, s) {
			if text, _ := got.(string); text == "" || strings.HasSuffix(text, "/") {
				t.Errorf("updated issuer %v, %s: got %v, want no slash at its end", updated, what, got)
			}
		}
	}
}

func TestStatement12DocumentUnderIssuer(t *testing.T) {
	s := house(t)
	if got := s.document(t)["issuer"]; got != s.Issuer() {
		t.Errorf("got issuer %v, want %s", got, s.Issuer())
	}
	if host(t, s.Issuer()) == host(t, s.Domain()) {
		t.Error("got one host for the issuer and the domain, want two")
	}
	for _, path := range []string{"", "/" + poolID(s)} {
		if a := s.get(t, s.Domain()+path+"/.well-known/openid-configuration"); a.status == http.StatusOK || strings.HasPrefix(a.body, "{") {
			t.Errorf("%s: got a document on the domain (status %d), want none", path, a.status)
		}
	}
}

func poolID(s *standIn) string { return s.Issuer()[strings.LastIndex(s.Issuer(), "/")+1:] }

func TestStatement12DocumentNamesEndpoints(t *testing.T) {
	s := house(t)
	doc := s.document(t)
	for member, path := range map[string]string{
		"authorization_endpoint": "/oauth2/authorize", "token_endpoint": "/oauth2/token",
		"revocation_endpoint": "/oauth2/revoke", "userinfo_endpoint": "/oauth2/userInfo", "end_session_endpoint": "/logout",
	} {
		if doc[member] != s.Domain()+path {
			t.Errorf("%s: got %v, want %s", member, doc[member], s.Domain()+path)
		}
	}
}

func TestStatement12DocumentMayGrow(t *testing.T) {
	s := ownPool(t, func(cfg *cognitotest.Config) { cfg.ExtraMembers = true })
	before, after := house(t).document(t), s.document(t)
	for member := range before {
		if after[member] == nil {
			t.Errorf("%s is gone, want it to stay", member)
		}
	}
	if len(after) <= len(before) {
		t.Errorf("got %d members, want more than %d", len(after), len(before))
	}
}

func TestStatement12TokensMayGrow(t *testing.T) {
	s := ownPool(t, func(cfg *cognitotest.Config) { cfg.ExtraMembers = true })
	plain, grown := house(t).login(t), s.login(t)
	compare := func(what string, before, after map[string]any) {
		for member := range before {
			if after[member] == nil {
				t.Errorf("%s: %s is gone, want it to stay", what, member)
			}
		}
		if len(after) <= len(before) {
			t.Errorf("%s: got members %s, want more than that", what, names(after))
		}
	}
	compare("answer", plain.members, grown.members)
	compare("ID token", house(t).verified(t, plain.id).claims, s.verified(t, grown.id).claims)
	compare("access token", house(t).verified(t, plain.access).claims, s.verified(t, grown.access).claims)
}

const ownersDomain = "auth.example.com"

func customPool(t *testing.T) *standIn {
	t.Helper()
	cfg := housePool()
	cfg.CustomDomain, cfg.DomainPrefix = ownersDomain, "statements"
	return awsPool(t, cfg)
}

func TestStatement12CustomDomainListedAlone(t *testing.T) {
	for member, value := range customPool(t).document(t) {
		text, _ := value.(string)
		if strings.Contains(text, "amazoncognito") {
			t.Errorf("%s: got %s, want the custom domain", member, text)
		}
		if strings.HasSuffix(member, "_endpoint") && host(t, text) != ownersDomain {
			t.Errorf("%s: got %s, want the host %s", member, text, ownersDomain)
		}
	}
}

func TestStatement12PrefixDomainStillWorks(t *testing.T) {
	s := customPool(t)
	b := s.browser()
	prefix := "https://statements.auth.eu-west-1.amazoncognito.com"
	u := b.walk(t, prefix+"/oauth2/authorize?"+asked().Encode(), "ada", password)
	a := s.send(t, http.MethodPost, prefix+"/oauth2/token", form("grant_type", "authorization_code", "client_id", "public",
		"code", u.Query().Get("code"), "redirect_uri", home, "code_verifier", pageVerifier).Encode(),
		"Content-Type", "application/x-www-form-urlencoded")
	s.verified(t, a.tokens(t).id) // with the keys of the one issuer
}

func TestStatement13KeysUnderIssuer(t *testing.T) {
	s := house(t)
	if got := s.document(t)["jwks_uri"]; got != s.Issuer()+"/.well-known/jwks.json" {
		t.Errorf("got jwks_uri %v, want it under the issuer", got)
	}
	if len(s.jwks(t)) == 0 {
		t.Error("got no keys, want some")
	}
	for _, path := range []string{"", "/" + poolID(s)} {
		if a := s.get(t, s.Domain()+path+"/.well-known/jwks.json"); a.status == http.StatusOK {
			t.Errorf("%s: got status 200 on the domain, want none", path)
		}
	}
}

func TestStatement13TwoRSAKeys(t *testing.T) {
	keys := house(t).jwks(t)
	if len(keys) != 2 {
		t.Errorf("got %d keys, want 2", len(keys))
	}
	for _, k := range keys {
		if k.Alg != "RS256" || k.Kty != "RSA" || k.Use != "sig" || k.E != "AQAB" || k.public(t).N.BitLen() != 2048 {
			t.Errorf("got %+v, want RS256, RSA, sig, AQAB and 2048 bits", k)
		}
	}
}

func TestStatement13OneKeyPerTokenKind(t *testing.T) {
	s := house(t)
	got := s.login(t)
	id, access := s.verified(t, got.id).header["kid"], s.verified(t, got.access).header["kid"]
	if id == access {
		t.Errorf("got kid %v for both tokens, want two", id)
	}
	again := s.login(t)
	if got := s.verified(t, again.id).header["kid"]; got != id {
		t.Errorf("got kid %v in the next ID token, want %v again", got, id)
	}
}

func TestStatement13KidEndsInPadding(t *testing.T) {
	for _, k := range house(t).jwks(t) {
		if !strings.HasSuffix(k.Kid, "=") {
			t.Errorf("got kid %q, want = at its end", k.Kid)
		}
	}
}

func TestStatement13KeysMayRotate(t *testing.T) {
	s := ownPool(t, func(*cognitotest.Config) {})
	before := s.verified(t, s.login(t).id).header["kid"]
	s.RotateKeys()
	if got := s.verified(t, s.login(t).id).header["kid"]; got == before {
		t.Error("got the old kid after the keys changed, want a new one that is in the list")
	}
}

func TestStatement13ListMayGrow(t *testing.T) {
	s := ownPool(t, func(*cognitotest.Config) {})
	old := s.login(t)
	before := s.verified(t, old.id).header["kid"]
	s.AddKeys()
	if n := len(s.jwks(t)); n <= 2 {
		t.Errorf("got %d keys, want more than 2", n)
	}
	s.verified(t, old.id) // whose key is still there
	if got := s.verified(t, s.login(t).id).header["kid"]; got == before {
		t.Error("got the old kid in a new token, want a new one")
	}
}

func TestStatement14PrefixHost(t *testing.T) {
	s := awsPool(t, cognitotest.Config{DomainPrefix: "my-app"})
	want := "https://my-app.auth.eu-west-1.amazoncognito.com/oauth2/authorize"
	if got := s.document(t)["authorization_endpoint"]; got != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if a := s.get(t, want); a.status != http.StatusFound && a.status != http.StatusBadRequest {
		t.Errorf("got status %d there, want an answer of the authorization endpoint", a.status)
	}
}

func TestStatement14PrefixRules(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, bad := range []string{long + "a", "-a", "a-", "My", "a.b", "a_b", "my-aws-app", "amazonas", "incognito"} {
		refusesConfig(t, "prefix "+bad, cognitotest.Config{DomainPrefix: bad}, cognitotest.Config{DomainPrefix: long})
	}
}

func TestStatement14FIPSHost(t *testing.T) {
	s := awsPool(t, cognitotest.Config{Region: "us-east-1", DomainPrefix: "my-app", FIPS: true})
	if got, want := host(t, s.Domain()), "my-app.auth-fips.us-east-1.amazoncognito.com"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.document(t)["token_endpoint"]; got != s.Domain()+"/oauth2/token" {
		t.Errorf("got %v, want it on %s", got, s.Domain())
	}
}

func TestStatement14GovCloudHost(t *testing.T) {
	for _, region := range []string{"us-gov-west-1", "us-gov-east-1"} {
		s := awsPool(t, cognitotest.Config{Region: region, DomainPrefix: "my-app"})
		if got, want := s.document(t)["token_endpoint"], "https://my-app.auth-fips."+region+".amazoncognito.com/oauth2/token"; got != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestStatement14NoCustomDomainInGovCloud(t *testing.T) {
	refusesConfig(t, "custom domain in GovCloud",
		cognitotest.Config{Region: "us-gov-west-1", CustomDomain: ownersDomain}, cognitotest.Config{Region: "us-west-2", CustomDomain: ownersDomain})
}

func TestStatement14CustomHost(t *testing.T) {
	s := customPool(t)
	a := s.get(t, "https://"+ownersDomain+"/oauth2/authorize?"+asked().Encode())
	if u := a.location(t); u.Path != "/login" || u.Host != "" && u.Host != ownersDomain {
		t.Errorf("got sent to %s, want the sign-in page of the custom domain", place(u))
	}
}

func TestStatement14EUSovereignHost(t *testing.T) {
	s := awsPool(t, cognitotest.Config{Region: "eusc-de-east-1"})
	if got, want := host(t, s.Issuer()), "cognito-idp.eusc-de-east-1.amazonaws.eu"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.document(t)
}

func TestStatement14DNSSuffixByPartition(t *testing.T) {
	for region, suffix := range map[string]string{
		"eu-central-1": "amazonaws.com", "us-gov-west-1": "amazonaws.com", "eusc-de-east-1": "amazonaws.eu",
	} {
		s := awsPool(t, cognitotest.Config{Region: region})
		if got, want := host(t, s.Issuer()), "cognito-idp."+region+"."+suffix; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		s.document(t)
	}
}

func TestStatement14TLS12OrNewer(t *testing.T) {
	s := awsPool(t, cognitotest.Config{})
	name := host(t, s.Domain())
	for _, tt := range []struct {
		version uint16
		refused bool
	}{{tls.VersionTLS10, true}, {tls.VersionTLS11, true}, {tls.VersionTLS12, false}, {tls.VersionTLS13, false}} {
		conn := tls.Client(s.tunnel(t, name), &tls.Config{
			RootCAs: s.transport.TLSClientConfig.RootCAs, ServerName: name, MinVersion: tls.VersionTLS10, MaxVersion: tt.version,
		})
		if err := conn.HandshakeContext(t.Context()); (err != nil) != tt.refused {
			t.Errorf("%s: got %v, want an error: %v", tls.VersionName(tt.version), err, tt.refused)
		}
	}
}

func TestStatement15FixedPaths(t *testing.T) {
	s := house(t)
	for path, want := range map[string][]int{
		"/oauth2/authorize": {302, 400}, "/login": {302, 400}, "/logout": {302, 400},
		"/oauth2/token": {405}, "/oauth2/revoke": {405}, "/oauth2/userInfo": {400, 401},
	} {
		if a := s.get(t, s.Domain()+path); !slices.Contains(want, a.status) {
			t.Errorf("%s: got status %d, want one of %v", path, a.status, want)
		}
	}
	for _, path := range []string{"/authorize", "/token"} {
		if a := s.get(t, s.Domain()+path); a.status != http.StatusNotFound {
			t.Errorf("%s: got status %d, want 404", path, a.status)
		}
	}
}
