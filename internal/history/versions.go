package history

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrVersions: somebody moved the pointer to the active version, or edited a version's state.
var ErrVersions = errors.New("the store's versions are not as the last ceremony left them")

// ErrNotDestroyed: somebody edited a row. People who signed that would call a key destroyed that is there.
var ErrNotDestroyed = errors.New("the store says that a key is destroyed, and no ceremony destroyed it")

// Versions are what ceremonies made of the versions of the KEK, by their logs.
type Versions struct {
	Lock store.Lock                // as the install left it; zero: no install came so far
	Made map[kek.Version]store.KEK // as their rows must be, without the wrapped canary
	// Outside are those of them whose keys were made outside a ceremony.
	Outside map[kek.Version]bool
	// Unsure are those whose state may be either way: an act on the version was begun when its
	// ceremony was aborted. The next act on it settles that.
	Unsure map[kek.Version]bool
	Active kek.Version
	// Unsettled says that states and the pointer may be either way: an act that was begun
	// when its ceremony was aborted may have been done. The next rotation settles it.
	Unsettled bool

	before  map[kek.Version]store.State // of each that is disabled, or worse: what it was
	refused map[kek.Version]bool        // by the server, if ceremonies had it do so
}

// VersionsOf folds what the logs did. They are in order.
func VersionsOf(logs []transcript.State) Versions {
	v := Versions{Made: map[kek.Version]store.KEK{}, Outside: map[kek.Version]bool{},
		Unsure: map[kek.Version]bool{}, before: map[kek.Version]store.State{},
		refused: map[kek.Version]bool{}}
	for _, log := range logs {
		v.fold(log)
	}
	return v
}

// Versions are those of the closed ceremonies.
func (h History) Versions() Versions { return VersionsOf(h.Logs) }

func (v *Versions) fold(log transcript.State) {
	facts := log.Facts
	seq, _ := strconv.Atoi(facts[transcript.FactCeremony])
	chain := kek.Chain(facts[transcript.FactChain])
	if provider := facts[transcript.FactLocked]; provider != "" {
		v.Lock = store.Lock{Provider: provider, Chain: chain, Ceremony: seq, Roster: log.Roster.Digest()}
	}
	to := facts.Version(transcript.FactTo)
	if sum, ok := facts.Canary(to); ok {
		n := kek.NameOf(chain, to)
		v.Made[to] = store.KEK{Version: to, Provider: facts[transcript.FactProvider], State: store.Live, Label: n.Label,
			ID: n.HexID(), Canary: store.Canary{SHA256: sum}, Ceremony: seq, Bound: facts[transcript.FactBound] == "yes"}
		if facts[transcript.FactKind] == transcript.KindInstall {
			v.Active = to
		}
	}
	v.adopted(log, seq)
	if log.Done(transcript.ActSwitch) {
		v.Active = to
		v.state(to, store.Live)
	}
	for old := range strings.FieldsSeq(facts[transcript.FactRetired]) {
		if version, err := kek.ParseVersion(old); err == nil && v.Made[version].State == store.Live {
			v.state(version, store.Retired)
		}
	}
	v.fenced(log)
	v.reconciled(log)
	if v.leaving(log) {
		return
	}
	switch kind := facts[transcript.FactKind]; {
	case log.Aborted() && len(log.HalfDone()) > 0:
		v.Unsettled = true
	case log.Outcome == transcript.OutcomeDone && (kind == transcript.KindRotate || kind == transcript.KindReconcile):
		v.Unsettled = false
	}
}

// adopted takes what an adoption entered: versions that were there before.
func (v *Versions) adopted(log transcript.State, seq int) {
	if !log.Done(transcript.ActAdopt) {
		return
	}
	for version, key := range log.Facts.Adopted() {
		id, label, _ := strings.Cut(key, " ")
		sum, _ := log.Facts.Canary(version)
		v.Made[version] = store.KEK{Version: version, Provider: log.Facts[transcript.FactProvider], State: store.Live,
			Label: label, ID: id, Canary: store.Canary{SHA256: sum}, Ceremony: seq}
		v.Outside[version] = true
	}
	v.Active = log.Facts.Version(transcript.FactActive)
}

// Name is that of a version's key: its own, where the key was made outside a ceremony. Whether the
// version is bound, the log of its ceremony says, and no row.
func (v Versions) Name(chain kek.Chain, version kek.Version) kek.Name {
	n := kek.NameOf(chain, version)
	n.Bound = v.Made[version].Bound
	if v.Outside[version] {
		k := v.Made[version]
		id, _ := hex.DecodeString(k.ID) // of a signed log, which has it in hex
		n.Label, n.ID = k.Label, id
	}
	return n
}

