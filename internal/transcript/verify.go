package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// ErrIncomplete is returned for a bundle that holds nothing wrong, but is not
// finished: not closed, or signed at the end by fewer than M.
var ErrIncomplete = errors.New("incomplete")

// Limits on what a bundle may hold, so that a hostile one is refused early.
const (
	maxFiles = 2_000
	maxFile  = 8 << 20 // bytes
)

// Report is what a good bundle shows.
type Report struct {
	Events   Events
	Roster   quorum.Roster
	Finals   map[string]Verdict // by signer
	FinalSum string             // SHA-256 of final.txt
}

// Verify checks a bundle directory by itself: chain of lines, embedded files,
// statements, signatures, quorum before every act, finals. The error names the
// line or the file.
func Verify(dir string) (Report, error) {
	files, err := readBundle(dir)
	if err != nil {
		return Report{}, err
	}
	v := &verifier{files: files, used: map[string]bool{logFile: true}}
	if err := v.log(); err != nil {
		return v.report, err
	}
	if err := v.finals(); err != nil {
		return v.report, err
	}
	for _, name := range sorted(files) {
		if !v.used[name] {
			return v.report, fmt.Errorf("%s: the log knows no such file", printable.Text(name))
		}
	}
	return v.report, v.complete()
}

// readBundle reads every file of a bundle, none of which may be a directory or
// a link.
func readBundle(dir string) (map[string][]byte, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(list) > maxFiles {
		return nil, fmt.Errorf("%d files, more than %d", len(list), maxFiles)
	}
	files := make(map[string][]byte, len(list))
	for _, d := range list {
		info, err := d.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxFile {
			return nil, fmt.Errorf("%s: not a regular file of at most %d bytes", printable.Text(d.Name()), maxFile)
		}
		if files[d.Name()], err = os.ReadFile(filepath.Join(dir, d.Name())); err != nil {
			return nil, err
		}
	}
	if _, ok := files[logFile]; !ok {
		return nil, fmt.Errorf("%s: %w", logFile, fs.ErrNotExist)
	}
	return files, nil
}

// verifier walks a log once and keeps what later lines need.
type verifier struct {
	files  map[string][]byte
	used   map[string]bool
	report Report

	mode     quorum.Mode
	requests map[string]Event           // the last asked or plan event, by step
	signed   map[string][]quorum.Signed // since then, by step
	attended map[string]bool
	approved map[string]string // step of an act -> step of its approval
	open     map[string]bool   // acts begun and not done
	begunOf  map[string]bool   // approvals of which an act was begun
	last     Kind              // of the line before
}

func (v *verifier) log() error {
	data := v.files[logFile]
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	events, err := ParseLog(whole)
	v.report.Events = events
	if err != nil {
		return err
	}
	if _, closed := v.files[CoreFile]; len(whole) != len(data) && closed {
		return fmt.Errorf("%s line %d: no line feed at its end", logFile, len(events)+1)
	} else if len(whole) != len(data) {
		return fmt.Errorf("%s line %d: torn: %w", logFile, len(events)+1, ErrIncomplete)
	}
	if len(events) == 0 {
		return fmt.Errorf("%s: no line: %w", logFile, ErrIncomplete)
	}
	v.mode = quorum.Mode(events[0].Facts[FactMode])
	if v.mode != quorum.Production && v.mode != quorum.Rehearsal {
		return fmt.Errorf("%s line 1: mode %s", logFile, printable.Quote(string(v.mode)))
	}
	v.requests, v.signed = map[string]Event{}, map[string][]quorum.Signed{}
	v.attended, v.approved = map[string]bool{}, map[string]string{}
	v.open, v.begunOf = map[string]bool{}, map[string]bool{}
	for i, e := range events {
		if err := v.event(e); err != nil {
			return fmt.Errorf("%s line %d: %w", logFile, i+1, err)
		}
		v.last = e.Kind
	}
	return nil
}

func (v *verifier) event(e Event) error {
	files := e.files()
	for _, name := range sorted(files) {
		if have, ok := v.files[name]; !ok {
			return fmt.Errorf("%s is missing", printable.Text(name))
		} else if !bytes.Equal(have, files[name]) {
			return fmt.Errorf("%s differs from what the log embeds", printable.Text(name))
		}
		v.used[name] = true
	}
	switch e.Kind {
	case Roster:
		return v.roster(e)
	case Asked, Plan:
		return v.request(e)
	case Signed:
		return v.signature(e)
	case Gathered:
		return v.gathered(e)
	case Begun:
		return v.begun(e)
	case Done:
		delete(v.open, e.Step)
	case Resumed:
		if v.last != Waiting {
			v.expire()
		}
	case Closed:
		if len(v.open) > 0 && e.Facts[FactOutcome] == OutcomeDone {
			return fmt.Errorf("closed as done, but %s is not", strings.Join(sorted(v.open), ", "))
		}
	}
	return nil
}

// expire forgets what a resume ends: attendance, and approvals of which no act
// was begun.
func (v *verifier) expire() {
	v.attended = map[string]bool{}
	for step := range v.requests {
		if !v.begunOf[step] {
			delete(v.requests, step)
			delete(v.signed, step)
		}
	}
}

