package transcript

import (
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// maxRequests bounds how often a ceremony may ask for signatures.
const maxRequests = 1_000

// request is what was asked for last in a step, and who has signed it.
type request struct {
	Request
	signed   []quorum.Proof
	gathered bool
}

func (v *verifier) request(e Event) error {
	if v.asked++; v.asked > maxRequests {
		return broken(RuleOrder, "more than %d requests", maxRequests)
	}
	req, err := RequestOf(v.Events[0], e)
	if err != nil {
		return &RuleError{RuleOrder, err}
	}
	if old, ok := v.purposes[e.Step]; ok && old != req.Purpose {
		return broken(RuleOrder, "step %s asks for two purposes", printable.Text(e.Step))
	}
	v.purposes[e.Step] = req.Purpose
	if req.Purpose == quorum.Join && e.Facts[FactNextRoster+"_sha256"] != v.Next.Digest() {
		return broken(RuleRoster, "asked for another roster than the next one")
	}
	if e.Kind == Plan {
		if Digest([]byte(e.Facts["plan"])) != e.Facts["sha256"] {
			return broken(RuleOrder, "sha256 is not the plan's")
		}
		for act := range strings.FieldsSeq(e.Facts["acts"]) {
			v.approved[act] = e.Step
		}
	}
	v.requests[e.Step] = request{Request: req}
	return nil
}

// by is the roster whose keys sign a request.
func (v *verifier) by(p quorum.Purpose) quorum.Roster {
	if p == quorum.Join {
		return v.Next
	}
	return v.Roster
}

// signature checks one statement: written again from the log, it must be the
// very bytes that were signed.
func (v *verifier) signature(e Event) error {
	file := printable.Text(e.Facts["file"])
	req, ok := v.requests[e.Step]
	if !ok {
		return broken(RuleOrder, "%s: nothing was asked", file)
	}
	p, err := v.by(req.Purpose).Check(req.Namespace(), SignedOf(e))
	if err != nil {
		return broken(RuleSignatures, "%s: %w", file, err)
	}
	if e.Facts["statement"] != string(req.Statement(p.Member)) || e.Facts["file"] != req.File(p.Name) {
		return broken(RuleSignatures, "%s: not the statement that was asked of %s", file, p.Name)
	}
	if e.Facts["namespace"] != req.Namespace() || e.Facts["key"] != p.Fingerprint() {
		return broken(RuleSignatures, "%s: namespace and key are not those that the line tells", file)
	}
	if slices.ContainsFunc(req.signed, func(q quorum.Proof) bool { return q.Name == p.Name }) {
		return broken(RuleSignatures, "%s: %s has signed already", file, p.Name)
	}
	if fido := e.Facts[FactFIDO]; p.FIDO != nil && fido != p.FIDO.String() || p.FIDO == nil && fido != "" {
		return broken(RuleSignatures, "%s: the authenticator says otherwise than the log", file)
	}
	if err := v.count(p); err != nil {
		return broken(RuleSignatures, "%s: %w", file, err)
	}
	switch req.Purpose {
	case quorum.Approve:
		if !v.attended[p.Name] {
			return broken(RuleOrder, "%s: %s did not attend", file, p.Name)
		}
	case quorum.Attend:
		v.attended[p.Name], v.came[p.Name] = true, true
	case quorum.Join:
		v.joined = append(v.joined, p.Name)
	}
	req.signed = append(req.signed, p)
	v.requests[e.Step] = req
	return nil
}

func (v *verifier) count(p quorum.Proof) error {
	if p.FIDO == nil {
		return nil
	}
	if _, seen := v.firsts[p.Fingerprint()]; !seen {
		v.firsts[p.Fingerprint()] = p.FIDO.Counter
	}
	return v.counters.Next(p)
}

// SignedOf is the signature that a signed event embeds.
func SignedOf(e Event) quorum.Signed {
	return quorum.Signed{Name: e.Facts["signer"], Statement: []byte(e.Facts["statement"]), Signature: []byte(e.Facts["signature"]), At: e.Clock()}
}

// gathered and begun demand the quorum before what follows from it (promise 1).
func (v *verifier) gathered(e Event) error {
	req, ok := v.requests[e.Step]
	if !ok {
		return broken(RuleOrder, "step %s: nothing was asked", printable.Text(e.Step))
	}
	if req.gathered {
		return broken(RuleOrder, "step %s: gathered twice", printable.Text(e.Step))
	}
	req.gathered = true
	v.requests[e.Step] = req
	if req.Purpose == quorum.Join {
		return v.allJoined()
	}
	if err := v.Roster.Quorum(req.Namespace(), req.signed); err != nil {
		return &RuleError{RuleQuorum, err}
	}
	if names := v.inOrder(req.signed); req.Purpose == quorum.Attend && e.Facts[FactAttended] != names {
		return broken(RuleSignatures, "attended: %s have signed", names)
	}
	return nil
}

// inOrder are the names of those who signed, in the roster's order.
func (v *verifier) inOrder(signed []quorum.Proof) string {
	by := map[string]bool{}
	for _, p := range signed {
		by[p.Name] = true
	}
	var names []string
	for _, m := range v.Roster.Members {
		if by[m.Name] {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (v *verifier) allJoined() error {
	for _, m := range v.Next.Joining(v.Roster) {
		if !slices.Contains(v.joined, m.Name) {
			return broken(RuleQuorum, "%s has not proved to hold the key of the next roster", m.Name)
		}
	}
	return nil
}

func (v *verifier) begun(e Event) error {
	if err := v.covered(e); err != nil {
		return err
	}
	v.open[e.Step], v.begunOf[v.approved[e.Step]] = true, true
	return nil
}

// covered demands that M have signed the plan that stands and names the act.
func (v *verifier) covered(e Event) error {
	by, ok := v.approved[e.Step]
	if !ok {
		return broken(RuleOrder, "act %s: no plan covers it", printable.Text(e.Step))
	}
	req := v.requests[by]
	if len(req.signed) > 0 && (req.Event.Kind != Plan || !slices.Contains(strings.Fields(req.Event.Facts["acts"]), e.Step)) {
		return broken(RuleOrder, "act %s: the plan that was signed does not name it", printable.Text(e.Step))
	}
	if err := v.Roster.Quorum(v.mode.Namespace(quorum.Approve), req.signed); err != nil {
		return broken(RuleQuorum, "act %s: %w", printable.Text(e.Step), err)
	}
	return nil
}

// change is the act by which the next roster takes effect: the plan named it, and
// each new key was proved.
func (v *verifier) change(e Event) error {
	next, ok := e.Facts[FactNextRoster+"_sha256"]
	if !ok {
		return nil
	}
	by, begun := v.approved[e.Step]
	if !begun || !v.begunOf[by] {
		return broken(RuleOrder, "act %s: done before it was begun", printable.Text(e.Step))
	}
	plan := v.requests[by].Event.Facts["plan"]
	if next != v.Next.Digest() || !strings.Contains(plan, "\n"+FactNextRoster+"_sha256: "+next+"\n") {
		return broken(RuleRoster, "the next roster is not the one of the plan")
	}
	v.changes = true
	return v.allJoined()
}
