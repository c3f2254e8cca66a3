package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	credentialhelper "github.com/cogauth/cogauth/credential-helper"
	"github.com/cogauth/cogauth/internal/config"
	"github.com/cogauth/cogauth/internal/origin"
)

func (a *app) setupCommand() *cobra.Command {
	names := protocolNames()
	c := &cobra.Command{
		Use:   "setup CLIENT [ORIGIN]",
		Short: "Show how to have git, docker, kubectl… ask cogauth for their tokens",
		Long: `Print what to paste where, so that CLIENT gets this profile's tokens from cogauth,
and say what is there already. ORIGIN is the server that they are for, such as
https://git.corp.example; a token goes nowhere else. CLIENT is one of
` + strings.Join(names, ", ") + `.

With --write, config.toml is changed to serve ORIGIN, and the client is set up by
a command of its own where it has one (git, kubectl, go). Files of other programs
are never written.`,
		Example: "  cogauth setup git https://git.corp.example\n  cogauth setup kubectl https://kube.corp.example:6443 --write",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return &hintError{&usageError{errors.New("setup needs the name of a client")}, "there are " + strings.Join(names, ", ")}
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.setup(cmd.Context(), args) },
	}
	c.Flags().StringVar(&a.flags.setup.Token, "token", "", "token to serve: id or access (default id)")
	c.Flags().StringVar(&a.flags.setup.Username, "username", "", "user name to send besides the token, where the client needs one")
	c.Flags().BoolVar(&a.flags.write, "write", false, "make the changes, in config.toml and by the client's own command")
	_ = c.RegisterFlagCompletionFunc("token", fixed("id", "access"))
	return c
}

// setupCase is what a client is to be set up for.
type setupCase struct {
	a       *app
	ctx     context.Context
	profile string
	entry   config.Serve // as it is or will be in config.toml
	origin  string       // "" for a client that names no target
	host    string       // of origin, with its port
	path    string       // of origin, without the slash in front
	cogauth string       // the program, by its name if PATH has it, else by its path
}

// plan is what to do about a client.
type plan struct {
	has      string     // what the client has already, of ours or in our way; "" if nothing or not known
	done     bool       // that is all that is needed
	where    string     // what to do with paste
	paste    string     // the exact text
	commands [][]string // what --write runs; nil if the client has no command for it
	notes    []string   // what else there is to know
	trouble  string     // what another setting does to ours, and
	fix      string     // what to do about that
}

func (a *app) setup(ctx context.Context, args []string) error {
	name := args[0]
	p, ok := credentialhelper.Find(name)
	planOf := planners[name]
	if !ok || planOf == nil {
		return &hintError{&usageError{fmt.Errorf("there is no client %q", clean(name))}, "there are " + strings.Join(protocolNames(), ", ")}
	}
	settings, err := a.settings()
	if err != nil {
		return err
	}
	c := &setupCase{a: a, ctx: ctx, profile: settings.Profile, cogauth: a.ownName()}
	c.entry = a.flags.setup
	if err := c.target(p, args[1:]); err != nil {
		return err
	}
	file, err := a.file()
	if err != nil {
		return err
	}
	serving, err := c.serving(file)
	if err != nil {
		return err
	}
	plan, err := planOf(c)
	if err != nil {
		return err
	}
	a.warnOfReplay(file, c)
	if a.flags.write {
		if err := a.writeSetup(file, c, plan, serving); err != nil || plan.commands == nil {
			return err
		}
		if plan, err = planOf(c); err != nil || plan.trouble == "" {
			return err
		}
		return &hintError{errors.New(plan.trouble), plan.fix}
	}
	if plan.trouble != "" {
		plan.done = false
		a.say("warning: %s", plan.trouble)
		a.say("hint: %s", plan.fix)
	}
	var b strings.Builder
	first, second := "1. ", "2. "
	if serving || plan.done {
		first, second = "", ""
	}
	if serving {
		fmt.Fprintf(&b, "# Profile %s serves %s.\n\n", c.profile, c.whom())
	} else {
		fmt.Fprintf(&b, "# %sIn %s:\n\n[[profiles.%s.serve]]\n%s\n", first, file.Path, c.profile, entryLines(c.entry))
	}
	switch {
	case plan.done:
		fmt.Fprintf(&b, "# %s is set up: %s\n", name, plan.has)
	default:
		if plan.has != "" {
			fmt.Fprintf(&b, "# %s has already: %s\n", name, plan.has)
		}
		fmt.Fprintf(&b, "# %s%s:\n\n%s\n", second, plan.where, strings.TrimRight(plan.paste, "\n"))
	}
	for _, note := range plan.notes {
		fmt.Fprintf(&b, "\n# %s\n", note)
	}
	return a.print(visibleLines(b.String()))
}

