package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
)

// killedAt starts a rotation and kills it with -9 when some, but not all,
// envelopes are at the target.
func killedAt(t *testing.T, parts rehearsal.Parts, to kek.Version) {
	t.Helper()
	cmd := program(t, rotateTo(parts, to, "--rate", "20")...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	db := openStore(t, parts)
	var err error
	begun := func() bool {
		var counts []store.Count
		counts, err = db.Census(t.Context(), envelope.DefaultCatalogue())
		at := map[kek.Version]int{}
		for _, c := range counts {
			at[c.Version] += c.N
		}
		return err != nil || at[to] > 0 && len(at) > 1
	}
	done := await(begun)
	_ = cmd.Process.Kill()
	killed := cmd.Wait()
	if !done || err != nil {
		t.Fatalf("the re-wrap never began: %v, %v\n%s", err, killed, said.String())
	}
}

// onePage demands that a status fits on a screen of 24 lines of 80, but for the path of a store and whole commands.
func onePage(t *testing.T, status string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(status, "\n"), "\n")
	wide := slices.ContainsFunc(lines[1:], func(line string) bool {
		return len(line) > 80 && !strings.HasPrefix(strings.TrimSpace(line), binary)
	})
	if len(lines) > 24 || wide {
		t.Errorf("%d lines, wider than 80: %v\n%s", len(lines), wide, status)
	}
}

// TestGoingBack goes back in mid-rotation: the rotation is aborted by M people,
// and the next one goes to the version that the first came from, or on to the
// other one. It also goes back when a rotation is done.
func TestGoingBack(t *testing.T) {
	t.Parallel()
	parts, a := swift(t, 600)
	killedAt(t, parts, 2)
	code, _, errs := run(t, rotateTo(parts, 1)...)
	if code != 3 ||
		!strings.Contains(errs, "hint: finish it first, with its own command, or abort it: "+binary+" abort --config ") {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	must(t, unattended(parts, "abort")...)
	if code, _, errs := run(t, unattended(parts, "abort")...); code != 0 ||
		!strings.Contains(errs, "no ceremony is open: nothing is due") {
		t.Errorf("again: exit %d\n%s", code, errs)
	}
	status := must(t, "status", "--config", parts.Config())
	for _, want := range []string{
		" rotate, aborted, ",
		"due        version 1 is live and not active: it was not retired\n",
		" envelopes are not at version 2\n             " + binary + " rotate --to-version 2 --config ",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("status without %q:\n%s", want, status)
		}
	}
	onePage(t, status)
	must(t, rotateTo(parts, 1)...) // back
	zeroAt(t, parts, 1)
	must(t, rotateTo(parts, 2)...) // and forth, to a version that is there
	zeroAt(t, parts, 2)
	must(t, rotateTo(parts, 1)...) // back when it is done
	zeroAt(t, parts, 1)
	killedAt(t, parts, 2)
	must(t, unattended(parts, "abort")...)
	must(t, rotateTo(parts, 2)...) // on, when the writers are there already
	zeroAt(t, parts, 2)

	bundles := bundlesOf(t, parts)
	must(t, append([]string{"transcript", "verify"}, bundles...)...)
	if closed := event(t, bundles[1], "closed", ""); closed["outcome"] != "aborted" || closed["begun"] != "re-wrap" ||
		closed["done"] != "generate, canary, switch" {
		t.Errorf("the end of what was aborted: %v", closed)
	}
	for i := range 600 {
		if v, err := a.Read(t.Context(), i); err != nil || v != 2 {
			t.Fatalf("record %d: version %d, %v", i, v, err)
		}
	}
}
