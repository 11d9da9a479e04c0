package engine

import (
	"bytes"
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// finals are what each person says of the whole ceremony, as people sign it.
type finals struct {
	*engine
	core   []byte            // final.txt
	stated map[string][]byte // statements in the store, by name: they stand
}

var _ signing.Paper = (*finals)(nil)

func (f *finals) shown() Request {
	return Request{Purpose: quorum.Final, Digest: transcript.Digest(f.core), Need: f.site.Roster.M,
		Rule: f.needs("the end")}
}

// File implements signing.Paper.
func (f *finals) File(name string) string { return transcript.FinalFile(name) }

// Words implements signing.Paper: the verdicts. One that was written down before an
// interruption, and not signed, stands.
func (f *finals) Words(m quorum.Member) (words []string) {
	there := f.stated[m.Name]
	for _, v := range transcript.Verdicts {
		if there == nil || bytes.Equal(there, transcript.FinalStatement(f.core, m, v)) {
			words = append(words, string(v))
		}
	}
	return words
}

// Statement implements signing.Paper.
func (f *finals) Statement(m quorum.Member, word string) []byte {
	return transcript.FinalStatement(f.core, m, transcript.Verdict(word))
}

// May implements signing.Paper.
func (f *finals) May(m quorum.Member) bool {
	return m.May(f.site.Mode.Namespace(quorum.Final)) && f.log.State.Attends(m.Name)
}

// Counts implements signing.Paper: a witness's final is kept, and makes no quorum.
func (f *finals) Counts(m quorum.Member) bool { return m.May(f.site.Mode.Namespace(quorum.Approve)) }

// Keep implements signing.Paper: a final is in the bundle and the store.
func (f *finals) Keep(ctx context.Context, p quorum.Proof, s quorum.Signed) (string, error) {
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
