package signing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// errArrived ends a wait for people because a signature made offline is there.
var errArrived = errors.New("a signature has arrived")

// takeOffline takes the signatures that were made offline and lie beside their
// statements. What is refused is refused aloud, once.
func (c *Collector) takeOffline(ctx context.Context) error {
	var refused []string
	defer func() {
		if len(refused) > 0 {
			c.note = strings.Join(refused, "; ")
		}
	}()
	for _, m := range c.Roster.Members {
		if c.Signed[m.Name] != "" {
			continue
		}
		sig, err := readFile(c.path(m.Name) + ".sig")
		if err != nil {
			refused = append(refused, err.Error())
			continue
		}
		if sig == nil || bytes.Equal(sig, c.seen[m.Name]) {
			continue
		}
		c.seen[m.Name] = sig
		if err := c.check(ctx, m, c.signedText(m, sig), sig); err != nil {
			return err
		}
		if c.Signed[m.Name] == "" {
			refused = append(refused, c.note)
		}
	}
	return nil
}

// signedText is the statement that a signature made offline is over: ours, with the word
// that was signed, not what lies beside it.
func (c *Collector) signedText(m quorum.Member, sig []byte) []byte {
	for _, word := range c.Words(m) {
		text := c.Statement(m, word)
		signed := quorum.Signed{Name: m.Name, Statement: text, Signature: sig, At: c.at()}
		if _, err := c.Roster.Check(c.namespace(), signed); err == nil {
			return text
		}
	}
	return c.Statement(m, c.Words(m)[0])
}

// Later writes a statement for each missing person and returns the *WaitingError that
// lists the lines which sign them.
func (c *Collector) Later(step string) error {
	w := &WaitingError{Step: step, Have: c.Have(), Need: c.Request.Need}
	for _, m := range c.Missing() {
		if c.offline[m.Name] == "" {
			if err := c.writeOnce(m); err != nil {
				return err
			}
		}
		w.Sign = append(w.Sign, m.Name+": "+quorum.SignLine(c.namespace(), c.offline[m.Name]))
	}
	return w
}

// writeOnce writes a person's statement, unless one lies there that the person may sign:
// a verdict that was chosen stands.
func (c *Collector) writeOnce(m quorum.Member) error {
	if there, err := readFile(c.path(m.Name)); err == nil && there != nil {
		for _, word := range c.Words(m) {
			if bytes.Equal(c.Statement(m, word), there) {
				c.offline[m.Name] = c.path(m.Name)
				return nil
			}
		}
	}
	return c.write(m, c.Statement(m, c.Words(m)[0]))
}

// write writes a person's statement for signing, over any that lies there.
func (c *Collector) write(m quorum.Member, text []byte) error {
	if err := writeFile(c.path(m.Name), text); err != nil {
		return fmt.Errorf("write the statement of %s: %w", m.Name, err)
	}
	if err := c.writeScript(c.path(m.Name)); err != nil {
		return fmt.Errorf("write the command of %s: %w", m.Name, err)
	}
	c.offline[m.Name] = c.path(m.Name)
	return nil
}

func (c *Collector) path(name string) string { return filepath.Join(c.Dir, c.File(name)) }

// signLine signs the statement that was written for a person; empty: none was.
func (c *Collector) signLine(name string) string {
	if c.offline[name] == "" {
		return ""
	}
	return quorum.SignLine(c.namespace(), filepath.Base(c.offline[name]))
}

// script is the name of the file that does the same.
func (c *Collector) script(name string) string {
	if c.offline[name] == "" {
		return ""
	}
	return filepath.Base(scriptOf(c.offline[name]))
}

// watch returns a context that ends when a signature that is awaited arrives, or another
// than the one that was refused.
func (c *Collector) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	awaited := map[string][]byte{}
	for name, path := range c.offline {
		awaited[path+".sig"] = c.seen[name]
	}
	if len(awaited) > 0 {
		go func() {
			tick := time.NewTicker(300 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				for path, seen := range awaited {
					if sig, err := readFile(path); err == nil && sig != nil && !bytes.Equal(sig, seen) {
						cancel(errArrived)
					}
				}
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}

// WaitingError is returned when people are missing: each line of Sign makes one
// missing signature, and then the same command continues.
type WaitingError struct {
	Step       string
	Have, Need int
	Sign       []string
}

func (e *WaitingError) Error() string {
	return fmt.Sprintf("step %s: %d of %d have signed", e.Step, e.Have, e.Need)
}
