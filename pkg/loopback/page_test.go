package loopback_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/pkg/loopback"
)

var (
	successPage = loopback.Page{
		SignedInAs: "alice@example.com", Profile: "collate",
		Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI",
	}
	failurePage = loopback.Page{
		Failed: true,
		Reason: "The server refused the sign-in code.",
		Advice: "Go back to the terminal, which shows the server’s words, and start the sign-in again. You can close this tab.",
	}
)

func render(t *testing.T, p loopback.Page) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func allPages(t *testing.T) map[string][]byte {
	pages := maps.Clone(loopback.ConstantPages())
	pages["success"] = render(t, successPage)
	pages["success-bare"] = render(t, loopback.Page{SignedInAs: "alice"})
	pages["failure"] = render(t, failurePage)
	pages["failure-bare"] = render(t, loopback.Page{Failed: true})
	return pages
}

// TestScreenshots writes each page to the folder COGAUTH_SCREENSHOTS, for a browser to photograph.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("COGAUTH_SCREENSHOTS")
	if dir == "" {
		t.Skip("COGAUTH_SCREENSHOTS is not set")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, html := range allPages(t) {
		if err := os.WriteFile(filepath.Join(dir, "loopback-"+name+".html"), html, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestB13PagesAreSelfContainedWithoutScript(t *testing.T) {
	once := []string{`<html lang="en">`, "<title>", "<main>", "<h1>", `<meta charset="utf-8">`, "width=device-width", "prefers-color-scheme: dark"}
	never := regexp.MustCompile(`(?i)<script|\son\w+=|https?://(?:[^c]|c[^o])|url\(|@import|<link|<img|<form|style=`)
	for name, html := range allPages(t) {
		for _, want := range once {
			if n := bytes.Count(html, []byte(want)); n != 1 {
				t.Errorf("%s: got %q %d times, want once", name, want, n)
			}
		}
		if m := never.Find(html); m != nil {
			t.Errorf("%s: got %q, want a page without script and without anything from elsewhere", name, m)
		}
	}
}

func TestA19ConstantPagesNameTheProgram(t *testing.T) {
	for name, html := range loopback.ConstantPages() {
		if want := "This is cogauth’s sign-in page"; !bytes.Contains(html, []byte(want)) {
			t.Errorf("%s: got no %q", name, want)
		}
	}
}

func TestPageSaysWhoAndWhere(t *testing.T) {
	html := string(render(t, successPage))
	for _, want := range []string{"alice@example.com", "collate", successPage.Issuer, "Signed in", "go back to the terminal"} {
		if !strings.Contains(html, want) {
			t.Errorf("success page: got no %q", want)
		}
	}
	html = string(render(t, failurePage))
	for _, want := range []string{"Not signed in", string(failurePage.Reason), string(failurePage.Advice)} {
		if !strings.Contains(html, want) {
			t.Errorf("failure page: got no %q", want)
		}
	}
	if strings.Contains(html, "Signed in") {
		t.Error("failure page: got \"Signed in\"")
	}
}

func TestPageEscapesItsFields(t *testing.T) {
	const evil = `</style><script>alert(1)</script>"'&`
	for _, p := range []loopback.Page{
		{SignedInAs: evil, Profile: evil, Issuer: evil},
		{Failed: true, Reason: evil, Advice: evil},
	} {
		html := string(render(t, p))
		if strings.Contains(html, "<script") {
			t.Errorf("got an unescaped field in %+v", p)
		}
		if n := strings.Count(html, "&lt;script&gt;"); n < 2 {
			t.Errorf("got %d escaped fields, want at least 2", n)
		}
	}
}

var styleElement = regexp.MustCompile(`(?s)<style>(.*?)</style>`)

// styleHash is the source expression (CSP 3 §2.3.1) of a page's own style sheet.
func styleHash(t *testing.T, html []byte) string {
	t.Helper()
	m := styleElement.FindSubmatch(html)
	if m == nil {
		t.Fatalf("got a page without style: %s", html)
	}
	sum := sha256.Sum256(m[1])
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