// target takes the origin from the command line.
func (c *setupCase) target(p credentialhelper.Protocol, rest []string) error {
	nameless := slices.Contains([]string{"google", "pnpm"}, p.Name)
	optional := p.Name == "headers" || p.Name == "native"
	switch {
	case nameless && len(rest) > 0 && p.Name == "google":
		return &usageError{errors.New("google names no target that could be compared: run setup google without one")}
	case len(rest) == 0 && !nameless && !optional:
		return &hintError{&usageError{fmt.Errorf("setup %s needs the server that the tokens are for", p.Name)}, "such as https://" + p.Name + ".corp.example"}
	case len(rest) == 0:
		c.entry.Client = p.Name
		return nil
	}
	pattern, err := origin.Parse(rest[0])
	if err != nil {
		var fault *origin.Error
		errors.As(err, &fault)
		return &hintError{&usageError{err}, fault.Fix}
	}
	c.origin = pattern.String()
	_, after, _ := strings.Cut(c.origin, "://")
	c.host, c.path, _ = strings.Cut(after, "/")
	if c.path != "" && slices.Contains([]string{"docker", "terraform"}, p.Name) {
		return &usageError{fmt.Errorf("%s says for which host it asks, and no path: leave out what follows the host", p.Name)}
	}
	secure := []string{"kubectl", "goauth", "terraform"}
	concrete := []string{"docker", "cargo", "keyring", "vault", "headers", "pnpm"}
	switch {
	case strings.HasPrefix(c.origin, "http:") && slices.Contains(secure, p.Name):
		return &usageError{fmt.Errorf("%s asks helpers for https alone", p.Name)}
	case pattern.Wildcard() && slices.Contains(concrete, p.Name):
		return &hintError{&usageError{fmt.Errorf("what %s is to be told names one server, and this has a wildcard", p.Name)},
			"name the server; one entry with a wildcard in config.toml may serve many"}
	}
	if nameless {
		c.entry.Client = p.Name // the client says no more than that it is the one
		return nil
	}
	c.entry.Origin = c.origin
	return nil
}

// serving reports whether config.toml has an entry for this already, which then counts.
func (c *setupCase) serving(file *config.File) (bool, error) {
	for _, has := range file.Profiles[c.profile].Serve {
		pattern, err := origin.Parse(has.Origin)
		same := has.Origin == c.entry.Origin || err == nil && pattern.String() == c.entry.Origin
		if !same || has.Client != c.entry.Client {
			continue
		}
		asked := c.a.flags.setup
		if asked.Token != "" && asked.Token != has.Token && (asked.Token != config.IDToken || has.Token != "") ||
			asked.Username != "" && asked.Username != has.Username {
			return false, &hintError{fmt.Errorf("profile %s serves %s already, with another token or user name", c.profile, c.whom()), "edit that entry in " + file.Path}
		}
		c.entry = has
		return true, nil
	}
	return false, c.entry.Validate()
}

func (c *setupCase) whom() string {
	if c.entry.Origin == "" {
		return c.entry.Client
	}
	return c.entry.Origin
}

