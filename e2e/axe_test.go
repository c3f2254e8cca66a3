package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/cogauth/cogauth/internal/rig"
)

// hang is how long a test waits for something before it calls it hanging.
const hang = time.Minute

// axe is the source of axe-core, which e2e/node holds after npm ci.
func axe(t *testing.T) string {
	t.Helper()
	var manifest struct{ Version string }
	raw, err := os.ReadFile("node/node_modules/axe-core/package.json")
	if err == nil {
		err = json.Unmarshal(raw, &manifest)
	}
	source, readErr := os.ReadFile("node/node_modules/axe-core/axe.min.js")
	if err != nil || readErr != nil {
		rig.Missing(t, "axe-core", "it is not in e2e/node: run npm ci there")
	}
	rig.Ran(t, "axe-core", manifest.Version)
	return string(source)
}

// violation is one rule that a page breaks, or that axe-core could not decide on.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

// violations has axe-core judge the page as it is now. Its script comes in by way of the debugger:
// the policy of our pages lets no other in.
func violations(t *testing.T, tab context.Context, axe string) []violation {
	t.Helper()
	var there bool
	act(t, tab, chromedp.Evaluate("typeof axe === 'object'", &there))
	if !there {
		act(t, tab, chromedp.Evaluate(axe+";0", nil))
	}
	var answer string
	act(t, tab, chromedp.Evaluate(`axe.run(document, {resultTypes: ['violations', 'incomplete']}).then(r => JSON.stringify(r.violations.concat(r.incomplete)))`,
		&answer, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var found []violation
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// look judges the page that the tab shows in light and dark, and on a narrow screen; with
// COGAUTH_SCREENSHOTS it takes its picture. The page is loaded once: some are served only once.
func look(t *testing.T, tab context.Context, axe, name string) {
	t.Helper()
	background := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		act(t, tab,
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
			chromedp.EmulateViewport(900, 760))
		for _, v := range violations(t, tab, axe) {
			t.Errorf("%s, %s: got axe-core's %s (%s), want no violation", name, scheme, v.ID, v.Help)
			for _, n := range v.Nodes {
				t.Logf("%s\n%s", n.HTML, n.FailureSummary)
			}
		}
		screenshot(t, tab, name+"-"+scheme)
		var colour string
		act(t, tab, chromedp.Evaluate("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor", &colour))
		background[scheme] = colour
		// WCAG 2.2, 1.4.10: no scrolling in two dimensions at a width of 320 CSS pixels.
		var width int
		act(t, tab, chromedp.EmulateViewport(320, 640), chromedp.Evaluate("document.documentElement.scrollWidth", &width))
		if width > 320 {
			t.Errorf("%s: got a page %d pixels wide on a screen of 320, want no scrolling sideways", name, width)
		}
	}
	if background["light"] == background["dark"] {
		t.Errorf("%s: got the background %s in light and dark, want two", name, background["light"])
	}
}

// screenshot writes what the tab shows to NAME.png in the folder that COGAUTH_SCREENSHOTS names.
func screenshot(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("COGAUTH_SCREENSHOTS")
	if dir == "" {
		return
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir) // as typed in the repository's root, where make runs
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var png []byte
	act(t, tab, chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// act does one thing after the other in the tab, each of which must succeed.
func act(t *testing.T, tab context.Context, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, hang)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatalf("in Chromium: %v", err)
	}
}

// focus waits until the element has the keyboard focus, which no test gives it.
func focus(t *testing.T, tab context.Context, selector string) {
	t.Helper()
	var there bool
	script := fmt.Sprintf("document.readyState === 'complete' && document.activeElement.matches(%q)", selector)
	eventually(t, func() bool {
		return chromedp.Run(tab, chromedp.Evaluate(script, &there)) == nil && there
	}, func() { t.Fatalf("%s has no keyboard focus", selector) })
}

// press types text, key by key, to whatever has the focus.
func press(t *testing.T, tab context.Context, text string) {
	t.Helper()
	act(t, tab, chromedp.KeyEvent(text))
}

// eventually calls ok until it is true, or fail if that takes so long that it counts as hanging.
func eventually(t *testing.T, ok func() bool, fail func()) {
	t.Helper()
	for deadline := time.Now().Add(hang); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) || t.Context().Err() != nil {
			fail()
			return
		}
	}
}
