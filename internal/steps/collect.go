package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// collector takes signatures of one purpose, one by one: from people here, and
// from files that were signed elsewhere. Attendance, approvals and finals are
// its three uses.
type collector struct {
	*engine
	purpose quorum.Purpose
	roster  quorum.Roster // whose keys sign
	need    int
	rule    string // why so many must sign

	file   func(name string) string                                  // of a person's statement
	text   func(m quorum.Member, word string) (text []byte, ok bool) // what a person signs with a word
	may    func(m quorum.Member) bool
	counts func(m quorum.Member) bool                                                          // towards need
	keep   func(ctx context.Context, p quorum.Proof, s quorum.Signed) (mark string, err error) // what was checked becomes part of the transcript
	fill   func(*Request)                                                                      // what the request shows beside the signers

	signed    map[string]string // a mark by name: clock time or verdict
	elsewhere map[string]string // by name, the path of the statement that was laid out
	seen      map[string][]byte // signatures laid down that were refused, by name
	note      string            // why the last word or signature was not taken
}

func (c *collector) namespace() string { return c.site.Mode.Namespace(c.purpose) }

// collect asks until the room says that enough have signed. It returns ErrLater
// when nobody here can sign.
func (c *collector) collect(ctx context.Context) error {
	for !c.vain() {
		if err := c.takeLaid(ctx); err != nil {
			return err
		}
		r := c.request(ctx)
		watched, stop := c.watch(ctx)
		consent, err := c.room.Consent(watched, r)
		stop()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case context.Cause(watched) == errArrived && err != nil:
			continue
		case errors.Is(err, ErrEnough) && r.Have() >= r.Need:
			return nil
		case err != nil:
			return err
		}
		if err := c.answer(ctx, consent); err != nil {
			return err
		}
	}
	return nil
}

// vain reports whether there is nothing to ask for: no proof where no key is new,
// no final where all who may have signed and the roster allows fewer than M to.
func (c *collector) vain() bool {
	return c.need == 0 || c.purpose == quorum.Final && c.have() < c.need && len(c.missing()) == 0
}

// have counts the signatures that make the quorum.
func (c *collector) have() (n int) {
	for _, m := range c.roster.Members {
		if c.signed[m.Name] != "" && c.counts(m) {
			n++
		}
	}
	return n
}

func (c *collector) missing() (members []quorum.Member) {
	for _, m := range c.roster.Members {
		if c.signed[m.Name] == "" && c.may(m) {
			members = append(members, m)
		}
	}
	return members
}

func (c *collector) names() (names []string) {
	for _, m := range c.roster.Members {
		if c.signed[m.Name] != "" {
			names = append(names, m.Name)
		}
	}
	return names
}

func (c *collector) request(ctx context.Context) Request {
	r := Request{Purpose: c.purpose, Need: c.need, Rule: c.rule, Note: c.note, Laid: c.signingDir()}
	keys := c.keys(ctx)
	for _, m := range c.roster.Members {
		s := Signer{Name: m.Name, Fingerprint: m.Fingerprint(), Signed: c.signed[m.Name] != "", At: c.signed[m.Name],
			Asked: c.may(m), Counts: c.counts(m)}
		if path := c.elsewhere[m.Name]; path != "" {
			s.Elsewhere = quorum.SignLine(c.namespace(), filepath.Base(path))
		}
		if k, here := keyOf(keys, m); here {
			s.Key = k.String()
		}
		r.Signers = append(r.Signers, s)
	}
	c.fill(&r)
	return r
}

// answer takes one person's word. A wrong word, or a signature that does not
// verify, changes nothing and is asked again.
func (c *collector) answer(ctx context.Context, consent Consent) error {
	m, ok := c.roster.Member(consent.Signer)
	if !ok || c.signed[consent.Signer] != "" || !c.may(m) {
		c.note = fmt.Sprintf("%s cannot sign this", printable.Text(consent.Signer))
		return nil
	}
	text, ok := c.text(m, consent.Word)
	if !ok || consent.Word == "" && (!consent.Elsewhere || c.purpose == quorum.Final) {
		c.note = fmt.Sprintf("not the word; %s types: %s", m.Name, strings.Join(c.request(ctx).Word(m.Name), ", "))
		return nil
	}
	if consent.Elsewhere {
		path, err := c.layOut(m, text)
		if err != nil {
			c.note = err.Error()
			return nil
		}
		c.note, c.elsewhere[m.Name] = "", path
		return nil
	}
	sig, err := c.sign(ctx, m, text)
	if err != nil {
		c.note = err.Error()
		return ctx.Err()
	}
	return c.check(ctx, m, text, sig)
}

// check verifies a signature before it is kept.
func (c *collector) check(ctx context.Context, m quorum.Member, text, sig []byte) error {
	s := quorum.Signed{Name: m.Name, Statement: text, Signature: sig, At: c.at()}
	p, err := c.proof(ctx, s)
	if err == nil && !c.may(m) {
		err = fmt.Errorf("signature of %s in %s: %s did not attend", m.Name, c.namespace(), m.Name)
	}
	if err != nil {
		c.note = err.Error()
		return ctx.Err()
	}
	mark, err := c.keep(ctx, p, s)
	if err != nil {
		return err
	}
	c.note, c.signed[m.Name] = "", mark
	delete(c.elsewhere, m.Name)
	return nil
}

// at is the time that is claimed for a signature made now. A final has that of the
// last line.
func (c *collector) at() time.Time {
	if c.purpose == quorum.Final {
		return c.log.State.Last().Clock()
	}
	return time.Now()
}

// soon is longer than it takes from the check of a signature to its line.
const soon = time.Minute

// proof checks a signature, what its authenticator says, and that its key is not
// revoked.
func (c *collector) proof(ctx context.Context, s quorum.Signed) (quorum.Proof, error) {
	p, err := c.roster.Check(c.namespace(), s)
	if err != nil {
		return p, err
	}
	if err := p.At(s.At.Add(soon)); err != nil && c.purpose != quorum.Final { // the line that keeps it is a little later
		return p, fmt.Errorf("signature of %s in %s: %w", p.Name, c.namespace(), err)
	}
	counters := quorum.Counters{}
	maps.Copy(counters, c.site.History.Counters)
	maps.Copy(counters, c.log.State.Counters())
	if err := counters.Next(p); err != nil {
		return p, err
	}
	if c.site.Revoked == "" {
		return p, nil
	}
	return p, c.roster.Stock(ctx, c.namespace(), s, c.site.Revoked)
}