// warnOfReplay: whoever gets an ID token can show it to everybody else who takes it.
func (a *app) warnOfReplay(file *config.File, c *setupCase) {
	if c.entry.Token == config.AccessToken {
		return
	}
	for _, has := range file.Profiles[c.profile].Serve {
		if has.Token != config.AccessToken && has.Origin+has.Client != c.entry.Origin+c.entry.Client {
			a.say("warning: profile %s serves its ID token to %s too, and each of the two can show it to the other as yours", c.profile, orText(has.Origin, has.Client))
			a.say("better is --token access, with resource set in the profile where the user pool binds tokens to one API, or an app client and a profile for each")
			return
		}
	}
}

func (a *app) writeSetup(file *config.File, c *setupCase, p *plan, serving bool) error {
	if !serving {
		if err := file.AddServe(c.ctx, c.profile, c.entry); err != nil {
			return err
		}
		a.say("profile %s serves %s from now on (%s)", c.profile, c.whom(), file.Path)
	}
	sayNotes := func() {
		for _, note := range p.notes {
			a.say("note: %s", note)
		}
	}
	if p.done {
		a.say("the client is set up: %s", p.has)
		sayNotes()
		return nil
	}
	if p.has != "" {
		a.say("the client has already: %s", p.has)
	}
	if p.commands == nil {
		sayNotes() // before the answer, which may go into a file
		a.say("the client has no command to set it up with: %s", p.where)
		return a.print(visibleLines(strings.TrimRight(p.paste, "\n") + "\n"))
	}
	for _, argv := range p.commands {
		a.say("running %s", commandLine(argv))
		if _, err := output(c.ctx, argv...); err != nil {
			return fmt.Errorf("%s: %w", argv[0], err)
		}
	}
	sayNotes()
	return nil
}

// output runs a client's command and returns what it prints.
func output(ctx context.Context, argv ...string) (string, error) {
	return outputWithout(ctx, "", argv...)
}

// outputWithout is output without a variable of the environment.
func outputWithout(ctx context.Context, variable string, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); variable == "" || name != variable {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if said := oneLine(stderr.String()); said != "" {
			return "", fmt.Errorf("%w: %s", err, said)
		}
		return "", err
	}
	return strings.TrimSpace(stdout.String()), nil
}

// ownName is how another program starts this one: by its name if PATH leads to it.
func (a *app) ownName() string {
	self, err := os.Executable()
	if err != nil {
		return "cogauth"
	}
	if onPath("cogauth", self) {
		return "cogauth"
	}
	return self
}

// onPath reports whether PATH leads to this very program by that name.
func onPath(name, self string) bool {
	found, err := exec.LookPath(name)
	if err != nil {
		return false
	}
	one, err1 := os.Stat(found)
	other, err2 := os.Stat(self)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// byName returns the full path of one of this program's other names, and whether there is such a link.
func (c *setupCase) byName(name string) (path string, ok bool) {
	found, err := exec.LookPath(name)
	if err != nil {
		return filepath.Join("DIR", name), false
	}
	if abs, err := filepath.Abs(found); err == nil {
		found = abs
	}
	return found, true
}

// linkNote is what to do for want of a link.
func (c *setupCase) linkNote(name string) string {
	return name + " is not on PATH yet: " + c.a.spell("{cogauth} install-links DIR") + " makes it, in a folder DIR that is"
}

func entryLines(s config.Serve) string {
	var b strings.Builder
	for _, kv := range [][2]string{{"origin", s.Origin}, {"token", s.Token}, {"username", s.Username}, {"client", s.Client}} {
		if kv[1] != "" {
			fmt.Fprintf(&b, "%-8s = %q\n", kv[0], kv[1])
		}
	}
	return b.String()
}

func commandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = quoteArg(w)
	}
	return strings.Join(words, " ")
}

// visibleLines is visible for a text of several lines.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}
