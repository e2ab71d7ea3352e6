// Package cli is what the commands share: streams, exit codes, errors, the
// choice of an output format, and the root command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/spf13/cobra"
)

// Exit codes that mean the same for every command. The others are documented
// with the command that has them.
const (
	OK     = 0
	Failed = 1 // the command could not do its work
	Usage  = 2 // wrong arguments, flags or input files; nothing was done
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// System returns the streams of the process.
func System() Streams { return Streams{os.Stdin, os.Stdout, os.Stderr} }

// Error is an error with the exit code of the process. Its text is one line
// that says what is wrong and what to do.
type Error struct {
	Code int
	Err  error
}

// Error returns the text of the error in it.
func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns the error in it.
func (e *Error) Unwrap() error { return e.Err }

// Usagef is an error of the caller's: exit code 2.
func Usagef(format string, args ...any) error { return &Error{Usage, fmt.Errorf(format, args...)} }

// Exit gives an error an exit code. A nil error, or one without text, prints
// nothing.
func Exit(code int, err error) error { return &Error{code, err} }

// Run runs the command line and returns the exit code. Every command is made by
// a function that gets the streams. An error is printed on one line; one that a
// command returns without a code exits with [Failed], and output that could not
// be written does too. A reader that went away, as head does, is told nothing.
func Run(ctx context.Context, streams Streams, args []string, commands ...func(Streams) *cobra.Command) int {
	out := &checkedWriter{to: streams.Out}
	streams.Out = out
	root := New(streams, commands...)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.failure()
	}
	if err == nil {
		return OK
	}
	if out.abandoned() {
		return Failed
	}
	coded, ok := errors.AsType[*Error](err)
	if !ok {
		err = fmt.Errorf("%w; see %q", err, cmd.CommandPath()+" --help") // cobra's own
		coded = &Error{Usage, err}
	}
	if coded.Error() != "" {
		_, _ = fmt.Fprintf(streams.Err, "grpcx: %s\n", OneLine(err.Error()))
	}
	return coded.Code
}

// OneLine makes text fit for one line of a terminal: line breaks become "; "
// and other control characters, which a peer or a file may have brought in, are
// escaped.
func OneLine(text string) string {
	var out strings.Builder
	for i, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if i > 0 {
			out.WriteString("; ")
		}
		for _, r := range strings.ToValidUTF8(line, "\uFFFD") {
			if unicode.IsPrint(r) {
				out.WriteRune(r)
			} else {
				fmt.Fprintf(&out, `\u%04x`, r)
			}
		}
	}
	return out.String()
}

// A checkedWriter remembers the first failed write, so that a full disk is not
// success.
type checkedWriter struct {
	to io.Writer

	mu  sync.Mutex
	err error
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err == nil {
			w.err = err
		}
	}
	return n, err
}

// abandoned reports whether the reader of a pipe went away. On Unix only a test
// gets here: SIGPIPE ends a process that writes to such a standard output.
func (w *checkedWriter) abandoned() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(readerGone, func(gone error) bool { return errors.Is(w.err, gone) })
}

func (w *checkedWriter) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		return nil
	}
	return Exit(Failed, fmt.Errorf("cannot write the output: %w; look at where standard output goes", w.err))
}
