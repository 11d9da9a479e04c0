package main_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestUndecryptable: an envelope that no key opens blocks the retirement, and is named.
// It may be excluded when M people approve that, by its name, in a rotation of its own.
func TestUndecryptable(t *testing.T) {
	t.Parallel()
	parts, a := swift(t, 60)
	field, id := rehearsal.Record(7)
	bad, err := a.Records.Get(t.Context(), field, id)
	if err != nil {
		t.Fatal(err)
	}
	bad.WrappedDEK[20] ^= 1
	if err := a.Records.Put(t.Context(), field, map[string]envelope.Envelope{id: bad}); err != nil {
		t.Fatal(err)
	}
	name := field.String() + " " + id
	for range 2 { // again, to the same end
		code, _, errs := run(t, rotateTo(parts, 2)...)
		if code != 1 || !strings.Contains(errs, "envelopes left that no key opens: "+name) ||
			!strings.Contains(errs, "nothing was retired") {
			t.Fatalf("exit %d\n%s", code, errs)
		}
	}
	code, _, errs := run(t, rotateTo(parts, 2, "--exclude", name)...)
	if code != 3 || !strings.Contains(errs, "began with other exclusions") {
		t.Errorf("excluded in mid-ceremony: exit %d\n%s", code, errs)
	}
	must(t, unattended(parts, "abort")...)
	code, _, errs = run(t, rotateTo(parts, 2, "--exclude", name+"x")...)
	if code != 3 || !strings.Contains(errs, "no envelope of that name needs a re-wrap") {
		t.Errorf("a wrong name: exit %d\n%s", code, errs)
	}
	must(t, unattended(parts, "abort")...)
	must(t, rotateTo(parts, 2, "--exclude", name)...)

	bundles := bundlesOf(t, parts)
	must(t, append([]string{"transcript", "verify"}, bundles...)...)
	last := bundles[len(bundles)-1]
	plan := event(t, last, "plan", "approve")["plan"]
	if !strings.Contains(plan, "exclude: "+name+", if no key opens it") {
		t.Errorf("the plan:\n%s", plan)
	}
	status := must(t, "status", "--config", parts.Config())
	if !strings.Contains(status, "1 of them excluded in the last rotation") || strings.Contains(status, "not at version") {
		t.Errorf("what people agreed to exclude is still due:\n%s", status)
	}
	if done := event(t, last, "done", "re-wrap"); done["excluded"] != "1" || done["poison"] != "0" {
		t.Errorf("done: %v", done)
	}
	for i := range 60 {
		v, err := a.Read(t.Context(), i)
		if i == 7 {
			left, getErr := a.Records.Get(t.Context(), field, id)
			if err == nil || getErr != nil || !bytes.Equal(left.WrappedDEK, bad.WrappedDEK) || left.KEKVersion != 1 {
				t.Errorf("the envelope was touched: %+v, %v", left, getErr)
			}
		} else if err != nil || v != 2 {
			t.Errorf("record %d: version %d, %v", i, v, err)
		}
	}
}

// TestNothingDue: a second run opens no bundle and writes nothing.
func TestNothingDue(t *testing.T) {
	t.Parallel()
	parts, _ := swift(t, 60)
	must(t, rotateTo(parts, 2)...)
	db := openStore(t, parts)
	counts := func() (lines, ceremonies int) {
		all, err := db.Ceremonies(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			entries, err := db.Entries(t.Context(), c.Seq)
			if err != nil {
				t.Fatal(err)
			}
			lines += len(entries)
		}
		return lines, len(all)
	}
	lines, ceremonies := counts()
	code, _, errs := run(t, rotateTo(parts, 2)...)
	if code != 0 || !strings.Contains(errs, "version 2 is active: nothing is due") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if l, c := counts(); l != lines || c != ceremonies || len(bundlesOf(t, parts)) != ceremonies {
		t.Errorf("%d lines of %d ceremonies, then %d of %d; %d bundles", lines, ceremonies, l, c, len(bundlesOf(t, parts)))
	}
}

// TestTwoExcluded: each name stands in the plan, and a sound envelope is re-wrapped all
// the same.
func TestTwoExcluded(t *testing.T) {
	t.Parallel()
	parts, _ := swift(t, 30)
	flags := []string{}
	var names []string
	for _, i := range []int{7, 13} {
		field, id := rehearsal.Record(i)
		names = append(names, field.String()+" "+id)
		flags = append(flags, "--exclude", names[len(names)-1])
	}
	must(t, rotateTo(parts, 2, flags...)...)
	bundles := bundlesOf(t, parts)
	last := bundles[len(bundles)-1]
	must(t, "transcript", "verify", last)
	plan := event(t, last, "plan", "approve")["plan"]
	for _, name := range names {
		if !strings.Contains(plan, "exclude: "+name+", if no key opens it") {
			t.Errorf("the plan:\n%s", plan)
		}
	}
	zeroAt(t, parts, 2)
}
