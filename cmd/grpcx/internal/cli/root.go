package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootLong = `Look after gRPC servers.

Exit codes of every command:
  0  it worked
  1  it could not do its work
  2  wrong arguments, flags or input files; nothing was done
A command that has others lists them in its help. Errors are one line on
standard error.`

const rootExample = `  grpcx health 127.0.0.1:50051
  grpcx certs inspect localhost:50051
  grpcx doctor`

// New makes the root command.
func New(streams Streams, commands ...func(Streams) *cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:           "grpcx",
		Short:         "Look after gRPC servers",
		Long:          rootLong,
		Example:       rootExample,
		Version:       buildInfo().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(groupUsage(root.UsageTemplate()))
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpCommand(newHelp())
	for _, newCommand := range commands {
		root.AddCommand(newCommand(streams))
	}
	root.AddCommand(newVersion(streams))
	root.InitDefaultCompletionCmd()
	finish(root)
	return root
}

// finish completes the tree below a command. Cobra answers an unknown
// subcommand of a group with help and success, which a script takes for the
// work done; and an error of a command that names no exit code is none of
// cobra's.
func finish(cmd *cobra.Command) {
	switch run := cmd.RunE; {
	case !cmd.Runnable() && cmd.HasSubCommands():
		cmd.Args = cobra.ArbitraryArgs
		cmd.ValidArgsFunction = cobra.NoFileCompletions
		cmd.RunE = runGroup
	case run != nil:
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			if _, ok := errors.AsType[*Error](err); err == nil || ok {
				return err
			}
			return Exit(Failed, err)
		}
	}
	for _, sub := range cmd.Commands() {
		finish(sub)
	}
}

// runGroup shows the help of a command that only has others below it.
func runGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return unknownCommand(cmd, args[0])
}

func unknownCommand(parent *cobra.Command, name string) error {
	parent.SuggestionsMinimumDistance = 2
	if near := parent.SuggestionsFor(name); len(near) > 0 {
		return Usagef("unknown command %q for %q; did you mean %q?", name, parent.CommandPath(), near[0])
	}
	return Usagef("unknown command %q for %q; see %q", name, parent.CommandPath(), parent.CommandPath()+" --help")
}

// newHelp makes a help command that fails for what does not exist.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		Long: `Show the help of a command, as --help does.

Exit codes: 0 shown, 1 the output could not be written, 2 no such command.`,
		Example: `  grpcx help certs issue`,
		RunE: func(cmd *cobra.Command, args []string) error {
			topic := cmd.Root()
			for _, name := range args {
				next := child(topic, name)
				if next == nil {
					return unknownCommand(topic, name)
				}
				topic = next
			}
			topic.InitDefaultHelpFlag()
			topic.InitDefaultVersionFlag()
			return topic.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			topic := cmd.Root()
			for _, name := range args {
				if topic = child(topic, name); topic == nil {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
			}
			var names []string
			for _, sub := range topic.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), prefix) {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func child(parent *cobra.Command, name string) *cobra.Command {
	for _, sub := range parent.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

// flagError adds to an unknown flag what was probably meant: tools built on
// package flag write long flags with one dash.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "=")
		if len(name) > 1 && cmd.Flags().Lookup(name) != nil {
			return fmt.Errorf("unknown flag -%s: long flags have two dashes, write --%s", name, name)
		}
	}
	return err
}

// groupUsage drops the line "grpcx [flags]" from the help of a command that only
// has others below it: finish made it runnable.
func groupUsage(template string) string {
	return strings.Replace(template, "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1)
}