// reconciled takes what a reconciliation did: it makes new canaries of the rows that were lost,
// and takes states and pointer as they are in a store that went back.
func (v *Versions) reconciled(log transcript.State) {
	if log.Done(transcript.ActRebuild) || log.Done(transcript.ActTakeOver) {
		for version, k := range v.Made {
			if sum, ok := log.Facts.Canary(version); ok {
				k.Canary.SHA256 = sum
				v.Made[version] = k
			}
		}
	}
	if !log.Done(transcript.ActTakeOver) {
		return
	}
	for _, s := range standings(log) {
		if s.active {
			v.Active = s.version
		}
		if !s.state.Doomed() { // what is, a destruction said
			v.state(s.version, s.state)
		}
	}
}

// stands is how a version stands in a store that went back.
type stands struct {
	version kek.Version
	state   store.State
	active  bool
}

// standings are those that a reconciliation took over.
func standings(log transcript.State) (all []stands) {
	for one := range strings.SplitSeq(log.Facts[transcript.FactStanding], ", ") {
		number, state, _ := strings.Cut(one, " ")
		version, err := kek.ParseVersion(number)
		if err != nil {
			continue
		}
		s := stands{version, store.State(state), state == standsActive || state == standsCompromised}
		switch state {
		case standsActive:
			s.state = store.Live
		case standsCompromised:
			s.state = store.Compromised
		}
		all = append(all, s)
	}
	return all
}

// How the version that the pointer names stands: nothing is written with one that is compromised.
const (
	standsActive      = "active"
	standsCompromised = "active and compromised"
)

// Standing says where each version stands: those that the store has as they are there, others
// as ceremonies left them. It returns ErrVersions for a pointer to what is no live version, and
// ErrNotDestroyed for a row that says more of a destruction than any ceremony did.
func (v Versions) Standing(keks []store.KEK, active kek.Version) (string, error) {
	states := map[kek.Version]store.State{}
	for version, k := range v.Made {
		states[version] = k.State
	}
	if states[active] == store.Retired { // where its row is lost, it is made again as live
		states[active] = store.Live
	}
	for _, k := range keks {
		was, made := states[k.Version]
		switch {
		case !made || was.Doomed():
		case k.State.Doomed():
			return "", fmt.Errorf("version %d was %s, is %s: %w", k.Version, was, k.State, ErrNotDestroyed)
		case v.forgets(k.Version, k.State):
			states[k.Version] = store.Compromised
		default:
			states[k.Version] = k.State
		}
	}
	if states[active] != store.Live && states[active] != store.Compromised {
		return "", fmt.Errorf("version %d is active, and not live: %w", active, ErrVersions)
	}
	var all []string
	for _, version := range slices.Sorted(maps.Keys(states)) {
		state := printable.Text(string(states[version]))
		switch {
		case version == active && states[version] == store.Compromised:
			state = standsCompromised
		case version == active:
			state = standsActive
		}
		all = append(all, fmt.Sprintf("%d %s", version, state))
	}
	return strings.Join(all, ", "), nil
}

// forgets reports whether a version in a state is one that a store which went back does not know to be compromised.
func (v Versions) forgets(version kek.Version, state store.State) bool {
	return v.Before(version) == store.Compromised && (state == store.Live || state == store.Retired)
}

func (v *Versions) state(version kek.Version, state store.State) {
	k, ok := v.Made[version]
	if !ok || k.State == store.Destroyed || k.State == store.Destroying && state != store.Destroyed {
		return // a destruction that was begun is never undone
	}
	if v.forgets(version, state) { // nor is a compromise: others still have the key
		state = store.Compromised
	}
	if state == store.Disabled && k.State != store.Disabled {
		v.before[version] = k.State
	}
	k.State = state
	v.Made[version] = k
}

// The names of differences. A version's number follows the second.
const (
	whatActive  = "active_version"
	whatVersion = "version_"
)

// OfVersions reports whether a deviation is a difference of versions, by its name.
func OfVersions(what string) bool { return what == whatActive || strings.HasPrefix(what, whatVersion) }

// Difference is one fact of the store that is not as the ceremonies left it.
type Difference struct{ What, Was, Is string }

func (d Difference) Error() string { return fmt.Sprintf("%s was %s, is %s", d.What, d.Was, d.Is) }

// Of reports whether it is one of a version's state.
func (d Difference) Of(v kek.Version) bool { return d.What == whatVersion+v.String() }

// Differences are those of the states and of the pointer. Whether each row is that of a
// version that a ceremony made is asked elsewhere.
func (v Versions) Differences(keks []store.KEK, active store.Active) (all []Difference) {
	if v.Unsettled || len(v.Made) == 0 {
		return nil
	}
	if active.Version != v.Active {
		all = append(all, Difference{whatActive, v.Active.String(), active.Version.String()})
	}
	for _, k := range keks {
		if want, made := v.Made[k.Version]; made && k.State != want.State && !v.Unsure[k.Version] {
			all = append(all, Difference{whatVersion + k.Version.String(), string(want.State),
				printable.Text(string(k.State))})
		}
	}
	return all
}
