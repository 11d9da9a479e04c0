package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// report prints an error and what to do next, and returns the exit code. People who stopped a run made no error.
func (o *options) report(w io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	var before *reportedError
	if errors.As(err, &before) {
		return before.code
	}
	var child *childError
	if errors.As(err, &child) && child.code == exitAgain { // it has said why, and what continues it
		return child.code
	}
	code, hint := judge(err)
	where, onPurpose := onPurpose(err)
	switch {
	case code == exitDone:
		fmt.Fprintf(w, "kekceremony: %s\n", printable.Lines(err.Error()))
		return code
	case onPurpose:
		fmt.Fprintf(w, "kekceremony: stopped%s\n", where)
		hint = ""
	default:
		fmt.Fprintf(w, "kekceremony: error: %s\n", printable.Lines(err.Error()))
	}
	var waiting *engine.WaitingError
	if errors.As(err, &waiting) {
		for _, line := range waiting.Sign {
			fmt.Fprintf(w, "kekceremony: missing: %s\n", line)
		}
	}
	var bundle *engine.BundleError
	if errors.As(err, &bundle) {
		fmt.Fprintf(w, "kekceremony: transcript: %s\n", printable.Text(bundle.Dir))
	}
	if hint != "" {
		for each := range strings.SplitSeq(o.typing(hint), "\n") {
			fmt.Fprintf(w, "kekceremony: hint: %s\n", each)
		}
	}
	if code == exitAgain || child != nil && (code == exitFailed || code == exitIncomplete) {
		fmt.Fprintf(w, "kekceremony: to go on: %s\n", o.again())
	}
	return code
}

// onPurpose reports whether people or a signal stopped a run, and nothing else went wrong; where says at what.
func onPurpose(err error) (where string, ok bool) {
	var step *engine.StoppedError
	switch {
	case errors.As(err, &step) && err.Error() == step.Error():
		return fmt.Sprintf(" at step %s; nothing is lost", step.Step), true
	case errors.Is(err, errNotBegun):
		return " before the ceremony began; nothing was changed", true
	case errors.As(err, &step):
		return "", false
	}
	return "; nothing is lost", errors.Is(err, engine.ErrInterrupted) || errors.Is(err, errStopped) ||
		errors.Is(err, term.ErrInterrupted) || errors.Is(err, context.Canceled)
}

// stopped says of a command that it was stopped, and not what else it says: that may be of what was stopped with it,
// such as ssh-keygen. A ceremony and a command of its own know it themselves.
func stopped(ctx context.Context, err error) error {
	var bundle *engine.BundleError
	var child *childError
	var before *reportedError
	if err == nil || ctx.Err() == nil || errors.As(err, &bundle) || errors.As(err, &child) || errors.As(err, &before) {
		return err
	}
	if code, _ := judge(err); code == exitDone || code == exitAgain {
		return err
	}
	return errStopped
}

// judgeAll is the exit code of the first of some refusals, and the hint of each, once, on a line of its own.
func judgeAll(all steps.Refusals) (code int, hint string) {
	code, hint = judge(all[0])
	hints := []string{hint}
	for _, err := range all[1:] {
		if _, hint := judge(err); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	return code, strings.Join(hints, "\n")
}

// judge is what an error means: the exit code, and what to do about it, one hint a line.
func judge(err error) (code int, hint string) {
	var all steps.Refusals
	if errors.As(err, &all) {
		return judgeAll(all)
	}
	var child *childError
	if errors.As(err, &child) {
		if child.code == exitIncomplete { // nothing makes that transcript good
			return child.code, "the ceremonies that follow can still be run"
		}
		return child.code, ""
	}
	var waiting *engine.WaitingError
	if errors.As(err, &waiting) {
		return exitAgain, "sign with the lines above, then run the same command"
	}
	var missing *engine.MissingAnswers
	if errors.As(err, &missing) {
		return exitUsage, `write them in a file of lines NAME: TEXT, the first of which is "ceremony: KIND", and name it ` +
			`with --answers; kekceremony answers check FILE lists what each asks; ` +
			`on a terminal, without --ui none, you are asked for them`
	}
	var probe *provider.ProbeError
	if errors.As(err, &probe) && !errors.Is(err, provider.ErrGone) && !errors.Is(err, provider.ErrBusy) {
		return exitRefused, "nothing was written to the token or the store's keys; this token cannot be used as it is"
	}
	var bad *badTranscript
	if errors.As(err, &bad) && transcript.StandingOf(err) == transcript.Bad { // whatever rule is broken
		return exitBad, "do not rely on this transcript; keep it"
	}
	var variable *config.VariableError
	if errors.As(err, &variable) {
		return exitUsage, "correct or unset the variable; docs/config.example.yaml says which variables set keys"
	}
	var pin *login.FileError
	if errors.As(err, &pin) && errors.Is(err, provider.ErrPINRefused) && !errors.Is(err, provider.ErrPINLocked) {
		return exitRefused, fmt.Sprintf("this program never tries a refused PIN again by itself; correct %s, remove %s, "+
			"and run the same command", printable.Text(pin.Path), printable.Text(pin.Mark()))
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.code, cmp.Or(o.hint, usageHint(err), pathHint(err))
		}
	}
	if transcript.IsBroken(err) { // of a line that was not written
		return exitRefused, "nothing more was done; keep the bundle, and run kekceremony transcript verify on it"
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage, usageHint(err)
	}
	return exitFailed, ""
}

// pathHint is what helps where a path that nobody typed for this command leads to nothing.
func pathHint(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "correct the path, or put there what is missing; then run the same command"
	}
	return ""
}

// usageHint is what helps with a command that was typed wrongly, or whose configuration cannot be used; empty: the
// error is neither.
func usageHint(err error) string {
	var usage *usageError
	var configured *configError
	var run *runError
	var key *keyFileError
	switch {
	case !errors.As(err, &usage):
		return ""
	case errors.As(err, &key):
		return "--key, or keys in the configuration, names the file of an operator's private key; " +
			"docs/people.md says how to make one, and the roster"
	case errors.As(err, &configured):
		return configured.hint()
	case errors.Is(err, fs.ErrPermission):
		return asReader
	case errors.As(err, &run) && strings.Contains(run.command, " "):
		return run.command + " --help says what it takes, with an example"
	}
	return `"kekceremony rehearse" shows everything with temporary parts; ` +
		`--config FILE names a configuration; --help lists the commands`
}
