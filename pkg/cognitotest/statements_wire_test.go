package cognitotest_test

import (
	"bufio"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// What the statement tests send with: a request, its answer and nothing in between. No redirect is
// followed, no cookie kept, no token checked by anybody's library.

const (
	home = "http://localhost:8585/callback" // the callback of nearly every request

	// The PKCE pair that AWS prints on its own page.
	pageVerifier = "9D-aW_iygXrgQcWJd0y0tNVMPSXSChIc2xceDhvYVdGLCBk-JWFTmBNjvKSdOrjTTYazOFbUmrFERrjWx6oKtK2b6z_x4_gHBDlr4K1mRFGyE8yA-05-_v7Dxf3EIYJH"
	pageS256     = "Eh0mg-OZv7BAyo-tdv_vYamx1boOYDulDklyXoMDtLg"

	appSecret     = "statement_secret_0123456789abcdefghij"
	machineSecret = "statement_machine_secret_0123456789abc"

	engineerRole = "arn:aws:iam::123456789012:role/engineer"
	adminRole    = "arn:aws:iam::123456789012:role/admin"
	otherRole    = "arn:aws:iam::123456789012:role/other"

	totpSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // of RFC 6238 Appendix B
	password   = "Correct-Horse-1843"
)

// housePool has one of everything, so that most statements can share it.
func housePool() cognitotest.Config {
	oidc := []string{"openid", "email", "phone", "profile"}
	person := func(name string) cognitotest.User {
		return cognitotest.User{
			Username: name, Password: password,
			Attributes: map[string]string{"email": name + "@example.com", "email_verified": "true"},
		}
	}
	ada := person("ada")
	ada.Attributes = map[string]string{
		"email": "ada@example.com", "email_verified": "true", "phone_number": "+15550100", "phone_number_verified": "false",
		"name": "Ada Lovelace", "custom:level": "7",
	}
	ada.Groups = []string{"engineers", "admins"}
	tied := person("tied")
	tied.Groups = []string{"admins", "others"}
	totp := person("totp")
	totp.TOTPSecret = totpSecret
	local := []string{"COGNITO"}
	machineOnly := []string{"client_credentials"}

	return cognitotest.Config{
		ResourceServers: []cognitotest.ResourceServer{{Identifier: "tasks", Scopes: []string{"read", "write"}}},
		Groups: []cognitotest.Group{
			{Name: "engineers", Role: engineerRole, Precedence: 2},
			{Name: "admins", Role: adminRole, Precedence: 1},
			{Name: "others", Role: otherRole, Precedence: 1},
		},
		Users: []cognitotest.User{ada, tied, totp},
		IdentityProviders: []cognitotest.IdentityProvider{
			{Name: "Acme", Identifiers: []string{"acme.example"}, Users: []cognitotest.User{person("grace")}},
			{Name: "Corp", Type: "SAML", Identifiers: []string{"corp.example"}, Users: []cognitotest.User{person("grace")}},
			{Name: "Google", Type: "Google", Users: []cognitotest.User{person("grace")}},
			{Name: "Facebook", Type: "Facebook", Users: []cognitotest.User{person("grace")}},
			{Name: "LoginWithAmazon", Type: "LoginWithAmazon", Users: []cognitotest.User{person("grace")}},
			{Name: "SignInWithApple", Type: "SignInWithApple", Users: []cognitotest.User{person("grace")}},
			{Name: "Slow", Users: []cognitotest.User{person("grace")}, Error: "Timeout occurred in calling IdP token endpoint"},
			{Name: "Down", Users: []cognitotest.User{person("grace")}, Error: "Down Error - 401 error getting token"},
			{Name: "Cut", Users: []cognitotest.User{person("grace")}, Error: "Connection reset"},
		},
		Clients: []cognitotest.AppClient{
			{ID: "public", Scopes: append([]string{"aws.cognito.signin.user.admin", "tasks/read"}, oidc...),
				CallbackURLs: []string{home, "http://127.0.0.1:8585/callback", "myapp://example"},
				LogoutURLs:   []string{"http://localhost:8585/bye"}},
			{ID: "other", Scopes: oidc, CallbackURLs: []string{home}},
			{ID: "confidential", Scopes: oidc, CallbackURLs: []string{home}, Secrets: []string{appSecret}},
			{ID: "machine", AllowedFlows: machineOnly, Scopes: []string{"tasks/read"}, Secrets: []string{machineSecret}},
			{ID: "rotating", Scopes: oidc, CallbackURLs: []string{home}, RefreshTokenRotation: true},
			{ID: "graceful", Scopes: oidc, CallbackURLs: []string{home}, RefreshTokenRotation: true, RetryGracePeriod: time.Minute},
			{ID: "narrow", Scopes: oidc, CallbackURLs: []string{home}, ReadAttributes: []string{"email"}},
			{ID: "lasting", Scopes: oidc, CallbackURLs: []string{home}, DisableTokenRevocation: true},
			{ID: "implicit", Scopes: oidc, CallbackURLs: []string{home}, AllowedFlows: []string{"implicit"}},
			{ID: "brief", Scopes: oidc, CallbackURLs: []string{home}, AccessTokenValidity: 10 * time.Minute},
			{ID: "single", Scopes: oidc, CallbackURLs: []string{"http://localhost:8586/only"}, IdentityProviders: local},
			{ID: "several", Scopes: oidc, CallbackURLs: []string{home, "http://localhost:8586/usual"}, IdentityProviders: local,
				DefaultRedirectURI: "http://localhost:8586/usual"},
			{ID: "unbranded", Scopes: oidc, CallbackURLs: []string{home}, Unbranded: true},
		},
	}
}

// standIn is a pool whose clock stands still until a test moves it.
type standIn struct {
	*cognitotest.Pool
	transport *http.Transport

	mu  sync.Mutex
	now time.Time
}

func (s *standIn) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *standIn) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func newStandIn(cfg cognitotest.Config, start func(*cognitotest.Pool) error) (*standIn, error) {
	s := &standIn{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), transport: &http.Transport{}}
	cfg.Now = s.clock
	pool, err := cognitotest.New(cfg)
	if err != nil {
		return nil, err
	}
	s.Pool = pool
	return s, start(pool)
}

