package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// finals gathers what each person says of the whole ceremony.
type finals struct {
	*collector
	core   []byte
	closed Facts             // of the last line
	stated map[string][]byte // statements in the store, by name: they stand
}

// close writes the last line, final.txt, and everybody's final.
func (e *engine) close(ctx context.Context) error {
	if e.log.State.Outcome == "" {
		if _, err := e.append(ctx, transcript.Closed, "", e.closing()); err != nil {
			return err
		}
	}
	last := e.log.State.Last()
	core, err := e.log.State.Core()
	if err != nil {
		return err
	}
	err = e.site.Store.CloseCeremony(ctx, store.Ceremony{Seq: e.site.Seq, Outcome: last.Facts[transcript.FactOutcome], Head: e.log.Head(), Final: transcript.Digest(core)})
	if err != nil {
		return err
	}
	if err := e.log.Final(ctx, transcript.CoreFile, core); err != nil {
		return err
	}
	f := &finals{e.collector(quorum.Final), core, last.Facts, map[string][]byte{}}
	e.show(func(v *View) {
		v.Step, v.Title, v.Why = "finals", "Sign the end", "Each of you says whether the ceremony went as its steps say."
		if last.Facts[transcript.FactOutcome] == transcript.OutcomeAborted {
			v.Title = "Sign that it was given up"
		}
		v.N, v.Of = len(e.steps)+1, len(e.steps)+1
		v.Details, v.Probe, v.Fleet, v.Progress, v.Waiting = nil, nil, nil, nil, ""
	})
	if err := f.gather(ctx); err != nil {
		return err
	}
	_ = e.clearSigning() // what people carried away is theirs
	if err := f.ending(ctx); err != nil {
		return err
	}
	return f.agreed()
}

// gather ends when everybody who attended has signed, or M have and no more is wanted.
func (f *finals) gather(ctx context.Context) error {
	f.counts = func(m quorum.Member) bool { return m.May(f.site.Mode.Namespace(quorum.Approve)) }
	f.need, f.file, f.text, f.may, f.keep, f.fill = f.site.Roster.M, transcript.FinalFile, f.statement, f.mayFinal, f.files, f.fillRequest
	f.rule = f.needs("the end")
	if err := f.kept(ctx); err != nil {
		return err
	}
	err := f.collect(ctx)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("finals: %w", ErrInterrupted)
	case errors.Is(err, ErrLater) && f.have() >= f.need:
		return nil
	case errors.Is(err, ErrLater):
		return f.later("finals")
	}
	return err
}

// agreed demands that M people say the script was followed, if with deviations.
func (f *finals) agreed() error {
	n := 0
	for _, m := range f.site.Roster.Members {
		if verdict := f.signed[m.Name]; verdict != "" && verdict != string(transcript.Disagree) && f.counts(m) {
			n++
		}
	}
	if n < f.need {
		return fmt.Errorf("finals: %d of %d agree: %w", n, f.need, ErrDisagreed)
	}
	return nil
}

// kept finds the finals that an earlier run already has in the store.
func (f *finals) kept(ctx context.Context) error {
	entries, err := fence{f.site.Store, f.site.Seq}.Entries(ctx)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		files[e.Name] = e.Data
	}
	f.signed, err = signedFinals(f.log.State, files)
	for _, m := range f.site.Roster.Members {
		if text := files[transcript.FinalFile(m.Name)]; text != nil {
			f.stated[m.Name] = text
		}
	}
	return err
}

// signedFinals checks the finals that a store holds for a closed log and returns the
// verdicts by name. A statement whose signature is not there yet does not count.
func signedFinals(log transcript.State, files map[string][]byte) (map[string]string, error) {
	core, err := log.Core()
	if err != nil {
		return nil, fmt.Errorf("final: %w: %w", ErrHistory, err)
	}
	verdicts := map[string]string{}
	for _, m := range log.Roster.Members {
		name := transcript.FinalFile(m.Name)
		statement, sig := files[name], files[name+".sig"]
		if statement == nil || sig == nil {
			continue
		}
		verdict, err := transcript.VerdictOf(core, m, statement)
		if err == nil {
			_, err = log.Roster.Check(log.Mode().Namespace(quorum.Final), quorum.Signed{Name: m.Name, Statement: statement, Signature: sig, At: log.Last().Clock()})
		}
		if err != nil {
			return nil, fmt.Errorf("final of %s: %w: %w", m.Name, ErrHistory, err)
		}
		verdicts[m.Name] = string(verdict)
	}
	return verdicts, nil
}

