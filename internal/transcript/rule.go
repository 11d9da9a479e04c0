package transcript

import (
	"errors"
	"fmt"
)

// Rule is one thing that a transcript must keep. docs/transcript-format.md tells
// what each demands.
type Rule string

// The rules of a bundle by itself, then those that need more than one bundle.
const (
	RuleFiles      Rule = "files"      // regular files of one owner, all known to the log, as it embeds them
	RuleLog        Rule = "log"        // each line in its one form, following from the one before
	RuleRoster     Rule = "roster"     // linted, and of the digest that is recorded
	RuleSignatures Rule = "signatures" // each by its key, over the statement that was asked
	RuleQuorum     Rule = "quorum"     // M distinct keys before each act
	RuleOrder      Rule = "order"      // attendance, plan, approval, act; what a resume ends
	RuleFinals     Rule = "finals"     // final.txt follows from the log, and M agree

	RuleChain  Rule = "chain"  // each ceremony follows from the one before
	RuleStore  Rule = "store"  // the store holds the same
	RuleToken  Rule = "token"  // module and token are those that the last ceremony saw
	RuleExpect Rule = "expect" // what was written down on paper
	RuleStock  Rule = "stock"  // stock ssh-keygen accepts every signature; no key is revoked
)

// bundleRules are those that every bundle is judged by, in order.
var bundleRules = []Rule{RuleFiles, RuleLog, RuleRoster, RuleSignatures, RuleQuorum, RuleOrder, RuleFinals}

// RuleError is what breaks a rule, or, with ErrIncomplete, what is not there yet.
type RuleError struct {
	Rule Rule
	Err  error
}

func (e *RuleError) Error() string { return string(e.Rule) + ": " + e.Err.Error() }
func (e *RuleError) Unwrap() error { return e.Err }

// IsBroken reports whether an error says that a rule is broken.
func IsBroken(err error) bool {
	var broken *RuleError
	return errors.As(err, &broken)
}

// Standing says how a bundle stands to a rule, or altogether.
type Standing string

// The standings.
const (
	Good       Standing = "good"
	Bad        Standing = "bad"
	Incomplete Standing = "incomplete"
	Void       Standing = "void"       // an install that was given up
	Unjudged   Standing = "not judged" // something before it failed
)

// StandingOf is what an error of a verification says.
func StandingOf(err error) Standing {
	switch {
	case err == nil:
		return Good
	case errors.Is(err, ErrIncomplete):
		return Incomplete
	case errors.Is(err, ErrVoid):
		return Void
	}
	return Bad
}

// Judgement is how a bundle stands to one rule.
type Judgement struct {
	Rule     Rule     `json:"rule"`
	Standing Standing `json:"standing"`
	Detail   string   `json:"detail,omitempty"`
}

// judgements lists every rule of a bundle, when those in kept are kept and err
// ended the verification.
func judgements(kept map[Rule]bool, err error) []Judgement {
	var broken *RuleError
	errors.As(err, &broken)
	var all []Judgement
	for _, rule := range bundleRules {
		j := Judgement{Rule: rule, Standing: Unjudged}
		switch {
		case broken != nil && broken.Rule == rule:
			j.Standing, j.Detail = StandingOf(err), broken.Err.Error()
		case kept[rule] || err == nil:
			j.Standing = Good
		}
		all = append(all, j)
	}
	return all
}

// broken is the error of a rule that is not kept.
func broken(rule Rule, format string, args ...any) error {
	return &RuleError{rule, fmt.Errorf(format, args...)}
}

// at puts the place before what a rule says.
func at(place string, err error) error {
	var r *RuleError
	if errors.As(err, &r) {
		return &RuleError{r.Rule, fmt.Errorf("%s: %w", place, r.Err)}
	}
	return fmt.Errorf("%s: %w", place, err)
}

// atLine names the line that breaks a rule.
func atLine(e Event, err error) error { return at(fmt.Sprintf("%s line %d", logFile, e.Seq+1), err) }

// ErrIncomplete is returned for a bundle that holds nothing wrong, but is not
// finished: not closed, or signed at the end by fewer than M.
var ErrIncomplete = errors.New("incomplete")

// ErrDisagreed is ErrIncomplete of a bundle whose end M have signed, and fewer than M agree with it. Nobody can
// add to it.
var ErrDisagreed = fmt.Errorf("too few agree that the ceremony went as its steps say: "+
	"its transcript stays %w", ErrIncomplete)

// DisagreedNext says what ErrDisagreed comes to, and what people do about it.
const DisagreedNext = "what was done stays done, and nobody can sign this end any more; write on the paper script " +
	"why somebody disagrees, and keep both; the next ceremony can begin"

// ErrVoid is the verdict on a bundle in which nothing is wrong, of an install that was given up.
// It is neither good nor bad.
var ErrVoid = errors.New("void: this install was given up, and is outside every chain")
