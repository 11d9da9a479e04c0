package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// purposes say what a ceremony of a kind is for. The words from and to are its versions.
var purposes = map[string]string{
	transcript.KindInstall:   "Make the first key, and lock the store to its provider",
	transcript.KindAdopt:     "Put an existing database under ceremonies",
	transcript.KindRotate:    "Rotate from version FROM to version TO",
	transcript.KindGenerate:  "Make the key of version TO",
	transcript.KindRoster:    "Change the people who may sign",
	transcript.KindReconcile: "Reconcile a store that went back with its transcripts",

	transcript.KindDisable:    "Disable version VERSION: nothing may read with it",
	transcript.KindEnable:     "Enable version VERSION again",
	transcript.KindDestroy:    "Destroy the key of version VERSION",
	transcript.KindCompromise: "Mark version VERSION as compromised",
}

// recordedOnly is what a destruction did of a key that was gone.
const recordedOnly = "Version VERSION was recorded as destroyed: its key was not found, and no ceremony destroyed it."

// removed is what a destruction did where keys are configuration, which other hosts have too; remove, what it is
// to do.
const (
	removed = "The key of version VERSION was removed from the configuration here."
	remove  = "remove the key of version VERSION from the configuration here"
)

// purpose says what a ceremony is for, by the facts of its first line.
func purpose(opened transcript.Facts) string {
	kind := opened[transcript.FactKind]
	text, ok := purposes[kind]
	if !ok {
		text = "Run the ceremony " + or(printable.Line(kind), "?")
		if v := opened.Version(transcript.FactVersion); v > 0 {
			text += " of version " + v.String()
		}
	}
	text = inWords(text, opened)
	if kind == transcript.KindRotate && opened[transcript.FactGenerate] == "yes" {
		text += ", whose key is made first"
	}
	return text
}

// inWords puts the versions of the first line into a text.
func inWords(text string, opened transcript.Facts) string {
	version := func(name string) string {
		if v := opened.Version(name); v > 0 {
			return v.String()
		}
		return "?"
	}
	return strings.NewReplacer("FROM", version(transcript.FactFrom), "TO", version(transcript.FactTo),
		"VERSION", version(transcript.FactVersion)).Replace(text)
}

// acts say what was done, in words that need no more than the first line.
var acts = map[string]string{
	transcript.ActAdopt:    "The keys of the database were adopted.",
	transcript.ActGenerate: "The key of version TO was made.",
	transcript.ActCanary:   "A canary of version TO was made: a test value wrapped by this key.",
	transcript.ActLock:     "The store was locked to its provider.",
	transcript.ActSwitch:   "Writers were switched to version TO.",
	transcript.ActRewrap:   "Every DEK was re-wrapped to version TO.",
	transcript.ActRetire:   "Every version but TO was retired: readable, not used to write.",
	transcript.ActChange:   "The next roster took effect.",
	transcript.ActRebuild:  "What the store lacked was written again.",
	transcript.ActTakeOver: "The chain took over how the store stands.",

	transcript.ActFence:      "The store was fenced: it refuses writes with a version that is on its way out.",
	transcript.ActDisable:    "Version VERSION was disabled: nothing may read with it.",
	transcript.ActEnable:     "Version VERSION was enabled again.",
	transcript.ActDestroy:    "The key of version VERSION was destroyed.",
	transcript.ActCompromise: "Version VERSION was marked as compromised: readable, never written.",
}

// beginnings say what an act that is only begun is to do.
var beginnings = map[string]string{
	transcript.ActAdopt:    "adopt the keys of the database",
	transcript.ActGenerate: "make the key of version TO",
	transcript.ActCanary:   "make a canary of version TO",
	transcript.ActLock:     "lock the store to its provider",
	transcript.ActSwitch:   "switch the writers to version TO",
	transcript.ActRewrap:   "re-wrap every DEK to version TO",
	transcript.ActRetire:   "retire every version but TO",
	transcript.ActChange:   "change the roster",
	transcript.ActRebuild:  "write again what the store lacked",
	transcript.ActTakeOver: "take over how the store stands",

	transcript.ActFence:      "fence the store",
	transcript.ActDisable:    "disable version VERSION",
	transcript.ActEnable:     "enable version VERSION",
	transcript.ActDestroy:    "destroy the key of version VERSION",
	transcript.ActCompromise: "mark version VERSION as compromised",
}

