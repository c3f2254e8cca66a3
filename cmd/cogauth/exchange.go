package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/cogauth/cogauth"
	credentialhelper "github.com/cogauth/cogauth/credential-helper"
)

var _ credentialhelper.Exchanger = (*served)(nil)

// Exchange implements credentialhelper.Exchanger: for Vault, whose own variable names its certificate.
func (s *served) Exchange(ctx context.Context, to string, header map[string]string, body []byte) (status int, answer []byte, err error) {
	files := []string{s.a.getenv("VAULT_CACERT")}
	if settings, err := s.a.settings(); err == nil {
		files = append(files, settings.CAFiles()...)
	}
	hc, err := s.a.plainClient(files...)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: the address is not one that can be asked", cogauth.ErrMisconfigured)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := hc.Do(req)
	if err != nil {
		// Without the address: url.Error quotes all of it.
		if cause, ok := err.(*url.Error); ok {
			err = cause.Err
		}
		return 0, nil, s.refusal(fmt.Errorf("%w: %w", cogauth.ErrOffline, err))
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, nil, s.refusal(fmt.Errorf("%w: %w", cogauth.ErrOffline, err))
	}
	return resp.StatusCode, answer, nil
}
