package cogauth

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

func testClient(t *testing.T, edit func(*Config)) *Client {
	t.Helper()
	cfg := Config{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "1h57kf5cpq17m0eml12EXAMPLE", Store: &tokenstore.Memory{}}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// windowsEntry is what one credential of Windows holds.
const windowsEntry = 2560

// With a refresh token of 1,900 bytes the record fits one entry on every system.
func TestRecordFitsOneEntry(t *testing.T) {
	c := testClient(t, func(cfg *Config) {
		cfg.UserPoolID = "ap-southeast-2_AbCdEfGhI"
		cfg.Scopes = []string{"openid", "email", "profile", "phone", "aws.cognito.signin.user.admin", "https://api.example.com/read", "https://api.example.com/write"}
	})
	r := &record{
		refresh: secret.New(strings.Repeat("r", 1900)), session: newSessionID(), issuer: c.issuers()[1],
		purpose: c.purpose(), signedIn: time.Now(),
	}
	if n := len(r.encode()); n > windowsEntry {
		t.Errorf("the record takes %d bytes, want at most %d", n, windowsEntry)
	}
	if n := len(newKeyEntry(r.session).encode()); n > 128 {
		t.Errorf("the key entry takes %d bytes, want at most 128", n)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	want := &record{
		refresh: secret.New("rt"), session: "sid", issuer: "https://issuer.example", purpose: purpose{Provider: "pool", Scopes: "openid"},
		signedIn: time.Unix(1_700_000_000, 0), rotation: rotationOn, noSecret: true, unanswered: true,
	}
	got, err := decodeRecord(want.encode())
	if err != nil || !got.refresh.Equal(want.refresh) || got.session != want.session || got.issuer != want.issuer || got.purpose != want.purpose || got.rotation != want.rotation || got.noSecret != want.noSecret || got.unanswered != want.unanswered || !got.signedIn.Equal(want.signedIn) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	k := newKeyEntry("sid")
	gotKey, err := decodeKeyEntry(k.encode())
	if err != nil || *gotKey != *k {
		t.Errorf("the key entry did not survive: %v", err)
	}
	for _, bad := range []string{"", "{}", "x", `{"v":1,"session":"s"}`, `{"v":3,"session":"s"}`, `{"v":2}`} {
		if _, err := decodeRecord([]byte(bad)); err == nil {
			t.Errorf("decodeRecord(%q) succeeded", bad)
		}
	}
	for _, bad := range []string{"", "1 s", "1 s !!", "2 s AAAA", "1  AAAA", "1 s " + strings.Repeat("A", 40), "1 s " + strings.Repeat("A", 48)} {
		if _, err := decodeKeyEntry([]byte(bad)); err == nil {
			t.Errorf("decodeKeyEntry(%q) succeeded", bad)
		}
	}
}

func sampleTokens() *tokens {
	now := time.Unix(time.Now().Unix(), 0)
	return &tokens{
		id:     Token{IDToken, secret.New("CANARY-id"), now, now.Add(time.Hour), 0, time.Time{}},
		access: Token{AccessToken, secret.New("CANARY-access"), now, now.Add(time.Hour), 0, time.Time{}},
	}
}

func TestCacheRoundTrip(t *testing.T) {
	c, k, want := testClient(t, nil), newKeyEntry("sid"), sampleTokens()
	sealed := c.seal(k, want)
	if bytes.Contains(sealed, []byte("CANARY")) {
		t.Fatal("the cache is not encrypted")
	}
	got := c.open(k, sealed)
	for _, typ := range []TokenType{IDToken, AccessToken} {
		g, w := got.get(typ), want.get(typ)
		if g.Reveal() != w.Reveal() || !g.expires.Equal(w.expires) || !g.issued.Equal(w.issued) || g.typ != typ {
			t.Errorf("%v token did not survive", typ)
		}
	}
}

// Whatever is changed, swapped or carried over makes the cache unreadable, never wrong.
func TestCacheIsBound(t *testing.T) {
	c, k := testClient(t, nil), newKeyEntry("sid")
	sealed := c.seal(k, sampleTokens())
	empty := func(name string, got *tokens) {
		t.Helper()
		if !got.id.value.Empty() && !got.access.value.Empty() {
			t.Errorf("%s: the cache could be read", name)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		empty(fmt.Sprintf("byte %d flipped", i), c.open(k, bad))
	}
	for n := range sealed {
		c.open(k, sealed[:n]) // must not panic
		usable(sealed[:n], IDToken, moment{wall: time.Now()}, MinTTL)
	}
	both := func(name string, c *Client, k *keyEntry) {
		t.Helper()
		if got := c.open(k, sealed); !got.id.value.Empty() || !got.access.value.Empty() {
			t.Errorf("%s: the cache could be read", name)
		}
	}
	other := *k
	other.session = "sid2"
	both("another session", c, &other)
	both("another key", c, newKeyEntry("sid"))
	both("another profile", testClient(t, func(cfg *Config) { cfg.Profile = "x" }), k)
	both("another client", testClient(t, func(cfg *Config) { cfg.ClientID = "x" }), k)
	both("another pool", testClient(t, func(cfg *Config) { cfg.UserPoolID = "eu-west-1_Other" }), k)
	both("other scopes", testClient(t, func(cfg *Config) { cfg.Scopes = []string{"openid", "email"} }), k)
}

func TestCacheFileIsPrivateAndReplacedWhole(t *testing.T) {
	dir := t.TempDir() + "/a/b"
	f := fileCache{dir, "x.tokens"}
	if b, err := f.read(); b != nil || err != nil {
		t.Errorf("got %q and %v for no file, want nothing", b, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := f.write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.read(); string(b) != text || err != nil {
			t.Errorf("got %q and %v, want %q", b, err, text)
		}
	}
	info, err := os.Stat(f.path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v and %v, want 0600", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("got %d files, want the cache alone", len(entries))
	}
	if err := f.remove(); err != nil || f.remove() != nil {
		t.Error("remove failed, or removing nothing is an error")
	}
}

// E3: the margin is 60 s, or --min-ttl, and never more than half of a token's life.
func TestE3Margin(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name      string
		life, ttl time.Duration
		age       time.Duration
		want      bool
	}{
		{"fresh", time.Hour, MinTTL, 0, true},
		{"61 s left", time.Hour, MinTTL, time.Hour - 61*time.Second, true},
		{"60 s left", time.Hour, MinTTL, time.Hour - 60*time.Second, false},
		{"expired", time.Hour, MinTTL, 2 * time.Hour, false},
		{"asking for more than is left", time.Hour, 20 * time.Minute, 45 * time.Minute, false},
		{"asking for more than the life, fresh", 5 * time.Minute, time.Hour, 0, true},
		{"asking for more than the life, past half", 5 * time.Minute, time.Hour, 151 * time.Second, false},
		{"a life shorter than the margin, fresh", 30 * time.Second, MinTTL, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			issued := now.Add(-tc.age)
			if got := (Token{issued: issued, expires: issued.Add(tc.life)}).goodFor(moment{wall: now}, tc.ttl); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTokenNeverFormats(t *testing.T) {
	tok := sampleTokens()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if out := fmt.Sprintf(verb+verb+verb, tok, tok.id, &record{refresh: secret.New("CANARY-rt")}); strings.Contains(out, "CANARY") || strings.Contains(out, fmt.Sprintf("%x", "CANARY")) {
			t.Errorf("%s shows a token: %s", verb, out)
		}
	}
}

func FuzzCacheOpen(f *testing.F) {
	c, err := New(Config{UserPoolID: "eu-west-1_AbCdEfGhI", ClientID: "c", Store: &tokenstore.Memory{}})
	if err != nil {
		f.Fatal(err)
	}
	k := newKeyEntry("sid")
	f.Add(c.seal(k, sampleTokens()))
	f.Add([]byte(cacheMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		usable(b, IDToken, moment{wall: time.Now()}, MinTTL)
		c.open(newKeyEntry("sid"), b)
	})
}

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := New(Config{Profile: "a/b", Issuer: "http://id.example.com", CallbackURLs: []string{"https://x/"}, Scopes: []string{"email"}})
	for _, word := range []string{"Profile", "Issuer", "ClientID", "openid", "https://x/"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want it to name %s", err, word)
		}
	}
}
