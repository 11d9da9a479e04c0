//go:build mutate

package main_test

// The scripts that tell what a key's end is refused by.
const (
	disableRefused = "TestScripts$/^disable_refused"
	destroyRefused = "TestScripts$/^destroy_refused"
	destroyToken   = "TestScripts$/^destroy_token"
	disableWait    = "TestScripts$/^disable_wait"
)

// leavings are conditions that a version is kept by: without one, the test must fail.
var leavings = []refusal{
	// disable: before its first line
	{"internal/steps/ceremony_generate.go", `if lock.Chain == "" {`, "if false {", disableRefused},
	{"internal/steps/ceremony_disable.go", `err = fmt.Errorf("%w: %w", ErrNoSuchVersion, err)`, "err = nil",
		disableRefused},
	{"internal/steps/ceremony_disable.go", "_, err = exists(s, keks, v)", "_ = keks", disableRefused},
	{"internal/steps/ceremony_disable.go", "if state.Doomed() {", "if false {", destroyRefused},
	{"internal/steps/ceremony_disable.go",
		"case k.State != store.Retired && k.State != store.Compromised && k.State != store.Disabled:", "case false:",
		destroyToken},
	{"internal/steps/ceremony_disable.go", "if err := clocks(ctx, s); err != nil {", "if err := error(nil); err != nil {",
		disableRefused},
	{"internal/steps/ceremony_disable.go", "return facts, needed(ctx, s, v)", "return facts, nil", disableRefused},
	{"internal/steps/ceremony_disable.go", "v != 0 && has != v {", "false && has != v {", disableRefused},
	{"internal/steps/needed.go", "if err := noStrangers(ctx, s); err != nil {", "if err := error(nil); err != nil {",
		disableRefused},
	{"internal/steps/needed.go", "case len(at) > 0:", "case false:", disableRefused},
	{"internal/steps/needed.go", "case len(unknown) > 0:", "case false:", destroyRefused},
	// disable: its steps
	{"internal/steps/terms.go", "if len(s.Fleet.Uncounted) == 0 {", "if true {", disableRefused},
	{"internal/steps/terms.go", "if wait < due && s.Mode != quorum.Rehearsal && !s.Decided(d) {",
		"if false && !s.Decided(d) && s.Mode != quorum.Rehearsal {", disableWait},
	{"internal/steps/fleet.go", "t, err := w.until(ctx, d, fleet.Table.Lacking)", "t, err := w.look(ctx)",
		disableRefused},
	{"internal/steps/needed.go", "err := needed(ctx, s, v)", "err := error(nil)", disableRefused},
	{"internal/steps/disable.go", "if err == nil && state == NotBegun {", "if err == nil && state == Done {",
		disableRefused},
	{"internal/steps/dropped.go", "t, err := w.until(ctx, d, fleet.Table.Holding)",
		`t, err := w.until(ctx, d, func(fleet.Table) fleet.Wait { return fleet.Wait{} })`,
		disableRefused},
	{"internal/steps/needed.go", "if err := needed(ctx, s, f.Version(transcript.FactVersion)); err != nil {",
		"if err := error(nil); err != nil {", disableRefused},
	{"internal/steps/needed.go", "return clocks(ctx, s)", "return nil", disableRefused},
	{"internal/fleet/refusal.go", "case now != nil && now.Barred[v]:", "case false:", destroyRefused},
	// destroy: where ceremonies left the version
	{"internal/steps/ceremony_destroy.go", "case !ok || i < 0:", "case !ok && i >= 0:", destroyRefused},
	{"internal/steps/ceremony_destroy.go", "case v == active.Version || v == s.History.Versions().Active:", "case false:",
		destroyRefused},
	{"internal/steps/ceremony_destroy.go", "case made.State != store.Disabled && made.State != store.Destroying:",
		"case false:", destroyRefused},
	{"internal/steps/ceremony_destroy.go", "case keks[i].State != made.State:", "case false:", destroyRefused},
	{"internal/steps/ceremony_destroy.go", "if !ok {", "if !ok && by.Ceremony < 0 {", destroyRefused},
	{"internal/steps/ceremony_destroy.go", "return facts, forPeople(mayDestroy(ctx, s, v, false))", "return facts, nil",
		destroyRefused},
	{"internal/history/disabled.go", "if log.Done(transcript.ActTakeOver) {", "if false {", destroyRefused},
	// destroy: its time
	{"internal/steps/unused_version.go", "return waited(ctx, s, by)", "return nil", destroyRefused},
	{"internal/steps/waited.go", "if clock.now.Before(d.Ends()) {",
		`if clock.now.Before(d.Ends()) && clock.of == "the store's" {`,
		destroyRefused},
	{"internal/steps/waited.go", "if clock.now.Before(d.Ends()) {",
		`if clock.now.Before(d.Ends()) && clock.of != "the store's" {`,
		destroyRefused},
	{"internal/steps/waited.go", "if clock.now.Before(last.Add(-clocksApart)) {", "if false {", destroyRefused},
	{"internal/steps/waited.go", "apart > clocksApart {", "apart < 0 {", destroyRefused},
	// destroy: what needs the version
	{"internal/steps/unused_version.go", "return samePlaces(s, by)", "return nil", destroyRefused},
	{"internal/steps/unused_version.go", "return needed(ctx, s, v)", "return nil", destroyRefused},
	{"internal/steps/unused_version.go", "return stillFenced(ctx, s)", "return nil", destroyRefused},
	{"internal/steps/unused_version.go", `!now.After(until) && !b.Stopped && b.Proofs[v] != "" {`,
		"!now.After(until) && false {", destroyRefused},
	{"internal/steps/unused_version.go", "if err == nil && len(t.Missing) > 0 {", "if false {", destroyRefused},
	{"internal/steps/refused.go", "if r.Epoch < by.Epoch {", "if true {", destroyRefused},
	{"internal/steps/refused.go", "if expected(r) {", `if expected(r) && r.Process == "" {`, destroyRefused},
	{"internal/steps/refused.go", "if aside == nil && !s.Decided(d) {", "if false {", destroyRefused},
	{"internal/steps/keep.go", "if err == nil && !provider.Left(all) {", "if false {", destroyRefused},
	{"internal/steps/keep.go", "if err := disabledAgain(ctx, s, f); err != nil {", "if err := error(nil); err != nil {",
		destroyToken},
	{"internal/steps/ceremony_destroy.go", `steps = append(steps, unusedVersion("unused", false))`, "_ = steps",
		destroyRefused},
	{"internal/steps/ceremony_destroy.go", `steps = append(steps, unusedVersion("unused-still", true))`, "_ = steps",
		destroyRefused},
	// destroy: the key and its copies
	{"internal/steps/doomed.go", "if err := whole(ctx, s, v); err != nil {", "if err := error(nil); err != nil {",
		destroyRefused},
	{"internal/steps/doomed.go", "return s.Provider.Destroyable(ctx, s.Name(v))", "return nil", destroyRefused},
	{"internal/provider/env/destroy.go", "case p.inEnvironment(n.Version) > 0:", "case false:", destroyRefused},
	{"internal/provider/pkcs11/destroy.go", "case err == nil && bytes.Equal(may, []byte{0}):",
		"case bytes.Equal(may, []byte{0}) && false:", destroyToken},
	{"internal/steps/destroy.go", "return kept(ctx, s, f, d, err)", "return err", destroyToken},
	{"internal/steps/destroy.go", `err = fmt.Errorf("version %d: %w", v, ErrStillThere)`, "err = nil", destroyToken},
	{"internal/steps/destroy.go", "return noneHasIt(ctx, s, v, d)", "return nil", destroyRefused},
	{"internal/steps/destroy.go", "if names, err := holders(ctx, s, v); err != nil || len(names) > 0 {",
		"if names, err := holders(ctx, s, v); err != nil && len(names) > 0 {", destroyRefused},
	{"internal/steps/verdicts.go",
		`return nil, fmt.Errorf("earlier ceremonies recorded %s", printable.Quote(joinCopies(recorded)))`,
		"return Facts{factVerdicts: noCopies}, nil", destroyToken},
	{"internal/steps/verdicts.go", "if err := checkVerdict(verdict); err != nil {",
		"if err := checkVerdict(verdict); false {", destroyToken},
	{"internal/steps/verdicts.go", "case n == 0:", "case n < 0:", destroyToken},
	{"internal/steps/hosts.go", "if err := known(s, name); err != nil {", "if err := known(s, name); false {",
		destroyRefused},
	// afterwards
	{"internal/steps/writable.go", "why = neverAgain(k.State)", "return nil", destroyRefused},
}
