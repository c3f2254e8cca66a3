package poolfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/deptest"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

func TestDeps(t *testing.T) {
	const module = "github.com/cogauth/cogauth"
	deptest.Only(t, "github.com/BurntSushi/toml", module+"/internal/config", module+"/internal/secret", module+"/pkg/cognitotest")
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

// The pools of the guides are good ones.
func TestExamplePools(t *testing.T) {
	files, err := filepath.Glob("../../examples/pools/*.toml")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %v, %v, want five example pools", files, err)
	}
	for _, name := range files {
		cfg, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := cognitotest.New(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
