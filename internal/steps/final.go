package steps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// finals gathers what each person says of the whole ceremony.
type finals struct {
	*engine
	core   []byte
	signed map[string]transcript.Verdict
	note   string
}

// close writes the last line, final.txt, and everybody's final.
func (e *engine) close(ctx context.Context) error {
	if !e.isClosed() {
		if _, err := e.append(ctx, transcript.Closed, "", Facts{"outcome": transcript.OutcomeDone}); err != nil {
			return err
		}
	}
	core, err := e.log.Events.Core()
	if err != nil {
		return err
	}
	err = e.site.Store.CloseCeremony(ctx, store.Ceremony{Seq: e.site.Seq, Outcome: transcript.OutcomeDone, Head: e.log.Head(), Final: transcript.Digest(core)})
	if err != nil {
		return err
	}
	if err := e.log.Final(ctx, transcript.CoreFile, core); err != nil {
		return err
	}
	f := &finals{engine: e, core: core, signed: map[string]transcript.Verdict{}}
	e.show(func(v *View) {
		v.Step, v.Title, v.Why = "finals", "Sign the end", "Each of you says whether the ceremony went as its steps say."
		v.N, v.Of = len(e.steps)+1, len(e.steps)+1
		v.Details, v.Probe, v.Fleet, v.Progress, v.Waiting = nil, nil, nil, nil, ""
	})
	if err := f.gather(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(e.signingDir()); err != nil {
		return err
	}
	return f.ending(ctx)
}

func (f *finals) space() string { return f.site.Mode.Namespace(quorum.Final) }

// gather ends when everybody who attended has signed, or M have and no more is wanted.
func (f *finals) gather(ctx context.Context) error {
	if err := f.kept(ctx); err != nil {
		return err
	}
	for {
		if err := f.collect(ctx); err != nil {
			return err
		}
		if len(f.missing()) == 0 {
			return nil
		}
		consent, err := f.room.Consent(ctx, f.ask())
		enough := len(f.signed) >= f.site.Roster.M
		switch {
		case errors.Is(err, ErrEnough) && enough, errors.Is(err, ErrLater) && enough:
			return nil
		case errors.Is(err, ErrLater):
			return f.later()
		case ctx.Err() != nil:
			return fmt.Errorf("finals: %w", ErrInterrupted)
		case err == nil:
			err = f.sign(ctx, consent)
		}
		if err != nil {
			return err
		}
	}
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
	for _, m := range f.site.Roster.Members {
		name := transcript.FinalFile(m.Name)
		if files[name] == nil || files[name+".sig"] == nil {
			continue
		}
		if f.signed[m.Name], err = transcript.VerdictOf(f.core, m, files[name]); err != nil {
			return err
		}
	}
	return nil
}

func (f *finals) may(m quorum.Member) bool {
	return m.May(f.space()) && slices.Contains(strings.Split(f.facts[factAttended], ", "), m.Name)
}

func (f *finals) missing() []quorum.Member {
	return slices.DeleteFunc(slices.Clone(f.site.Roster.Members), func(m quorum.Member) bool {
		return f.signed[m.Name] != "" || !f.may(m)
	})
}

func (f *finals) ask() Request {
	r := Request{Purpose: quorum.Final, Need: f.site.Roster.M, Digest: transcript.Digest(f.core), Note: f.note}
	for _, v := range transcript.Verdicts {
		r.Words = append(r.Words, string(v))
	}
	for _, m := range f.site.Roster.Members {
		_, here := f.keyOf(m)
		r.Signers = append(r.Signers, Signer{Name: m.Name, Fingerprint: m.Fingerprint(),
			Signed: f.signed[m.Name] != "", At: string(f.signed[m.Name]), Asked: f.may(m), Here: here})
	}
	return r
}

func (f *finals) sign(ctx context.Context, c Consent) error {
	m, ok := f.site.Roster.Member(c.Signer)
	verdict := transcript.Verdict(c.Word)
	if !ok || f.signed[c.Signer] != "" || !f.may(m) {
		f.note = fmt.Sprintf("%s cannot sign this", printable.Text(c.Signer))
		return nil
	}
	if !slices.Contains(transcript.Verdicts, verdict) {
		f.note = fmt.Sprintf("%s is not the word", printable.Quote(c.Word))
		return nil
	}
	statement := transcript.FinalStatement(f.core, m, verdict)
	path, err := f.statement(transcript.FinalFile(m.Name), statement)
	if err != nil {
		return err
	}
	sig, err := f.signWith(ctx, m, f.space(), path)
	if err != nil {
		f.note = err.Error()
		return ctx.Err()
	}
	return f.keep(ctx, m, statement, sig)
}

func (f *finals) keep(ctx context.Context, m quorum.Member, statement, sig []byte) error {
	verdict, err := transcript.VerdictOf(f.core, m, statement)
	if err == nil {
		_, err = f.site.Roster.Check(f.space(), quorum.Signed{Name: m.Name, Statement: statement, Signature: sig})
	}
	if err != nil {
		f.note = err.Error()
		return nil
	}
	name := transcript.FinalFile(m.Name)
	if err := f.log.Final(ctx, name, statement); err != nil {
		return err
	}
	if err := f.log.Final(ctx, name+".sig", sig); err != nil {
		return err
	}
	f.note, f.signed[m.Name] = "", verdict
	return nil
}

// collect takes the finals that were signed elsewhere.
func (f *finals) collect(ctx context.Context) error {
	for _, m := range f.missing() {
		name := transcript.FinalFile(m.Name)
		sig, err := f.laid(name)
		if err != nil || sig == nil {
			if err != nil {
				return err
			}
			continue
		}
		statement, err := os.ReadFile(filepath.Join(f.signingDir(), name))
		if err != nil {
			return err
		}
		if err := f.keep(ctx, m, statement, sig); err != nil {
			return err
		}
	}
	return nil
}

// later lays out a statement that says "followed" for each missing person.
func (f *finals) later() error {
	w := &WaitingError{Step: "finals", Have: len(f.signed), Need: f.site.Roster.M}
	for _, m := range f.missing() {
		path, err := f.statement(transcript.FinalFile(m.Name), transcript.FinalStatement(f.core, m, transcript.Followed))
		if err != nil {
			return err
		}
		w.Sign = append(w.Sign, m.Name+": "+quorum.SignLine(f.space(), path))
	}
	return w
}

// ending shows the last page and waits for people to leave it.
func (f *finals) ending(ctx context.Context) error {
	end := &Ending{Bundle: f.log.Dir, Digest: transcript.Digest(f.core), Space: f.space(), Summary: summary(f.kind, f.facts)}
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

// summary tells what the ceremony did, from its facts.
func summary(kind string, facts Facts) []string {
	if kind == Install {
		return []string{
			"Version " + facts[factTo] + " was made and is active: " + facts["key_label"] + ".",
			"The store is locked to provider " + facts["provider"] + ".",
		}
	}
	lines := []string{"Version " + facts[factTo] + " is active. Every other version is retired: readable, written by nobody."}
	return append(lines, facts["rewrapped"]+" envelopes re-wrapped, each checked before it was written. 0 left at another version.")
}
