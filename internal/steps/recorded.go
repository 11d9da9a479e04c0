package steps

import (
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// copiesOf are the copies that need a verdict: those that are recorded, and the tokens on which ceremonies made the
// version, or which people approved last, where they are not the one that is here.
func copiesOf(s *Site, f Facts) []string {
	all := openOf(f[transcript.FactRecorded])
	if s == nil || s.Reached["serial"] == "" {
		return all
	}
	v := f.Version(transcript.FactVersion)
	searched := append(searchedFor(s, v), f.Attempts()...)
	for _, serial := range append(madeOn(s, v), s.History.Approved()["serial"]) {
		place := transcript.KeyPlace(Facts{"serial": serial})
		named := slices.ContainsFunc(all, func(r string) bool { return isHere(deviceOf(r), serial) })
		named = named || slices.Contains(all, place)
		if serial != "" && serial != s.Reached["serial"] && !named && !slices.Contains(searched, place) {
			all = append(all, place)
		}
	}
	return all
}

// searchedFor are the places at which ceremonies destroyed the key of a version. Those that people said are lost are
// recorded as open copies.
func searchedFor(s *Site, v kek.Version) (places []string) {
	for _, log := range s.History.Logs {
		if log.Done(transcript.ActDestroy) && log.Opened().Version(transcript.FactVersion) == v {
			places = append(places, log.Attempts()...)
		}
	}
	return places
}

// madeOn are the serials of the tokens with which ceremonies wrote down a canary of a version; empty: it was no token.
func madeOn(s *Site, v kek.Version) (serials []string) {
	for _, log := range s.History.Logs {
		if _, made := log.Facts.Canary(v); made {
			serials = append(serials, log.Facts["serial"])
		}
	}
	return serials
}

// recordedCopies are those of a version's key that are not known to be destroyed: as its last destruction
// left them, or as the ceremony that made it recorded them.
func recordedCopies(s *Site, v kek.Version) []string {
	for _, log := range slices.Backward(s.History.Logs) {
		opened := log.Opened()
		if log.Done(transcript.ActDestroy) && opened.Version(transcript.FactVersion) == v {
			return openOf(log.Facts[transcript.FactCopies])
		}
		_, made := log.Facts.Canary(v)
		if made && (opened.Version(transcript.FactTo) == v || opened[transcript.FactKind] == transcript.KindAdopt) {
			return openOf(log.Facts["copies"])
		}
	}
	return nil
}
