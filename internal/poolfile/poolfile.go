package poolfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/BurntSushi/toml"

	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

const maxSize = 1 << 20

// Load reads the file at path. The error is a *config.Error with the place, without any value of the
// file. What the values mean is checked by cognitotest.New.
func Load(path string) (cognitotest.Config, error) {
	var cfg cognitotest.Config
	src, err := read(path)
	if err != nil {
		return cfg, err
	}
	var root map[string]any
	if _, err := toml.Decode(src, &root); err != nil {
		return cfg, config.SyntaxError(path, src, err)
	}
	d := decoder{path, src}
	if err := d.table(reflect.ValueOf(&cfg).Elem(), root); err != nil {
		return cognitotest.Config{}, err
	}
	return cfg, nil
}

func read(path string) (string, error) {
	fail := func(fact string) error {
		return &config.Error{File: path, Fact: fact, Fix: "name a TOML file that describes a pool, such as one of examples/pools"}
	}
	f, err := os.Open(path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "", fail("the pool's description cannot be read: " + err.Error())
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	switch {
	case err != nil:
		return "", fail("the pool's description cannot be read")
	case len(data) > maxSize:
		return "", fail("the pool's description is larger than 1 MiB")
	}
	return string(data), nil
}

type decoder struct{ file, src string }

func (d decoder) fail(path []string, fix, format string, args ...any) error {
	return &config.Error{
		File: d.file, Line: config.Line(d.src, path...), Key: path[len(path)-1],
		Fact: fmt.Sprintf(format, args...), Fix: fix,
	}
}

// table fills the fields of a struct.
func (d decoder) table(v reflect.Value, values map[string]any, path ...string) error {
	known := keys(v.Type())
	for _, name := range sorted(values) {
		at := append(slices.Clip(path), name)
		field, ok := known[name]
		if !ok {
			return d.fail(at, config.Suggest(name, sorted(known)), "unknown key %q", printable(name))
		}
		if err := d.value(v.FieldByIndex(field.Index), values[name], at); err != nil {
			return err
		}
	}
	return nil
}

func (d decoder) value(v reflect.Value, value any, at []string) error {
	name := at[len(at)-1]
	wrong := func(want string) error { return d.fail(at, "write it as "+want, "%s is not %s", name, want) }
	switch v.Interface().(type) {
	case time.Duration:
		text, ok := value.(string)
		length, err := duration(text)
		if !ok || err != nil {
			return wrong(`a length of time, such as "5m" or "30d"`)
		}
		v.SetInt(int64(length))
		return nil
	case map[string]cognitotest.Failure:
		tables, ok := value.(map[string]any)
		if !ok {
			return wrong("tables [failures.ENDPOINT]")
		}
		return d.failures(v, tables, at)
	}
	switch v.Kind() {
	case reflect.String:
		text, ok := value.(string)
		if !ok {
			return wrong("a string")
		}
		v.SetString(text)
	case reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			return wrong("true or false")
		}
		v.SetBool(b)
	case reflect.Int:
		n, ok := value.(int64)
		if !ok || n > math.MaxInt32 || n < math.MinInt32 {
			return wrong("a number")
		}
		v.SetInt(n)
	case reflect.Map:
		table, ok := value.(map[string]any)
		if !ok {
			return wrong("a table")
		}
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range sorted(table) {
			text, ok := table[key].(string)
			if !ok {
				return d.fail(append(slices.Clip(at), key), "write it in quotes", "%s must hold strings", name)
			}
			v.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(text))
		}
	case reflect.Slice:
		return d.list(v, value, at, wrong)
	}
	return nil
}

func (d decoder) list(v reflect.Value, value any, at []string, wrong func(string) error) error {
	if v.Type().Elem().Kind() == reflect.Struct {
		tables, ok := value.([]map[string]any)
		if !ok {
			return wrong("tables [[" + at[len(at)-1] + "]]")
		}
		v.Set(reflect.MakeSlice(v.Type(), len(tables), len(tables)))
		for i, table := range tables {
			if err := d.table(v.Index(i), table, append(slices.Clip(at), strconv.Itoa(i))...); err != nil {
				return err
			}
		}
		return nil
	}
	items, ok := value.([]any)
	if !ok {
		return wrong(`a list of strings, such as ["…"]`)
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], ok = item.(string); !ok {
			return wrong(`a list of strings, such as ["…"]`)
		}
	}
	v.Set(reflect.ValueOf(list))
	return nil
}

// duration is time.ParseDuration with days.
func duration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// modes are the ways in which an endpoint misbehaves.
var modes = map[string]cognitotest.Failure{
	"throttled": cognitotest.Throttled(),
	"429":       cognitotest.TooManyRequests(0),
	"503":       cognitotest.Unavailable(),
	"waf":       cognitotest.Blocked(),
	"slow":      cognitotest.Slow(3 * time.Second),
	"hang":      {Hang: true},
	"drop":      {CloseBefore: true},
}

// failure is a table [failures.ENDPOINT].
type failure struct {
	Mode  string
	Delay time.Duration
	Times int
}

func (d decoder) failures(v reflect.Value, tables map[string]any, at []string) error {
	out := map[string]cognitotest.Failure{}
	for _, endpoint := range sorted(tables) {
		at := append(slices.Clip(at), endpoint)
		table, ok := tables[endpoint].(map[string]any)
		if !ok {
			return d.fail(at, "write it as a table [failures."+printable(endpoint)+"]", "a failure must be a table")
		}
		if !slices.Contains(cognitotest.Endpoints(), endpoint) {
			return d.fail(at, config.Suggest(endpoint, cognitotest.Endpoints()), "no endpoint is called %q", printable(endpoint))
		}
		var f failure
		if err := d.table(reflect.ValueOf(&f).Elem(), table, at...); err != nil {
			return err
		}
		mode, ok := modes[f.Mode]
		if !ok && f.Mode != "" || f.Mode == "" && f.Delay == 0 {
			return d.fail(append(slices.Clip(at), "mode"), "the modes are "+strings.Join(sorted(modes), ", "), "the mode of a failure is missing or not known")
		}
		if f.Times < 0 || f.Delay < 0 {
			return d.fail(at, "leave it out, or write more than 0", "times or delay of a failure is less than 0")
		}
		mode.Times = f.Times
		if f.Delay != 0 {
			mode.Delay = f.Delay
		}
		out[endpoint] = mode
	}
	v.Set(reflect.ValueOf(out))
	return nil
}

// keys are the keys of a struct's fields. Functions cannot be written in a file.
func keys(t reflect.Type) map[string]reflect.StructField {
	known := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && f.Type.Kind() != reflect.Func {
			known[key(f)] = f
		}
	}
	return known
}

// key is a field's name with underscores; the singular for a list of tables.
func key(f reflect.StructField) string {
	name := strings.NewReplacer("URLs", "Urls", "IDs", "Ids").Replace(f.Name)
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
		return strings.TrimSuffix(b.String(), "s")
	}
	return b.String()
}

// sorted returns the keys of m in one order: an error that changes from run to run helps nobody.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// printable shows a name that somebody else chose.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
