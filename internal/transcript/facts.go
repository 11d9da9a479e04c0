package transcript

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Facts are what an event records, by name. Every name that more than one package uses
// stands here; docs/transcript-format.md says which lines tell it.
type Facts map[string]string

// Facts of the opened line, which every statement repeats, and of the closed one.
const (
	FactFormat    = "format"
	FactChain     = "chain"
	FactCeremony  = "ceremony"
	FactKind      = "kind"
	FactMode      = "mode"
	FactTool      = "tool" // with _sha256 its digest, with _sha256_from its source; also of a resumed line
	FactScriptSum = "script_sha256"
	FactStore     = "store"
	FactPrevious  = "previous." // and a file's name: its digest, of the ceremony before
	FactOutcome   = "outcome"   // of the closed line
)

// Facts of versions and keys.
const (
	FactFrom     = "from"        // opened: version that writers use when a rotation opens
	FactTo       = "to"          // opened: version that is made, or rotated to
	FactActive   = "active"      // version that writers use
	FactGenerate = "generate"    // opened: yes when this ceremony makes the version it rotates to
	FactBound    = "bound"       // opened: yes when all that the version it makes wraps is bound to records
	FactExclude  = "exclude"     // opened: envelopes to exclude, by name, a line each
	FactRecords  = "records"     // opened: prefix of an adopted chain's own records in its store
	FactPointer  = "pointer"     // opened: where the application has the version that its writers use; or none
	FactRebuild  = "rebuild"     // opened: what a store lacks of lock, pointer and versions, parted by spaces
	FactStanding = "standing"    // done: each version and where it stands, as "1 retired, 2 active, 3 live"
	FactLabel    = "key_label"   // done: CKA_LABEL of a key that was made
	FactProvider = "provider"    // answered or found
	FactLocked   = "locked"      // done: the provider that the store is locked to
	FactRetired  = "retired"     // done: versions, parted by spaces
	FactVersion  = "version"     // opened: version that is disabled, enabled, destroyed or compromised
	FactCopies   = "open_copies" // done: copies of a key that are not known to be destroyed; empty: none
	FactWait     = "wait"        // found, and in a plan: how long a version stays disabled before its destruction
	FactStays    = "stays"       // opened: state that a compromised version keeps: disabled, destroying, destroyed
	FactEpoch    = "epoch"       // opened: how often the pointer to the active version had moved
	FactExposed  = "exposed"     // found: envelopes whose data keys a compromised version wrapped, or may have
	FactSilent   = "silent"      // found: processes that ended without a word
	FactRewraps  = "rewrapped"   // done: how many envelopes the last run re-wrapped
	FactExcluded = "excluded"    // done: how many envelopes of FactExclude no key opened
	factCanary   = "canary_"     // done: and a version and _sha256
	factAdopted  = "adopted_"    // done: and a version: id and label of its key, which was made outside a ceremony
	FactRelisted = "compromised" // opened: versions whose envelopes a rotation lists, parted by spaces
	FactSHA256   = "sha256"      // plan: digest of the plan
	FactPlan     = "plan"        // plan: its text
	FactActs     = "acts"        // plan: steps of the acts that it names, parted by spaces
	FactFinal    = "last_final"  // asked: the last final digest that the console knows
	FactNonce    = "nonce."      // asked: and a person's name
)

// Facts of the fence.
const (
	FactFence  = "fence"  // opened: Fenced, or Unfenced and why
	FactFenced = "fenced" // done: versions that the server refuses to write with, parted by spaces
)

// Facts of the first line of a destruction, and of its act.
const (
	FactDisabledBy = "disabled_by"     // number and final digest of the ceremony that disabled the version
	FactWaitEnds   = "wait_ends"       // when its waiting period ends
	FactOnToken    = "on_token"        // no: the keys are configuration
	FactRecorded   = "recorded_copies" // copies that earlier ceremonies recorded, each of which needs a verdict
	FactCloses     = "closes"          // yes: the key was destroyed here before, and copies are open
	FactAttempt    = "attempt"         // noted: a key is about to be destroyed
	FactAttempts   = "attempts"        // no line: where a key was about to be destroyed, as the probes before each say
	FactGone       = "gone_before"     // found: yes where people decided that the key is gone, which no ceremony destroyed
	FactKept       = "kept"            // noted: why the provider refused to destroy it, with nothing changed
)

// Facts of people.
const (
	FactRoster       = "roster"        // of the roster line; with _sha256 its digest
	FactNextRoster   = "next_roster"   // of the next-roster line; with _sha256 its digest, also of its act
	FactAttended     = "attended"      // of a gathered line: names, in the roster's order
	FactJoined       = "joined"        // of a gathered line: who has proved a new key
	FactChanged      = "changed"       // of the act by which the next roster takes effect
	FactPurpose      = "purpose"       // of an asked line: empty, or that of a proof
	FactDiffered     = "differed"      // of an answered line: what people report, or NothingDiffered
	FactOthers       = "others"        // answered, in place of FactDiffered: none beside those that are recorded
	FactExpect       = "expect"        // noted: the processes expected by role, corrected in a wait
	FactExpectBefore = "expect_before" // noted: what it expected before
	FactCompared     = "compared"      // noted: the digest that a person compared
	FactMatches      = "matches"       // noted: yes or no
	FactEnd          = "planned_end"   // of an answered line: planned end of use of a key, or a reason why there is none
)

