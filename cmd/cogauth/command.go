package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cogauth/cogauth"
	"github.com/cogauth/cogauth/internal/config"
)

// command builds cobra's tree. The warm paths never come here.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "cogauth",
		Short: "Sign in to a Cognito user pool and print fresh tokens",
		Long: `Sign in once in the browser; from then on every program on this machine can ask
for a fresh, verified ID token. The refresh token stays in the keychain.`,
		Example:       "  cogauth demo\n  cogauth configure && cogauth login\n  curl -H \"Authorization: Bearer $(cogauth token)\" https://api.example.com/",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSubcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.PersistentFlags().StringVar(&a.flags.profile, "profile", "", "profile to use (default: COGAUTH_PROFILE, then default_profile)")
	_ = root.RegisterFlagCompletionFunc("profile", a.completeProfiles)
	root.AddCommand(a.demoCommand(), a.configureCommand(), a.loginCommand(), a.tokenCommand(), a.whoamiCommand(),
		a.claimsCommand(), a.statusCommand(), a.logoutCommand(), a.profileCommand(), a.configCommand(),
		a.helperCommand(), a.execCommand(), a.setupCommand(), a.linksCommand(), a.versionCommand(), exitCodesTopic())
	return root
}

// noSubcommand refuses words that are no command, with the nearest one.
func noSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", clean(args[0]))
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return &hintError{&usageError{err}, "did you mean {cogauth} " + near[0] + "?"}
	}
	return &usageError{err}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Errorf("%s takes no argument, but got %q", cmd.CommandPath(), clean(args[0]))}
	}
	return nil
}

// sub is a command without arguments.
func sub(use, short, long, example string, run func(context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context()) },
	}
}

func (a *app) loginCommand() *cobra.Command {
	c := sub("login", "Sign in through the browser",
		`Open the browser at the sign-in page, wait for the answer on the registered
loopback callback, verify it and keep the session in the keychain. A session
that is there already stays in force until the new one is stored; then it is
revoked.`,
		"  cogauth login\n  cogauth login --no-browser --profile work", a.login)
	a.addLoginFlags(c)
	c.Flags().StringVar(&a.flags.prompt, "prompt", "", "OpenID Connect prompt, such as login to be asked for the password again")
	c.Flags().StringVar(&a.flags.loginHint, "login-hint", "", "user name to offer on the sign-in page")
	c.Flags().StringVar(&a.flags.idp, "idp", "", "identity provider of the pool to go to at once, such as Google, or COGNITO")
	c.Flags().StringVar(&a.flags.lang, "lang", "", "language of the sign-in page, such as de (managed login)")
	c.Flags().BoolVar(&a.flags.switchUser, "switch-user", false, "sign the browser out first, to sign in as somebody else")
	return c
}

func (a *app) addLoginFlags(c *cobra.Command) {
	c.Flags().BoolVar(&a.flags.noBrowser, "no-browser", false, "print the address and leave opening it to you")
	c.Flags().DurationVar(&a.flags.timeout, "timeout", cogauth.DefaultLoginTimeout, "how long to wait for the sign-in")
}

func (a *app) tokenCommand() *cobra.Command {
	c := sub("token", "Print a fresh token",
		`Print the ID token, or the access token, refreshed if need be. Nothing else is
written to standard output. Without a session the answer is exit status 3: no
browser opens unless --interactive, COGAUTH_INTERACTIVE or the profile says so.`,
		"  cogauth token\n  cogauth token --type access --min-ttl 5m --json", a.token)
	a.addTokenFlags(c.Flags())
	_ = c.RegisterFlagCompletionFunc("type", fixed("id", "access"))
	_ = c.RegisterFlagCompletionFunc("interactive", fixed(config.Never, config.Auto, config.Always))
	return c
}

func (a *app) whoamiCommand() *cobra.Command {
	c := sub("whoami", "Show who is signed in",
		`Show the claims of the newest ID token that say who you are, in which groups you
are and which roles they have. With --require-group or --require-claim nothing is
printed: exit status 0 says that all of it holds, by a token in force, and 4 that
it does not.`,
		"  cogauth whoami\n  cogauth whoami --require-group admins && deploy\n  cogauth whoami --require-claim email_verified=true", a.whoami)
	c.Flags().BoolVar(&a.flags.json, "json", false, "print a JSON object with every claim")
	c.Flags().StringArrayVar(&a.flags.require.groups, "require-group", nil, "answer whether you are in this group; repeat it to require several")
	c.Flags().StringArrayVar(&a.flags.require.claims, "require-claim", nil, "answer whether this claim has this value, NAME=VALUE; repeat it to require several")
	return c
}

func (a *app) statusCommand() *cobra.Command {
	c := sub("status", "Show the session and when its tokens expire",
		`Show what is stored, without any request. Exit status 3 means not signed in.`,
		"  cogauth status\n  cogauth status --json --profile work", a.status)
	c.Flags().BoolVar(&a.flags.json, "json", false, "print a JSON object")
	return c
}

func (a *app) logoutCommand() *cobra.Command {
	c := sub("logout", "Sign out: revoke the session and remove it from this machine",
		`Revoke the refresh token at the server and remove the session from the keychain
and the cache. It is removed even if the server cannot be told; then the exit
status says why. The browser keeps a session of its own with the sign-in page, by
which the next login may pass without a question: --browser ends that one too, and
needs logout_url, a sign-out URL registered for the app client. To sign in as
somebody else at once, see login --switch-user.`,
		"  cogauth logout\n  cogauth logout --browser --profile work", a.logout)
	c.Flags().BoolVar(&a.flags.browser, "browser", false, "sign the browser out as well")
	c.Flags().BoolVar(&a.flags.noBrowser, "no-browser", false, "with --browser: print the address and leave opening it to you")
	return c
}

func (a *app) versionCommand() *cobra.Command {
	return sub("version", "Print the version", "", "  cogauth version", func(context.Context) error { return a.version() })
}

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Inspect the configuration", Args: noSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(sub("explain", "Show every setting in force and where it comes from",
		`A flag beats the environment, which beats config.toml, which beats the default.`,
		"  cogauth config explain\n  cogauth config explain --profile work", a.configExplain))
	return c
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use: "exit-codes", Short: "What the exit statuses mean",
		Long: `Exit statuses of cogauth. They never change meaning.

    0  done
    1  failed, for a reason that is none of the below
    2  usage: the command line was not understood
    3  login required: only a person can go on (run cogauth login)
    4  refused: by the server, wrong identity, or a requirement not met
    5  keychain missing, locked or not answering
    6  offline: the server could not be reached, or asked to come back later
    7  misconfigured: it cannot work as it is set up
    8  login not completed: timed out, or no callback port was free
  130  interrupted (Ctrl-C)
  143  terminated`,
	}
}

// configExplain prints every value and its origin.
func (a *app) configExplain(context.Context) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	var b strings.Builder
	wide, values := 0, s.Explain()
	for _, v := range values {
		wide = max(wide, len(v.Value))
	}
	for _, v := range values {
		fmt.Fprintf(&b, "%-15s  %-*s  %s\n", v.Key, wide, v.Value, v.Origin)
	}
	return a.print(b.String())
}

// completeProfiles reads the configuration and nothing else: no network, keychain or browser.
func (a *app) completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	path, err := config.Path(a.env())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	file, err := config.Load(path)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := []string{config.Reserved}
	for name := range file.Profiles {
		names = append(names, name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}
