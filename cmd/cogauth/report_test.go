package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

func tokenUse(raw string) (string, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", false
	}
	var claims struct {
		Use string `json:"token_use"`
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	return claims.Use, err == nil && json.Unmarshal(b, &claims) == nil
}

// Every exported error of the packages an error can come from has an exit status of its own.
func TestHintsAreComplete(t *testing.T) {
	values := map[string]error{
		"cogauth.ErrLoginRequired": cogauth.ErrLoginRequired, "cogauth.ErrRefused": cogauth.ErrRefused,
		"cogauth.ErrOffline": cogauth.ErrOffline, "cogauth.ErrMisconfigured": cogauth.ErrMisconfigured,
		"cogauth.ErrLoginIncomplete": cogauth.ErrLoginIncomplete, "cogauth.ErrNotSaved": cogauth.ErrNotSaved, "cogauth.ErrUntrusted": cogauth.ErrUntrusted,
		"cogauth.ErrNoDomain": cogauth.ErrNoDomain, "cogauth.ErrNoDiscovery": cogauth.ErrNoDiscovery, "cogauth.ErrNoLoginPages": cogauth.ErrNoLoginPages,
		"cogauth.ErrForeignSecret": cogauth.ErrForeignSecret, "cogauth.ErrNoLogoutURL": cogauth.ErrNoLogoutURL, "cogauth.ErrNoIDToken": cogauth.ErrNoIDToken, "cogauth.ErrAnswerLost": cogauth.ErrAnswerLost, "cogauth.ErrUnexpectedPerson": cogauth.ErrUnexpectedPerson,
		"tokenstore.ErrNotFound": tokenstore.ErrNotFound, "tokenstore.ErrTooLarge": tokenstore.ErrTooLarge,
		"tokenstore.ErrLocked": tokenstore.ErrLocked, "tokenstore.ErrUnavailable": tokenstore.ErrUnavailable,
		"tokenstore.ErrBroken": tokenstore.ErrBroken,
		"config.ErrInvalid":    config.ErrInvalid, "config.ErrNoProfile": config.ErrNoProfile, "config.ErrUnknownProfile": config.ErrUnknownProfile, "config.ErrNotServed": config.ErrNotServed,
	}
	for pkg, dir := range map[string]string{"cogauth": "../..", "tokenstore": "../../pkg/tokenstore", "config": "../../internal/config"} {
		for _, name := range exportedErrors(t, dir) {
			err, ok := values[pkg+"."+name]
			if !ok {
				t.Errorf("%s.%s is not known to this test", pkg, name)
				continue
			}
			a := &app{err: &bytes.Buffer{}, getenv: func(string) string { return "" }}
			if status := a.report(context.Background(), fmt.Errorf("act: %w", err)); status == exitFailed || status == exitOK {
				t.Errorf("%s.%s has exit status %d", pkg, name, status)
			}
		}
	}
}

