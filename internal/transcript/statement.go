package transcript

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// lines writes "key: value" lines; there is no other encoding of a statement.
func lines(title string, pairs ...string) []byte {
	var b strings.Builder
	b.WriteString(title + "\n")
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "%s: %s\n", pairs[i], pairs[i+1])
	}
	return []byte(b.String())
}

// Request asks for signatures: an asked or a plan event. Every statement made
// for it follows from the log and the signer's name alone, so a verifier writes
// it again and compares.
type Request struct {
	Purpose quorum.Purpose
	Mode    quorum.Mode
	Event   Event // asked or plan
	head    string
	opened  Facts
}

// RequestOf reads the request of e in a log that starts with opened.
func RequestOf(opened, e Event) (Request, error) {
	r := Request{Mode: quorum.Mode(opened.Facts[FactMode]), Event: e, head: e.Head(), opened: opened.Facts}
	switch purpose := e.Facts[FactPurpose]; {
	case e.Kind == Plan:
		r.Purpose = quorum.Approve
	case e.Kind == Asked && purpose == "":
		r.Purpose = quorum.Attend
	case e.Kind == Asked && purpose == string(quorum.Join):
		r.Purpose = quorum.Join
	default:
		return r, fmt.Errorf("event %d: a %s event asks for no signature", e.Seq, e.Kind)
	}
	return r, nil
}

// Acts are the acts that a plan names.
func (r Request) Acts() []string { return strings.Fields(r.Event.Facts[FactActs]) }

// Namespace is where the request's signatures are made.
func (r Request) Namespace() string { return r.Mode.Namespace(r.Purpose) }

// File is the name of a person's statement in the bundle.
func (r Request) File(name string) string {
	return fmt.Sprintf("%04d-%s.%s.txt", r.Event.Seq, r.Purpose, name)
}

// PlanFile is the name of the plan's text in the bundle.
func PlanFile(seq int) string { return fmt.Sprintf("%04d-plan.txt", seq) }

// Statement is what m signs.
func (r Request) Statement(m quorum.Member) []byte {
	title := "kekceremony statement v1"
	head := []string{
		"purpose", string(r.Purpose),
		"mode", string(r.Mode),
		"chain", r.opened[FactChain],
		"ceremony", r.opened[FactCeremony],
		"kind", r.opened[FactKind],
		"step", r.Event.Step,
		"head", r.head,
	}
	tail := []string{"signer", m.Name, "key", m.Fingerprint()}
	if r.Purpose == quorum.Join {
		return lines(title, append(append(head,
			"statement", "The key named below is mine, and I join the roster of this digest.",
			"roster", r.Event.Facts[FactNextRoster+"_sha256"],
			"nonce", r.Event.Facts[FactNonce+m.Name]), tail...)...)
	}
	if r.Purpose == quorum.Attend {
		return lines(title, append(append(head,
			"statement", "I am present at this ceremony, and the key named below is mine.",
			"last-final", r.Event.Facts[FactFinal],
			"nonce", r.Event.Facts[FactNonce+m.Name]), tail...)...)
	}
	return lines(title, append(append(head,
		"statement", "I have read the plan of this digest and approve that exactly it is done.",
		"plan", r.Event.Facts[FactSHA256]), tail...)...)
}