func (f *finals) mayFinal(m quorum.Member) bool {
	return m.May(f.namespace()) && f.log.State.Attends(m.Name)
}

func (f *finals) fillRequest(r *Request) {
	r.Digest = transcript.Digest(f.core)
	for _, v := range transcript.Verdicts {
		r.Words = append(r.Words, string(v))
	}
}

// statement is the final with a verdict; laid out without a word it says
// "followed".
func (f *finals) statement(m quorum.Member, word string) ([]byte, bool) {
	verdict := transcript.Verdict(word)
	if word == "" {
		verdict = transcript.Followed
	}
	text := transcript.FinalStatement(f.core, m, verdict)
	if there := f.stated[m.Name]; there != nil && !bytes.Equal(there, text) {
		return there, false // written down before an interruption, and not signed
	}
	return text, slices.Contains(transcript.Verdicts, verdict)
}

// files keeps a final in the bundle and the store.
func (f *finals) files(ctx context.Context, p quorum.Proof, s quorum.Signed) (string, error) {
	verdict, err := transcript.VerdictOf(f.core, p.Member, s.Statement)
	if err != nil {
		return "", err
	}
	all, err := f.site.Store.Ceremonies(ctx)
	if err != nil {
		return "", err
	}
	if n := len(all); n > f.site.Seq {
		return "", fmt.Errorf("final of %s: ceremony %d has begun: %w", p.Name, n, transcript.ErrClosed)
	}
	name := transcript.FinalFile(p.Name)
	if err := f.log.Final(ctx, name, s.Statement); err != nil {
		return "", err
	}
	return string(verdict), f.log.Final(ctx, name+".sig", s.Signature)
}

// ending shows the last page and waits for people to leave it.
func (f *finals) ending(ctx context.Context) error {
	end := &Ending{Bundle: f.log.Dir, Digest: transcript.Digest(f.core), Space: f.namespace(),
		Summary: append(summary(f.kind, f.facts(), f.closed), deviated(len(f.site.Deviations)))}
	for _, m := range f.site.Roster.Members {
		if v := f.signed[m.Name]; v != "" {
			end.Signed = append(end.Signed, fmt.Sprintf("%s (%s)", m.Name, v))
			if end.Signer == "" {
				end.Signer = m.Name
			}
		}
	}
	f.show(func(v *View) { v.Step, v.Title, v.Why, v.Ending = "", "", "", end })
	return nil
}

// deviated tells how many deviations there were.
func deviated(n int) string {
	if n == 0 {
		return "No deviations."
	}
	return fmt.Sprintf("Deviations: %d, each in the transcript.", n)
}

// summary tells what the ceremony did, from its facts.
func summary(kind string, facts, closed Facts) []string {
	if closed[transcript.FactOutcome] == transcript.OutcomeAborted {
		return []string{
			"Given up. Done before: " + closed["done"] + ". Begun and not done: " + closed["begun"] + ".",
			"Next: kekceremony status says what is due.",
		}
	}
	switch kind {
	case Install:
		return []string{
			"Version " + facts[transcript.FactTo] + " was made and is active: " + facts["key_label"] + ".",
			"The store is locked to provider " + facts["provider"] + ".",
		}
	case Generate:
		return []string{
			"Version " + facts[transcript.FactTo] + " was made: " + facts["key_label"] + ". Nothing uses it yet: version " + facts[transcript.FactActive] + " is active.",
			"Next: have the fleet load it, then kekceremony rotate --to-version " + facts[transcript.FactTo] + ".",
		}
	}
	if kind == People {
		return []string{"The next ceremony goes by the roster " + facts[transcript.FactChanged] + "."}
	}
	lines := []string{"Version " + facts[transcript.FactTo] + " is active. Every other version is retired: readable, written by nobody."}
	return append(lines, facts["rewrapped"]+" envelopes re-wrapped, each checked before it was written. 0 left at another version.")
}
