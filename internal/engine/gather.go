package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// gathering is one request of a Gather step, as people sign it.
type gathering struct {
	*engine
	step   Step
	plan   plan               // of an approval
	roster quorum.Roster      // whose keys sign
	req    transcript.Request // as the log asks it
}

var _ signing.Paper = (*gathering)(nil)

// gather asks until enough have signed.
func (e *engine) gather(ctx context.Context, s Step) error {
	g := &gathering{engine: e, step: s, roster: e.site.Roster}
	if s.Gather.Purpose == quorum.Join {
		g.roster = e.site.Next
	}
	if err := g.request(ctx); err != nil {
		return err
	}
	c := e.collector(g, g.shown(), g.roster)
	for _, e := range e.log.Events[g.req.Event.Seq:] {
		if e.Kind == transcript.Signed && e.Step == s.Name {
			c.Signed[e.Facts[transcript.FactSigner]] = clock(e)
		}
	}
	err := c.Collect(ctx)
	if errors.Is(err, ErrLater) {
		return g.wait(ctx, c)
	}
	if err != nil {
		return err
	}
	return e.end(ctx, transcript.Gathered, s.Name, Facts{gatheredFact(s): strings.Join(c.Names(), ", ")})
}

// collector takes the signatures of a paper.
func (e *engine) collector(p signing.Paper, shown Request, roster quorum.Roster) *signing.Collector {
	return &signing.Collector{Paper: p, Room: careful{e.room, e}, Request: shown,
		Mode: e.site.Mode, Roster: roster, Keys: e.site.Keys,
		Dir: e.signingDir(), Guide: guide, Revoked: e.site.Revoked, Counters: e.counters, Signed: map[string]string{}}
}

// counters are the last ones of authenticators, in this ceremony or one before.
func (e *engine) counters() quorum.Counters {
	all := quorum.Counters{}
	maps.Copy(all, e.site.History.Counters)
	maps.Copy(all, e.log.State.Counters())
	return all
}

func gatheredFact(s Step) string {
	switch s.Gather.Purpose {
	case quorum.Attend:
		return transcript.FactAttended
	case quorum.Join:
		return transcript.FactJoined
	}
	return s.Name + "_signed"
}

// request writes the event that asks, or takes up the one an earlier run left
// waiting.
func (g *gathering) request(ctx context.Context) (err error) {
	if g.step.Gather.Purpose == quorum.Approve {
		if g.plan, err = g.derive(ctx, g.step.Gather); err != nil {
			return err
		}
	}
	if !g.unanswered() {
		if _, err = g.append(ctx, g.step.Gather.kind(), g.step.Name, g.asking()); err != nil {
			return err
		}
	}
	open, _ := g.log.State.Requested(g.step.Name)
	g.req = open.Request
	return nil
}

// kind is the kind of the event that asks.
func (g Gather) kind() transcript.Kind {
	if g.Purpose == quorum.Approve {
		return transcript.Plan
	}
	return transcript.Asked
}

// unanswered reports whether there is a request to take up. One whose plan moved since
// is asked again.
func (g *gathering) unanswered() bool {
	open, ok := g.log.State.Requested(g.step.Name)
	if !ok || open.Gathered {
		return false
	}
	return open.Purpose != quorum.Approve || open.Event.Facts[transcript.FactSHA256] == g.plan.digest()
}

func (g *gathering) asking() Facts {
	facts := Facts{transcript.FactFinal: g.site.History.Final}
	switch g.step.Gather.Purpose {
	case quorum.Approve:
		return Facts{transcript.FactPlan: g.plan.Text, transcript.FactSHA256: g.plan.digest(),
			transcript.FactActs: strings.Join(g.plan.Acts, " ")}
	case quorum.Join:
		facts = Facts{transcript.FactPurpose: string(quorum.Join), transcript.FactNextRoster + "_sha256": g.roster.Digest()}
	}
	for _, m := range g.roster.Members {
		nonce := make([]byte, 16)
		rand.Read(nonce)
		facts[transcript.FactNonce+m.Name] = hex.EncodeToString(nonce)
	}
	return facts
}

