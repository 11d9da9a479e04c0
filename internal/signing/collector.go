// Package signing asks people for signatures, on this console and offline, and checks
// what comes back. What is signed, and what becomes of a signature, is a Paper's.
package signing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Collector takes signatures of one paper, one by one: from people at this console, and
// from files that were signed offline.
type Collector struct {
	Paper
	Room    Room
	Request Request // what every request shows; the signers are the collector's
	Mode    quorum.Mode
	Roster  quorum.Roster // whose keys sign
	Closed  time.Time     // of a final: the time of the last line; else zero
	Keys    []quorum.Key  // files; an agent's are looked up at each request
	Dir     string        // of what is signed offline
	Guide   string        // what a file in Dir says of the others
	Revoked string        // file of revoked keys; empty: none
	// Counters are the last ones of authenticators.
	Counters func() quorum.Counters

	Signed map[string]string // a mark by name

	offline   map[string][]string // by name, the paths of the statements that were written
	seen      map[string][]byte   // signatures that were brought, by path, as they were at the last look
	refused   map[string][]byte   // those of them that were refused
	undecided []Undecided         // people of whom two signed statements lie there
	note      string              // why the last word or signature was not taken
}

func (c *Collector) namespace() string { return c.Mode.Namespace(c.Request.Purpose) }

// Collect asks until the room says that enough have signed. It returns ErrLater
// when nobody here can sign.
func (c *Collector) Collect(ctx context.Context) error {
	c.offline, c.seen, c.refused = map[string][]string{}, map[string][]byte{}, map[string][]byte{}
	for !c.vain() {
		if err := c.takeOffline(ctx); err != nil {
			return err
		}
		r := c.request(ctx)
		watched, stop := c.watch(ctx)
		consent, err := c.Room.Consent(watched, r)
		stop()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case context.Cause(watched) == errArrived && err != nil:
			continue
		case errors.Is(err, ErrEnough) && r.Enough():
			return nil
		case errors.Is(err, ErrEnough) && r.Have() >= r.Need: // and somebody is undecided: nothing is cleared away
			return ErrLater
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
func (c *Collector) vain() bool {
	need := c.Request.Need
	return need == 0 || !c.Closed.IsZero() && c.Have() < need && len(c.Missing()) == 0
}

// Have counts the signatures that make the quorum.
func (c *Collector) Have() (n int) {
	for _, m := range c.Roster.Members {
		if c.Signed[m.Name] != "" && c.Counts(m) {
			n++
		}
	}
	return n
}

// Undecided reports whether two signed statements of one person lie there, of which none was taken.
func (c *Collector) Undecided() bool { return len(c.undecided) > 0 }

// undecides reports whether they are this person's.
func (c *Collector) undecides(m quorum.Member) bool {
	return slices.ContainsFunc(c.undecided, func(u Undecided) bool { return u.Name == m.Name })
}

// Missing are those who may sign and have not.
func (c *Collector) Missing() (members []quorum.Member) {
	for _, m := range c.Roster.Members {
		if c.Signed[m.Name] == "" && c.May(m) {
			members = append(members, m)
		}
	}
	return members
}

// Names are those who have signed, in the roster's order.
func (c *Collector) Names() (names []string) {
	for _, m := range c.Roster.Members {
		if c.Signed[m.Name] != "" {
			names = append(names, m.Name)
		}
	}
	return names
}

func (c *Collector) request(ctx context.Context) Request {
	r := c.Request
	r.Note, r.Dir, r.Signers, r.Undecided = c.note, c.Dir, nil, c.undecided
	keys := c.keys(ctx)
	for _, m := range c.Roster.Members {
		s := SignerOf(m, c.namespace())
		s.Words, s.Asked, s.Counts = c.Words(m), c.May(m), c.Counts(m)
		s.Signed, s.At = c.Signed[m.Name] != "", c.Signed[m.Name]
		s.Offline, s.Script = c.signLine(m.Name), c.script(m.Name)
		if k, here := keyOf(keys, m); here {
			s.Key = k.String()
		}
		r.Signers = append(r.Signers, s)
	}
	return r
}

// answer takes one person's word. A wrong word, or a signature that does not
// verify, changes nothing and is asked again.
func (c *Collector) answer(ctx context.Context, consent Consent) error {
	m, ok := c.Roster.Member(consent.Signer)
	if !ok || c.Signed[consent.Signer] != "" || !c.May(m) {
		c.note = fmt.Sprintf("%s cannot sign this", printable.Text(consent.Signer))
		return nil
	}
	words, word := c.Words(m), consent.Word
	if word == "" && consent.Offline && len(words) == 1 {
		word = words[0]
	}
	if !slices.Contains(words, word) {
		c.note = fmt.Sprintf("not the word; %s types: %s", m.Name, oneOf(words))
		return nil
	}
	text, err := c.Statement(ctx, m, word)
	if err != nil || text == nil {
		c.note = ""
		return err
	}
	if consent.Offline {
		c.note = ""
		if err := c.chosen(m, word, text); err != nil {
			c.note = err.Error()
		}
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
func (c *Collector) check(ctx context.Context, m quorum.Member, text, sig []byte) error {
	s := quorum.Signed{Name: m.Name, Statement: text, Signature: sig, At: c.at()}
	p, err := c.proof(ctx, s)
	if err == nil && !c.May(m) {
		err = fmt.Errorf("signature of %s in %s: %s did not attend", m.Name, c.namespace(), m.Name)
	}
	if err != nil {
		c.note = err.Error()
		return ctx.Err()
	}
	mark, err := c.Keep(ctx, p, s)
	if err != nil {
		return err
	}
	c.note, c.Signed[m.Name] = "", mark
	delete(c.offline, m.Name)
	return nil
}

// at is the time that is claimed for a signature made now.
func (c *Collector) at() time.Time {
	if !c.Closed.IsZero() {
		return c.Closed
	}
	return time.Now()
}

// soon is longer than it takes from the check of a signature to its line.
const soon = time.Minute

// proof checks a signature, what its authenticator says, and that its key is not
// revoked.
func (c *Collector) proof(ctx context.Context, s quorum.Signed) (quorum.Proof, error) {
	p, err := c.Roster.Check(c.namespace(), s)
	if err != nil {
		return p, err
	}
	if err := p.At(s.At.Add(soon)); err != nil && c.Closed.IsZero() { // the line that keeps it is a little later
		return p, fmt.Errorf("signature of %s in %s: %w", p.Name, c.namespace(), err)
	}
	if err := c.Counters().Next(p); err != nil {
		return p, err
	}
	if c.Revoked == "" {
		return p, nil
	}
	return p, c.Roster.Stock(ctx, c.namespace(), s, c.Revoked)
}
