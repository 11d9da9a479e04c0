package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// collector takes signatures of one purpose, one by one: from people here, and
// from files that were signed elsewhere. Attendance, approvals and finals are
// its three uses.
type collector struct {
	*engine
	purpose quorum.Purpose
	roster  quorum.Roster // whose keys sign
	need    int

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

// errArrived ends a wait for people because a signature from elsewhere is there.
var errArrived = errors.New("a signature was laid down")

// collect asks until enough have signed: for an approval M, else everybody who
// may, or M and no more is wanted. It returns ErrLater when nobody here can sign.
func (c *collector) collect(ctx context.Context) error {
	for {
		if err := c.takeLaid(ctx); err != nil {
			return err
		}
		if c.finished() {
			return nil
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
}

func (c *collector) finished() bool {
	missing := len(c.missing())
	switch c.purpose {
	case quorum.Approve:
		return c.have() >= c.need
	case quorum.Attend, quorum.Join:
		return c.have() >= c.need && missing == 0
	}
	return missing == 0
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
	r := Request{Purpose: c.purpose, Need: c.need, Note: c.note, Laid: c.signingDir()}
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
		c.note = fmt.Sprintf("%s is not the word", printable.Quote(consent.Word))
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
		return c.log.Events.End()
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
	c.log.Events.Counters(counters)
	if err := counters.Next(p); err != nil {
		return p, err
	}
	if c.site.Revoked == "" {
		return p, nil
	}
	return p, c.roster.Stock(ctx, c.namespace(), s, c.site.Revoked)
}

// takeLaid takes the signatures that were made elsewhere and laid beside their
// statements. What is refused is refused aloud, once.
func (c *collector) takeLaid(ctx context.Context) error {
	var refused []string
	defer func() {
		if len(refused) > 0 {
			c.note = strings.Join(refused, "; ")
		}
	}()
	for _, m := range c.roster.Members {
		if c.signed[m.Name] != "" {
			continue
		}
		sig, err := c.laid(c.file(m.Name) + ".sig")
		if err != nil {
			refused = append(refused, err.Error())
			continue
		}
		if sig == nil || bytes.Equal(sig, c.seen[m.Name]) {
			continue
		}
		c.seen[m.Name] = sig
		if err := c.check(ctx, m, c.laidText(m, sig), sig); err != nil {
			return err
		}
		if c.signed[m.Name] == "" {
			refused = append(refused, c.note)
		}
	}
	return nil
}

// laidText is the statement that a signature from elsewhere is over: ours, not
// what lies beside it. Of a final it is the one with the verdict that was signed.
func (c *collector) laidText(m quorum.Member, sig []byte) []byte {
	if c.purpose == quorum.Final {
		for _, v := range transcript.Verdicts {
			text, ok := c.text(m, string(v))
			_, err := c.roster.Check(c.namespace(), quorum.Signed{Name: m.Name, Statement: text, Signature: sig, At: c.at()})
			if ok && err == nil {
				return text
			}
		}
	}
	text, _ := c.text(m, "")
	return text
}

// later lays a statement out for each missing person and returns the
// *WaitingError that lists the lines which sign them.
func (c *collector) later(step string) error {
	w := &WaitingError{Step: step, Have: c.have(), Need: c.need}
	for _, m := range c.missing() {
		if c.elsewhere[m.Name] == "" {
			path, err := c.layOutOnce(m)
			if err != nil {
				return err
			}
			c.elsewhere[m.Name] = path
		}
		w.Sign = append(w.Sign, m.Name+": "+quorum.SignLine(c.namespace(), c.elsewhere[m.Name]))
	}
	return w
}

// layOutOnce lays a person's statement out, unless one lies there that she may
// sign: a verdict that she chose is hers.
func (c *collector) layOutOnce(m quorum.Member) (string, error) {
	if there, err := c.laid(c.file(m.Name)); err == nil && there != nil && c.purpose == quorum.Final {
		for _, v := range transcript.Verdicts {
			if text, ok := c.text(m, string(v)); ok && bytes.Equal(text, there) {
				return filepath.Join(c.signingDir(), c.file(m.Name)), nil
			}
		}
	}
	text, _ := c.text(m, "")
	return c.layOut(m, text)
}

// watch returns a context that ends when a signature that is awaited from
// elsewhere is laid down, or is laid down anew.
func (c *collector) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	awaited := map[string][]byte{}
	for name := range c.elsewhere {
		awaited[filepath.Join(c.signingDir(), c.file(name)+".sig")] = c.seen[name]
	}
	if len(awaited) > 0 {
		go func() {
			for wait(ctx, 300*time.Millisecond) == nil {
				for path, seen := range awaited {
					if sig, err := readLaid(path); err == nil && sig != nil && !bytes.Equal(sig, seen) {
						cancel(errArrived)
					}
				}
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}

// keys are all private keys that can sign here now.
func (e *engine) keys(ctx context.Context) []quorum.Key {
	return append(quorum.AgentKeys(ctx), e.site.Keys...)
}

// keyOf finds the key of a person.
func keyOf(keys []quorum.Key, m quorum.Member) (quorum.Key, bool) {
	for _, k := range keys {
		if k.IsOf(m) {
			return k, true
		}
	}
	return quorum.Key{}, false
}

// signTime bounds the wait for an agent that asks nobody.
const signTime = 30 * time.Second

// sign has ssh-keygen sign a statement with the person's key. The file that it
// signs is in a directory that nobody else can write to.
func (c *collector) sign(ctx context.Context, m quorum.Member, text []byte) (sig []byte, err error) {
	k, here := keyOf(c.keys(ctx), m)
	if !here {
		return nil, fmt.Errorf("the key of %s is not on this console", m.Name)
	}
	dir, err := os.MkdirTemp("", "kekceremony-sign-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, c.file(m.Name))
	if err := layOut(path, text); err != nil {
		return nil, err
	}
	if !k.Asks { // nothing that a person does takes time
		ctx, cancel := context.WithTimeoutCause(ctx, signTime, fmt.Errorf("%s: no signature within %s", k, signTime))
		defer cancel()
		sig, err := k.Sign(ctx, c.namespace(), path, nil)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return sig, err
	}
	err = c.room.Lend(ctx, func(t *term.Terminal) (err error) {
		if _, err := fmt.Fprintf(t.Out, "\r\n%s: ssh-keygen asks for a passphrase or a touch\r\n", m.Name); err != nil {
			return err
		}
		sig, err = k.Sign(ctx, c.namespace(), path, t.In)
		return err
	})
	return sig, err
}

// layOut lays a person's statement out for signing, over any that lies there.
func (c *collector) layOut(m quorum.Member, text []byte) (string, error) {
	path := filepath.Join(c.signingDir(), c.file(m.Name))
	if err := layOut(path, text); err != nil {
		return "", fmt.Errorf("lay out the statement of %s: %w", m.Name, err)
	}
	return path, nil
}

// laid reads a file that people brought; nil when there is none.
func (e *engine) laid(name string) ([]byte, error) {
	return readLaid(filepath.Join(e.signingDir(), name))
}

// signingDir is where statements lie until they are signed: in the directory
// named for the exchange, else beside the bundle, which holds only what the log
// holds.
func (e *engine) signingDir() string {
	if e.site.Exchange == "" {
		return e.log.Dir + ".signing"
	}
	return filepath.Join(e.site.Exchange, filepath.Base(e.log.Dir)+".signing")
}

// clearSigning takes away what was laid out. A stick that was pulled out takes
// its copies along.
func (e *engine) clearSigning() error { return os.RemoveAll(e.signingDir()) }
