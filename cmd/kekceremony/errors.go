package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// Exit codes. docs/exit-codes.md holds the same list.
const (
	exitDone       = 0  // done, or nothing was due
	exitFailed     = 1  // failed, or undecryptable envelopes are left; the message says what changed
	exitUsage      = 2  // flags, configuration or answers
	exitRefused    = 3  // refused by a rule; nothing was changed
	exitBad        = 4  // the transcript is bad
	exitIncomplete = 5  // the transcript is incomplete, or void: an install that was given up
	exitDue        = 6  // something is due (status --check, verify, transcript verify --store, catalogue suggest)
	exitAgain      = 75 // people or parts are missing, or it was interrupted: run it again
)

// usageError is a wrong flag, argument, configuration or answer.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// configError is a configuration that cannot be used.
type configError struct {
	path  string
	store string // given as a flag
	err   error
}

func (e *configError) Error() string { return e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

// asReader is the hint of a file that this user may not read.
const asReader = "run it as the user who may read it: root, in production"

// hint tells a configuration that is not there from one that is wrong.
func (e *configError) hint() string {
	var at *fs.PathError
	switch {
	case errors.Is(e.err, fs.ErrPermission):
		return asReader
	case errors.As(e.err, &at) && at.Path == e.path && e.store != "":
		return e.alone()
	case errors.As(e.err, &at) && at.Path == e.path:
		return `--config FILE names another configuration: that of a rehearsal is config.yaml in its directory; ` +
			`docs/config.example.yaml says what one has; "kekceremony rehearse" needs none`
	}
	correct := "correct " + printable.Text(e.path)
	var dir *config.DirError
	if errors.As(e.err, &dir) {
		correct = dir.Mend + ", or " + correct
	}
	return correct + ", then run the same command; docs/config.example.yaml has every key"
}

// alone says what is missing beside a store that was given without a configuration.
func (e *configError) alone() string {
	if path, ok := strings.CutPrefix(e.store, config.SQLite); ok {
		if parts, found := rehearsal.Open(filepath.Dir(path)); found && parts.Config() != e.path {
			return "this store is in the directory of a rehearsal: use --config " + printable.Word(parts.Config())
		}
	}
	return "--store replaces only the store, and a configuration also says where envelopes are and which processes are " +
		"expected: use --config FILE; docs/config.example.yaml says what one has"
}

// badTranscript is a bundle that does not verify.
type badTranscript struct{ err error }

func (e *badTranscript) Error() string { return e.err.Error() }
func (e *badTranscript) Unwrap() error { return e.err }

// errDue is what a command that looks ends with while something is due.
var errDue = errors.New("something is due")

// errLacking is what catalogue suggest ends with.
var errLacking = errors.New("the catalogue lacks them")

// Errors of a command that ctrl+c or a signal stopped.
var (
	errNotBegun = errors.New("stopped before the ceremony began")
	errStopped  = errors.New("stopped before its end")
)

// notBegun is the error of a ceremony's start.
func notBegun(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errNotBegun
	}
	return err
}

// childError is a command run by rehearse that ended with a code; it has said why.
type childError struct{ code int }

func (e *childError) Error() string { return fmt.Sprintf("it ended with exit code %d", e.code) }

// reportedError is that of a command which was begun at home: it has been reported.
type reportedError struct{ code int }

func (e *reportedError) Error() string { return fmt.Sprintf("it ended with exit code %d", e.code) }

// reported is nil for a command that ended well.
func reported(code int) error {
	if code == exitDone {
		return nil
	}
	return &reportedError{code}
}

// execute runs a command. An error that is cobra's own is of a wrong flag, argument or command.
func execute(ctx context.Context, cmd *cobra.Command) error {
	found, err := cmd.ExecuteContextC(ctx)
	var failed *runError
	if err != nil && !errors.As(err, &failed) {
		return &runError{&usageError{err}, found.CommandPath()}
	}
	return err
}

// ran marks the errors of a command that ran: all others are of its usage.
func ran(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil {
			return &runError{err, cmd.CommandPath()}
		}
		return nil
	}
}

// keyFileError is why the file of an operator's key cannot be used.
type keyFileError struct{ err error }

func (e *keyFileError) Error() string { return e.err.Error() }

func (e *keyFileError) Unwrap() error { return e.err }

// runError is the error of a command, with its words.
type runError struct {
	err     error
	command string
}

func (e *runError) Error() string { return e.err.Error() }

func (e *runError) Unwrap() error { return e.err }
