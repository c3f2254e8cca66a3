package cogauth

import (
	"context"
	"encoding/json"

	"github.com/cogauth/cogauth/internal/secret"
)

// clientSecretEntry is where a confidential client's secret is kept. It belongs to the profile, not
// to the session: logging out leaves it.
func (c *Client) clientSecretEntry() string { return "secret:" + c.credential() }

// clientSecretJSON binds the secret to the provider that it was given for: a profile that names another
// one by now must not send it there.
type clientSecretJSON struct {
	Version  int    `json:"v"`
	Provider string `json:"for"`
	Secret   string `json:"client_secret"`
}

func (c *Client) clientSecret(ctx context.Context) (secret.Secret, error) {
	b, err := c.get(ctx, c.clientSecretEntry())
	if b == nil || err != nil {
		return secret.Secret{}, err
	}
	var j clientSecretJSON
	if json.Unmarshal(b, &j) != nil || j.Version != 1 || j.Provider != c.purpose().Provider {
		e := fail(ErrMisconfigured, "", "the client secret in the keychain was given for another user pool or issuer")
		e.cause = ErrForeignSecret
		return secret.Secret{}, e
	}
	return secret.New(j.Secret), nil
}

// SetClientSecret keeps the secret of a confidential app client in the Store, in place of an earlier
// one; "" removes it. It is sent in the body of requests to the token and revocation endpoints of the
// provider that this Client is configured for (RFC 6749 §2.3.1), and nowhere else: under another
// provider it is ErrForeignSecret. The errors are tokenstore's.
func (c *Client) SetClientSecret(ctx context.Context, clientSecret string) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	c.mu.Lock()
	c.provider = nil // it holds the one before
	c.mu.Unlock()
	if clientSecret == "" {
		return c.store.Delete(ctx, c.clientSecretEntry())
	}
	if r, err := c.readRecord(ctx); err != nil {
		return err
	} else if r != nil && r.noSecret {
		r.noSecret = false
		if err := c.store.Put(ctx, c.credential(), r.encode()); err != nil {
			return err
		}
	}
	entry, err := json.Marshal(clientSecretJSON{1, c.purpose().Provider, clientSecret})
	if err != nil {
		return err // strings always marshal
	}
	return c.store.Put(ctx, c.clientSecretEntry(), entry)
}

// HasClientSecret reports whether SetClientSecret has kept one, for whichever provider. The errors are
// tokenstore's.
func (c *Client) HasClientSecret(ctx context.Context) (bool, error) {
	b, err := c.get(ctx, c.clientSecretEntry())
	return b != nil, err
}
