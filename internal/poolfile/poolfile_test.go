package poolfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

func TestDeps(t *testing.T) {
	const module = "github.com/cogauth/cogauth"
	deptest.Only(t, "github.com/BurntSushi/toml", module+"/internal/config", module+"/internal/flock", module+"/internal/turns", "golang.org/x/sys", module+"/internal/origin", "golang.org/x/net/idna", module+"/internal/secret", module+"/pkg/cognitotest")
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pool.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every field that a pool has can be written in a file and arrives, whatever fields it gains.
func TestEveryFieldCanBeWritten(t *testing.T) {
	want := reflect.New(reflect.TypeFor[cognitotest.Config]()).Elem()
	var b strings.Builder
	fill(t, &b, want, "")
	got, err := Load(write(t, b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if !reflect.DeepEqual(got, want.Interface()) {
		t.Errorf("got\n%+v\nwant\n%+v\nfrom\n%s", got, want.Interface(), b.String())
	}
}

// fill gives every field a value of its own and writes it down: plain keys first, then tables.
func fill(t *testing.T, b *strings.Builder, v reflect.Value, table string) {
	t.Helper()
	var tables []reflect.StructField
	for _, f := range reflect.VisibleFields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if !f.IsExported() || f.Type.Kind() == reflect.Func {
			continue
		}
		name := key(f)
		switch {
		case f.Type == reflect.TypeFor[time.Duration]():
			field.SetInt(int64(90 * time.Second))
			fmt.Fprintf(b, "%s = \"90s\"\n", name)
		case f.Type.Kind() == reflect.String:
			field.SetString("the " + name)
			fmt.Fprintf(b, "%s = %q\n", name, "the "+name)
		case f.Type.Kind() == reflect.Bool:
			field.SetBool(true)
			fmt.Fprintf(b, "%s = true\n", name)
		case f.Type.Kind() == reflect.Int:
			field.SetInt(7)
			fmt.Fprintf(b, "%s = 7\n", name)
		case f.Type == reflect.TypeFor[[]string]():
			field.Set(reflect.ValueOf([]string{"a", "b " + name}))
			fmt.Fprintf(b, "%s = [\"a\", \"b %s\"]\n", name, name)
		case f.Type == reflect.TypeFor[map[string]string]():
			field.Set(reflect.ValueOf(map[string]string{"email": "x", "custom:team": "y"}))
			fmt.Fprintf(b, "%s = { email = \"x\", \"custom:team\" = \"y\" }\n", name)
		default:
			tables = append(tables, f)
		}
	}
	for _, f := range tables {
		field, name := v.FieldByIndex(f.Index), key(f)
		if table != "" {
			name = table + "." + name
		}
		switch {
		case f.Type == reflect.TypeFor[map[string]cognitotest.Failure]():
			field.Set(reflect.ValueOf(map[string]cognitotest.Failure{"token": {Hang: true, Times: 3}, "jwks": {Delay: 2 * time.Second}}))
			fmt.Fprintf(b, "[failures.token]\nmode = \"hang\"\ntimes = 3\n[failures.jwks]\ndelay = \"2s\"\n")
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			field.Set(reflect.MakeSlice(f.Type, 2, 2))
			for i := range 2 {
				fmt.Fprintf(b, "[[%s]]\n", name)
				fill(t, b, field.Index(i), name)
			}
		default:
			t.Errorf("%s: a field of type %v cannot be written in a file", f.Name, f.Type)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, tc := range []struct{ name, src, fact, fix string }{
		{"typo", "regionn = 'x'\n", `:1: unknown key "regionn"`, "did you mean region?"},
		{"typo in a client", "\n[[client]]\nsecretz = ['CANARY']\n", `:3: unknown key "secretz"`, "secrets"},
		{"wrong type", "[[client]]\nsecrets = 'CANARY'\n", "secrets is not a list of strings", "write it as"},
		{"list of numbers", "[[user]]\ngroups = [1]\n", "groups is not a list", ""},
		{"a bare length of time", "sign_in_lifetime = 5\n", "sign_in_lifetime is not a length of time", `"5m"`},
		{"client as a table", "[client]\nid = 'x'\n", "client is not tables [[client]]", ""},
		{"attribute that is a boolean", "[[user]]\nattributes = { email_verified = true }\n", "must hold strings", "quotes"},
		{"unknown endpoint", "[failures.tokn]\nmode = 'hang'\n", `no endpoint is called "tokn"`, "did you mean token?"},
		{"unknown mode", "[failures.token]\nmode = 'CANARY'\n", "mode of a failure", "throttled"},
		{"no mode", "[failures.token]\ntimes = 1\n", "mode of a failure", "throttled"},
		{"wrong type in the second client", "[[client]]\nid = 'x'\n[[client]]\nid = 2\n", ":4: id is not a string", ""},
		{"wrong type in a provider's second user", "[[identity_provider]]\n[[identity_provider.user]]\ngroups = ['a']\n[[identity_provider.user]]\ngroups = 'CANARY'\n", ":5: groups is not a list", ""},
		{"the first of two wrong attributes", "[[user]]\n[user.attributes]\nb = 1\na = 2\n", ":4: attributes must hold strings", ""},
		{"a failure less than never", "[failures.token]\nmode = 'hang'\ntimes = -1\n", "less than 0", ""},
		{"a failure before it happens", "[failures.token]\ndelay = '-1s'\n", "less than 0", ""},
		{"no TOML", "region = CANARY\n", "not valid TOML", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(write(t, tc.src))
			e, ok := errors.AsType[*config.Error](err)
			if !ok || !errors.Is(err, config.ErrInvalid) {
				t.Fatalf("got %v, want a *config.Error", err)
			}
			if !strings.Contains(e.Error(), tc.fact) || !strings.Contains(e.Fix, tc.fix) || strings.Contains(e.Error()+e.Fix, "CANARY") {
				t.Errorf("got %q and %q, want %q and %q", e.Error(), e.Fix, tc.fact, tc.fix)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "nothing.toml")); !errors.Is(err, config.ErrInvalid) {
		t.Errorf("a missing file: got %v", err)
	}
}

// The pools of the guides are good ones, and are what the guides set up.
func TestExamplePools(t *testing.T) {
	for name, is := range map[string]func(cfg cognitotest.Config, c cognitotest.AppClient) bool{
		"collate": func(_ cognitotest.Config, c cognitotest.AppClient) bool {
			return c.Secrets == nil && c.CallbackURLs[0] == "http://localhost:8585/callback"
		},
		"piler": func(cfg cognitotest.Config, c cognitotest.AppClient) bool {
			return len(c.Secrets) == 1 && cfg.Region == "eu-west-1" && cfg.DomainPrefix != "" &&
				strings.HasSuffix(c.CallbackURLs[0], "/auth/cognito.php") && c.CallbackURLs[1] == "http://localhost:8585/callback" &&
				slices.ContainsFunc(cfg.Users, func(u cognitotest.User) bool { return u.Imported }) &&
				slices.ContainsFunc(cfg.Users, func(u cognitotest.User) bool { return u.MustChangePassword })
		},
		"pydio": func(cfg cognitotest.Config, c cognitotest.AppClient) bool {
			return len(c.Secrets) == 1 && slices.Contains(c.LogoutURLs, "https://cells.example.com/logout") && cfg.Users[0].Attributes["email"] != ""
		},
		"programster": func(cfg cognitotest.Config, c cognitotest.AppClient) bool {
			return len(cfg.Groups) == 2 && cfg.Groups[0].Role != "" && c.IDTokenValidity == 5*time.Minute && !c.DisableTokenRevocation &&
				slices.ContainsFunc(cfg.Users, func(u cognitotest.User) bool { return u.TOTPSecret != "" })
		},
		"federated": func(cfg cognitotest.Config, c cognitotest.AppClient) bool {
			return cfg.CustomDomain == "auth.example.com" && cfg.IdentityProviders[0].Name == "Corp" && len(cfg.IdentityProviders[0].Users) > 0 &&
				cfg.ResourceServers[0].Identifier == "https://api.example.com" && slices.Contains(c.Scopes, "https://api.example.com/write")
		},
	} {
		cfg, err := Load("../../examples/pools/" + name + ".toml")
		if err != nil {
			t.Error(err)
			continue
		}
		pool, err := cognitotest.New(cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !is(cfg, pool.Client()) {
			t.Errorf("%s is not what its guide sets up: %+v", name, cfg)
		}
	}
	files, err := filepath.Glob("../../examples/pools/*.toml")
	if err != nil || len(files) != 5 {
		t.Errorf("got %v, %v, want a test here for each example", files, err)
	}
}

// The package comment has every key, and is a good pool itself.
func TestReferenceIsComplete(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(line, "//\t"); ok {
			b.WriteString(rest)
		}
	}
	path := write(t, b.String())
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cognitotest.New(cfg); err != nil {
		t.Error(err)
	}
	var root map[string]any
	if _, err := toml.Decode(b.String(), &root); err != nil {
		t.Fatal(err)
	}
	hasEvery(t, root, reflect.TypeFor[cognitotest.Config](), "")
	failures := root["failures"].(map[string]any)
	hasEvery(t, failures["token"].(map[string]any), reflect.TypeFor[failure](), "failures.token.")
	for mode := range modes {
		if !strings.Contains(b.String(), fmt.Sprintf("%q", mode)) {
			t.Errorf("the mode %s is not there", mode)
		}
	}
}

// hasEvery fails t for each key of typ that the table leaves out. A provider's users have the keys of
// users, which are there already.
func hasEvery(t *testing.T, table map[string]any, typ reflect.Type, at string) {
	for name, f := range keys(typ) {
		value, ok := table[name]
		if !ok {
			t.Errorf("%s%s is not there", at, name)
			continue
		}
		if list, ok := value.([]map[string]any); ok && at != "identity_provider." {
			hasEvery(t, list[0], f.Type.Elem(), at+name+".")
		}
	}
}

// Each way to fail is one that the pool knows, and does something.
func TestModes(t *testing.T) {
	for mode := range modes {
		cfg, err := Load(write(t, "[failures.token]\nmode = '"+mode+"'\ntimes = 2\n"))
		if err != nil {
			t.Error(err)
			continue
		}
		got := cfg.Failures["token"]
		if got.Times != 2 {
			t.Errorf("%s: got %d times, want 2", mode, got.Times)
		}
		if got.Times = 0; got == (cognitotest.Failure{}) {
			t.Errorf("%s does nothing", mode)
		}
		if cfg, err = Load(write(t, "[failures.token]\nmode = '"+mode+"'\ndelay = '7s'\n")); err != nil || cfg.Failures["token"].Delay != 7*time.Second {
			t.Errorf("%s with a delay: got %+v, %v, want 7s", mode, cfg.Failures, err)
		}
	}
}