// house returns the pool of housePool, which runs until the test process ends. Tests may move its
// clock on: nothing signed in earlier is used later.
func house(t *testing.T) *standIn {
	t.Helper()
	s, err := sharedHouse()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var sharedHouse = sync.OnceValues(func() (*standIn, error) {
	return newStandIn(housePool(), (*cognitotest.Pool).Start)
})

// ownPool starts a house of the test's own, with its Config changed.
func ownPool(t *testing.T, change func(*cognitotest.Config)) *standIn {
	t.Helper()
	cfg := housePool()
	change(&cfg)
	s, err := newStandIn(cfg, (*cognitotest.Pool).Start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// awsPool starts a pool that answers to the names that AWS would use.
func awsPool(t *testing.T, cfg cognitotest.Config) *standIn {
	t.Helper()
	s, err := newStandIn(cfg, (*cognitotest.Pool).StartAWS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.CertPEM()) {
		t.Fatal("the pool has no certificate")
	}
	proxy, err := url.Parse(s.ProxyURL())
	if err != nil {
		t.Fatal(err)
	}
	s.transport.Proxy = http.ProxyURL(proxy)
	s.transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	t.Cleanup(s.transport.CloseIdleConnections)
	return s
}

// refusesConfig fails the test if there is a pool of the bad configuration, or none of the good one.
func refusesConfig(t *testing.T, what string, bad, good cognitotest.Config) {
	t.Helper()
	if _, err := cognitotest.New(bad); err == nil {
		t.Errorf("%s: got a pool, want an error", what)
	}
	if _, err := cognitotest.New(good); err != nil {
		t.Errorf("%s, put right: got %v, want a pool", what, err)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends one request; header holds names and values in turn.
func (s *standIn) send(t *testing.T, method, target, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (s *standIn) get(t *testing.T, target string, header ...string) answer {
	t.Helper()
	return s.send(t, http.MethodGet, target, "", header...)
}

// post sends a form to an endpoint of the hosted UI's domain.
func (s *standIn) post(t *testing.T, path string, form url.Values, header ...string) answer {
	t.Helper()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)
	return s.send(t, http.MethodPost, s.Domain()+path, form.Encode(), header...)
}

// object decodes a JSON body.
func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatalf("status %d: %v in %q", a.status, err, a.body)
	}
	return out
}

// refused fails the test unless the answer is this OAuth error.
func (a answer) refused(t *testing.T, what string, status int, code string) {
	t.Helper()
	var body struct{ Error string }
	json.Unmarshal([]byte(a.body), &body) // a body that is not JSON has no error
	if a.status != status || body.Error != code {
		t.Errorf("%s: got %d %q, want %d %q", what, a.status, body.Error, status, code)
	}
}

// location returns where a 302 leads.
func (a answer) location(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusFound || u.String() == "" {
		t.Fatalf("got status %d and Location %q, want 302 and an address\n%s", a.status, place(u), a.body)
	}
	return u
}

// set is url.Values from names and values in turn; "-" takes a parameter away.
func set(base url.Values, pairs ...string) url.Values {
	base = maps.Clone(base)
	for i := 0; i+1 < len(pairs); i += 2 {
		base.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "-" {
			base.Del(pairs[i])
		}
	}
	return base
}

func form(pairs ...string) url.Values { return set(url.Values{}, pairs...) }

// asked is an authorization request that has everything.
func asked(pairs ...string) url.Values {
	return set(form(
		"response_type", "code", "client_id", "public", "redirect_uri", home, "scope", "openid", "state", "canary-state",
		"nonce", "canary-nonce", "code_challenge", pageS256, "code_challenge_method", "S256",
	), pairs...)
}

// authorize asks without a cookie.
func (s *standIn) authorize(t *testing.T, pairs ...string) answer {
	t.Helper()
	return s.get(t, s.Domain()+"/oauth2/authorize?"+asked(pairs...).Encode())
}

// told returns the query of an error redirect to the client.
func (s *standIn) told(t *testing.T, pairs ...string) url.Values {
	t.Helper()
	u := s.authorize(t, pairs...).location(t)
	if !outside(u) {
		t.Fatalf("got sent to %s, want the client's callback", place(u))
	}
	return u.Query()
}

// outside reports whether u is an address of the client and not of the pool or a provider.
func outside(u *url.URL) bool {
	switch u.Port() {
	case "8585", "8586", "8587":
		return true
	}
	return u.Scheme == "myapp"
}

// place is u without what must not be shown: a code or a state.
func place(u *url.URL) string {
	out := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if code := u.Query().Get("error"); code != "" {
		out.RawQuery = url.Values{"error": {code}}.Encode()
	}
	return out.String()
}

// browser keeps cookies by host and port, which is all that a statement needs of a browser.
type browser struct {
	s    *standIn
	jars map[string]map[string]string
}

func (s *standIn) browser() *browser { return &browser{s, map[string]map[string]string{}} }

func (b *browser) do(t *testing.T, method, target string, fields url.Values) answer {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	jar := b.jars[u.Host]
	if jar == nil {
		jar = map[string]string{}
		b.jars[u.Host] = jar
	}
	var cookies []string
	for _, name := range slices.Sorted(maps.Keys(jar)) {
		cookies = append(cookies, name+"="+jar[name])
	}
	var header []string
	if len(cookies) > 0 {
		header = append(header, "Cookie", strings.Join(cookies, "; "))
	}
	if fields != nil {
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	}
	a := b.s.send(t, method, target, fields.Encode(), header...)
	for _, line := range a.header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.MaxAge < 0 || c.Value == "" {
			delete(jar, c.Name)
		} else {
			jar[c.Name] = c.Value
		}
	}
	return a
}

func (b *browser) get(t *testing.T, target string) answer {
	t.Helper()
	return b.do(t, http.MethodGet, target, nil)
}

// authorize asks with the browser's cookies.
func (b *browser) authorize(t *testing.T, pairs ...string) answer {
	t.Helper()
	return b.get(t, b.s.Domain()+"/oauth2/authorize?"+asked(pairs...).Encode())
}

// webForm is a form as it stands on a page.
type webForm struct {
	method, action string
	fields         url.Values
	kinds          map[string]string // by name: "text", "password", "hidden", …
}

var (
	formPattern  = regexp.MustCompile(`(?s)<form\b([^>]*)>(.*?)</form>`)
	inputPattern = regexp.MustCompile(`<input\b([^>]*)>`)
	attrPattern  = regexp.MustCompile(`([a-zA-Z-]+)="([^"]*)"`)
)

func attributes(text string) map[string]string {
	out := map[string]string{}
	for _, m := range attrPattern.FindAllStringSubmatch(text, -1) {
		out[strings.ToLower(m[1])] = html.UnescapeString(m[2])
	}
	return out
}

// form returns the form of a page with a password or, if there is none, the first one.
func (a answer) form(t *testing.T) *webForm {
	t.Helper()
	var found *webForm
	for _, m := range formPattern.FindAllStringSubmatch(a.body, -1) {
		tag := attributes(m[1])
		f := &webForm{strings.ToUpper(tag["method"]), tag["action"], url.Values{}, map[string]string{}}
		for _, input := range inputPattern.FindAllStringSubmatch(m[2], -1) {
			in := attributes(input[1])
			if in["name"] != "" {
				f.fields.Set(in["name"], in["value"])
				f.kinds[in["name"]] = in["type"]
			}
		}
		if f.fields.Has("password") {
			return f
		}
		if found == nil {
			found = f
		}
	}
	if found == nil {
		t.Fatalf("got no form, want one\n%d %s", a.status, a.body)
	}
	return found
}

// signInPage fails the test unless a shows the sign-in form.
func (a answer) signInPage(t *testing.T, what string) {
	t.Helper()
	if a.status != http.StatusOK || !strings.Contains(a.body, `name="password"`) {
		t.Errorf("%s: got status %d without a sign-in form, want one", what, a.status)
	}
}

// walk goes from target to the client's callback: it follows redirects, fills in every form as that
// person, and returns where the client would be called.
func (b *browser) walk(t *testing.T, target, username, secret string) *url.URL {
	t.Helper()
	a := b.get(t, target)
	for range 12 {
		if a.status == http.StatusFound {
			u := a.location(t)
			if outside(u) {
				return u
			}
			target = resolved(t, target, u.String())
			a = b.get(t, target)
			continue
		}
		if a.status != http.StatusOK {
			t.Fatalf("got status %d on the way to the callback\n%s", a.status, a.body)
		}
		f := a.form(t)
		b.s.fill(f, username, secret)
		target = resolved(t, target, f.action)
		a = b.do(t, f.method, target, f.fields)
	}
	t.Fatal("got no callback after 12 steps")
	return nil
}

// fill writes what a person knows into a form: a name, a password, or a one-time password.
func (s *standIn) fill(f *webForm, username, secret string) {
	for name, kind := range f.kinds {
		switch {
		case name == "username":
			f.fields.Set(name, username)
		case name == "password":
			f.fields.Set(name, secret)
		case kind != "hidden" && kind != "submit":
			f.fields.Set(name, oneTime(totpSecret, s.clock()))
		}
	}
}

func resolved(t *testing.T, base, ref string) string {
	t.Helper()
	b, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.Parse(ref)
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}

// oneTime is RFC 6238 with SHA-1, 30 s and 6 digits.
func oneTime(secret string, at time.Time) string {
	key, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	at4 := sum[sum[len(sum)-1]&15:]
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(at4[:4])&0x7fffffff%1000000)
}

// callback signs ada in and returns where the client is called.
func (b *browser) callback(t *testing.T, pairs ...string) *url.URL {
	t.Helper()
	return b.walk(t, b.s.Domain()+"/oauth2/authorize?"+asked(pairs...).Encode(), "ada", password)
}

// code signs ada in, in a new browser.
func (s *standIn) code(t *testing.T, pairs ...string) string {
	t.Helper()
	u := s.browser().callback(t, pairs...)
	code := u.Query().Get("code")
	if code == "" {
		t.Fatalf("got error %q, want a code", u.Query().Get("error"))
	}
	return code
}

// exchange redeems a code; pairs change its form.
func (s *standIn) exchange(t *testing.T, code string, pairs ...string) answer {
	t.Helper()
	return s.post(t, "/oauth2/token", set(form(
		"grant_type", "authorization_code", "client_id", "public", "code", code, "redirect_uri", home, "code_verifier", pageVerifier,
	), pairs...))
}

// renew uses a refresh token.
func (s *standIn) renew(t *testing.T, client, token string) answer {
	t.Helper()
	return s.post(t, "/oauth2/token", form("grant_type", "refresh_token", "client_id", client, "refresh_token", token))
}

// tokenSet is a successful answer of the token endpoint.
type tokenSet struct {
	members             map[string]any
	id, access, refresh string
}

func (a answer) tokens(t *testing.T) tokenSet {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("got status %d %s, want tokens", a.status, a.body)
	}
	m := a.object(t)
	text := func(name string) string { s, _ := m[name].(string); return s }
	return tokenSet{m, text("id_token"), text("access_token"), text("refresh_token")}
}

