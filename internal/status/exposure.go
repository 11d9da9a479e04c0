package status

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// The commands for what a compromised version left.
const (
	reseal     = "have the application reseal them: docs/procedures.md"
	catalogued = "kekceremony status, with every place in the catalogue as it was"
	elsewhere  = "kekceremony status, on the console that has its lists"
)

// exposures counts what each compromised version left, where this console has its lists.
func (st *Status) exposures(ctx context.Context, s Site) error {
	if st.doubt {
		return nil
	}
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	for _, e := range st.history.Exposures() {
		known := func(o ExposedStatus) bool { return o.Version == e.Version }
		if slices.ContainsFunc(st.Exposed, known) {
			continue
		}
		of := ExposedStatus{Version: e.Version, Ceremony: e.Ceremony}
		if err := of.count(ctx, s, all, st.history.Exposed(e.Version)); err != nil {
			return err
		}
		st.Exposed = append(st.Exposed, of)
	}
	return nil
}

// count counts what is left of all lists together. What stands at a place that the catalogue lacks, or that
// another console has the list of, is unknown.
func (e *ExposedStatus) count(
	ctx context.Context, s Site, ceremonies []store.Ceremony, lists []history.Exposure,
) error {
	for _, l := range lists {
		e.Exposed += l.N
		for _, place := range exposure.Lacking(s.Catalogue, l.Places) {
			if place = printable.Text(place); !slices.Contains(e.Lacking, place) {
				e.Lacking = append(e.Lacking, place)
			}
		}
	}
	list, err := exposure.ReadAll(s.Bundles, ceremonies, lists)
	if err != nil { // they are of another console, or not what they were
		return nil
	}
	e.Exposed = len(list)
	if len(e.Lacking) > 0 {
		return nil
	}
	left, err := exposure.Left(ctx, s.Store, s.Catalogue, list)
	e.Left = &left
	return err
}

// compromisedDue adds what is to be done about versions whose keys others may know.
func (st *Status) compromisedDue() {
	for _, d := range st.behind.Differences {
		for _, v := range st.Versions {
			if d.Was == string(store.Compromised) && d.Of(v.Version) {
				st.add(compromise(v.Version), "%s: anyone who has its key still has it", d.Error())
			}
		}
	}
	for _, v := range st.Versions {
		if v.State == string(store.Compromised) && len(st.history.Exposed(v.Version)) == 0 {
			st.add(compromise(v.Version), "version %d is compromised, and no ceremony listed what it exposed", v.Version)
		}
		if v.State == string(store.Compromised) && v.Version == st.Active {
			st.add(rotate(st.next()), "version %d is active and compromised: nothing is written until a rotation", v.Version)
		}
	}
	for _, e := range st.Exposed {
		switch {
		case e.Exposed == 0:
		case len(e.Lacking) > 0:
			st.add(catalogued, "version %d was compromised: %s had some of %d envelopes that it exposed, and is not in the "+
				"catalogue, or in another form", e.Version, strings.Join(e.Lacking, ", "), e.Exposed)
		case e.Left == nil:
			st.add(elsewhere, "version %d was compromised: how many of %d envelopes were not resealed since is unknown",
				e.Version, e.Exposed)
		case *e.Left > 0:
			st.add(reseal, "version %d was compromised: %d of %d envelopes were re-wrapped at most, and not resealed",
				e.Version, *e.Left, e.Exposed)
		}
	}
}

func compromise(v kek.Version) string { return fmt.Sprintf("kekceremony compromise --version %d", v) }
