package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// answers is a file of answers for an unattended run. It says which
// ceremony it is for, and holds neither a PIN nor a signature: those names are
// no questions.
type answers struct {
	path     string
	ceremony string
	texts    map[string]string
}

// readAnswers reads names and texts, nothing nested, each name once.
func readAnswers(path string) (a answers, err error) {
	a.path = printable.Text(path)
	data, err := file.Read(path, file.Rules{Max: config.MaxFile, Follow: true})
	if err != nil {
		return a, fmt.Errorf("read answers: %w", err)
	}
	err = config.Decode(data, &a.texts)
	if form := (*config.FormError)(nil); errors.As(err, &form) {
		return a, fmt.Errorf("read answers %s: %w", a.path, form)
	}
	if err != nil {
		return a, fmt.Errorf("read answers %s: want lines of NAME: TEXT, each name once", a.path)
	}
	a.ceremony = a.texts["ceremony"]
	delete(a.texts, "ceremony")
	if err := checkVerdicts(a.texts); err != nil {
		return a, fmt.Errorf("read answers %s: %w", a.path, err)
	}
	all := append(kinds(), kindAbort)
	if a.ceremony == "" {
		return a, fmt.Errorf(`read answers %s: the line "ceremony: KIND" is missing: want %s`, a.path, either(all))
	}
	if !slices.Contains(all, a.ceremony) {
		return a, fmt.Errorf("read answers %s: %w", a.path, unknown("ceremony", a.ceremony, all))
	}
	return a, nil
}

// checkVerdicts refuses verdicts and words that nobody may sign. It repeats no words: they may be a PIN.
func checkVerdicts(texts map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if who, ok := strings.CutPrefix(name, engine.AnswerWords); ok {
			if err := engine.CheckWords(texts[name]); err != nil {
				return fmt.Errorf("%s: %w", printable.Text(name), err)
			}
			if texts[engine.AnswerVerdict+who] == string(transcript.Followed) {
				return fmt.Errorf("%s: the verdict followed has no words", printable.Text(name))
			}
		}
		who, ok := strings.CutPrefix(name, engine.AnswerVerdict)
		switch v := transcript.Verdict(texts[name]); {
		case !ok:
		case !slices.Contains(transcript.Verdicts, v):
			return fmt.Errorf("%s: want followed, deviations or disagree", printable.Text(name))
		case v == transcript.Deviations && texts[engine.AnswerWords+who] == "":
			return fmt.Errorf("%s: deviations: %s%s must say which", printable.Text(name), engine.AnswerWords,
				printable.Text(who))
		}
	}
	return nil
}

// given reports whether a name is of what people say when they decide or sign.
func given(name string) bool {
	return strings.HasPrefix(name, engine.AnswerDeviation) || strings.HasPrefix(name, engine.AnswerVerdict) ||
		strings.HasPrefix(name, engine.AnswerWords)
}

// questions lists everything that the ceremony asks; or also what it asks only in an adopted database, or of
// keys that are configuration.
func (a answers) questions(any bool) []engine.Field {
	if a.ceremony == kindAbort {
		return steps.GivingUp()
	}
	c, _ := steps.Named(a.ceremony) // readAnswers takes no other
	opened := transcript.Facts{transcript.FactGenerate: "yes"}
	if any {
		opened[transcript.FactPointer] = "described"
		opened[transcript.FactOnToken] = "no"
	}
	return c.Questions(opened)
}

// unknown lists the names that are no question of the ceremony.
func (a answers) unknown() []string {
	fields := a.questions(true)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a.texts)), func(name string) bool {
		asked := slices.ContainsFunc(fields, func(f engine.Field) bool { return f.Name == name })
		return asked || given(name)
	})
}

// answersFor reads the file of the flag and refuses one for another ceremony.
func (o *options) answersFor(kind string) (map[string]string, error) {
	if o.answers == "" {
		return map[string]string{}, nil
	}
	a, err := readAnswers(o.answers)
	switch {
	case err != nil:
	case a.ceremony != kind:
		err = fmt.Errorf("answers %s are for %s, this is %s", a.path, a.ceremony, kind)
	case len(a.unknown()) > 0:
		err = fmt.Errorf("answers %s: no question of %s: %s", a.path, kind, printable.Text(strings.Join(a.unknown(), ", ")))
	}
	if err != nil {
		return nil, &usageError{err}
	}
	return a.texts, nil
}

func answersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "answers", Short: "Check a file of answers", Args: noArgument}
	cmd.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "List missing answers and unknown names of a file; exit 0 if there are none",
		Long: `check lists every question of the ceremony that the file leaves open, and every
name in it that is not a question. The file has lines of NAME: TEXT. Its line
"verdict.NAME: WORD" is the verdict in the statement that a person is given to sign
at the end: followed, deviations or disagree; without it, there is one of each, of
which the person signs one. Its line "words.NAME: TEXT" says what deviated, or why
the person disagrees; without it, nobody is given a statement with deviations. Its line
"ceremony: KIND" names the ceremony: install, adopt, rotate, generate, roster,
reconcile, compromise, disable, enable or destroy; or it is "ceremony: abort", for an
install that is given up.`,
		Args: oneArgument,
		RunE: ran(func(cmd *cobra.Command, args []string) error { return checkAnswers(cmd.OutOrStdout(), args[0]) }),
	})
	return cmd
}

func checkAnswers(w io.Writer, path string) error {
	a, err := readAnswers(path)
	if err != nil {
		return &usageError{err}
	}
	unknown, gaps := a.unknown(), engine.Gaps(a.questions(false), a.texts)
	for _, name := range unknown {
		fmt.Fprintf(w, "unknown  %s\n", printable.Text(name))
	}
	for _, f := range gaps {
		fmt.Fprintf(w, "open     %-10s %s (%s)\n", f.Name, f.Question, f.Help)
	}
	if len(unknown)+len(gaps) > 0 {
		return &usageError{fmt.Errorf("answers %s for %s: %d unknown, %d open: %w",
			a.path, a.ceremony, len(unknown), len(gaps), errAnswers)}
	}
	fmt.Fprintf(w, "good: %s answers every question of %s\n", a.path, a.ceremony)
	return nil
}

var errAnswers = errors.New("the file is not complete")
