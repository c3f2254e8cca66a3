package cogauth

import (
	"sync"
	"testing"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// J6: what a server refused is not handed out again; nothing else is lost by it.
func TestJ6Reject(t *testing.T) {
	l, dir := newLab(t, rotating), t.TempDir()
	shared := func(cfg *Config) { cfg.CacheDir = dir }
	c, other := l.signedIn(shared), l.client(shared)
	ask := func(c *Client, typ TokenType) string {
		t.Helper()
		tok, err := c.Token(t.Context(), &TokenOptions{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		return tok.Reveal()
	}
	reject := func(token string) {
		t.Helper()
		if err := c.Reject(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	first, access := ask(c, IDToken), ask(c, AccessToken)
	reject("another")
	if ask(c, IDToken) != first || l.Redemptions() != 0 {
		t.Error("another token than the cached one was refused: that was forgotten")
	}
	reject(first)
	second := ask(other, IDToken)
	if second == first || ask(c, IDToken) != second || l.Redemptions() != 1 {
		t.Errorf("ID token refused: got the same: %v, with %d redemptions, want another for all, and 1", second == first, l.Redemptions())
	}
	reject(first) // late news
	if ask(c, IDToken) != second {
		t.Error("a token from before was refused: the new one was forgotten")
	}
	reject(ask(c, AccessToken))
	if ask(c, AccessToken) == access || l.Redemptions() != 2 {
		t.Error("access token refused: got it again")
	}
	third := ask(c, IDToken)
	reject("")
	if ask(c, IDToken) == third || l.Redemptions() != 3 {
		t.Error("whatever is cached was refused: got it again")
	}
	if _, err := c.Session(t.Context()); err != nil {
		t.Errorf("the session: got %v, want it there", err)
	}
}

// J6: ten programs are refused the same token at once: one refresh is enough for all.
func TestJ6RejectedByManyAtOnce(t *testing.T) {
	l, dir := newLab(t, rotating), t.TempDir()
	shared := func(cfg *Config) { cfg.CacheDir = dir }
	refused, err := l.signedIn(shared).IDToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			c := l.client(shared)
			if err := c.Reject(t.Context(), refused); err != nil {
				t.Error(err)
			}
			if tok, err := c.IDToken(t.Context()); err != nil || tok == refused {
				t.Errorf("got the refused token: %v, %v", tok == refused, err)
			}
		})
	}
	wg.Wait()
	if n := l.Redemptions(); n != 1 {
		t.Errorf("got %d redemptions, want 1", n)
	}
}

// J6: a session without a refresh token is its tokens.
func TestJ6RejectKeepsTheOnlyToken(t *testing.T) {
	l := newLab(t, func(cfg *cognitotest.Config) { cfg.OmitRefreshToken = true })
	c := l.signedIn(nil)
	tok, err := c.IDToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, refused := range []string{tok, ""} {
		if err := c.Reject(t.Context(), refused); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := c.IDToken(t.Context()); err != nil || again != tok {
		t.Errorf("got %v, want the token that there is", err)
	}
	if err := l.client(func(cfg *Config) { cfg.Profile = "nobody" }).Reject(t.Context(), ""); err != nil {
		t.Errorf("nobody signed in: got %v, want nil", err)
	}
}
