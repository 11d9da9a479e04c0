package steps

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// gathering is one request of a Gather step and what has been signed of it.
type gathering struct {
	*collector
	step Step
	req  transcript.Request
	plan plan
}

// gather asks until enough have signed.
func (e *engine) gather(ctx context.Context, s Step) error {
	g := &gathering{step: s, collector: e.collector(s.Gather.Purpose)}
	g.file = func(name string) string { return g.req.File(name) }
	g.text, g.may, g.keep, g.fill = g.statement, g.mayRequest, g.event, g.fillRequest
	if err := g.request(ctx); err != nil {
		return err
	}
	g.need, g.rule = g.site.Roster.M, g.needs("the plan")
	if s.Gather.Purpose == quorum.Attend { // who attends and may not approve is welcome, and does not make the quorum
		approve := g.site.Mode.Namespace(quorum.Approve)
		g.counts = func(m quorum.Member) bool { return s.Gather.All || m.May(approve) }
		g.rule = g.needs(g.kind)
	}
	if s.Gather.All {
		g.need, g.rule = len(g.roster.Who(g.namespace())), g.kind+" needs everybody on the roster"
	}
	if s.Gather.Purpose == quorum.Join {
		g.need, g.rule = len(g.roster.Joining(g.site.Roster)), "each new key needs a proof"
	}
	err := g.collect(ctx)
	if errors.Is(err, ErrLater) {
		return g.wait(ctx)
	}
	if err != nil {
		return err
	}
	return e.end(ctx, transcript.Gathered, s.Name, Facts{gatheredFact(s): strings.Join(g.names(), ", ")})
}

func (e *engine) collector(p quorum.Purpose) *collector {
	roster := e.site.Roster
	if p == quorum.Join {
		roster = e.site.Next
	}
	return &collector{engine: e, purpose: p, roster: roster, counts: func(quorum.Member) bool { return true }, signed: map[string]string{}, elsewhere: map[string]string{}, seen: map[string][]byte{}}
}

func gatheredFact(s Step) string {
	switch s.Gather.Purpose {
	case quorum.Attend:
		return transcript.FactAttended
	case quorum.Join:
		return "joined"
	}
	return s.Name + "_signed"
}

// request writes the event that asks, or takes up the one an earlier run left
// waiting.
func (g *gathering) request(ctx context.Context) (err error) {
	if g.purpose == quorum.Approve {
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
	for _, e := range g.log.Events[g.req.Event.Seq:] {
		if e.Kind == transcript.Signed && e.Step == g.step.Name {
			g.signed[e.Facts["signer"]] = clock(e)
		}
	}
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
// is asked anew.
func (g *gathering) unanswered() bool {
	open, ok := g.log.State.Requested(g.step.Name)
	if !ok || open.Gathered {
		return false
	}
	return g.purpose != quorum.Approve || open.Event.Facts["sha256"] == g.plan.digest()
}

func (g *gathering) asking() Facts {
	if g.purpose == quorum.Approve {
		return Facts{"plan": g.plan.Text, "sha256": g.plan.digest(), "acts": strings.Join(g.plan.Acts, " ")}
	}
	facts := Facts{"last_final": g.site.History.Final}
	if g.purpose == quorum.Join {
		facts = Facts{transcript.FactPurpose: string(quorum.Join), transcript.FactNextRoster + "_sha256": g.roster.Digest()}
	}
	for _, m := range g.roster.Members {
		nonce := make([]byte, 16)
		rand.Read(nonce)
		facts["nonce."+m.Name] = hex.EncodeToString(nonce)
	}
	return facts
}

// mayRequest reports whether a person can sign this request. Who did not attend
// cannot approve.
func (g *gathering) mayRequest(m quorum.Member) bool {
	switch {
	case g.purpose == quorum.Approve && !g.log.State.Attends(m.Name):
		return false
	case g.purpose == quorum.Join && !slices.ContainsFunc(g.roster.Joining(g.site.Roster), func(j quorum.Member) bool { return j.Name == m.Name }):
		return false
	}
	return m.May(g.namespace())
}

func (g *gathering) fillRequest(r *Request) {
	r.Plan, r.Digest, r.Words = g.plan.Effects, g.req.Event.Facts["sha256"], []string{g.word()}
	if last := g.req.Event.Facts["last_final"]; last != transcript.NoDigest {
		r.Last = last
	}
}

// word is what a person types to approve: the version, or what is changed.
func (g *gathering) word() string { return cmp.Or(g.facts()[transcript.FactTo], g.kind) }

// statement is the same whatever the word; signed elsewhere there is none.
func (g *gathering) statement(m quorum.Member, word string) ([]byte, bool) {
	want := m.Name
	if g.purpose == quorum.Approve {
		want = g.word()
	}
	return g.req.Statement(m), word == "" || word == want
}

// event writes a signature into the log, before the act it allows.
func (g *gathering) event(ctx context.Context, p quorum.Proof, s quorum.Signed) (string, error) {
	facts := Facts{
		"signer": p.Name, "key": p.Fingerprint(), "namespace": g.namespace(), "file": g.req.File(p.Name),
		"statement": string(s.Statement), "signature": string(s.Signature),
	}
	if p.FIDO != nil {
		facts[transcript.FactFIDO] = p.FIDO.String()
	}
	ev, err := g.append(ctx, transcript.Signed, g.step.Name, facts)
	return clock(ev), err
}

func clock(e transcript.Event) string {
	t, err := time.Parse(time.RFC3339, e.Time)
	if err != nil {
		return e.Time
	}
	return t.Format("15:04:05")
}

// wait ends the run: people are missing.
func (g *gathering) wait(ctx context.Context) error {
	var missing []string
	for _, m := range g.missing() {
		missing = append(missing, m.Name)
	}
	// First of all: what was signed so far then still counts.
	if _, err := g.append(ctx, transcript.Waiting, g.step.Name, Facts{"for": strings.Join(missing, ", "), "have": strconv.Itoa(g.have()), "need": strconv.Itoa(g.need)}); err != nil {
		return err
	}
	return g.later(g.step.Name)
}
