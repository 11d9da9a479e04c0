package signing

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// guideFile says what the other files in Dir are.
const guideFile = "README"

// Later writes statements for each missing person and returns the *WaitingError that lists the lines
// which sign them: one of each word, where nobody has chosen one, of which the person signs one.
func (c *Collector) Later(step string) error {
	w := &WaitingError{Step: step, Have: c.Have(), Need: c.Request.Need}
	for _, u := range c.undecided {
		w.Sign = append(w.Sign, u.String())
	}
	for _, m := range c.Missing() {
		if c.undecides(m) {
			continue
		}
		label, err := c.layOut(m)
		if err != nil {
			return err
		}
		for i, path := range c.offline[m.Name] {
			w.Sign = append(w.Sign, m.Name+label[i]+": "+quorum.SignLine(c.namespace(), path))
		}
	}
	return w
}

// layOut writes the statements that a person may sign, unless the person has chosen one in this run, and
// says which word each has, where there are several.
func (c *Collector) layOut(m quorum.Member) (labels []string, err error) {
	if len(c.offline[m.Name]) > 0 {
		return make([]string, len(c.offline[m.Name])), nil
	}
	for _, word := range c.Words(m) {
		there, err := c.lying(m, word)
		if err != nil {
			return nil, err
		}
		if there == nil {
			continue
		}
		if err := c.write(c.path(m, word), there); err != nil {
			return nil, fmt.Errorf("statement of %s: %w", m.Name, err)
		}
		c.offline[m.Name] = append(c.offline[m.Name], c.path(m, word))
		labels = append(labels, " ("+word+")")
	}
	if len(labels) == 1 {
		labels[0] = ""
	}
	return labels, nil
}

// lying is the statement with a word that is to lie there; one that was signed stays as it is.
func (c *Collector) lying(m quorum.Member, word string) ([]byte, error) {
	there, err := readFile(c.path(m, word))
	if err != nil {
		return nil, err
	}
	if b, err := c.signature(m, word); err != nil || b.text != nil {
		return b.text, err
	}
	return c.Laid(m, word, there), nil
}

// chosen writes the statement that a person chose to sign.
func (c *Collector) chosen(m quorum.Member, word string, text []byte) error {
	if err := c.write(c.path(m, word), text); err != nil {
		return fmt.Errorf("statement of %s: %w", m.Name, err)
	}
	c.offline[m.Name] = []string{c.path(m, word)}
	return nil
}

// write writes a statement for signing, over any that lies there, and what signs it.
func (c *Collector) write(path string, text []byte) error {
	if err := writeFile(path, text); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Dir, guideFile), []byte(c.Guide)); err != nil {
		return err
	}
	return c.writeScript(path)
}

func (c *Collector) path(m quorum.Member, word string) string {
	return filepath.Join(c.Dir, c.Lies(m.Name, word))
}

// signLine signs the statement that was written for a person; empty: none was, or several.
func (c *Collector) signLine(name string) string {
	if len(c.offline[name]) != 1 {
		return ""
	}
	return quorum.SignLine(c.namespace(), filepath.Base(c.offline[name][0]))
}

// script is the name of the file that does the same.
func (c *Collector) script(name string) string {
	if len(c.offline[name]) != 1 {
		return ""
	}
	return filepath.Base(scriptOf(c.offline[name][0]))
}

// watch returns a context that ends when a signature that is awaited arrives, or is another one, or none
// any more, since it was looked at.
func (c *Collector) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	awaited := map[string][]byte{}
	for _, m := range c.Missing() {
		if len(c.offline[m.Name]) > 0 || c.undecides(m) {
			for _, word := range c.words(m) {
				path := c.path(m, word)
				awaited[path] = c.seen[path]
			}
		}
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
					if sig, err := readFile(path + ".sig"); err == nil && !bytes.Equal(sig, seen) {
						cancel(errArrived)
					}
				}
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}

// WaitingError is returned when people are missing: each line of Sign makes one missing signature, or
// one of those of which a person makes one, and then the same command continues.
type WaitingError struct {
	Step       string
	Have, Need int
	Sign       []string
}

func (e *WaitingError) Error() string {
	return fmt.Sprintf("step %s: %d of %d have signed", e.Step, e.Have, e.Need)
}
