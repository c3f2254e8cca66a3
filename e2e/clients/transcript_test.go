//go:build linux

package clients

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
)

// transcript is what a person types and sees, as a page of docs/clients shows it.
type transcript struct {
	w       *world
	page    string // below docs/clients, without .md
	part    string // the client, as rig calls it
	version string // of that
	real    *strings.Replacer
	shown   *strings.Replacer
	text    strings.Builder
}

// The home of the person in the pages, and the folder on PATH with cogauth's names.
const (
	shownHome  = "/home/ada"
	shownLinks = shownHome + "/.local/bin"
)

// transcript begins one for a page. replace are pairs of what is real and what the page shows for it, such as
// "localhost:43121" and "git.corp.example"; of two that fit the first counts. At the end of the test it
// is compared with the page, or written there if COGAUTH_UPDATE is set.
func (w *world) transcript(page string, replace ...string) *transcript {
	w.t.Helper()
	t := &transcript{w: w, page: page}
	bin := w.home + "/.local/bin"
	if err := os.MkdirAll(w.home+"/.local", 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(w.links, bin); err != nil {
		w.t.Fatal(err)
	}
	w.ok("cogauth", "install-links", w.links) // once more, for the names that end in the profile's
	w.path = append([]string{bin}, w.path...)
	back := make([]string, len(replace))
	for i := 0; i < len(replace); i += 2 {
		back[i], back[i+1] = replace[i+1], replace[i]
	}
	t.real = strings.NewReplacer(back...)
	t.shown = strings.NewReplacer(append(slices.Clip(replace),
		rig.Build(w.t), shownLinks+"/cogauth", w.links, shownLinks, w.home, shownHome)...)
	w.t.Cleanup(t.end)
	return t
}

// with notes which client it is, and its version, which line prints.
func (t *transcript) with(part, line string) {
	t.w.t.Helper()
	out, status := t.typed(line)
	t.part, t.version = part, regexp.MustCompile(`\d+\.\d+[.\w]*`).FindString(out)
	if status != 0 || t.version == "" {
		t.w.t.Fatalf("%s: got exit status %d and no version\n%s", line, status, out)
	}
}

// run runs a line that must succeed.
func (t *transcript) run(line string) {
	t.w.t.Helper()
	if out, status := t.record(line); status != 0 {
		t.w.t.Fatalf("%s: got exit status %d, want 0\n%s", line, status, out)
	}
}

// fails runs a line that must fail and say want.
func (t *transcript) fails(line, want string) {
	t.w.t.Helper()
	if out, status := t.record(line); status == 0 || !strings.Contains(out, want) {
		t.w.t.Errorf("%s: got exit status %d, want failure and %q\n%s", line, status, want, out)
	}
}

func (t *transcript) record(line string) (out string, status int) {
	t.w.t.Helper()
	out, status = t.typed(line)
	out = t.masked(out)
	fmt.Fprintf(&t.text, "$ %s\n%s", line, out)
	if !strings.HasSuffix(out, "\n") && out != "" {
		t.text.WriteString("\n")
	}
	return out, status
}

// typed runs a line as a page has it, in the home. out is all that a person sees, in that order.
func (t *transcript) typed(line string) (out string, status int) {
	t.w.t.Helper()
	line = t.real.Replace(line)
	if _, err := os.Stat(t.w.home + "/.profile"); err == nil {
		line = ". ./.profile\n" + line // as every login does
	}
	cmd := t.w.command("/bin/sh", "-c", line)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool {
		return strings.HasPrefix(kv, "GIT_") || strings.HasPrefix(kv, "SSH_ASKPASS=")
	})
	cmd.Env = append(cmd.Env, "GIT_CONFIG_NOSYSTEM=1")
	cmd.SysProcAttr.Setsid = true // nobody is there to be asked for a password
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		t.w.t.Fatal(err)
	}
	timer := time.AfterFunc(hang, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		t.w.t.Fatalf("%s: hangs\n%s", line, b.String())
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.w.t.Fatalf("%s: %v", line, err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

// What is another one each time.
var masks = []struct {
	of *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`eyJ[\w-]+(\.[\w-]*)*`), "eyJ…"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)`), "2026-11-21T15:00:00Z"},
	{regexp.MustCompile(`\b1[789]\d{8}\b`), "1795273200"},
	{regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{40})\b`), "…"},
	{regexp.MustCompile(`\b[0-9a-f]{7,12}\.\.[0-9a-f]{7,12}\b`), "1a2b3c4..5d6e7f8"},
	{regexp.MustCompile(`\bin \d+(\.\d+)?m?s\b`), "in 1s"},
	{regexp.MustCompile(`(?m)^(Progress: |Packages are | +(Content-addressable|Virtual) store is at: ).*\n`), ""}, // pnpm's progress
}

func (t *transcript) masked(s string) string {
	s = t.shown.Replace(strings.ReplaceAll(s, "\r\n", "\n"))
	for _, m := range masks {
		s = m.of.ReplaceAllString(s, m.by)
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Join(lines, "\n")
}

// The lines of a page between which the transcript stands.
const (
	transcriptBegins = "<!-- transcript -->\n"
	transcriptEnds   = "<!-- end -->\n"
)

// end compares the transcript with the page.
func (t *transcript) end() {
	test := t.w.t
	test.Helper()
	if test.Failed() || test.Skipped() {
		return
	}
	text := t.text.String()
	for _, secret := range t.w.pool.Secrets() {
		if strings.Contains(text, secret) {
			test.Fatal("a secret is in the transcript")
		}
	}
	for _, private := range []string{t.w.Dir, "localhost:", "127.0.0.1:"} {
		if strings.Contains(text, private) {
			test.Fatalf("%s is in the transcript:\n%s", private, text)
		}
	}
	block := "```console\n" + text + "```\n"
	if t.part != "" {
		client, _, _ := strings.Cut(t.part, " ")
		block += "\nA test typed this, with " + client + " " + t.version + ".\n"
	}
	file := "../../docs/clients/" + t.page + ".md"
	b, err := os.ReadFile(file)
	if err != nil {
		test.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(b), transcriptBegins)
	old, after, ok2 := strings.Cut(rest, transcriptEnds)
	switch {
	case !ok1 || !ok2:
		test.Errorf("%s has no place for a transcript", file)
	case old == block:
	case os.Getenv("COGAUTH_UPDATE") != "":
		if err := os.WriteFile(file, []byte(before+transcriptBegins+block+transcriptEnds+after), 0o644); err != nil {
			test.Fatal(err)
		}
	case t.part != "" && !strings.Contains(old, " "+t.version+".\n") && !rig.Required(t.part):
		test.Logf("%s was made with another version than %s %s and says something else; not compared", file, t.part, t.version)
	default:
		test.Errorf("%s is not what happens; set COGAUTH_UPDATE to have it written. What happens:\n%s", file, block)
	}
}
