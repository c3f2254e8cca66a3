package cognitotest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/rig"
)

// TestCurl signs in by hand, with a client that nobody here has written.
func TestCurl(t *testing.T) {
	rig.Require(t, "curl", "curl")
	s := house(t)
	jar := filepath.Join(t.TempDir(), "cookies")
	curl := func(address string, options ...string) answer {
		t.Helper()
		return runCurl(t, append([]string{
			option("url", address), option("cookie", jar), option("cookie-jar", jar),
		}, options...))
	}

	u := curl(s.Domain() + "/oauth2/authorize?" + asked().Encode()).location(t)
	page := resolved(t, s.Domain(), u.String())
	f := curl(page).form(t)
	s.fill(f, "ada", password)
	back := curl(resolved(t, page, f.action), fields(f.fields)...).location(t)
	if got := back.Scheme + "://" + back.Host + back.Path; got != home || back.Query().Get("state") != "canary-state" {
		t.Fatalf("got sent to %s with another state or none, want %s with it", got, home)
	}

	got := curl(s.Domain()+"/oauth2/token", fields(form("grant_type", "authorization_code", "client_id", "public",
		"code", back.Query().Get("code"), "redirect_uri", home, "code_verifier", pageVerifier))...).tokens(t)
	if claims := s.verified(t, got.id).claims; claims["cognito:username"] != "ada" || claims["nonce"] != "canary-nonce" {
		t.Errorf("got an ID token of %v, want ada's with the nonce", claims["cognito:username"])
	}
	info := curl(s.Domain()+"/oauth2/userInfo", option("header", "Authorization: Bearer "+got.access))
	if name := info.object(t)["username"]; name != "ada" {
		t.Errorf("userInfo: got %v, want ada", name)
	}
	if a := curl(s.Domain()+"/oauth2/revoke", fields(form("client_id", "public", "token", got.refresh))...); a.status != http.StatusOK {
		t.Errorf("revoke: got status %d, want 200", a.status)
	}
	if a := curl(s.Domain()+"/oauth2/userInfo", option("header", "Authorization: Bearer "+got.access)); a.status != http.StatusUnauthorized {
		t.Errorf("userInfo, revoked: got status %d, want 401", a.status)
	}
	curl(s.Domain()+"/oauth2/token", fields(form("grant_type", "refresh_token", "client_id", "public",
		"refresh_token", got.refresh))...).refused(t, "refresh, revoked", 400, "invalid_grant")
}

// option is a line of a curl configuration.
func option(name, value string) string {
	return name + ` = "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

func fields(form url.Values) (options []string) {
	for name, values := range form {
		for _, value := range values {
			options = append(options, option("data-urlencode", name+"="+value))
		}
	}
	return options
}

// runCurl hands curl its options on standard input, where other processes do not see them.
// With --raw the body comes as it was sent, which is what http.ReadResponse wants.
func runCurl(t *testing.T, options []string) answer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "curl", "--disable", "--silent", "--show-error", "--include", "--raw", "--noproxy", "*", "--max-time", "30", "--config", "-")
	cmd.Stdin = strings.NewReader(strings.Join(options, "\n") + "\n")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatal(fmt.Errorf("curl: %w\n%s", err, complaint.Bytes()))
	}
	resp, err := http.ReadResponse(bufio.NewReader(&out), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}
