package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/importer"
	"github.com/cogauth/cogauth/internal/provider"
	"github.com/cogauth/cogauth/internal/secret"
)

// maxImport bounds what --from reads; the largest of the known documents has some kilobytes.
const maxImport = 1 << 20

// take fills in what source says and no flag has said.
func (a *app) take(ctx context.Context, source string, p *proposal) error {
	found, err := a.find(ctx, source)
	if err != nil {
		return err
	}
	a.say("%s:", found.Source)
	for _, note := range found.Notes {
		a.say("note: %s", note)
	}
	p.confirm = true
	a.candidates(found)
	merge(&p.profile, found)
	switch {
	case found.Secret.Empty():
	case source == "-":
		p.secret = found.Secret
	default:
		a.say("note: the client secret in it was not taken, since a file is no place for one; give it with --client-secret-stdin, or pipe the document into --from -")
	}
	if found.Client == nil || !found.Client.Is(p.profile.UserPoolID, p.profile.ClientID) {
		return nil // flags name another one, of which the document says nothing
	}
	callbacks, scopes := p.profile.CallbackURLs, p.profile.Scopes
	if len(callbacks) == 0 {
		callbacks = []string{cogauth.DefaultCallbackURL}
	}
	if len(scopes) == 0 {
		scopes = []string{"openid"}
	}
	problems := found.Client.Check(callbacks, scopes)
	for i, problem := range problems {
		ad := advice{hint: problem.Fact + ": " + problem.Fix}
		if i == len(problems)-1 && problem.Mended {
			ad.command = found.Client.UpdateCommand(callbacks...)
		}
		p.advice = append(p.advice, ad)
	}
	return nil
}

// candidates keeps, of an app client's loopback callbacks, those that are ours by their form. The others
// are likely to be a web application's, for its developers.
func (a *app) candidates(found *importer.Found) {
	if found.Client == nil {
		return
	}
	ours := slices.DeleteFunc(slices.Clone(found.CallbackCandidates), func(u string) bool {
		return !strings.HasSuffix(u, "/callback") || !strings.Contains(u, ":858")
	})
	if len(ours) == 0 && len(found.CallbackCandidates) > 0 {
		a.say("note: the callback %s is taken for another program's; if it is for cogauth, name it with --callback-url", found.CallbackCandidates[0])
	}
	found.CallbackCandidates = ours
}

func (a *app) find(ctx context.Context, source string) (*importer.Found, error) {
	switch {
	case strings.HasPrefix(source, "http://"), strings.HasPrefix(source, "https://"):
		hc, err := a.plainClient(a.flags.configure.CAFile)
		if err != nil {
			return nil, err
		}
		return importer.FetchServer(ctx, hc, source)
	case source == "-":
		if a.asks() {
			return nil, &usageError{errors.New("--from - reads standard input, which is a terminal")}
		}
		return parseFrom(a.in, "standard input")
	}
	f, err := os.Open(source)
	if err != nil {
		return nil, &hintError{fmt.Errorf("--from: %w", err), "name a file, the URL of a server, or - for standard input"}
	}
	defer f.Close()
	return parseFrom(f, source)
}

func parseFrom(r io.Reader, name string) (*importer.Found, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImport+1))
	if err != nil {
		return nil, fmt.Errorf("--from: read %s: %w", name, err)
	}
	if len(data) > maxImport {
		return nil, &usageError{fmt.Errorf("--from: %s is larger than 1 MiB", name)}
	}
	return importer.Parse(data)
}

// plainClient is for a server that is no provider. further are files with certificates to trust besides
// those that the environment names; "" is none.
func (a *app) plainClient(further ...string) (*http.Client, error) {
	files, err := config.CAFilesFromEnv(a.env())
	if err != nil {
		return nil, err
	}
	var roots *x509.CertPool
	for _, ca := range further {
		if ca != "" {
			files = append(files, ca)
		}
	}
	if len(files) > 0 {
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		for _, name := range files {
			pem, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("the CA file cannot be read: %w", err)
			}
			roots.AppendCertsFromPEM(pem)
		}
	}
	return provider.NewHTTPClient(roots, userAgent()), nil
}

// merge fills in what no flag has said. A flag that names the provider in one way keeps out the others.
func merge(p *config.Profile, found *importer.Found) {
	if p.UserPoolID+p.Issuer+p.Domain == "" {
		p.UserPoolID, p.Issuer = found.UserPoolID, found.Issuer
		if p.UserPoolID+p.Issuer == "" {
			p.Domain, p.Region = found.Domain, orText(p.Region, found.Region)
		}
	}
	p.ClientID = orText(p.ClientID, found.ClientID)
	p.UsernameClaim = orText(p.UsernameClaim, found.UsernameClaim)
	p.LogoutURL = orText(p.LogoutURL, found.LogoutURL)
	if p.CallbackURLs == nil && len(found.CallbackCandidates) > 0 {
		p.CallbackURLs = found.CallbackCandidates
	}
	if p.Scopes == nil {
		p.Scopes = found.Scopes
	}
	if p.RefreshTokenValidity == "" && found.RefreshTokenValidity > 0 {
		p.RefreshTokenValidity = config.FormatValidity(found.RefreshTokenValidity)
	}
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// readPassword is term.ReadPassword that gives up when the program is told to end, and leaves the
// terminal as it was.
func readPassword(ctx context.Context, fd int) ([]byte, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	type result struct {
		raw []byte
		err error
	}
	read := make(chan result, 1)
	go func() {
		raw, err := term.ReadPassword(fd)
		read <- result{raw, err}
	}()
	select {
	case r := <-read:
		return r.raw, r.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}

// askSecret reads a line without echo. An empty one is an empty secret.
func (a *app) askSecret(ctx context.Context, prompt string) (secret.Secret, error) {
	q, done := a.questions(ctx)
	defer done()
	fmt.Fprint(q.out, prompt)
	file, ok := a.in.(*os.File)
	if !ok || a.input().Buffered() > 0 {
		return secret.Secret{}, &usageError{errors.New("the client secret was not typed on a terminal; nothing was written")}
	}
	raw, err := readPassword(ctx, int(file.Fd()))
	fmt.Fprintln(q.out)
	if ctx.Err() != nil {
		return secret.Secret{}, ctx.Err()
	}
	if err != nil {
		return secret.Secret{}, &usageError{errors.New("the questions were not answered; nothing was written")}
	}
	if len(raw) == 0 {
		return secret.Secret{}, nil
	}
	return checkSecret(string(raw))
}

// place puts an answer where it belongs by its form.
func place(p *config.Profile, answer string) {
	host, isURL := strings.CutPrefix(answer, "https://")
	host = strings.TrimSuffix(host, "/")
	switch {
	case isURL && provider.HostRegion(host) != "":
		p.Domain = host // people copy it with the scheme
	case strings.Contains(answer, "://"):
		p.Issuer = answer
	case strings.Contains(answer, "_"):
		p.UserPoolID = answer
	default:
		p.Domain = answer
	}
}
