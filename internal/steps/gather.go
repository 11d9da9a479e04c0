package steps

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/term"
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

// keyOf finds the key file of a person on this console.
func (e *engine) keyOf(m quorum.Member) (quorum.KeyFile, bool) {
	for _, k := range e.site.Keys {
		if string(k.Public.Marshal()) == string(m.Key.Marshal()) {
			return k, true
		}
	}
	return quorum.KeyFile{}, false
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

// signWith has ssh-keygen sign a statement file with the person's key.
func (e *engine) signWith(ctx context.Context, m quorum.Member, namespace, path string) ([]byte, error) {
	k, here := e.keyOf(m)
	if !here {
		return nil, fmt.Errorf("the key of %s is not on this console", m.Name)
	}
	if !k.Passphrase {
		return k.Sign(ctx, namespace, path, nil)
	}
	var sig []byte
	err := e.room.Lend(ctx, func(t *term.Terminal) (err error) {
		sig, err = k.Sign(ctx, namespace, path, t.In)
		return err
	})
	return sig, err
}

// keep verifies a signature before it becomes an event.
func (g *gathering) keep(ctx context.Context, m quorum.Member, sig []byte) error {
	s := quorum.Signed{Name: m.Name, Statement: g.req.Statement(m), Signature: sig}
	if _, err := g.site.Roster.Check(g.req.Namespace(), s); err != nil {
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
// statements.
func (g *gathering) collect(ctx context.Context) error {
	for _, m := range g.missing() {
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

// signingDir is where statements lie until they are signed: beside the bundle,
// which holds only what the log holds.
func (e *engine) signingDir() string { return e.log.Dir + ".signing" }

// statement lays a statement out for signing.
func (e *engine) statement(name string, text []byte) (string, error) {
	if err := os.Mkdir(e.signingDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("lay out a statement: %w", err)
	}
	path := filepath.Join(e.signingDir(), name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("lay out a statement: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("lay out a statement: %w", err)
	}
	_, err = f.Write(text)
	return path, errors.Join(err, f.Sync(), f.Close())
}

// laid reads the signature beside a statement, nil when there is none.
func (e *engine) laid(name string) ([]byte, error) {
	const limit = 64 << 10
	path := filepath.Join(e.signingDir(), name+".sig")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > limit) {
		err = fmt.Errorf("%s: not a signature file", printable.Text(path))
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// approved refuses an act whose approval is missing, short, or over another
// plan than today's.
func (e *engine) approved(ctx context.Context, act string) error {
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Gather != nil && slices.Contains(s.Gather.Acts, act) })
	by := e.steps[i]
	asked, ok := e.log.Events.Last(transcript.Of(transcript.Plan, by.Name))
	if !ok {
		return fmt.Errorf("step %s: %w", act, quorum.ErrQuorum)
	}
	var signed []quorum.Signed
	for _, ev := range e.log.Events[asked.Seq:] {
		if ev.Kind == transcript.Signed && ev.Step == by.Name {
			signed = append(signed, quorum.Signed{Name: ev.Facts["signer"], Statement: []byte(ev.Facts["statement"]), Signature: []byte(ev.Facts["signature"])})
		}
	}
	if err := e.overThis(asked, signed); err != nil {
		return fmt.Errorf("step %s: %w", act, err)
	}
	now, err := e.derive(ctx, by.Gather)
	if err != nil {
		return err
	}
	if now.digest() != asked.Facts["sha256"] {
		return fmt.Errorf("step %s: approved %s, now %s: %w", act, asked.Facts["sha256"], now.digest(), ErrPlanMoved)
	}
	return nil
}

// overThis checks that M people signed the statement of this very request.
func (e *engine) overThis(asked transcript.Event, signed []quorum.Signed) error {
	req, err := transcript.RequestOf(e.log.Events[0], asked)
	if err != nil {
		return err
	}
	for _, s := range signed {
		if m, ok := e.site.Roster.Member(s.Name); !ok || string(req.Statement(m)) != string(s.Statement) {
			return fmt.Errorf("statement of %s: not over this plan", printable.Text(s.Name))
		}
	}
	_, err = e.site.Roster.CheckAll(req.Namespace(), signed)
	return err
}
