package signing

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// errArrived ends a wait for people because a signature made offline is there.
var errArrived = errors.New("a signature has arrived")

// takeOffline takes the signatures that were made offline and lie beside their statements. What is
// refused is refused aloud, once. While there are two of one person, nothing is taken: M of the others would
// end the ceremony, and that person's word would be lost.
func (c *Collector) takeOffline(ctx context.Context) error {
	var refused []string
	defer func() {
		if len(refused) > 0 {
			c.note = strings.Join(refused, "; ")
		}
	}()
	c.undecided = nil
	found := map[string][]brought{}
	for _, m := range c.Roster.Members {
		if c.Signed[m.Name] != "" {
			continue
		}
		all, why := c.look(m)
		if found[m.Name] = all; twice(all) {
			c.undecided = append(c.undecided, undecided(m, all))
		}
		refused = append(refused, why...)
	}
	if len(c.undecided) > 0 {
		return nil
	}
	for _, m := range c.Roster.Members {
		why, err := c.take(ctx, m, found[m.Name])
		if refused = append(refused, why...); err != nil {
			return err
		}
	}
	return nil
}

// brought is a signature that lies beside a statement, and the text that it is over; nil: it is over
// nothing that its person may sign there.
type brought struct {
	path, word string
	text, sig  []byte
}

// look finds what one person brought, first what is over a statement.
func (c *Collector) look(m quorum.Member) (all []brought, refused []string) {
	for _, word := range c.words(m) {
		b, err := c.signature(m, word)
		if !bytes.Equal(c.seen[b.path], b.sig) {
			c.note = "" // which was perhaps of what lay there before
		}
		if c.seen[b.path] = b.sig; err != nil {
			refused = append(refused, err.Error())
		} else if b.sig != nil {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(x, y brought) int {
		return cmp.Compare(min(1, len(y.text)), min(1, len(x.text)))
	})
	return all, refused
}

// twice reports whether two different statements were signed.
func twice(all []brought) bool {
	return slices.ContainsFunc(all, func(b brought) bool { return b.text != nil && !bytes.Equal(b.text, all[0].text) })
}

// undecided are the statements that somebody signed.
func undecided(m quorum.Member, all []brought) Undecided {
	u := Undecided{Name: m.Name}
	for _, b := range all {
		if b.text != nil {
			u.Words, u.Files = append(u.Words, b.word), append(u.Files, filepath.Base(b.path))
		}
	}
	return u
}

// take keeps what one person brought, and says what of it is refused.
func (c *Collector) take(ctx context.Context, m quorum.Member, all []brought) (refused []string, err error) {
	for _, b := range all {
		if c.Signed[m.Name] != "" || bytes.Equal(c.refused[b.path], b.sig) {
			continue
		}
		if err := c.takeOne(ctx, m, b); err != nil {
			return refused, err
		}
		if c.Signed[m.Name] == "" {
			c.refused[b.path] = b.sig
			refused = append(refused, filepath.Base(b.path)+": "+c.note)
		}
	}
	return refused, nil
}

// takeOne checks a signature that was brought, and keeps it if it is one.
func (c *Collector) takeOne(ctx context.Context, m quorum.Member, b brought) error {
	if b.text == nil {
		may, err := c.may(m, b.word)
		if err != nil || len(may) == 0 {
			c.note = fmt.Sprintf("what lies there is no statement that %s may sign", m.Name)
			return nil
		}
		b.text = may[0] // which the signature is not over: the check says what is wrong with it
	}
	return c.check(ctx, m, b.text, b.sig)
}

// words are those of the statements that a person may have signed offline.
func (c *Collector) words(m quorum.Member) (words []string) {
	seen := map[string]bool{}
	for _, word := range append(slices.Clone(c.Words(m)), "") {
		if name := c.Lies(m.Name, word); !seen[name] {
			seen[name] = true
			words = append(words, word)
		}
	}
	return words
}

// may are the texts over which a signature counts beside the statement with a word.
func (c *Collector) may(m quorum.Member, word string) ([][]byte, error) {
	lying, err := readFile(c.path(m, word))
	return c.Brought(m, word, lying), err
}

// signature reads what a person brought beside the statement with a word; empty: nothing.
func (c *Collector) signature(m quorum.Member, word string) (b brought, err error) {
	b = brought{path: c.path(m, word), word: word}
	if b.sig, err = readFile(b.path + ".sig"); err != nil || b.sig == nil {
		return b, err
	}
	texts, err := c.may(m, word)
	for _, text := range texts {
		signed := quorum.Signed{Name: m.Name, Statement: text, Signature: b.sig, At: c.at()}
		if _, err := c.Roster.Check(c.namespace(), signed); err == nil {
			b.text = text
			return b, nil
		}
	}
	return b, err
}
