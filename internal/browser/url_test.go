package browser

import (
	"errors"
	"strings"
	"testing"
)

func TestS7CheckURL(t *testing.T) {
	tests := []struct {
		name, url string
		ok        bool
	}{
		{"authorization request", signInURL, true},
		{"http on localhost", "http://localhost:9000/login?a=b&c=%22d%22", true},
		{"http on 127.0.0.1", "http://127.0.0.1:9000/", true},
		{"http on ::1", "http://[::1]:9000/", true},
		{"host alone", "https://example.com", true},
		{"http elsewhere", "http://example.com/", false},
		{"http on a name that begins like loopback", "http://127.0.0.1.example.com/", false},
		{"http on a name that ends like loopback", "http://evil-localhost/", false},
		{"file", "file:///etc/passwd", false},
		{"javascript", "javascript:alert%281%29", false},
		{"an application's scheme", "ms-msdt:/id", false},
		{"mailto", "mailto:a@example.com", false},
		{"data", "data:text/html,x", false},
		{"no scheme", "//example.com/", false},
		{"opaque", "https:example.com", false},
		{"upper-case scheme", "HTTPS://example.com/", false},
		{"leading dash", "-https://example.com/", false},
		{"an option", "--version", false},
		{"host with leading dash", "https://-oProxyCommand/", false},
		{"empty", "", false},
		{"no host", "https:///x", false},
		{"port without host", "https://:443/", false},
		{"user name", "https://a@example.com/", false},
		{"user name and password", "https://a:b@example.com/", false},
		{"double quote", `https://example.com/?a="b`, false},
		{"single quote", "https://example.com/?a='b", false},
		{"backtick", "https://example.com/?a=`id`", false},
		{"command substitution", "https://example.com/?a=$(id)", false},
		{"semicolon", "https://example.com/?a=b;id", false},
		{"pipe", "https://example.com/?a=b|id", false},
		{"redirection", "https://example.com/?a=b>c", false},
		{"caret, the escape of cmd.exe", "https://example.com/?a=b^&calc", false},
		{"backslash", `https://example.com\@evil.example/`, false},
		{"space", "https://example.com/ --flag", false},
		{"tab", "https://example.com/\ta", false},
		{"line feed", "https://example.com/\na", false},
		{"NUL", "https://example.com/\x00", false},
		{"escape sequence", "https://example.com/\x1b[2J", false},
		{"not ASCII", "https://exämple.com/", false},
		{"invalid UTF-8", "https://example.com/\xff", false},
		{"fragment", "https://example.com/#a", false},
		{"percent that escapes nothing, in the query", "https://example.com/?a=%PATH%", false},
		{"percent at the end", "https://example.com/?a=%", false},
		{"half an escape", "https://example.com/?a=%2", false},
		{"percent that escapes nothing, in the path", "https://example.com/%zz", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckURL(tt.url)
			if (err == nil) != tt.ok {
				t.Fatalf("got %v, want accepted: %v", err, tt.ok)
			}
			var refused *URLError
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("got %T, want *URLError", err)
			}
			if err != nil && len(tt.url) > 12 && strings.Contains(err.Error(), tt.url) {
				t.Errorf("got the URL in %q", err)
			}
		})
	}
}

// What is accepted must survive a shell's word splitting and quoting unchanged, whatever it is.
func FuzzS7CheckURL(f *testing.F) {
	for _, seed := range []string{signInURL, "http://localhost:1/", "https://a/?b=$(c)", "https://a/ b", "-x", "https://a/%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckURL(s) != nil {
			return
		}
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
			t.Errorf("got %q accepted, want http or https", s)
		}
		if i := strings.IndexFunc(s, func(r rune) bool {
			return r <= ' ' || r > '~' || strings.ContainsRune("\"'`$\\;|<>(){}^*!#", r)
		}); i >= 0 {
			t.Errorf("got %q accepted, with a character at %d that a shell reads", s, i)
		}
	})
}
