package pkce

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/deptest"
)

func TestDeps(t *testing.T)  { deptest.Only(t) }
func TestQuiet(t *testing.T) { deptest.Quiet(t) }

func TestChallenge(t *testing.T) {
	for _, tc := range []struct{ name, verifier, challenge string }{
		{"RFC 7636 Appendix B", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		{"AWS's own 128 characters", "9D-aW_iygXrgQcWJd0y0tNVMPSXSChIc2xceDhvYVdGLCBk-JWFTmBNjvKSdOrjTTYazOFbUmrFERrjWx6oKtK2b6z_x4_gHBDlr4K1mRFGyE8yA-05-_v7Dxf3EIYJH", "Eh0mg-OZv7BAyo-tdv_vYamx1boOYDulDklyXoMDtLg"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := Parse(tc.verifier)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.Challenge(); got != tc.challenge {
				t.Errorf("got %q, want %q", got, tc.challenge)
			}
		})
	}
}

func TestNewIsValidAndFresh(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		v := New()
		if _, err := Parse(v.Reveal()); err != nil {
			t.Fatalf("New made a verifier that Parse refuses: %v", err)
		}
		if seen[v.Reveal()] {
			t.Fatal("New repeated itself")
		}
		seen[v.Reveal()] = true
	}
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range []string{"", strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("a", 42) + "=", strings.Repeat("a", 42) + "é"} {
		if _, err := Parse(bad); err != ErrInvalidVerifier {
			t.Errorf("Parse(%q) = %v, want ErrInvalidVerifier", bad, err)
		}
	}
}

func TestVerifierNeverFormats(t *testing.T) {
	v := New()
	holder := struct{ v Verifier }{v}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if out := fmt.Sprintf(verb+verb, v, holder); strings.Contains(out, v.Reveal()) {
			t.Errorf("%s shows the verifier", verb)
		}
	}
}
