package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// watch reads the fleet against a version's canary, which it holds opened.
type watch struct {
	site  *Site
	rule  fleet.Rule
	value *secret.Buffer
}

func watchFleet(ctx context.Context, s *Site, target kek.Version) (*watch, error) {
	k, err := findKEK(ctx, s, target)
	if err != nil {
		return nil, err
	}
	value, err := fleet.OpenCanary(ctx, s.Provider, s.Name(target), k.Canary)
	if err != nil {
		return nil, otherCanary(err)
	}
	rule := ruleOf(s, target)
	rule.Canary = value.Bytes()
	return &watch{s, rule, value}, nil
}

func ruleOf(s *Site, target kek.Version) fleet.Rule {
	return fleet.Rule{Chain: s.Chain, Target: target, Live: s.Fleet.Live, Expect: s.Fleet.Expect,
		Bound: s.Name(target).Bound}
}

func (w *watch) close() { w.value.Wipe() }

func (w *watch) look(ctx context.Context) (fleet.Table, error) {
	return fleet.Look(ctx, w.site.Store, w.rule)
}

// until waits, live on the screen, until lacking gives no reason any more.
func (w *watch) until(ctx context.Context, d Desk, lacking func(fleet.Table) fleet.Wait) (fleet.Table, error) {
	var fair time.Time
	for {
		t, err := w.look(ctx)
		if err != nil {
			return t, err
		}
		if fair.IsZero() {
			fair = t.Now.Add(w.site.Fleet.Heartbeat)
		}
		t.Fair = fair
		why, err := w.waits(ctx, d, t, lacking(t))
		if err != nil || why == "" {
			return t, err
		}
		if err := wait(ctx, min(w.site.Fleet.Heartbeat, time.Second)); err != nil {
			return t, err
		}
	}
}

// waits shows the fleet and what the ceremony waits for, and returns why. How many processes are expected is read
// again while some of them are missing.
func (w *watch) waits(ctx context.Context, d Desk, t fleet.Table, pending fleet.Wait) (why string, err error) {
	if len(t.Missing) > 0 && pending.Why != "" {
		said, err := w.corrected(ctx, d)
		if err != nil {
			return "", err
		}
		pending.Remedy += said
	}
	d.Show(func(v *View) { v.Fleet, v.Waiting, v.Remedy = &t, pending.Why, pending.Remedy })
	return pending.Why, nil
}

// corrected takes over how many processes the configuration expects now, and writes it down. It says that people may
// correct that, or why it was not read.
func (w *watch) corrected(ctx context.Context, d Desk) (said string, err error) {
	if w.site.ReadExpect == nil {
		return "", nil
	}
	expect, err := w.site.ReadExpect()
	if err != nil {
		return ". The configuration is not read again: " + printable.Text(err.Error()), nil
	}
	if !maps.Equal(expect, w.rule.Expect) {
		now, before := roles(expect), roles(w.rule.Expect)
		if err := d.Note(ctx, Facts{transcript.FactExpect: now, transcript.FactExpectBefore: before}); err != nil {
			return "", err
		}
		w.site.Fleet.Expect, w.rule.Expect = expect, expect
		d.Show(func(v *View) {
			v.Details = append(slices.Clip(v.Details), Detail{Name: transcript.FactExpect, Value: now},
				Detail{Name: transcript.FactExpectBefore, Value: before})
		})
	}
	return ". If fewer are to run, correct fleet.expect in the configuration: it is read again", nil
}

// roles lists how many processes of each role are expected.
func roles(expect map[string]int) string {
	if len(expect) == 0 {
		return "none"
	}
	all := make([]string, 0, len(expect))
	for _, role := range slices.Sorted(maps.Keys(expect)) {
		all = append(all, fmt.Sprintf("%s %d", role, expect[role]))
	}
	return printable.Text(strings.Join(all, ", "))
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// VerifyFleet judges the fleet against a version's canary, which the logged-in
// provider of the site opens, and against the pointer. Where keys are configuration, the version
// may also be the next one, which people placed on the hosts before its ceremony.
func VerifyFleet(ctx context.Context, s *Site, v kek.Version) (fleet.Table, error) {
	active, err := s.Store.Active(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fleet.Table{}, err
	}
	w, err := watchFleet(ctx, s, v)
	if errors.Is(err, store.ErrNotFound) && !s.Kind.OnToken() {
		if _, none := s.Provider.Find(ctx, s.Name(v)); none == nil {
			rule := ruleOf(s, v)
			rule.Active = active
			name := s.Name(v)
			name.Bound = false // no version yet: nothing that processes wrap to prove it is bound
			rule.Unwrap = func(wrapped, into []byte) error { return s.Provider.Unwrap(ctx, name, wrapped, into) }
			return fleet.Look(ctx, s.Store, rule)
		}
	}
	if err != nil {
		return fleet.Table{}, err
	}
	defer w.close()
	w.rule.Active = active
	return w.look(ctx)
}
