package cogauth

import (
	"context"

	"github.com/cogauth/cogauth/internal/secret"
)

// Reject forgets the cached tokens if token is one of them, because who it was meant for did not take it;
// if token is "", it forgets them whatever they are. The next call of Token refreshes. The session stays;
// one without a refresh token keeps its tokens, and so does one that is not saved: they are all there is.
//
// Errors: tokenstore's if the keychain is missing, locked or broken.
func (c *Client) Reject(ctx context.Context, token string) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	r, err := c.readRecord(ctx)
	if err != nil || r == nil || r.refresh.Empty() {
		return err
	}
	if token != "" {
		sealed, err := c.cache.read()
		if err != nil {
			return nil // what cannot be read is handed out to nobody
		}
		key, err := c.readKey(ctx)
		if err != nil || key == nil {
			return err
		}
		t, refused := c.open(key, sealed), secret.New(token)
		if !t.id.value.Equal(refused) && !t.access.value.Equal(refused) {
			return nil
		}
	}
	return c.cache.remove()
}
