package audit

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Voids compares what the store archived of installs that were given up with their verified
// bundles. Nothing that a ceremony of a chain did may be called void: each has a chain of its
// own, which no ceremony has, and its log makes nothing. Of a whole chain there is a bundle for
// each. A store that went back lacks some, which takes nothing from their bundles. It returns a
// *transcript.RuleError for the first difference.
func Voids(ctx context.Context, s store.Store, chained, void []transcript.Report, whole bool) error {
	all, err := s.Voids(ctx)
	if err != nil {
		return err
	}
	bundles := map[kek.Chain]store.Void{}
	for _, r := range void {
		v, err := history.VoidOf(r)
		if err != nil {
			return err
		}
		bundles[v.Chain] = v
	}
	for _, v := range all {
		chain := printable.Text(string(v.Chain))
		if slices.ContainsFunc(chained, func(r transcript.Report) bool {
			return r.Opened()[transcript.FactChain] == string(v.Chain)
		}) {
			return differs(fmt.Errorf("kek_void calls chain %s void, and it has ceremonies: %w", chain, errDiffers))
		}
		var r transcript.Report
		b, err := history.RebuildVoid(v)
		if err == nil {
			r, err = b.Verify()
		}
		if transcript.StandingOf(err) != transcript.Void || r.Opened()[transcript.FactChain] != string(v.Chain) {
			return differs(fmt.Errorf("kek_void: chain %s is not void: %w", chain, errDiffers))
		}
		bundle, has := bundles[v.Chain]
		if has && !reflect.DeepEqual(bundle, v) {
			return differs(fmt.Errorf("%s: kek_void has another one: %w", printable.Text(bundle.Ceremony.Bundle), errDiffers))
		}
		if whole && !has {
			return differs(fmt.Errorf("kek_void has chain %s, but there is no bundle of it: %w", chain, errDiffers))
		}
	}
	return nil
}
