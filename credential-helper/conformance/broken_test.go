package main

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestBrokenHelpers: each fault is one change to a helper that conforms, and the test that is for it
// notices. The rest of the tests is not run on it, to save time.
func TestBrokenHelpers(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for _, fault := range []struct {
		name, test, helper string
		edit               func(string) string
	}{
		{"a banner", "a served URL has a token", "py", replace("print(json.dumps(", "print('hello')\nprint(json.dumps(")},
		{"two lines", "a served URL has a token", "py", replace("**reply})", "**reply}, indent=1)")},
		{"no LF", "a served URL has a token", "py", replace("**reply}))", "**reply}), end='')")},
		{"wrong status", "a served URL has a token", "py", replace(`sys.exit("error" in reply)`, "sys.exit(1)")},
		{"noise", "a served URL has a token", "py", replace("print(json.dumps(", "print('hello', file=sys.stderr)\nprint(json.dumps(")},
		{"fractions of a second", "a served URL has a token", "py", replace("%H:%M:%SZ", "%H:%M:%S.000Z")},
		{"another zone", "a served URL has a token", "py", replace("%H:%M:%SZ", "%H:%M:%S+00:00")},
		{"seconds since 1970", "a served URL has a token", "py", replace(`end.strftime("%Y-%m-%dT%H:%M:%SZ")`, `entry["expires_at"]`)},
		{"a clock that is wrong", "a served URL has a token", "py", replace(`entry["expires_at"] // 1,`, `entry["expires_at"] - 86400,`)},
		{"another type of token", "a served URL has a token", "py", replace(`"token_type": entry["token_type"]`, `"token_type": "bearer"`)},
		{"no type of token", "a served URL has a token", "sh", replace(`, token_type: "access"`, "")},
		{"a token of two lines", "a served URL has a token", "py", replace(`"token": entry["token"],`, `"token": entry["token"] + "\n",`)},
		{"another version", "a served URL has a token", "py", replace(`{"version": 1, **reply}`, `{"version": 2, **reply}`)},
		{"names in capitals", "a served URL has a token", "py", replace(`{"token": entry["token"]`, `{"Token": entry["token"]`)},
		{"unknown members refused", "members that are not known are ignored", "py", replace("    request = {name: value for", "    if set(request) - set(TYPES) - {'version'}:\n        raise Failure('malformed', 'no')\n    request = {name: value for")},
		{"null is of the wrong type", "null is the same as leaving it out", "py", replace(" and value is not None}", "}")},
		{"integers only", "whole numbers may be written with a fraction of 0", "py", replace(`"min_ttl_seconds": (int, float)`, `"min_ttl_seconds": int`)},
		{"short of the wish", "a token that ends sooner than wished is no error", "py", replace("<= time.time()", `<= time.time() + request.get("min_ttl_seconds", 0)`)},
		{"case of the host", "scheme and host in capitals, the scheme's own port, path and query are the same target", "py", replace("m[2].lower()", "m[2]")},
		{"the own port", "scheme and host in capitals, the scheme's own port, path and query are the same target", "sh", replace("$port == 0 or ", "$port == 0 or false and ")},
		{"case of names", "names are case-sensitive", "py", replace("return members", "return {name.lower(): members[name] for name in members}")},
		{"one at a time", "eight at once have a token each", "py", replace("    with open(path) as f:", "    os.mkdir(path + '.lock')\n    import atexit; atexit.register(os.rmdir, path + '.lock'); time.sleep(2)\n    with open(path) as f:")},
		{"anybody", "a foreign URL is not served", "py", replace(`target = origin(request.get("url", ""))`, "target = next(iter(tokens))")},
		{"anybody", "a foreign URL is not served", "sh", replace("([.url // \"\" | origin] != [$origin])", "false")},
		{"error without message", "a foreign URL is not served", "sh", replace(", message: $message}", "}")},
		{"error with status 0", "a foreign URL is not served", "py", replace(`sys.exit("error" in reply)`, "sys.exit(0)")},
		{"an error of its own", "a foreign URL is not served", "sh", replace(`fail not_served`, "fail nothing")},
		{"an error and a token", "a foreign URL is not served", "sh", replace("error: $error,", `error: $error, token: "x",`)},
		{"escape sequences", "a foreign URL is not served", "py", replace("there is nothing for", `there is \x1b[1mnothing\u202e for`)},
		{"prefix of a URL", "a URL that only looks like the served one is not served", "py", replace(`target = origin(request.get("url", ""))`, `target = next((o for o in tokens if request.get("url", "").startswith(o)), None)`)},
		{"end of a name", "a URL that only looks like the served one is not served", "py", replace(`target = origin(request.get("url", ""))`, `target = next((o for o in tokens if (origin(request.get("url", "")) or "").endswith(o[8:])), None)`)},
		{"no scheme", "a URL that only looks like the served one is not served", "sh", replace(`"\(.scheme)://`, `"https://`)},
		{"no port", "a URL that only looks like the served one is not served", "py", replace("port not in (0,", "port < 0 and port not in (0,")},
		{"user name", "a URL that programs read in different ways is not served", "py", replace("://([a-z", "://(?:[^/]*@)?([a-z")},
		{"backslash", "a URL that programs read in different ways is not served", "sh", replace("[/?#][!-", "[/?#\\\\\\\\][!-")},
		{"escapes", "a URL that programs read in different ways is not served", "py", replace(`origin(request.get("url", ""))`, `origin(__import__("urllib.parse").parse.unquote(request.get("url", "")))`)},
		{"any profile", "a profile that is not known gets nothing", "py", replace(`"profile" in request or `, "")},
		{"line breaks", "CR, LF and NUL are refused in every string", "py", replace(`r"[\r\n\0]"`, `r"[\r\n]"`)},
		{"line breaks", "CR, LF and NUL are refused in every string", "sh", replace(`"profile", "token"`, `"profile"`)},
		{"types", "a value of another type is refused", "py", replace("not isinstance(value, TYPES[name])", "False")},
		{"types", "a value of another type is refused", "sh", replace(`flag("interactive", "refresh")`, `flag("interactive")`)},
		{"any version", "a request without a version is refused", "py", replace(`not number(request.get("version"))`, `not number(request.setdefault("version", 1))`)},
		{"whatever is in front", "what is not one JSON object is refused", "sh", replace("length != 1", "length < 1")},
		{"dies of bad input", "what is not one JSON object is refused", "py", replace("except (ValueError, RecursionError)", "except KeyError")},
		{"get is the default", "an action that is not known is answered with unsupported_action", "py", replace(`if request["action"] not in`, `if "" and request["action"] not in`)},
		{"versions are not said", "a version that is not known is answered with those that are, whatever else is in the request", "py", replace(", versions=[1]", "")},
		{"versions come last", "a version that is not known is answered with those that are, whatever else is in the request", "sh", func(s string) string {
			line := "  elif .version != 1 then \"unsupported_version\"\n"
			return strings.Replace(strings.Replace(s, line, "", 1), "  elif .action == null", line+"  elif .action == null", 1)
		}},
		{"reject for anybody", "reject for a foreign URL is not served", "py", replace(`if "profile" in request or target`, `if request["action"] == "reject":
        return {}
    if target`)},
		{"rejects whatever there is", "reject of another token leaves this one alone", "py", replace(` and refused == entry.get("token")`, "")},
		{"rejects nothing", "a token that was rejected is not handed out again", "sh", replace(`drop) rm -f "$2" && `, "drop) ")},
		{"rejects the entry", "refresh, and reject without a token, leave the target served", "py", replace("tokens[target] = {}\n        save", "del tokens[target]\n        save")},
		{"a token on standard error", "a profile that is not known gets nothing", "py", replace(`if "profile" in request`, `if "profile" in request and print(tokens, file=sys.stderr) is None`)},
		{"silence", "a served URL has a token", "sh", func(string) string { return "cat >/dev/null\n" }},
		{"echo", "a served URL has a token", "sh", func(string) string { return "cat\n" }},
		{"does not read", "a served URL has a token", "sh", func(string) string { return "exit 1\n" }},
	} {
		t.Run(fault.helper+"/"+strings.ReplaceAll(fault.name, " ", "-"), func(t *testing.T) {
			make := pyHelper
			if fault.helper == "sh" {
				make = shHelper
			}
			at := slices.IndexFunc(tests, func(x test) bool { return x.name == fault.test })
			if at < 0 {
				t.Fatal("there is no such test")
			}
			x := tester{helper: make(t, servedURL, fault.edit), served: servedURL, foreign: foreignURL, timeout: limit}
			x.origin = must(t, servedURL)
			if fault.test == "a profile that is not known gets nothing" {
				// A token must have been seen to be known again.
				if _, err := x.wantToken(t.Context(), x.get()); err != nil {
					t.Fatal(err)
				}
			}
			err := tests[at].run(&x, t.Context())
			if err == nil {
				t.Fatal("nobody noticed")
			}
			t.Log(err)
		})
	}
}