// Facts of a signed line.
const (
	FactSigner    = "signer"
	FactKey       = "key"
	FactNamespace = "namespace"
	FactFile      = "file"
	FactStatement = "statement"
	FactSignature = "signature"
	FactFIDO      = "fido" // what the authenticator says
)

// Facts of an install that is given up, of an answered line.
const (
	FactOperator = "operator" // who gives it up
	FactReason   = "reason"   // and why
)

// Facts of a deviation line.
const (
	FactWhat     = "what"
	FactExpected = "expected"
	FactSeen     = "seen"
	FactDecided  = "decided"
	FactBy       = "by" // who decided; those who sign the plan or the end stand behind it
)

// Facts of the lines that end a run or an attempt.
const (
	FactFor         = "for"  // waiting: who is missing
	FactHave        = "have" // waiting: how many signatures that make the quorum there are
	FactNeed        = "need" // waiting: and how many there must be
	FactError       = "error"
	FactInterrupted = "interrupted" // noted: why
	FactTorn        = "torn_sha256" // resumed: of a torn line that was cut off
	FactAside       = "own_sha256"  // resumed: of a whole one, whose number another console took
	FactDone        = "done"        // closed as aborted: acts
	FactHalfDone    = "begun"       // closed as aborted: acts
)

// What a ceremony's first line says of the fence, with which the server refuses writes with versions
// that nothing may be written with any more. A reason follows the second.
const (
	Fenced   = "yes"
	Unfenced = "unfenced"
)

// Fences reports whether the ceremony has the server refuse writes with old versions.
func (f Facts) Fences() bool { return f[FactFence] == Fenced }

// Unfenced reports whether the ceremony goes without. One of a program that knew no fence does neither.
func (f Facts) Unfenced() bool { return strings.HasPrefix(f[FactFence], Unfenced) }

// NothingDiffered is the answer of people who report no deviation.
const NothingDiffered = "none"

// FactBegun and an act's name stand among a state's facts when the act was begun. No line
// tells it.
const FactBegun = "begun."

// FactCanary is the name of the fact with the digest of a version's canary.
func FactCanary(v kek.Version) string { return fmt.Sprintf(factCanary+"%d_sha256", v) }

// FactsExposed are the names of the facts about what a ceremony listed: the number of envelopes, the digests of
// the files with their list, and their places, each parted by spaces. A rotation has them for each version that
// it lists, and a compromise, of one version alone, for version 0.
func FactsExposed(v kek.Version) (n, sums, places string) {
	n = FactExposed
	if v != 0 {
		n += "_" + v.String()
	}
	return n, n + "_sha256", n + "_places"
}

// Compromised are the versions whose envelopes a rotation lists.
func (f Facts) Compromised() (all []kek.Version) {
	for name := range strings.FieldsSeq(f[FactRelisted]) {
		if v, err := kek.ParseVersion(name); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// FactAdopted is the name of the fact with id and label of an adopted version's key.
func FactAdopted(v kek.Version) string { return factAdopted + v.String() }

// Adopted are the versions that this log adopted, with id in hex and label of each key, parted by
// a space.
func (f Facts) Adopted() map[kek.Version]string {
	all := map[kek.Version]string{}
	for name, key := range f {
		if text, ok := strings.CutPrefix(name, factAdopted); ok {
			if v, err := kek.ParseVersion(text); err == nil {
				all[v] = key
			}
		}
	}
	return all
}

// Version reads a version; 0 when the fact is not there, or is none.
func (f Facts) Version(name string) kek.Version {
	v, err := kek.ParseVersion(f[name])
	if err != nil {
		return 0
	}
	return v
}

// Number reads a number; 0 when the fact is not there, or is none.
func (f Facts) Number(name string) int {
	n, err := strconv.Atoi(f[name])
	if err != nil {
		return 0
	}
	return n
}

// Excluded are the envelopes that people agreed to exclude, by name.
func (f Facts) Excluded() []string {
	if f[FactExclude] == "" {
		return nil
	}
	return strings.Split(f[FactExclude], "\n")
}

// Canary is the digest of a version's canary, if this log made the version.
func (f Facts) Canary(v kek.Version) (sha256 string, ok bool) {
	sha256, ok = f[FactCanary(v)]
	return sha256, ok
}

// PlannedEnd is when the use of the key that the log's ceremony made is to end; zero: nobody said.
func (f Facts) PlannedEnd() time.Time {
	end, err := time.Parse(time.DateOnly, f[FactEnd])
	if err != nil { // a reason why there is none
		return time.Time{}
	}
	return end
}
