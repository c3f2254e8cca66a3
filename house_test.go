package cogauth

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/deptest"
)

const module = "github.com/cogauth/cogauth"

// The import rules of the house. Each third party has one owner; a package's own test says what
// that package may import besides.
var owners = map[string][]string{
	"github.com/pkg/browser":        {"internal/browser"},
	"github.com/zalando/go-keyring": {"pkg/tokenstore"},
	"filippo.io/age":                {"pkg/tokenstore/filestore"},
	"golang.org/x/crypto":           {"pkg/tokenstore/filestore"},
	"github.com/godbus/dbus/v5":     {"pkg/tokenstore", "internal/rig"},
	"github.com/golang-jwt/jwt/v5":  {"internal/idtoken", "pkg/cognitotest"},
	"golang.org/x/oauth2":           {".", "internal/provider"},
	"golang.org/x/net":              {"internal/origin"},
	"github.com/BurntSushi/toml":    {"internal/config", "internal/poolfile"},
	"github.com/spf13/cobra":        {"cmd/cogauth"},
	"github.com/spf13/pflag":        {"cmd/cogauth"},
	"golang.org/x/term":             {"cmd/cogauth"},
	module + "/pkg/cognitotest":     {"cmd/cogauth", "examples", "internal/poolfile"},
	module + "/cmd":                 {},
}

func TestHouseImportRules(t *testing.T) {
	eachFile(t, func(dir, path string, imports []string) {
		for _, imp := range imports {
			for third, allowed := range owners {
				if imp != third && !strings.HasPrefix(imp, third+"/") {
					continue
				}
				ok := false
				for _, a := range allowed {
					ok = ok || dir == a || strings.HasPrefix(dir, a+"/")
				}
				if !ok {
					t.Errorf("%s imports %s, which belongs to %v", path, imp, allowed)
				}
			}
			if imp == "testing" && !strings.HasPrefix(dir, "internal/deptest") && !strings.HasPrefix(dir, "internal/rig") && dir != "pkg/tokenstore/storetest" {
				t.Errorf("%s imports testing: only test-support packages may", path)
			}
			if strings.HasPrefix(imp, module+"/internal/") && strings.HasPrefix(dir, "examples") {
				t.Errorf("%s imports %s: an example is what an embedder could write", path, imp)
			}
		}
	})
}

// eachFile visits the module's Go files, tests and nested modules apart.
func eachFile(t *testing.T, visit func(dir, path string, imports []string)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == "e2e"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			imports = append(imports, imp)
		}
		n++
		visit(filepath.ToSlash(filepath.Dir(path)), path, imports)
		return nil
	})
	if err != nil || n < 20 {
		t.Fatalf("visited %d files: %v", n, err)
	}
}

func TestDeps(t *testing.T) {
	deptest.Only(t,
		module+"/internal", module+"/pkg/loopback", module+"/pkg/pkce", module+"/pkg/tokenstore",
		"github.com/pkg/browser", "github.com/zalando/go-keyring", "github.com/godbus/dbus/v5",
		"github.com/golang-jwt/jwt/v5", "golang.org/x/oauth2", "golang.org/x/sys")
	// What an embedder links must not include the command's parts.
	deptest.Never(t, "testing", "github.com/spf13/cobra", "github.com/BurntSushi/toml", "flag", module+"/pkg/cognitotest", module+"/internal/config", "os/signal")
}

// N4: a library never exits, logs, prints or grabs signals.
// What it reads of the environment is only what the system's own parts would: where a browser is.
func TestN4LibraryIsQuiet(t *testing.T) { deptest.Quiet(t, "os.Getenv") }

// N4 for every package but the command: whoever adds a package need not remember a test.
func TestN4EveryLibraryIsQuiet(t *testing.T) {
	checked := map[string]bool{}
	eachFile(t, func(dir, _ string, _ []string) {
		if checked[dir] || strings.HasPrefix(dir, "cmd") || strings.HasPrefix(dir, "examples") || strings.HasPrefix(dir, "internal/rig") || strings.HasPrefix(dir, "internal/deptest") || strings.HasPrefix(dir, "internal/bench") || dir == "credential-helper/conformance" {
			return
		}
		checked[dir] = true
		t.Run(dir, func(t *testing.T) {
			t.Chdir(dir)
			deptest.Quiet(t, "os.Getenv")
		})
	})
}
