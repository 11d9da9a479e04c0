package status

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
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
func (st *Status) exposures(ctx context.Context, s Site) (err error) {
	if st.doubt {
		return nil
	}
	st.Exposed, err = Exposures(ctx, s.Store, s.Catalogue, s.Bundles, st.history)
	return err
}

// Exposures counts what each compromised version exposed, and what is left of it where the directory of a
// console's bundles has its lists.
func Exposures(
	ctx context.Context, s store.Store, cat envelope.Catalogue, bundles string, h history.History,
) (counted []ExposedStatus, err error) {
	all, err := s.Ceremonies(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range h.Exposures() {
		known := func(o ExposedStatus) bool { return o.Version == e.Version }
		if slices.ContainsFunc(counted, known) {
			continue
		}
		of := ExposedStatus{Version: e.Version, Ceremony: e.Ceremony}
		site := Site{Store: s, Catalogue: cat, Bundles: bundles}
		if err := of.count(ctx, site, all, h.Exposed(e.Version)); err != nil {
			return nil, err
		}
		counted = append(counted, of)
	}
	return counted, nil
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
		if _, command := e.left(); command != "" {
			st.add(command, "%s", e.String())
		}
	}
}

// String says what is left of what a version exposed.
func (e ExposedStatus) String() string {
	left, _ := e.left()
	return fmt.Sprintf("version %d was compromised: %s", e.Version, left)
}

// IsDue reports whether something is left, or may be.
func (e ExposedStatus) IsDue() bool {
	_, command := e.left()
	return command != ""
}

// left says what is left, and the command that helps; empty: nothing is left.
func (e ExposedStatus) left() (what, command string) {
	switch {
	case e.Exposed == 0:
		return "it exposed no envelope", ""
	case len(e.Lacking) > 0:
		return fmt.Sprintf("%s had some of %d envelopes that it exposed, and is not in the catalogue, or in another form",
			strings.Join(e.Lacking, ", "), e.Exposed), catalogued
	case e.Left == nil:
		return fmt.Sprintf("how many of at most %d envelopes were not resealed since is unknown", e.Exposed), elsewhere
	case *e.Left == 0:
		return fmt.Sprintf("all of %d envelopes were resealed or deleted", e.Exposed), ""
	}
	return fmt.Sprintf("%d of %d envelopes were re-wrapped at most, and not resealed", *e.Left, e.Exposed), reseal
}

func compromise(v kek.Version) string { return fmt.Sprintf("kekceremony compromise --version %d", v) }
