package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// finals are what each person says of the whole ceremony, as people sign it.
type finals struct {
	*engine
	core   []byte            // final.txt
	stated map[string][]byte // statements in the store, by name: they stand
	said   map[string]transcript.Final
}

var _ signing.Paper = (*finals)(nil)

// gather ends when everybody who attended has signed, or M have and no more is wanted.
func (f *finals) gather(ctx context.Context) (*signing.Collector, error) {
	c := f.collector(f, f.shown(), f.site.Roster)
	c.Closed = f.log.State.Last().Clock()
	if err := f.kept(ctx, c); err != nil {
		return c, err
	}
	err := c.Collect(ctx)
	switch {
	case ctx.Err() != nil:
		return c, &StoppedError{"finals"}
	case errors.Is(err, ErrLater) && c.Have() >= c.Request.Need:
		return c, nil
	case errors.Is(err, ErrLater):
		return c, c.Later("finals")
	}
	return c, err
}

// agree counts those who say that the ceremony went as its steps say, if with deviations.
func (f *finals) agree(c *signing.Collector) (n int) {
	for _, m := range f.site.Roster.Members {
		if verdict := c.Signed[m.Name]; verdict != "" && verdict != string(transcript.Disagree) && f.Counts(m) {
			n++
		}
	}
	return n
}

// agreed demands that M people do.
func (f *finals) agreed(c *signing.Collector) error {
	if n := f.agree(c); n < c.Request.Need {
		return fmt.Errorf("finals: %d of %d agree: %w", n, c.Request.Need, ErrDisagreed)
	}
	return nil
}

// kept finds the finals that an earlier run already has in the store.
func (f *finals) kept(ctx context.Context, c *signing.Collector) error {
	_, files, err := history.Fence{Log: f.site.Store, Seq: f.site.Seq}.State(ctx)
	if err != nil {
		return err
	}
	if f.said, err = f.log.State.Finals(files); err != nil {
		return fmt.Errorf("%w: %w", history.ErrHistory, err)
	}
	for name, final := range f.said {
		c.Signed[name] = string(final.Verdict)
	}
	for _, m := range f.site.Roster.Members {
		text := files[transcript.FinalFile(m.Name)]
		if text == nil {
			continue
		}
		if _, err := transcript.FinalOf(f.core, m, text); err != nil {
			return fmt.Errorf("%w: %w", history.ErrHistory, err)
		}
		f.stated[m.Name] = text
	}
	return nil
}

func (f *finals) shown() Request {
	agree := f.site.Roster.M
	if f.log.State.Void() { // which no verdict makes undone
		agree = 0
	}
	return Request{Purpose: quorum.Final, Digest: transcript.Digest(f.core), Need: f.site.Roster.M, Agree: agree,
		Rule: f.needs("the end"), Warning: f.warning, Done: append(f.summary(), Deviated(f.log.State.Deviations)...),
		Earlier: f.earlier()}
}

// File implements signing.Paper.
func (f *finals) File(name string) string { return transcript.FinalFile(name) }

// May implements signing.Paper.
func (f *finals) May(m quorum.Member) bool {
	return m.May(f.site.Mode.Namespace(quorum.Final)) && f.log.State.Attends(m.Name)
}

// Counts implements signing.Paper: a witness's final is kept, and makes no quorum.
func (f *finals) Counts(m quorum.Member) bool { return m.May(f.site.Mode.Namespace(quorum.Approve)) }

// Keep implements signing.Paper: a final is in the bundle and the store.
func (f *finals) Keep(ctx context.Context, p quorum.Proof, s quorum.Signed) (string, error) {
	final, err := transcript.FinalOf(f.core, p.Member, s.Statement)
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
	f.said[p.Name] = final
	return string(final.Verdict), f.log.Final(ctx, name+".sig", s.Signature)
}
