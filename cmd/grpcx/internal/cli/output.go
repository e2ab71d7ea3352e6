package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// A Format is how a command writes its result.
type Format string

// The formats.
const (
	TTY  Format = "tty"  // for people; may change
	JSON Format = "json" // for programs; fields are only ever added
)

// String returns the name of the format.
func (f *Format) String() string { return string(*f) }

// Set takes the name of a format.
func (f *Format) Set(name string) error {
	switch format := Format(name); format {
	case TTY, JSON:
		*f = format
		return nil
	}
	return fmt.Errorf("must be %s or %s", TTY, JSON)
}

// Type is the placeholder in the help.
func (f *Format) Type() string { return "tty|json" }

// OutputVar gives a command the flag -o, --output, for people unless told
// otherwise.
func OutputVar(cmd *cobra.Command, format *Format) {
	*format = TTY
	cmd.Flags().VarP(format, "output", "o", "output for people or for programs")
	_ = cmd.RegisterFlagCompletionFunc("output", // fails for an unknown flag or a second time only
		cobra.FixedCompletions([]string{string(TTY), string(JSON)}, cobra.ShellCompDirectiveNoFileComp))
}
