package history

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// BundleName is what the bundle of a ceremony is called: time, number, kind.
var BundleName = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d{6}Z-\d{4,}-[a-z]+$`)

// Fence is the store's copy of one ceremony's log.
type Fence struct {
	Log store.Log
	Seq int
}

// Append implements transcript.Fence.
func (f Fence) Append(ctx context.Context, name string, data []byte) error {
	err := f.Log.AppendEntry(ctx, store.Entry{Ceremony: f.Seq, Name: name, Data: data})
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%w: entry %d/%s is taken", transcript.ErrFenced, f.Seq, name)
	}
	return err
}

// Entries implements transcript.Fence.
func (f Fence) Entries(ctx context.Context) ([]transcript.Entry, error) {
	entries, err := f.Log.Entries(ctx, f.Seq)
	out := make([]transcript.Entry, len(entries))
	for i, e := range entries {
		out[i] = transcript.Entry{Name: e.Name, Data: e.Data}
	}
	return out, err
}

// State reads what the log of one ceremony in the store comes to, and its finals by file
// name. A log that breaks a rule is ErrHistory.
func (f Fence) State(ctx context.Context) (s transcript.State, finals map[string][]byte, err error) {
	entries, err := f.Entries(ctx)
	if err != nil {
		return s, nil, err
	}
	var data []byte
	finals = map[string][]byte{}
	for _, e := range entries {
		if _, isLine := transcript.ParseEntryName(e.Name); isLine {
			data = append(data, e.Data...)
		} else {
			finals[e.Name] = e.Data
		}
	}
	events, err := transcript.ParseLog(data)
	if err == nil {
		s, err = transcript.StateOf(events)
	}
	if err != nil {
		err = fmt.Errorf("ceremony %d: %w: %w", f.Seq, ErrHistory, err)
	}
	return s, finals, err
}

// Finished reports whether a ceremony is closed and M people have signed its end. An install that
// is given up never is: it leaves the ceremonies instead.
func Finished(ctx context.Context, log store.Log, c store.Ceremony) (bool, error) {
	if c.Outcome == "" || c.Outcome == transcript.OutcomeVoid {
		return false, nil
	}
	state, files, err := Fence{log, c.Seq}.State(ctx)
	if err != nil {
		return false, err
	}
	signed, err := state.Finals(files)
	if err != nil {
		return false, fmt.Errorf("ceremony %d: %w: %w", c.Seq, ErrHistory, err)
	}
	n := 0
	for _, m := range state.Roster.Who(state.Mode().Namespace(quorum.Approve)) {
		if signed[m.Name].Verdict != "" {
			n++
		}
	}
	return n >= state.Roster.M, nil
}

// Closed are the ceremonies without the last one, if that is not finished.
func Closed(ctx context.Context, log store.Log, all []store.Ceremony) ([]store.Ceremony, error) {
	if len(all) == 0 {
		return nil, nil
	}
	enough, err := Finished(ctx, log, all[len(all)-1])
	if err != nil || enough {
		return all, err
	}
	return all[:len(all)-1], nil
}

// Rebuilt makes the bundle of every ceremony from the store alone.
func Rebuilt(ctx context.Context, s store.Log) ([]transcript.Bundle, error) {
	all, err := s.Ceremonies(ctx)
	if err != nil {
		return nil, err
	}
	var bundles []transcript.Bundle
	for _, c := range all {
		b, err := Rebuild(ctx, s, c)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, b)
	}
	return bundles, nil
}

// Rebuild makes the bundle of one ceremony from the store alone.
func Rebuild(ctx context.Context, s store.Log, c store.Ceremony) (transcript.Bundle, error) {
	entries, err := Fence{s, c.Seq}.Entries(ctx)
	if err != nil {
		return transcript.Bundle{}, err
	}
	b, err := transcript.Rebuild(c.Bundle, entries)
	if err != nil {
		return b, fmt.Errorf("ceremony %d in the store: %w", c.Seq, err)
	}
	return b, nil
}