// login signs ada in and redeems the code, with the client's secret if it has one.
func (s *standIn) login(t *testing.T, pairs ...string) tokenSet {
	t.Helper()
	return s.redeemed(t, s.code(t, pairs...), pairs...)
}

// redeemed redeems a code that was asked for with pairs.
func (s *standIn) redeemed(t *testing.T, code string, pairs ...string) tokenSet {
	t.Helper()
	q := asked(pairs...)
	fields := []string{"client_id", q.Get("client_id"), "redirect_uri", q.Get("redirect_uri")}
	if q.Get("client_id") == "confidential" {
		fields = append(fields, "client_secret", appSecret)
	}
	if !q.Has("code_challenge") {
		fields = append(fields, "code_verifier", "-")
	}
	return s.exchange(t, code, fields...).tokens(t)
}

// machine asks for the tokens of a program without a person.
func (s *standIn) machine(t *testing.T, scope string) answer {
	t.Helper()
	return s.post(t, "/oauth2/token", form("grant_type", "client_credentials", "scope", scope),
		"Authorization", basic("machine", machineSecret))
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func (s *standIn) userInfo(t *testing.T, access string) answer {
	t.Helper()
	return s.get(t, s.Domain()+"/oauth2/userInfo", "Authorization", "Bearer "+access)
}

// jsonWebKey is a member of the JWKS.
type jsonWebKey struct{ Alg, E, Kid, Kty, N, Use string }

func (s *standIn) jwks(t *testing.T) []jsonWebKey {
	t.Helper()
	a := s.get(t, s.Issuer()+"/.well-known/jwks.json")
	var list struct{ Keys []jsonWebKey }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusOK {
		t.Fatalf("JWKS: got status %d, %v", a.status, err)
	}
	return list.Keys
}

// jwt is a token that verified.
type jwt struct {
	header, claims       map[string]any
	rawHeader, rawClaims string
}

// verified checks a token's RS256 signature (RFC 7518 §3.3) against the JWKS.
func (s *standIn) verified(t *testing.T, token string) jwt {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts in a token, want 3", len(parts))
	}
	var raw [3][]byte
	for i, part := range parts {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = b
	}
	out := jwt{rawHeader: string(raw[0]), rawClaims: string(raw[1])}
	if err := json.Unmarshal(raw[0], &out.header); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw[1], &out.claims); err != nil {
		t.Fatal(err)
	}
	keys := s.jwks(t)
	i := slices.IndexFunc(keys, func(k jsonWebKey) bool { return k.Kid == out.header["kid"] })
	if i < 0 || out.header["alg"] != "RS256" {
		t.Fatalf("got header %s, want RS256 and a kid of the JWKS", out.rawHeader)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(keys[i].public(t), crypto.SHA256, sum[:], raw[2]); err != nil {
		t.Fatal(err)
	}
	return out
}