// shown is what the room shows beside the signers.
func (g *gathering) shown() Request {
	r := Request{Purpose: g.step.Gather.Purpose, Plan: g.plan.Effects, Text: g.plan.Text,
		Digest: g.req.Event.Facts[transcript.FactSHA256],
		Need:   g.site.Roster.M, Rule: g.needs("the plan")}
	// What people compare with their paper is what this console computed, never what a log says.
	if last := g.site.History.Final; last != transcript.NoDigest && r.Purpose == quorum.Attend {
		r.Last = last
	}
	switch {
	case r.Purpose == quorum.Join:
		r.Need, r.Rule = len(g.roster.Joining(g.site.Roster)), "each new key needs a proof"
	case g.step.Gather.All:
		r.Need, r.Rule = len(g.roster.Who(g.req.Namespace())), g.Kind+" needs everybody on the roster"
	case r.Purpose == quorum.Attend:
		r.Rule = g.needs(g.Kind)
	}
	if names := g.site.History.WithoutFinal; r.Purpose == quorum.Attend && len(names) > 0 {
		r.Warning = strings.Join(names, ", ") + " attended the last ceremony, and the store has no final signature of " +
			"theirs: they did not sign the end, or the signature was lost or removed since"
	}
	return r
}

// File implements signing.Paper.
func (g *gathering) File(name string) string { return g.req.File(name) }

// Words implements signing.Paper: a plan is approved by its version, by what is
// changed, or where the ceremony is aborted by that; else people type their names.
func (g *gathering) Words(m quorum.Member) []string {
	if g.req.Purpose == quorum.Approve && g.aborts {
		return []string{"abort"}
	}
	if g.req.Purpose == quorum.Approve {
		return []string{cmp.Or(g.facts()[transcript.FactTo], g.Kind)}
	}
	return []string{m.Name}
}

// Statement implements signing.Paper: it is the same whatever the word.
func (g *gathering) Statement(_ context.Context, m quorum.Member, _ string) ([]byte, error) {
	return g.req.Statement(m), nil
}

// Lies implements signing.Paper.
func (g *gathering) Lies(name, _ string) string { return g.File(name) }

// Laid implements signing.Paper.
func (g *gathering) Laid(m quorum.Member, _ string, _ []byte) []byte { return g.req.Statement(m) }

// Brought implements signing.Paper: it is ours, not what lies there.
func (g *gathering) Brought(m quorum.Member, _ string, _ []byte) [][]byte {
	return [][]byte{g.req.Statement(m)}
}

// May implements signing.Paper. Who did not attend cannot approve, and only who is new
// proves a key.
func (g *gathering) May(m quorum.Member) bool {
	switch g.req.Purpose {
	case quorum.Approve:
		if !g.log.State.Attends(m.Name) {
			return false
		}
	case quorum.Join:
		isNew := func(j quorum.Member) bool { return j.Name == m.Name }
		if !slices.ContainsFunc(g.roster.Joining(g.site.Roster), isNew) {
			return false
		}
	}
	return m.May(g.req.Namespace())
}

// Counts implements signing.Paper. Who attends and may not approve is welcome, and does
// not make the quorum.
func (g *gathering) Counts(m quorum.Member) bool {
	return g.req.Purpose != quorum.Attend || g.step.Gather.All || m.May(g.site.Mode.Namespace(quorum.Approve))
}

// Keep implements signing.Paper: a signature is in the log before the act it allows.
func (g *gathering) Keep(ctx context.Context, p quorum.Proof, s quorum.Signed) (string, error) {
	facts := Facts{
		transcript.FactSigner: p.Name, transcript.FactKey: p.Fingerprint(), transcript.FactNamespace: g.req.Namespace(),
		transcript.FactFile: g.req.File(p.Name), transcript.FactStatement: string(s.Statement),
		transcript.FactSignature: string(s.Signature),
	}
	if p.FIDO != nil {
		facts[transcript.FactFIDO] = p.FIDO.String()
	}
	ev, err := g.append(ctx, transcript.Signed, g.step.Name, facts)
	return clock(ev), err
}

// wait ends the run: people are missing.
func (g *gathering) wait(ctx context.Context, c *signing.Collector) error {
	var missing []string
	for _, m := range c.Missing() {
		missing = append(missing, m.Name)
	}
	// First of all: what was signed so far then still counts.
	if _, err := g.append(ctx, transcript.Waiting, g.step.Name, Facts{transcript.FactFor: strings.Join(missing, ", "),
		transcript.FactHave: strconv.Itoa(c.Have()), transcript.FactNeed: strconv.Itoa(c.Request.Need)}); err != nil {
		return err
	}
	return c.Later(g.step.Name)
}
