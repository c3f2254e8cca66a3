// Package deptest lets a package's own test say what that package may import.
//
// The rules live in the tests of the packages they bind:
//
//	func TestDeps(t *testing.T) { deptest.Only(t) }                     // standard library only
//	func TestDeps(t *testing.T) { deptest.Only(t, "golang.org/x/sys") } // and this module
//	func TestQuiet(t *testing.T) { deptest.Quiet(t) }                   // never exits, logs, prints or grabs signals
package deptest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cogauth/cogauth"

type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// systems are the operating systems whose imports are checked.
var systems = []string{"linux", "darwin", "windows"}

// Only fails t if the package in the current folder imports, directly or through packages of this
// module, something that is neither in the standard library nor below one of allowed. What an
// allowed package imports in turn is its own affair.
func Only(t *testing.T, allowed ...string) {
	t.Helper()
	for _, goos := range systems {
		pkgs := list(t, goos)
		for _, p := range pkgs {
			if p.Standard || !ours(p.ImportPath) {
				continue
			}
			for _, path := range p.Imports {
				dep, ok := pkgs[path]
				if (ok && dep.Standard) || path == "C" || below(path, p.ImportPath) || permitted(path, allowed) {
					continue
				}
				t.Errorf("GOOS=%s: %s imports %s, which its import rule does not allow", goos, p.ImportPath, path)
			}
		}
	}
}

// Never fails t if the package in the current folder links one of the packages forbidden, however far down.
func Never(t *testing.T, forbidden ...string) {
	t.Helper()
	for _, goos := range systems {
		for path := range list(t, goos) {
			if permitted(path, forbidden) {
				t.Errorf("GOOS=%s: links %s", goos, path)
			}
		}
	}
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func below(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

func permitted(path string, allowed []string) bool {
	for _, a := range allowed {
		if path == a || below(path, a) {
			return true
		}
	}
	return false
}

func list(t *testing.T, goos string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports", ".")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	pkgs := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs[p.ImportPath] = p
	}
}

// banned are the names a library must not use: a library never exits, logs, prints, reads the
// environment or the command line, or grabs signals.
var banned = map[string][]string{
	"os":            {"Exit", "Args", "Stdin", "Stdout", "Stderr", "Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "Getppid"},
	"fmt":           {"Print", "Printf", "Println"},
	"log":           {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Default", "Output", "Writer", "SetOutput", "SetFlags", "SetPrefix"},
	"log/slog":      {"Debug", "Info", "Warn", "Error", "Default", "SetDefault", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"},
	"os/signal":     {"*"},
	"flag":          {"*"},
	"net/http":      {"DefaultServeMux", "DefaultClient", "Handle", "HandleFunc", "Get", "Post", "PostForm", "Head", "ListenAndServe"},
	"runtime/debug": {"PrintStack"},
}

// Quiet fails t if a Go file in the current folder, tests apart, uses a name that lets a library
// end, interrupt or write to its host program. Each of except has the form "os.Getenv".
func Quiet(t *testing.T, except ...string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, use := range uses(t, name) {
			if !permitted(use.name, except) {
				t.Errorf("%s: a library must not use %s", use.pos, use.name)
			}
		}
	}
}

type use struct {
	name string
	pos  token.Position
}

// uses lists the banned names in one file.
func uses(t *testing.T, name string) []use {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]string{} // local name -> path
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if banned[path] == nil {
			continue
		}
		local := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
		imported[local] = path
	}
	var found []use
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			id, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			path := imported[id.Name]
			for _, b := range banned[path] {
				if b == "*" || b == n.Sel.Name {
					found = append(found, use{path + "." + n.Sel.Name, fset.Position(n.Pos())})
				}
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
				found = append(found, use{id.Name, fset.Position(n.Pos())})
			}
		}
		return true
	})
	return found
}
