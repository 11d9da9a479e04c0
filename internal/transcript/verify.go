package transcript

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/printable"
)

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
// signatures, quorum before every act, finals. A good one of an install that was given up is
// ErrVoid.
func (b Bundle) Verify() (Report, error) {
	v := &verifier{Report: Report{Bundle: b, Finals: map[string]Final{}}, used: map[string]bool{logFile: true},
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

func (v *verifier) verify() error {
	torn, err := v.log()
	if err != nil {
		return err
	}
	v.kept[RuleLog] = true
	lacks := "" // the first file that a crash kept from being written
	for _, e := range v.Events {
		lack, err := v.embedded(e)
		lacks = cmp.Or(lacks, lack)
		if err == nil {
			err = v.State.advance(e)
		}
		if err != nil {
			return atLine(e, err)
		}
	}
	if _, ended := v.Bundle.files[CoreFile]; lacks != "" && (ended || v.Outcome != "") {
		return broken(RuleFiles, "%s", lacks)
	}
	for _, rule := range []Rule{RuleRoster, RuleSignatures, RuleQuorum, RuleOrder} {
		v.kept[rule] = true
	}
	missing := v.finals()
	if missing != nil && !errors.Is(missing, ErrIncomplete) {
		return missing
	}
	for _, name := range slices.Sorted(maps.Keys(v.Bundle.files)) {
		if !v.used[name] {
			return broken(RuleFiles, "%s: the log knows no such file", printable.Text(name))
		}
	}
	v.kept[RuleFiles] = true
	if torn != nil {
		return torn
	}
	if lacks != "" {
		return broken(RuleFiles, "%s: %w", lacks, ErrIncomplete)
	}
	if missing != nil {
		return missing
	}
	return v.complete()
}

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
	if _, ended := v.Bundle.files[CoreFile]; n == 0 && ended {
		return nil, broken(RuleLog, "%s: no line, and there is %s", logFile, CoreFile)
	}
	if n == 0 {
		return nil, broken(RuleLog, "%s: no line: %w", logFile, ErrIncomplete)
	}
	return torn, nil
}

// embedded compares the files that a line embeds with those of the bundle. One that is not
// there, or only its beginning, is no more than missing while the log is open.
func (v *verifier) embedded(e Event) (lacks string, err error) {
	files := e.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		have, ok := v.Bundle.files[name]
		v.used[name] = true
		switch {
		case bytes.Equal(have, files[name]) && ok:
		case !ok:
			lacks = cmp.Or(lacks, printable.Text(name)+" is missing")
		case bytes.HasPrefix(files[name], have):
			lacks = cmp.Or(lacks, printable.Text(name)+" is cut")
		default:
			return "", broken(RuleFiles, "%s differs from what the log embeds", printable.Text(name))
		}
	}
	if lacks != "" {
		lacks = fmt.Sprintf("%s line %d: %s", logFile, e.Seq+1, lacks)
	}
	return lacks, nil
}

// finals checks final.txt and what each person signed over it.
func (v *verifier) finals() error {
	v.used[VoidFile] = v.Void()
	core, ok := v.Bundle.files[CoreFile]
	if !ok {
		return nil
	}
	want, err := v.Core()
	if err != nil {
		return broken(RuleFinals, "%s: no final matches the log's last line: %w", CoreFile, err)
	}
	if !bytes.Equal(core, want) {
		return broken(RuleFinals, "%s: it does not follow from %s", CoreFile, logFile)
	}
	v.used[CoreFile], v.FinalSum = true, Digest(core)
	v.Finals, err = v.State.takeFinals(v.Bundle.files)
	for _, m := range v.Roster.Members {
		name := FinalFile(m.Name)
		v.used[name], v.used[name+".sig"] = true, true
	}
	return err
}

// complete tells a finished bundle from one that only lacks something.
func (v *verifier) complete() error {
	if last := v.Last(); last.Kind != Closed {
		return broken(RuleFinals, "%s: the last line is %s, not %s: %w", logFile, last.Kind, Closed, ErrIncomplete)
	}
	if v.Void() {
		return v.void()
	}
	if v.FinalSum == "" {
		return broken(RuleFinals, "%s is missing: %w", CoreFile, ErrIncomplete)
	}
	switch agree := v.Agree(); {
	case agree >= v.Roster.M:
		return nil
	case v.Signed() >= v.Roster.M:
		return broken(RuleFinals, "%d of %d agree: %w", agree, v.Roster.M, ErrDisagreed)
	default:
		return broken(RuleFinals, "%d of %d agree: %w", agree, v.Roster.M, ErrIncomplete)
	}
}

// void judges a bundle whose log is void: the note follows from it, and once anybody attended
// M have signed the end, whatever they say of it. A good one is ErrVoid.
func (v *verifier) void() error {
	note, ok := v.Bundle.files[VoidFile]
	switch signed := v.Signed(); {
	case v.Came() && v.FinalSum == "":
		return broken(RuleFinals, "%s is missing: %w", CoreFile, ErrIncomplete)
	case v.Came() && signed < v.Roster.M:
		return broken(RuleFinals, "%d of %d have signed: %w", signed, v.Roster.M, ErrIncomplete)
	case !v.Came() && v.FinalSum != "":
		return broken(RuleFinals, "%s: nobody attended", CoreFile)
	case !ok:
		return broken(RuleFinals, "%s is missing: %w", VoidFile, ErrIncomplete)
	case len(note) < len(v.VoidNote()) && bytes.HasPrefix(v.VoidNote(), note): // a crash cut it
		return broken(RuleFinals, "%s is cut: %w", VoidFile, ErrIncomplete)
	case !bytes.Equal(note, v.VoidNote()):
		return broken(RuleFinals, "%s: it does not follow from %s", VoidFile, logFile)
	}
	v.kept[RuleFinals] = true
	return ErrVoid
}
