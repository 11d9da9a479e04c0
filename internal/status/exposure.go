package status

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// The commands for what a compromised version left.
const (
	reseal    = "have the application reseal them: docs/procedures.md"
	elsewhere = "kekceremony status, on the console that has that ceremony's list"
)

// exposures counts what each compromised version left, where this console has its list.
func (st *Status) exposures(ctx context.Context, s Site) error {
	if st.doubt {
		return nil
	}
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	for _, log := range st.history.Logs {
		n, err := strconv.Atoi(log.Facts[transcript.FactExposed])
		if err != nil || !log.Done(transcript.ActCompromise) {
			continue
		}
		seq, _ := strconv.Atoi(log.Facts[transcript.FactCeremony])
		e := ExposedStatus{Version: log.Opened().Version(transcript.FactVersion), Ceremony: seq, Exposed: n}
		i := slices.IndexFunc(all, func(c store.Ceremony) bool { return c.Seq == seq })
		if s.Bundles != "" && i >= 0 {
			sum := log.Facts[transcript.FactExposedSum]
			list, err := exposure.Read(exposure.Path(s.Bundles, all[i].Bundle, sum), sum)
			if err == nil { // else it is of another console, or not what it was
				left, err := exposure.Left(ctx, s.Store, s.Catalogue, list)
				if err != nil {
					return err
				}
				e.Left = &left
			}
		}
		st.Exposed = append(st.Exposed, e)
	}
	return nil
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
		if v.State == string(store.Compromised) && !st.history.Exposed(v.Version) {
			st.add(compromise(v.Version), "version %d is compromised, and no ceremony listed what it exposed", v.Version)
		}
		if v.State == string(store.Compromised) && v.Version == st.Active {
			st.add(rotate(st.next()), "version %d is active and compromised: nothing is written until a rotation", v.Version)
		}
	}
	for _, e := range st.Exposed {
		switch {
		case e.Exposed == 0:
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
