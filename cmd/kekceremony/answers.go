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
	for name, text := range a.texts {
		if strings.HasPrefix(name, engine.AnswerVerdict) && !slices.Contains(transcript.Verdicts, transcript.Verdict(text)) {
			return a, fmt.Errorf("read answers %s: %s: want followed, deviations or disagree", a.path, printable.Text(name))
		}
	}
	if all := append(kinds(), kindAbort); !slices.Contains(all, a.ceremony) {
		return a, fmt.Errorf("read answers %s: ceremony: %s: want one of %s", a.path, printable.Quote(a.ceremony),
			strings.Join(all, ", "))
	}
	return a, nil
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
		return asked || strings.HasPrefix(name, engine.AnswerDeviation) || strings.HasPrefix(name, engine.AnswerVerdict)
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
	cmd := &cobra.Command{Use: "answers", Short: "Check a file of answers", Args: cobra.NoArgs}
	cmd.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "List missing answers and unknown names of a file; exit 0 if there are none",
		Long: `check lists every question of the ceremony that the file leaves open, and every
name in it that is not a question. The file has lines of NAME: TEXT. Its line
"verdict.NAME: WORD" is the verdict in the statement that a person is given to sign
at the end: followed, deviations or disagree; without it, followed. Its line
"ceremony: KIND" names the ceremony: install, adopt, rotate, generate, roster,
reconcile, compromise, disable, enable or destroy; or it is "ceremony: abort", for an
install that is given up.`,
		Args: cobra.ExactArgs(1),
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