// A helper that says nothing for ever, or leaves a child behind that does, holds nobody up.
func TestHelperThatHangs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh")
	}
	for _, script := range []string{"sleep 600", "sleep 600 & wait"} {
		var out bytes.Buffer
		status := run(t.Context(), []string{"-served", servedURL, "-foreign", foreignURL, "-timeout", "100ms", "--", "sh", "-c", script}, &out, io.Discard)
		if status != 1 || !strings.Contains(out.String(), "not ok 1 ") || !strings.Contains(out.String(), "no answer within 100ms") || !strings.Contains(out.String(), "Bail out!") {
			t.Errorf("%s: exit status %d\n%s", script, status, &out)
		}
	}
}

// No token is printed, wherever a broken helper puts it.
func TestTokensAreNotPrinted(t *testing.T) {
	helper := pyHelper(t, servedURL, nil)
	script := filepath.Join(t.TempDir(), "leaky.py")
	// It hands the token out, and then quotes it in a version's answer and on standard error.
	if err := os.WriteFile(script, []byte(`
import json, subprocess, sys
text = sys.stdin.buffer.read()
run = subprocess.run(sys.argv[1:], input=text, stdout=subprocess.PIPE)
answer = json.loads(run.stdout)
if "error" in answer:
    answer["message"] = answer["error"] = "eyJ.py.token"
    print("eyJ.py.token", file=sys.stderr)
print(json.dumps(answer))
sys.exit(run.returncode)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out := verdict(t, servedURL, append([]string{helper[0], script}, helper...))
	if status != 1 || strings.Contains(out, "eyJ") || !strings.Contains(out, "[token]") {
		t.Errorf("exit status %d\n%s", status, out)
	}
}

func TestCalledWrongly(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"-served", servedURL, "--", "true"},
		{"-served", servedURL, "-foreign", foreignURL},
		{"-served", servedURL, "-foreign", servedURL + "/x", "--", "true"},
		{"-served", "git.corp.example", "-foreign", foreignURL, "--", "true"},
		{"-no-such-flag"},
	} {
		var out, stderr bytes.Buffer
		if status := run(t.Context(), args, &out, &stderr); status != 2 || out.Len() > 0 || !strings.Contains(stderr.String(), "usage: ") {
			t.Errorf("%q: exit status %d, %s%s", args, status, &out, &stderr)
		}
	}
}

func must(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
