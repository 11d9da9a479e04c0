package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// ErrIncomplete is returned for a bundle that holds nothing wrong, but is not
// finished: not closed, or signed at the end by fewer than M.
var ErrIncomplete = errors.New("incomplete")

// Verify reads a bundle directory and checks it by itself. A *RuleError says which
// rule is broken and names the line or the file.
func Verify(dir string) (Report, error) {
	b, err := ReadBundle(dir)
	if err != nil {
		return b.unread(err)
	}
	return b.Verify()
}

// Verify checks a bundle by itself: chain of lines, embedded files, statements,
// signatures, quorum before every act, finals.
func (b Bundle) Verify() (Report, error) {
	v := &verifier{Report: Report{Bundle: b, Finals: map[string]Verdict{}}, used: map[string]bool{logFile: true},
		kept: map[Rule]bool{}}
	err := v.verify()
	v.Judgements = judgements(v.kept, err)
	return v.Report, err
}

// verifier holds a bundle's files against the state that its log comes to.
type verifier struct {
	Report
	used map[string]bool
	kept map[Rule]bool
}

// broken is the error of a rule that is not kept.
func broken(rule Rule, format string, args ...any) error {
	return &RuleError{rule, fmt.Errorf(format, args...)}
}

func (v *verifier) verify() error {
	torn, err := v.log()
	if err != nil {
		return err
	}
	v.kept[RuleLog] = true
	for _, e := range v.Events {
		err := v.embedded(e)
		if err == nil {
			err = v.State.advance(e)
		}
		if err != nil {
			return atLine(e, err)
		}
	}
	for _, rule := range []Rule{RuleRoster, RuleSignatures, RuleQuorum, RuleOrder} {
		v.kept[rule] = true
	}
	if err := v.finals(); err != nil {
		return err
	}
	for _, name := range sorted(v.Bundle.files) {
		if !v.used[name] {
			return broken(RuleFiles, "%s: the log knows no such file", printable.Text(name))
		}
	}
	v.kept[RuleFiles] = true
	if torn != nil {
		return torn
	}
	return v.complete()
}

// at puts the place before what a rule says.
func at(place string, err error) error {
	var r *RuleError
	if errors.As(err, &r) {
		return &RuleError{r.Rule, fmt.Errorf("%s: %w", place, r.Err)}
	}
	return fmt.Errorf("%s: %w", place, err)
}

// atLine names the line that breaks a rule.
func atLine(e Event, err error) error { return at(fmt.Sprintf("%s line %d", logFile, e.Seq+1), err) }

// log parses the whole log. A torn last line is no more than incomplete, as long as
// the ceremony is open.
func (v *verifier) log() (torn, err error) {
	data := v.Bundle.files[logFile]
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if v.Events, err = ParseLog(whole); err != nil {
		return nil, &RuleError{RuleLog, err}
	}
	n := len(v.Events)
	if len(whole) != len(data) {
		torn = broken(RuleLog, "%s line %d: no line feed at its end: %w", logFile, n+1, ErrIncomplete)
		if _, closed := v.Bundle.files[CoreFile]; closed {
			return nil, broken(RuleLog, "%s line %d: bytes after the last line feed", logFile, n+1)
		}
	}
	if n == 0 {
		return nil, broken(RuleLog, "%s: no line: %w", logFile, ErrIncomplete)
	}
	return torn, nil
}

// embedded compares the files that a line embeds with those of the bundle.
func (v *verifier) embedded(e Event) error {
	files := e.files()
	for _, name := range sorted(files) {
		have, ok := v.Bundle.files[name]
		if !ok {
			return broken(RuleFiles, "%s is missing", printable.Text(name))
		}
		if !bytes.Equal(have, files[name]) {
			return broken(RuleFiles, "%s differs from what the log embeds", printable.Text(name))
		}
		v.used[name] = true
	}
	return nil
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
