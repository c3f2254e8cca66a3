package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cogauth/cogauth/internal/config"
)

func (a *app) profileCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "profile", Short: "List, choose, rename and delete profiles", Args: noSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := sub("list", "List the profiles", "List the profiles of config.toml; the default one has a star.",
		"  cogauth profile list\n  cogauth profile list --json", a.profileList)
	list.Flags().BoolVar(&a.flags.json, "json", false, "print a JSON list")
	remove := a.named("delete NAME", "Delete a profile, and sign it out",
		`Revoke the profile's session at the server, remove it and the client secret from
the keychain, and remove the profile from config.toml. If the server cannot be
told, nothing is removed, unless --force is given.`,
		"  cogauth profile delete work\n  cogauth profile delete work --force", a.profileDelete)
	remove.Flags().BoolVar(&a.flags.force, "force", false, "delete the profile even if its session cannot be revoked or its keychain entries cannot be removed")
	rename := a.named("rename OLD NEW", "Rename a profile; its session and client secret come along",
		"The session stays good: nobody has to sign in again.", "  cogauth profile rename work day-job", a.profileRename)
	rename.Args = exactly(2)
	c.AddCommand(list, a.named("use NAME", "Make a profile the default one", "", "  cogauth profile use work", a.profileUse), rename, remove)
	return c
}

// named is a command whose first argument is the name of a profile.
func (a *app) named(use, short, long, example string, run func(context.Context, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: exactly(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			names, directive := a.completeProfiles(cmd, args, word)
			return slices.DeleteFunc(names, func(n string) bool { return n == config.Reserved }), directive
		},
		RunE: func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) },
	}
}

func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return &usageError{fmt.Errorf("%s, but got %d arguments", cmd.UseLine(), len(args))}
		}
		return nil
	}
}

func (a *app) file() (*config.File, error) {
	path, err := config.Path(a.env())
	if err != nil {
		return nil, err
	}
	return config.Load(path)
}

// profileList reads the file and nothing else.
func (a *app) profileList(context.Context) error {
	file, err := a.file()
	if err != nil {
		return err
	}
	type item struct {
		Name     string `json:"name"`
		Default  bool   `json:"default"`
		Provider string `json:"provider"`
		ClientID string `json:"client_id"`
	}
	items := []item{}
	for name, p := range file.Profiles {
		isDefault := name == file.DefaultProfile || file.DefaultProfile == "" && len(file.Profiles) == 1
		items = append(items, item{name, isDefault, clean(p.UserPoolID + p.Issuer + p.Domain), clean(p.ClientID)})
	}
	slices.SortFunc(items, func(x, y item) int { return strings.Compare(x.Name, y.Name) })
	if a.flags.json {
		return a.printJSON(items)
	}
	if len(items) == 0 {
		a.say("no profile is configured; %s configure makes one", a.name())
		return nil
	}
	rows := make([][]string, len(items))
	for i, it := range items {
		star := " "
		if it.Default {
			star = "*"
		}
		rows[i] = []string{star + " " + it.Name, it.Provider, it.ClientID}
	}
	return a.printRows(rows)
}

func (a *app) profileUse(ctx context.Context, args []string) error {
	file, err := a.file()
	if err != nil {
		return err
	}
	if err := file.Use(ctx, args[0]); err != nil {
		return err
	}
	a.say("%s is the default profile now", args[0])
	return nil
}

// profileRename copies what the keychain holds before the file names the new profile, and removes the
// old entries last: wherever it is interrupted, the name that the file has has its session.
func (a *app) profileRename(ctx context.Context, args []string) error {
	from, to := args[0], args[1]
	file, err := a.file()
	if err != nil {
		return err
	}
	settings, err := a.settingsOf(from)
	if err != nil {
		return err
	}
	if err := config.CheckName(to); err != nil {
		return err
	}
	if _, taken := file.Profiles[to]; taken {
		return &hintError{fmt.Errorf("there is a profile %s already", to), "choose another name, or delete that profile first: {cogauth} profile delete " + to}
	}
	unlock, err := a.lockConfig(ctx, file, from)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := a.open(settings)
	if err != nil {
		return err
	}
	settings.Profile = to
	after, err := a.open(settings)
	if err != nil {
		return err
	}
	renamed := false
	err = before.MoveTo(ctx, after.Client, func() error {
		err := file.Rename(ctx, from, to)
		renamed = err == nil
		return err
	})
	if err != nil && renamed {
		return fmt.Errorf("the profile is called %s now, but what is kept under the old name could not be removed: %w", to, err)
	}
	if err != nil {
		return err
	}
	a.say("the profile %s is called %s now", from, to)
	return nil
}

// profileDelete signs out first: a profile that is gone cannot be signed out any more.
func (a *app) profileDelete(ctx context.Context, args []string) error {
	name := args[0]
	file, err := a.file()
	if err != nil {
		return err
	}
	s, err := a.sessionOf(name)
	switch {
	case errors.Is(err, config.ErrInvalid) && a.flags.force:
		// Half-written, so nobody can sign in with it; only the file knows it.
	case err != nil:
		return err
	default:
		if err := a.retire(ctx, s, a.flags.force); err != nil {
			return err
		}
	}
	if err := file.Delete(ctx, name); err != nil {
		return err
	}
	a.say("the profile %s is deleted", name)
	return nil
}

// retire ends the session of a profile that is about to go and removes what the keychain holds for it.
// Unless forced, nothing is removed before the server has confirmed that the session has ended.
func (a *app) retire(ctx context.Context, s *session, force bool) error {
	_, err := s.Session(ctx)
	there := err == nil
	err = s.Revoke(ctx)
	switch {
	case err != nil && !force:
		return &hintError{fmt.Errorf("the profile is kept, since its session could not be ended: %w", err), "try again later, or add --force"}
	case err != nil:
		a.say("warning: its session could not be ended: %s", oneLine(err.Error()))
	case there:
		a.say("the session of %s has been revoked", s.profile)
	}
	if err := s.Discard(ctx); err != nil && !force {
		return err
	} else if err != nil {
		a.say("warning: %s", oneLine(err.Error()))
	}
	return nil
}

// settingsOf resolves a profile by its name, whatever is in force.
func (a *app) settingsOf(name string) (*config.Settings, error) {
	if name == config.Reserved {
		return nil, &usageError{fmt.Errorf("the profile %q belongs to the demo", config.Reserved)}
	}
	before := a.flags.profile
	a.flags.profile = name
	defer func() { a.flags.profile = before }()
	return a.settings()
}

func (a *app) sessionOf(name string) (*session, error) {
	s, err := a.settingsOf(name)
	if err != nil {
		return nil, err
	}
	return a.open(s)
}