func exportedErrors(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				for _, n := range s.(*ast.ValueSpec).Names {
					if strings.HasPrefix(n.Name, "Err") {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// K1: whatever fails says one line of fact, and each kind has its documented status.
func TestK1EveryFailureSpeaks(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		hint   string
	}{
		{errors.New("boom"), 1, ""},
		{&usageError{errors.New("bad flag")}, 2, "--help"},
		{fmt.Errorf("x: %w", cogauth.ErrLoginRequired), 3, "login"},
		{fmt.Errorf("x: %w", cogauth.ErrRefused), 4, ""},
		{&cogauth.Error{Op: "exchange code", Code: "invalid_client"}, 1, ""}, // no kind: cannot come out of the library
		{fmt.Errorf("x: %w", tokenstore.ErrLocked), 5, "unlock"},
		{fmt.Errorf("x: %w", tokenstore.ErrUnavailable), 5, "keychain"},
		{fmt.Errorf("x: %w", tokenstore.ErrBroken), 5, "restart"},
		{&cogauth.SaveError{Err: tokenstore.ErrLocked}, 5, "token is good"},
		{fmt.Errorf("x: %w", cogauth.ErrOffline), 6, "network"},
		{fmt.Errorf("x: %w", cogauth.ErrMisconfigured), 7, "config explain"},
		{&config.Error{Fact: "unknown key", Fix: "did you mean client_id?"}, 7, "did you mean client_id?"},
		{fmt.Errorf("x: %w", cogauth.ErrLoginIncomplete), 8, "again"},
		{errors.Join(errors.New("one"), cogauth.ErrOffline), 6, "network"},
	} {
		var out bytes.Buffer
		a := &app{err: &out, getenv: func(string) string { return "" }}
		if got := a.report(context.Background(), tc.err); got != tc.status {
			t.Errorf("%v: status %d, want %d", tc.err, got, tc.status)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if !strings.HasPrefix(lines[0], "cogauth: error: ") || len(lines) > 2 || (len(lines) == 2 && !strings.HasPrefix(lines[1], "cogauth: hint: ")) {
			t.Errorf("%v: got %q", tc.err, out.String())
		}
		if !strings.Contains(out.String(), tc.hint) || strings.Contains(out.String(), "{") {
			t.Errorf("%v: got %q, want the hint %q", tc.err, out.String(), tc.hint)
		}
	}
}

func TestSignalsHaveTheShellsStatus(t *testing.T) {
	for sig, want := range map[os.Signal]int{os.Interrupt: 130, syscall.SIGTERM: 143} {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(&signalError{sig})
		var out bytes.Buffer
		a := &app{err: &out, getenv: func(string) string { return "" }}
		if got := a.report(ctx, fmt.Errorf("wait: %w", context.Canceled)); got != want || out.Len() == 0 {
			t.Errorf("%v: status %d and %q, want %d and a word", sig, got, out.String(), want)
		}
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10 minutes", time.Hour + time.Minute: "1 hour 1 minute", 90 * time.Second: "1 minute 30 seconds",
		49 * time.Hour: "2 days 1 hour", time.Millisecond: "less than a second", 24*time.Hour + time.Second: "1 day 1 second",
	} {
		if got := words(d); got != want {
			t.Errorf("words(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestQuoteArg(t *testing.T) {
	for in, want := range map[string]string{"./cmd/cogauth": "./cmd/cogauth", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "": "''"} {
		if got := quoteArg(in); got != want {
			t.Errorf("quoteArg(%q) = %s, want %s", in, got, want)
		}
	}
}

// The demo's file takes a session that its own pool issued, and nothing else.
func TestDemoFileAcceptsOnlyItsOwnPoolsSessions(t *testing.T) {
	ctx := t.Context()
	f := &demoFile{path: filepath.Join(t.TempDir(), "d", "session.json"), issued: func(rt string) bool { return rt == "ours" }}
	for name, value := range map[string]string{
		"demo/c": `{"refresh_token":"foreign","session":"s"}`, "key:demo/c": "1 s AAAA", "demo/d": `{}`, "x": "not JSON",
	} {
		if err := f.Put(ctx, name, []byte(value)); !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("Put(%s, %s) = %v, want a refusal", name, value, err)
		}
	}
	if _, err := os.Stat(f.path); !errors.Is(err, os.ErrNotExist) {
		t.Error("a refused entry left a file")
	}
	if err := f.Put(ctx, "demo/c", []byte(`{"refresh_token":"ours","session":"s1"}`)); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(ctx, "key:demo/c", []byte("1 s1 AAAA")); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(ctx, "key:demo/c", []byte("1 s2 AAAA")); err == nil {
		t.Error("a key of another session was accepted")
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode())
	}
	later := &demoFile{path: f.path} // another process: no pool
	if _, err := later.Get(ctx, "demo/c"); err != nil {
		t.Error(err)
	}
	if err := later.Put(ctx, "demo/c", []byte(`{"refresh_token":"ours","session":"s1"}`)); err == nil {
		t.Error("a process without a pool could write")
	}
	if err := errors.Join(later.Delete(ctx, "demo/c"), later.Delete(ctx, "key:demo/c"), later.Delete(ctx, "nothing")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.path); !errors.Is(err, os.ErrNotExist) {
		t.Error("an empty file was left")
	}
}
