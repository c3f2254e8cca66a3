package e2e

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// peoplePages are those behind the sign-in page: forgotten and temporary passwords, one-time passwords,
// identity providers, other languages, the classic hosted UI.
func peoplePages(t *testing.T, tab context.Context, axe string) {
	const totp = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	idp := func(name, kind string) cognitotest.IdentityProvider {
		return cognitotest.IdentityProvider{Name: name, Type: kind, Users: []cognitotest.User{cognitotest.DefaultUser()}}
	}
	pool, client := startPool(t, cognitotest.Config{
		Users: []cognitotest.User{
			{Username: "grace", Imported: true, Attributes: map[string]string{"email": "grace@example.com"}},
			{Username: "mary", Password: "Temporary-1234", MustChangePassword: true},
			{Username: "ada", Password: "Analytical-Engine-1843", TOTPSecret: totp},
		},
		IdentityProviders: []cognitotest.IdentityProvider{idp("Corp", "OIDC"), idp("OldCorp", "SAML")},
	})
	visit(t, tab, authorizeURL(pool, client), "Sign in")
	look(t, tab, axe, "people-sign-in-with-providers")

	act(t, tab, chromedp.Click(`a[href^="/forgotPassword"]`, chromedp.ByQuery))
	shows(t, tab, "Reset your password", "")
	look(t, tab, axe, "people-forgot")
	press(t, tab, "grace"+kb.Enter)
	shows(t, tab, "Choose a new password", "outbox")
	look(t, tab, axe, "people-forgot-code")
	press(t, tab, "000000x"+kb.Tab+"a new password"+kb.Enter)
	shows(t, tab, "Choose a new password", "wrong or no longer valid")
	look(t, tab, axe, "people-forgot-code-wrong")
	visit(t, tab, pool.Domain()+"/outbox", "Outbox")
	look(t, tab, axe, "people-outbox")

	visit(t, tab, authorizeURL(pool, client), "Sign in")
	focus(t, tab, "#username")
	press(t, tab, "mary"+kb.Tab)
	focus(t, tab, "#password")
	press(t, tab, "Temporary-1234"+kb.Enter)
	shows(t, tab, "Choose a new password", "temporary")
	look(t, tab, axe, "people-new-password")
	press(t, tab, "short"+kb.Enter)
	shows(t, tab, "Choose a new password", "8 to 256")
	look(t, tab, axe, "people-new-password-short")

	visit(t, tab, authorizeURL(pool, client), "Sign in")
	focus(t, tab, "#username")
	press(t, tab, "ada"+kb.Tab)
	focus(t, tab, "#password")
	press(t, tab, "Analytical-Engine-1843"+kb.Enter)
	shows(t, tab, "Enter the code from your app", "6 digits")
	look(t, tab, axe, "people-one-time-password")
	wrong := "000000"
	if cognitotest.TOTP(totp, time.Now()) == wrong {
		wrong = "000001"
	}
	press(t, tab, wrong+kb.Enter)
	shows(t, tab, "Enter the code from your app", "That code is wrong")
	look(t, tab, axe, "people-one-time-password-wrong")

	with := func(name, value string) string {
		return authorizeURL(pool, client) + "&" + url.Values{name: {value}}.Encode()
	}
	visit(t, tab, with("identity_provider", "Corp"), "")
	look(t, tab, axe, "people-provider")
	visit(t, tab, with("identity_provider", "OldCorp"), "")
	press(t, tab, "ada"+kb.Tab+"Analytical-Engine-1843"+kb.Enter)
	eventually(t, func() bool {
		var text string
		return chromedp.Run(tab, chromedp.Evaluate("document.body.innerText", &text)) == nil && strings.Contains(text, "Continue")
	}, func() { t.Fatal("the SAML provider shows no button to go back with") })
	look(t, tab, axe, "people-provider-saml")
	for _, lang := range []string{"de", "ja"} {
		visit(t, tab, with("lang", lang), "")
		look(t, tab, axe, "people-sign-in-"+lang)
	}
	act(t, tab, network.ClearBrowserCookies())

	classic, client := startPool(t, cognitotest.Config{ClassicUI: true})
	visit(t, tab, authorizeURL(classic, client), "")
	look(t, tab, axe, "classic-sign-in")
	visit(t, tab, classic.Domain()+"/error?error=redirect_mismatch&client_id="+client.ID, "")
	look(t, tab, axe, "classic-error")

	if err := pool.UpdateClient(clientID, func(c *cognitotest.AppClient) { c.Unbranded = true }); err != nil {
		t.Fatal(err)
	}
	visit(t, tab, authorizeURL(pool, client), "")
	look(t, tab, axe, "people-unavailable")
}