func (k jsonWebKey) public(t *testing.T) *rsa.PublicKey {
	t.Helper()
	n, err := base64.RawURLEncoding.DecodeString(k.N)
	if err != nil {
		t.Fatal(err)
	}
	e, err := base64.RawURLEncoding.DecodeString(k.E)
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
}

// strings returns a claim that is a list of strings.
func (j jwt) strings(t *testing.T, claim string) []string {
	t.Helper()
	list, ok := j.claims[claim].([]any)
	if !ok {
		t.Fatalf("%s: got %v, want a list", claim, j.claims[claim])
	}
	var out []string
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			t.Fatalf("%s: got %v in the list, want strings", claim, v)
		}
		out = append(out, text)
	}
	return out
}

// typed sends text as it stands to the hosted UI, as telnet would, and returns the answer as it stands.
func (s *standIn) typed(t *testing.T, lines ...string) (status string, header, body string) {
	t.Helper()
	u, err := url.Parse(s.Domain())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, lines[0]+"\r\nHost: "+u.Host+"\r\nConnection: close\r\n"+strings.Join(append(lines[1:], ""), "\r\n")+"\r\n")
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	status, header, _ = strings.Cut(head, "\r\n")
	return status, header, body
}

// tunnel opens a connection through the pool's CONNECT proxy.
func (s *standIn) tunnel(t *testing.T, host string) net.Conn {
	t.Helper()
	proxy, err := url.Parse(s.ProxyURL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: got %v, %v, want 200", resp, err)
	}
	return conn
}

// host returns the host of a URL.
func host(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// names returns the sorted member names of an object.
func names(m map[string]any) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }
