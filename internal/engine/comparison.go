package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// disputing are the people who said last of a digest, in this run, that it does not match. What was
// said in an earlier one is in the log: those people may not be here any more, and it must be possible
// to go on, or to abort, without them.
func (e *engine) disputing(digest string) (names []string) {
	if digest == "" { // there is none to compare
		return nil
	}
	all := e.comparisons
	for _, ev := range e.log.Events[e.found:] {
		if f := ev.Facts; ev.Kind == transcript.Noted && f[transcript.FactCompared] == digest {
			all = append(slices.Clip(all), Comparison{digest, f[transcript.FactBy], f[transcript.FactMatches] == "yes"})
		}
	}
	for _, c := range all {
		if c.Digest != digest {
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == c.By })
		if !c.Matches {
			names = append(names, c.By)
		}
	}
	return names
}

// careful is a room in which nobody signs a digest, and no ceremony goes on after it was signed,
// while somebody says that it does not match.
type careful struct {
	Room
	*engine
}

// Consent implements signing.Room.
func (c careful) Consent(ctx context.Context, r Request) (Consent, error) {
	for {
		got, err := c.Room.Consent(ctx, r)
		who := c.disputing(r.Compared())
		if len(who) == 0 || err != nil && !errors.Is(err, ErrEnough) {
			return got, err
		}
		r.Note = fmt.Sprintf("%s said that the digest does not match; compare it again, or stop", strings.Join(who, ", "))
	}
}
