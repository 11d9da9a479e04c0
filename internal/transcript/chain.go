package transcript

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// VerifyChain checks that the reports of bundles, in any order, are all the
// ceremonies of one chain: from the install on, without a gap, a fork or a change
// of people that nobody signed. Each must have been verified by itself; only the
// last may be incomplete. They are put into order. What is void is in no chain, and is left out.
func VerifyChain(reports []Report) error {
	chained, void, err := Apart(reports)
	if err != nil {
		return err
	}
	if len(void) > 0 {
		reports = chained
	}
	if len(reports) == 0 {
		return broken(RuleChain, "no bundle: %w", ErrIncomplete)
	}
	slices.SortStableFunc(reports, func(a, b Report) int { return a.seq() - b.seq() })
	if err := forked(reports); err != nil {
		return err
	}
	prev, counters := NoDigest, quorum.Counters{}
	for i, r := range reports {
		err := r.follows(i+1, prev, counters)
		if err == nil && i > 0 {
			err = r.succeeds(reports[i-1])
		}
		if err == nil {
			err = r.destroysRightly(reports[:i])
		}
		if err != nil {
			return at(printable.Text(r.Bundle.Name), err)
		}
		prev = r.FinalSum
	}
	return nil
}

// Apart parts what was given up from what is in a chain. RuleChain is broken where a chain has
// both: nothing of a ceremony that was held is void.
func Apart(reports []Report) (chained, void []Report, err error) {
	for _, r := range reports {
		if r.Void() {
			void = append(void, r)
		} else {
			chained = append(chained, r)
		}
	}
	for _, v := range void {
		chain := v.Opened()[FactChain]
		if slices.ContainsFunc(chained, func(r Report) bool { return r.Opened()[FactChain] == chain }) {
			err = broken(RuleChain, "%s says that chain %s was given up, and it has a ceremony",
				printable.Text(v.Bundle.Name), printable.Text(chain))
		}
	}
	return chained, void, err
}

func (r Report) seq() int {
	n, _ := strconv.Atoi(r.Opened()[FactCeremony])
	return n
}

// forked finds two ceremonies that follow the same one.
func forked(reports []Report) error {
	by := map[string]string{}
	for _, r := range reports {
		if len(r.Events) == 0 {
			continue
		}
		prev := r.Events[0].Prev
		if other, ok := by[prev]; ok {
			return broken(RuleChain, "a fork: %s and %s follow the same final digest",
				printable.Text(other), printable.Text(r.Bundle.Name))
		}
		by[prev] = r.Bundle.Name
	}
	return nil
}

// follows checks number, predecessor and the counters of authenticators.
func (r Report) follows(seq int, prev string, counters quorum.Counters) error {
	switch {
	case len(r.Events) == 0:
		return broken(RuleChain, "it has no line: %w", ErrIncomplete)
	case r.seq() != seq:
		return broken(RuleChain, "a gap: ceremony %d is missing, the next one there is %s",
			seq, printable.Text(r.Opened()[FactCeremony]))
	case prev == "":
		return broken(RuleChain, "the ceremony before it has no final digest")
	case r.Events[0].Prev != prev:
		return broken(RuleChain, "it does not follow the final digest of ceremony %d", seq-1)
	}
	for key, first := range r.firsts {
		if last := counters[key]; last > 0 && first <= last {
			return broken(RuleChain, "key %s: the authenticator's counter is %d, and was %d in an earlier ceremony",
				key, first, last)
		}
	}
	maps.Copy(counters, r.counters)
	return nil
}

// succeeds checks what a ceremony takes over from the one before.
func (r Report) succeeds(before Report) error {
	old, now := before.Opened(), r.Opened()
	for _, fact := range []string{FactChain, FactMode} {
		if old[fact] != now[fact] {
			return broken(RuleChain, "%s is %s, and was %s", fact, printable.Quote(now[fact]), printable.Quote(old[fact]))
		}
	}
	if old[FactFormat] == Format && now[FactFormat] != Format { // nobody writes an older one any more
		return broken(RuleChain, "format %s, and was %s", printable.Quote(now[FactFormat]), printable.Quote(old[FactFormat]))
	}
	if have := r.Roster.Digest(); r.Roster.M > 0 && have != before.NextRoster() {
		return broken(RuleChain, "its roster %s is not the one that ceremony %d left, %s",
			have, before.seq(), before.NextRoster())
	}
	finals := before.FinalFiles()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		file, ok := strings.CutPrefix(name, "previous.")
		if ok && finals[file] != now[name] {
			return broken(RuleChain, "%s of ceremony %d is missing, or is another", printable.Text(file), before.seq())
		}
	}
	return before.late(now)
}

// late refuses finals that were added after the next ceremony began, unless those that
// its first line lists are enough: then a late one says nothing more.
func (r Report) late(next Facts) error {
	agree := 0
	for _, m := range r.Roster.Who(r.Mode().Namespace(quorum.Approve)) {
		file := FinalFile(m.Name)
		if next["previous."+file] != "" && next["previous."+file+".sig"] != "" && r.Finals[m.Name].Verdict != Disagree {
			agree++
		}
	}
	finals := r.FinalFiles()
	for _, file := range slices.Sorted(maps.Keys(finals)) {
		if next["previous."+file] == "" && (agree < r.Roster.M || file == CoreFile) {
			return broken(RuleChain, "%s of ceremony %d was added after this one began", printable.Text(file), r.seq())
		}
	}
	return nil
}

// Expect compares with what was written down on paper: a final digest, or a chain.
// It returns an error when neither any bundle nor its chain is that.
func Expect(reports []Report, paper string) error {
	paper = strings.ToLower(strings.Join(strings.Fields(paper), ""))
	if len(paper) != len(NoDigest) && len(paper) != len(NoDigest)/2 {
		return fmt.Errorf("%s: %w", printable.Quote(paper), ErrPaper)
	}
	for _, r := range reports {
		if r.FinalSum == paper || r.Opened()[FactChain] == paper {
			return nil
		}
	}
	return broken(RuleExpect, "no final digest and no chain is %s", printable.Text(paper))
}

// ErrPaper is returned for what is neither a final digest nor a chain.
var ErrPaper = errors.New("want a final digest of 64 hex digits, or a chain of 32")