func (v *verifier) roster(e Event) (err error) {
	if len(v.report.Roster.Members) > 0 {
		return errors.New("a second roster")
	}
	v.report.Roster, err = quorum.ParseRoster([]byte(e.Facts["roster"]), v.mode)
	if err == nil && e.Facts["roster_sha256"] != v.report.Roster.Digest() {
		err = errors.New("roster_sha256 is not the roster's")
	}
	return err
}

func (v *verifier) request(e Event) error {
	if e.Kind == Plan {
		if Digest([]byte(e.Facts["plan"])) != e.Facts["sha256"] {
			return errors.New("sha256 is not the plan's")
		}
		for act := range strings.FieldsSeq(e.Facts["acts"]) {
			v.approved[act] = e.Step
		}
	}
	v.requests[e.Step], v.signed[e.Step] = e, nil
	return nil
}

// signature checks one statement: written again from the log, it must be the
// very bytes that were signed.
func (v *verifier) signature(e Event) error {
	asked, ok := v.requests[e.Step]
	if !ok {
		return fmt.Errorf("%s: nothing was asked", printable.Text(e.Facts["file"]))
	}
	req, err := RequestOf(v.report.Events[0], asked)
	if err != nil {
		return err
	}
	s := quorum.Signed{Name: e.Facts["signer"], Statement: []byte(e.Facts["statement"]), Signature: []byte(e.Facts["signature"])}
	m, err := v.report.Roster.Check(req.Namespace(), s)
	if err != nil {
		return fmt.Errorf("%s: %w", printable.Text(e.Facts["file"]), err)
	}
	if !bytes.Equal(s.Statement, req.Statement(m)) || e.Facts["file"] != req.File(m.Name) {
		return fmt.Errorf("%s: not the statement that was asked of %s", printable.Text(e.Facts["file"]), m.Name)
	}
	if req.Purpose == quorum.Approve && !v.attended[m.Name] {
		return fmt.Errorf("%s: %s did not attend", printable.Text(e.Facts["file"]), m.Name)
	}
	if req.Purpose == quorum.Attend {
		v.attended[m.Name] = true
	}
	v.signed[e.Step] = append(v.signed[e.Step], s)
	return nil
}

// gathered and begun demand the quorum before what follows from it (promise 1).
func (v *verifier) gathered(e Event) error {
	asked, ok := v.requests[e.Step]
	if !ok {
		return fmt.Errorf("step %s: nothing was asked", printable.Text(e.Step))
	}
	req, err := RequestOf(v.report.Events[0], asked)
	if err != nil {
		return err
	}
	_, err = v.report.Roster.CheckAll(req.Namespace(), v.signed[e.Step])
	return err
}

func (v *verifier) begun(e Event) error {
	by, ok := v.approved[e.Step]
	if !ok {
		return fmt.Errorf("act %s: no plan covers it", printable.Text(e.Step))
	}
	if _, err := v.report.Roster.CheckAll(v.mode.Namespace(quorum.Approve), v.signed[by]); err != nil {
		return fmt.Errorf("act %s: %w", printable.Text(e.Step), err)
	}
	v.open[e.Step], v.begunOf[by] = true, true
	return nil
}

// finals checks final.txt and what each person signed over it.
func (v *verifier) finals() error {
	v.report.Finals = map[string]Verdict{}
	core, ok := v.files[CoreFile]
	if !ok {
		return nil
	}
	want, err := v.report.Events.Core()
	if err != nil {
		return fmt.Errorf("%s: %w", CoreFile, err)
	}
	if !bytes.Equal(core, want) {
		return fmt.Errorf("%s: it does not follow from %s", CoreFile, logFile)
	}
	v.used[CoreFile], v.report.FinalSum = true, Digest(core)
	for _, m := range v.report.Roster.Members {
		name := FinalFile(m.Name)
		statement, ok := v.files[name]
		sig, signed := v.files[name+".sig"]
		if !ok && !signed {
			continue
		}
		if ok != signed {
			return fmt.Errorf("%s: statement and signature must both be there: %w", name, ErrIncomplete)
		}
		if _, err := v.report.Roster.Check(v.mode.Namespace(quorum.Final), quorum.Signed{Name: m.Name, Statement: statement, Signature: sig}); err != nil {
			return fmt.Errorf("%s: %w", name+".sig", err)
		}
		if v.report.Finals[m.Name], err = VerdictOf(core, m, statement); err != nil {
			return err
		}
		v.used[name], v.used[name+".sig"] = true, true
	}
	return nil
}

// Outcomes of a ceremony: every step was done, or it was given up before.
const (
	OutcomeDone    = "done"
	OutcomeAborted = "aborted"
)

// complete tells a finished bundle from one that only lacks something.
func (v *verifier) complete() error {
	if last := v.report.Events[len(v.report.Events)-1]; last.Kind != Closed {
		return fmt.Errorf("%s: the last line is %s, not %s: %w", logFile, last.Kind, Closed, ErrIncomplete)
	}
	if v.report.FinalSum == "" {
		return fmt.Errorf("%s is missing: %w", CoreFile, ErrIncomplete)
	}
	agree := 0
	for _, verdict := range v.report.Finals {
		if verdict != Disagree {
			agree++
		}
	}
	if agree < v.report.Roster.M {
		return fmt.Errorf("finals: %d of %d agree: %w", agree, v.report.Roster.M, ErrIncomplete)
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
