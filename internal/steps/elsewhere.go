package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// errArrived ends a wait for people because a signature from elsewhere is there.
var errArrived = errors.New("a signature was laid down")

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

// stillWaiting is the wait that an earlier run ended with, when nobody is here and
// nothing was brought since: then nothing is written, however often somebody looks.
func (e *engine) stillWaiting() error {
	last := e.log.State.Last()
	if last.Kind != transcript.Waiting || e.aborts || !e.room.Alone() {
		return nil
	}
	w := &WaitingError{Step: last.Step}
	_, _ = fmt.Sscan(last.Facts["have"], &w.Have)
	_, _ = fmt.Sscan(last.Facts["need"], &w.Need)
	req, ok := e.log.State.Requested(last.Step)
	if !ok {
		return nil
	}
	for _, name := range strings.Split(last.Facts["for"], ", ") {
		path := filepath.Join(e.signingDir(), req.File(name))
		_, away := os.Lstat(path)
		if _, err := os.Lstat(path + ".sig"); err == nil || away != nil {
			return nil // a signature was brought, or the statement was carried away and is laid out anew
		}
		w.Sign = append(w.Sign, name+": "+quorum.SignLine(req.Namespace(), path))
	}
	return &BundleError{e.log.Dir, w}
}
