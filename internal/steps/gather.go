package steps

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// gathering is one request and what has been signed of it.
type gathering struct {
	*engine
	step   Step
	req    transcript.Request
	plan   plan
	signed map[string]string // clock time of each signature, by name
	note   string
}

// gather asks until enough have signed.
func (e *engine) gather(ctx context.Context, s Step) error {
	g := &gathering{engine: e, step: s, signed: map[string]string{}}
	if err := g.request(ctx); err != nil {
		return err
	}
	for {
		if err := g.collect(ctx); err != nil {
			return err
		}
		r := g.ask()
		if r.Have() >= r.Need && (s.Gather.Purpose == quorum.Approve || len(g.missing()) == 0) {
			break
		}
		consent, err := e.room.Consent(ctx, r)
		if errors.Is(err, ErrEnough) && r.Have() >= r.Need {
			break
		}
		if errors.Is(err, ErrLater) {
			return g.later(ctx)
		}
		if err == nil {
			err = g.sign(ctx, consent)
		}
		if err != nil {
			return err
		}
	}
	return e.end(ctx, transcript.Gathered, s.Name, Facts{gatheredFact(s): strings.Join(g.names(), ", ")})
}

func gatheredFact(s Step) string {
	if s.Gather.Purpose == quorum.Attend {
		return factAttended
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
	ev, ok := g.unanswered()
	if !ok {
		if ev, err = g.append(ctx, g.kind(), g.step.Name, g.asking()); err != nil {
			return err
		}
	}
	if g.req, err = transcript.RequestOf(g.log.Events[0], ev); err != nil {
		return err
	}
	for _, e := range g.log.Events[ev.Seq:] {
		if e.Kind == transcript.Signed && e.Step == g.step.Name {
			g.signed[e.Facts["signer"]] = clock(e)
		}
	}
	return nil
}

func (g *gathering) kind() transcript.Kind {
	if g.step.Gather.Purpose == quorum.Attend {
		return transcript.Asked
	}
	return transcript.Plan
}

// unanswered finds the request of a run that ended waiting for it. A plan that
// moved since is not taken up.
func (g *gathering) unanswered() (transcript.Event, bool) {
	ev, ok := g.log.Events.Last(transcript.Of(g.kind(), g.step.Name))
	if !ok || !g.waited {
		return ev, false
	}
	return ev, g.step.Gather.Purpose == quorum.Attend || ev.Facts["sha256"] == g.plan.digest()
}

func (g *gathering) asking() Facts {
	if g.step.Gather.Purpose == quorum.Approve {
		return Facts{"plan": g.plan.Text, "sha256": g.plan.digest(), "acts": strings.Join(g.plan.Acts, " ")}
	}
	facts := Facts{"last_final": g.site.History.Final}
	for _, m := range g.site.Roster.Members {
		nonce := make([]byte, 16)
		rand.Read(nonce)
		facts["nonce."+m.Name] = hex.EncodeToString(nonce)
	}
	return facts
}

// may reports whether a person can sign this request. Who did not attend
// cannot approve.
func (g *gathering) may(m quorum.Member) bool {
	if g.step.Gather.Purpose == quorum.Approve && !slices.Contains(strings.Split(g.facts[factAttended], ", "), m.Name) {
		return false
	}
	return m.May(g.req.Namespace())
}

func (g *gathering) names() []string {
	var names []string
	for _, m := range g.site.Roster.Members {
		if g.signed[m.Name] != "" {
			names = append(names, m.Name)
		}
	}
	return names
}

func (g *gathering) missing() []quorum.Member {
	return slices.DeleteFunc(slices.Clone(g.site.Roster.Members), func(m quorum.Member) bool {
		return g.signed[m.Name] != "" || !g.may(m)
	})
}

func (g *gathering) need() int {
	if g.step.Gather.All {
		return len(g.site.Roster.Who(g.req.Namespace()))
	}
	return g.site.Roster.M
}

func (g *gathering) ask() Request {
	r := Request{Purpose: g.req.Purpose, Need: g.need(), Plan: g.plan.Effects, Note: g.note,
		Digest: g.req.Event.Facts["sha256"], Words: []string{g.facts[factTo]}}
	for _, m := range g.site.Roster.Members {
		_, here := g.keyOf(m)
		r.Signers = append(r.Signers, Signer{Name: m.Name, Fingerprint: m.Fingerprint(),
			Signed: g.signed[m.Name] != "", At: g.signed[m.Name], Asked: g.may(m), Here: here})
	}
	return r
}

func clock(e transcript.Event) string {
	t, err := time.Parse(time.RFC3339, e.Time)
	if err != nil {
		return e.Time
	}
	return t.Format("15:04:05")
}

// sign takes a person's word. A wrong word, or a signature that does not
// verify, changes nothing and is asked again.
func (g *gathering) sign(ctx context.Context, c Consent) error {
	m, ok := g.site.Roster.Member(c.Signer)
	if !ok || g.signed[c.Signer] != "" || !g.may(m) {
		g.note = fmt.Sprintf("%s cannot sign this", printable.Text(c.Signer))
		return nil
	}
	if !slices.Contains(g.ask().Word(m.Name), c.Word) {
		g.note = fmt.Sprintf("%s is not the word", printable.Quote(c.Word))
		return nil
	}
	path, err := g.statement(g.req.File(m.Name), g.req.Statement(m))
	if err != nil {
		return err
	}
	sig, err := g.signWith(ctx, m, g.req.Namespace(), path)
	if err != nil {
		g.note = err.Error()
		return ctx.Err()
	}
	return g.keep(ctx, m, sig)
}

// keep verifies a signature before it becomes an event.
func (g *gathering) keep(ctx context.Context, m quorum.Member, sig []byte) error {
	s := quorum.Signed{Name: m.Name, Statement: g.req.Statement(m), Signature: sig}
	_, err := g.site.Roster.Check(g.req.Namespace(), s)
	if err == nil && !g.may(m) {
		err = fmt.Errorf("signature of %s in %s: %s did not attend", m.Name, g.req.Namespace(), m.Name)
	}
	if err != nil {
		g.note = err.Error()
		return nil
	}
	ev, err := g.append(ctx, transcript.Signed, g.step.Name, Facts{
		"signer": m.Name, "key": m.Fingerprint(), "namespace": g.req.Namespace(), "file": g.req.File(m.Name),
		"statement": string(s.Statement), "signature": string(sig),
	})
	if err != nil {
		return err
	}
	g.note, g.signed[m.Name] = "", clock(ev)
	return nil
}

// collect takes the signatures that were made elsewhere and laid beside their
// statements. One of somebody who may not sign this is refused aloud.
func (g *gathering) collect(ctx context.Context) error {
	for _, m := range g.site.Roster.Members {
		if g.signed[m.Name] != "" {
			continue
		}
		sig, err := g.laid(g.req.File(m.Name))
		if err != nil {
			return err
		}
		if sig != nil {
			if err := g.keep(ctx, m, sig); err != nil {
				return err
			}
		}
	}
	return nil
}

// later leaves a statement for each missing person and says how to sign it.
func (g *gathering) later(ctx context.Context) error {
	r := g.ask()
	w := &WaitingError{Step: g.step.Name, Have: r.Have(), Need: r.Need}
	for _, m := range g.missing() {
		path, err := g.statement(g.req.File(m.Name), g.req.Statement(m))
		if err != nil {
			return err
		}
		w.Sign = append(w.Sign, m.Name+": "+quorum.SignLine(g.req.Namespace(), path))
	}
	if _, err := g.append(ctx, transcript.Waiting, g.step.Name, Facts{"for": strings.Join(namesOf(g.missing()), ", ")}); err != nil {
		return err
	}
	return w
}

func namesOf(members []quorum.Member) []string {
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	return names
}