// looks say what a step found.
var looks = map[string]string{
	"pin":               "The provider was opened.",
	"probe":             "The provider was probed: what it can do was tested.",
	"fleet":             "The fleet was verified.",
	"scan":              "Envelopes were looked for.",
	"survey":            "The database was surveyed.",
	"count":             "Envelopes were counted.",
	"acknowledge":       "Every process writes the new version.",
	"census":            "Envelopes were counted twice.",
	"histories":         "The store was compared with its bundles.",
	"terms":             "The waiting period before a destruction was settled.",
	"unneeded":          "No envelope is at version VERSION.",
	"recount":           "Envelopes at version VERSION were counted twice: there are none.",
	"dropped":           "Every process has dropped the key of version VERSION.",
	"stopped":           "No process writes with version VERSION.",
	transcript.StepKeep: "The key of version VERSION was found whole, and is kept.",
	"key":               "The key of version VERSION was looked for.",
	"unused":            "No envelope is at version VERSION.",
	"unused-still":      "It was checked again: no envelope is at version VERSION.",
	"exposed":           "The envelopes that version VERSION exposed were listed.",
	"exposed-since":     "What came to compromised versions since was listed.",
}

// asks say what people answered.
var asks = map[string]string{
	"place":    "People recorded place and people.",
	"provider": "People chose the provider.",
	"copies":   "People recorded the copies of the key.",
	"unproven": "People accounted for processes without a proof.",
	"verdicts": "People recorded what became of the copies of the key.",
	"hosts":    "People recorded who removed the key from each host.",
	"cause":    "People recorded why the store went back.",
	"leaving":  "People recorded how they left.",
	"void":     "An operator gave the ceremony up.",
}

// subject is a group of facts, with the steps whose facts it has.
type subject struct {
	title string
	steps []string
}

// subjects are in the order of the document; the last one takes every other step.
var subjects = []subject{
	{"Place and people", []string{"place", "leaving"}},
	{"Provider", []string{"provider", "pin", "probe"}},
	{"Keys", []string{transcript.ActGenerate, transcript.ActCanary, "copies", transcript.ActLock, transcript.ActAdopt,
		"key", "verdicts", transcript.ActDestroy, "hosts", transcript.StepKeep}},
	{"Fleet", []string{"fleet", "dropped", "stopped",
		"unproven", transcript.ActSwitch, "acknowledge", transcript.ActFence,
		transcript.ActDisable, transcript.ActEnable, transcript.ActCompromise}},
	{"Envelopes", []string{"scan", "unneeded", "unused", "unused-still", "recount", "exposed", "exposed-since",
		"survey", "count", transcript.ActRewrap, "census", transcript.ActRetire}},
	{"History", []string{"histories", "cause", transcript.ActRebuild, transcript.ActTakeOver}},
	{"Other", nil},
}

// subjectOf is the place among subjects of a step.
func subjectOf(step string) int {
	return slices.IndexFunc(subjects, func(s subject) bool { return s.steps == nil || slices.Contains(s.steps, step) })
}

// all joins names as a sentence does.
func all(names []string) string {
	switch n := len(names); n {
	case 0:
		return "nobody"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// people says who of a roster may do what.
func people(r quorum.Roster) string {
	var may, witnesses []string
	for _, m := range r.Members {
		if m.May(quorum.Production.Namespace(quorum.Approve)) || m.May(quorum.Rehearsal.Namespace(quorum.Approve)) {
			may = append(may, m.Name)
		} else {
			witnesses = append(witnesses, m.Name)
		}
	}
	text := fmt.Sprintf("%d of %s must approve", r.M, all(may))
	switch len(witnesses) {
	case 0:
	case 1:
		text += "; " + witnesses[0] + " is a witness"
	default:
		text += "; " + all(witnesses) + " are witnesses"
	}
	return text + "."
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
