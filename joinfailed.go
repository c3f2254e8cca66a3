package cogauth

import (
	"errors"

	"github.com/cogauth/cogauth/internal/secret"
	"github.com/cogauth/cogauth/pkg/loopback"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// failedLogin is an error on its way to those who wait.
type failedLogin struct {
	Kind        string `json:"kind"`
	Cause       string `json:"cause,omitempty"`
	Op          string `json:"op,omitempty"`
	Code        string `json:"code,omitempty"`
	Description string `json:"description,omitempty"`
	Status      int    `json:"status,omitempty"`
	CallbackURL string `json:"callback,omitempty"`
	Fact        string `json:"fact,omitempty"`
}

// kinds and causes are the errors that are told by name. The names are their texts.
var (
	kinds = []error{
		ErrLoginIncomplete, ErrRefused, ErrOffline, ErrMisconfigured, ErrLoginRequired,
		tokenstore.ErrLocked, tokenstore.ErrUnavailable, tokenstore.ErrTooLarge, tokenstore.ErrBroken,
	}
	causes = []error{
		loopback.ErrPortBusy, ErrUntrusted, ErrNoDomain, ErrNoDiscovery, ErrNoLoginPages, ErrNoIDToken,
		ErrForeignSecret, ErrUnexpectedPerson,
	}
)

func newFailedLogin(err error) *failedLogin {
	f := &failedLogin{Kind: nameOf(err, kinds), Cause: nameOf(err, causes), Fact: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok && !errors.Is(err, ErrNotSaved) {
		f.Op, f.Code, f.Description, f.Status, f.CallbackURL, f.Fact = e.Op, e.Code, e.Description, e.Status, e.CallbackURL, e.fact
	}
	return f
}

// error is the error as it was, for the texts and for errors.Is.
func (f *failedLogin) error() error {
	kind := errorOf(f.Kind, kinds)
	if kind == nil {
		kind = ErrLoginIncomplete // a newer version's
	}
	return &Error{
		Op: secret.Clean(f.Op), Code: secret.Clean(f.Code), Description: secret.Clean(f.Description), Status: f.Status, CallbackURL: f.CallbackURL,
		fact: f.Fact, kind: kind, cause: errorOf(f.Cause, causes),
	}
}

func nameOf(err error, list []error) string {
	for _, e := range list {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return ""
}

func errorOf(name string, list []error) error {
	for _, e := range list {
		if e.Error() == name {
			return e
		}
	}
	return nil
}
