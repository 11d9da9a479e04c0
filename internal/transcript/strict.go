package transcript

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// newest reports whether the log says of itself that it is in the newest format. What is
// demanded there, an honest log of an older one may break.
func (s *State) newest() bool { return s.first.Facts[FactFormat] == Format }

// strict demands what the newest format does of a line that was taken.
func (s *State) strict(e Event) error {
	switch e.Kind {
	case Opened:
		return wants(e, FactKind, FactTool, FactTool+"_sha256", FactScriptSum, FactStore)
	case Asked:
		return s.wholeRequest(e)
	case Gathered:
		return s.wholeGathering(e)
	case Deviation:
		return wants(e, FactWhat, FactExpected, FactSeen, FactDecided, FactBy)
	case Done:
		if e.Step == ActRewrap {
			return wholeSum(e)
		}
	case Closed:
		return s.wholeEnd(e)
	}
	return nil
}

// wants demands facts of a line.
func wants(e Event, names ...string) error {
	for _, name := range names {
		if e.Facts[name] == "" {
			return broken(RuleOrder, "%s line without %s", e.Kind, name)
		}
	}
	return nil
}

// wholeRequest demands of a request a nonce for everybody of the roster, and for nobody else,
// and of attendance the final digest that people compare with their paper.
func (s *State) wholeRequest(e Event) error {
	req := s.requests[e.Step]
	if req.Purpose == quorum.Attend {
		if err := wants(e, FactFinal); err != nil {
			return err
		}
	}
	nonces := 0
	for _, m := range s.by(req.Purpose).Members {
		if err := wants(e, FactNonce+m.Name); err != nil {
			return err
		}
		nonces++
	}
	for name := range e.Facts {
		if strings.HasPrefix(name, FactNonce) {
			nonces--
		}
	}
	if nonces != 0 {
		return broken(RuleOrder, "a nonce for somebody who is not on the roster")
	}
	return nil
}

// wholeGathering demands the names of those who signed, in the roster's order, where it is
// not attendance, of which every format demands it.
func (s *State) wholeGathering(e Event) error {
	req, name := s.requests[e.Step], e.Step+"_signed"
	switch req.Purpose {
	case quorum.Attend:
		return nil
	case quorum.Join:
		name = FactJoined
	}
	if names := inOrder(s.by(req.Purpose), req.Signed); e.Facts[name] != names {
		return broken(RuleSignatures, "%s: %s have signed", name, names)
	}
	return nil
}

// sums are the counts of a re-wrap that add up to scanned.
var sums = []string{FactRewraps, "current", "conflicts", "poison", FactExcluded}

// wholeSum demands of a re-wrap that every envelope that was read is accounted for.
func wholeSum(e Event) error {
	if _, ran := e.Facts["scanned"]; !ran {
		return nil // found done by a run that looked
	}
	sum := 0
	for _, name := range sums {
		n, err := strconv.Atoi(e.Facts[name])
		if err != nil || n < 0 || n >= 1e15 || strconv.Itoa(n) != e.Facts[name] {
			return broken(RuleOrder, "%s is %s", name, printable.Quote(e.Facts[name]))
		}
		sum += n
	}
	if e.Facts["scanned"] != strconv.Itoa(sum) {
		return broken(RuleOrder, "scanned is %s, and its parts are %d", printable.Quote(e.Facts["scanned"]), sum)
	}
	return nil
}

// wholeEnd demands of an end as done every act of the kind, and the lists that a rotation announced; of an abort the
// acts.
func (s *State) wholeEnd(e Event) error {
	if s.Aborted() || s.Void() {
		return wants(e, FactDone, FactHalfDone)
	}
	if lacks := s.Lacks(); len(lacks) > 0 {
		return broken(RuleOrder, "closed as done, but %s is not", strings.Join(lacks, ", "))
	}
	if s.Opened()[FactRelisted] == "" {
		return nil
	}
	for v := range strings.SplitSeq(s.Opened()[FactRelisted], " ") {
		if s.Facts[fmt.Sprintf(listed, v)] == "" {
			return broken(RuleOrder, "closed as done, and there is no list of what version %s exposed", printable.Text(v))
		}
	}
	return nil
}

// listed is the fact that a rotation listed what a version exposed, as FactsExposed names it.
const listed = FactExposed + "_%s_sha256"
