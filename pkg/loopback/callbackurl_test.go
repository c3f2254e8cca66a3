package loopback_test

import (
	"strings"
	"testing"

	"github.com/cogauth/cogauth/pkg/loopback"
)

func TestA4ParseCallbackURL(t *testing.T) {
	tests := []struct{ name, url, why string }{
		{"the usual", "http://localhost:8585/callback", ""},
		{"IPv4", "http://127.0.0.1:8585/callback", ""},
		{"IPv6", "http://[::1]:8585/callback", ""},
		{"no path", "http://localhost:8585", ""},
		{"root path", "http://localhost:8585/", ""},
		{"deep path", "http://localhost:1/a/b/c.d", ""},
		{"escaped path", "http://localhost:8585/a%2Fb", ""},
		{"highest port", "http://localhost:65535/callback", ""},
		{"port 80 written out", "http://localhost:80/callback", ""},
		{"https", "https://localhost:8585/callback", "must begin with http://"},
		{"a private scheme", "com.example.app:/callback", "must begin with http://"},
		{"no scheme", "localhost:8585/callback", "must begin with http://"},
		{"all interfaces", "http://0.0.0.0:8585/callback", "the host must be"},
		{"all interfaces, IPv6", "http://[::]:8585/callback", "the host must be"},
		{"LAN address", "http://192.168.1.10:8585/callback", "the host must be"},
		{"public host", "http://example.com:8585/callback", "the host must be"},
		{"another 127/8 address", "http://127.0.0.2:8585/callback", "the host must be"},
		{"host that begins like ours", "http://localhost.example.com:8585/callback", "the host must be"},
		{"upper case", "http://LOCALHOST:8585/callback", "the host must be"},
		{"trailing dot", "http://localhost.:8585/callback", "the host must be"},
		{"IPv6 without brackets", "http://::1:8585/callback", "invalid port"},
		{"IPv6 zone", "http://[::1%25lo]:8585/callback", "the host must be"},
		{"no host", "http://:8585/callback", "the host must be"},
		{"no port", "http://localhost/callback", "the port must be written out"},
		{"empty port", "http://localhost:/callback", "the port must be written out"},
		{"port 0", "http://localhost:0/callback", "from 1 to 65535"},
		{"port too high", "http://localhost:65536/callback", "from 1 to 65535"},
		{"port with a zero in front", "http://localhost:08585/callback", "from 1 to 65535"},
		{"port in words", "http://localhost:http/callback", "invalid port"},
		{"user name", "http://me@localhost:8585/callback", "user name"},
		{"host in the user name", "http://localhost:8585@example.com/callback", "user name"},
		{"query", "http://localhost:8585/callback?a=b", "query"},
		{"empty query", "http://localhost:8585/callback?", "query"},
		{"fragment", "http://localhost:8585/callback#a", "fragment"},
		{"empty fragment", "http://localhost:8585/callback#", "fragment"},
		{"space", "http://localhost:8585/call back", "normal form"},
		{"upper-case scheme", "HTTP://localhost:8585/callback", "normal form"},
		{"dot segments", "http://localhost:8585/a/../callback", "segments"},
		{"dot at the end", "http://localhost:8585/a/.", "segments"},
		{"line feed", "http://localhost:8585/\ncallback", "control character"},
		{"empty", "", "must begin with http://"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := loopback.ParseCallbackURL(tt.url)
			switch {
			case tt.why == "" && err != nil:
				t.Errorf("got %v, want nil", err)
			case tt.why == "" && u.String() != tt.url:
				t.Errorf("got %q, want %q", u, tt.url)
			case tt.why != "" && (err == nil || !strings.Contains(err.Error(), tt.why)):
				t.Errorf("got %v, want an error with %q", err, tt.why)
			}
			if tt.why == "" {
				return
			}
			if srv, err := loopback.Listen(t.Context(), []string{tt.url}); err == nil {
				srv.Close()
				t.Error("Listen: got nil, want it refused there too")
			}
		})
	}
}

func TestA5ListenerAndRedirectURIAreOneString(t *testing.T) {
	for _, path := range []string{"", "/", "/callback", "/a/b", "/a%2Fb", "/callback/"} {
		t.Run(path, func(t *testing.T) {
			t.Setenv("HOST", "0.0.0.0")
			t.Setenv("PORT", "1")
			t.Setenv("COGAUTH_CALLBACK_URL", "http://localhost:1/other")
			port := freePort(t)
			url := "http://127.0.0.1:" + port + path
			srv, err := loopback.Listen(t.Context(), []string{url})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			if got := srv.CallbackURL(); got != url {
				t.Errorf("CallbackURL: got %q, want %q", got, url)
			}
			done := await(t, srv, loopback.Observer{})
			for _, other := range []string{"/", "/callback", "/a/b", "/a/b/", "/a%2fb", "/a//b", "//callback", "/Callback", "/callback/", "/other"} {
				if other == path || path == "" && other == "/" {
					continue
				}
				visit{target: other + "?code=" + code + "&state=" + state}.want(t, port, 404)
			}
			stillWaiting(t, done)
			requested := path
			if path == "" {
				requested = "/"
			}
			answer := signIn(t, port, visit{target: requested + "?code=" + code + "&state=" + state})
			wantCode(t, done)
			if err := srv.Respond(t.Context(), successPage); err != nil {
				t.Errorf("Respond: got %v, want nil", err)
			}
			receive(t, answer)
		})
	}
}
