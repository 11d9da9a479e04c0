package steps

import (
	"context"
	"errors"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/term"
)

// Room is the people. It is called from the engine's goroutine only, and every
// call but Show ends with its context.
type Room interface {
	// Expect says what a new ceremony will ask, before anything of it is
	// written. A room that cannot answer returns *MissingAnswers.
	Expect(kind string, fields []Field) error
	// Alone reports that nobody is there who could sign.
	Alone() bool
	// Ask returns the answer to a question, or ErrBack. A room that has no other
	// answer after a refusal returns ErrAnswer.
	Ask(context.Context, Question) (string, error)
	// Consent returns one person's word, or ErrLater when nobody here can sign,
	// or ErrEnough when the request has enough and no more people want to sign.
	Consent(context.Context, Request) (Consent, error)
	// Lend gives the terminal away for the time of the call, or returns ErrNobody.
	Lend(context.Context, func(*term.Terminal) error) error
	// Choose says what becomes of a failed step.
	Choose(context.Context, Failure) (Choice, error)
	// Show never blocks; the newest view wins.
	Show(View)
}

// Errors a room answers with.
var (
	ErrBack   = errors.New("back to the previous question")
	ErrLater  = errors.New("nobody here can sign now")
	ErrEnough = errors.New("enough have signed")
	ErrNobody = errors.New("nobody is in the room")
)

// Question is one field that the room is asked.
type Question struct {
	Field   Field
	Value   string // to begin with: the proposal, or after a refusal what was typed
	Refused error  // why the last answer was not taken; nil at first
}

// Request asks the room for one more signature.
type Request struct {
	Purpose quorum.Purpose
	Signers []Signer
	Need    int
	Rule    string // why so many must sign
	Plan    []Effect
	Digest  string // of the plan, or of final.txt
	Last    string // the last final digest, which people compare with paper before they attend
	Words   []string
	Note    string // why the last word was not taken
	Laid    string // directory of the statements that are signed elsewhere
}

// Signer is a person of the roster in a request.
type Signer struct {
	Name        string
	Fingerprint string
	Signed      bool
	At          string // clock time of the signature
	Asked       bool   // may sign this
	Counts      bool   // towards Need
	Key         string // where the key is that can sign here; empty: not on this console
	Elsewhere   string // the line that signs the statement laid out in Laid, if one was
}

// Have counts the signatures that make the quorum.
func (r Request) Have() int {
	n := 0
	for _, s := range r.Signers {
		if s.Signed && s.Counts {
			n++
		}
	}
	return n
}

// Word is what a person types to sign: never just Enter.
func (r Request) Word(name string) []string {
	if r.Purpose == quorum.Attend || r.Purpose == quorum.Join {
		return []string{name}
	}
	return r.Words
}

// Consent is one person's typed word, or the wish to sign elsewhere: then the
// statement is laid out, and the signature taken when it lies beside it.
type Consent struct {
	Signer, Word string
	Elsewhere    bool
}

// Failure is a step that did not work. Nothing was lost; it may be tried again. With
// a Deviation people may also go on.
type Failure struct {
	Step      string
	Err       error
	Deviation *DeviationError
	Lost      bool  // the token or its module: PIN and probe come first when it is tried again
	Refused   error // why the last reason to go on was not taken; nil at first
}

// Choice is what people want after a failure: to try again, to go on with a deviation
// for a reason, or, the zero Choice, to stop.
type Choice struct {
	Retry   bool
	Decided string
}

// Detail is a name and a value on a page.
type Detail struct{ Name, Value string }

// View is everything there is to see at one moment.
type View struct {
	Kind     string
	From, To kek.Version
	Mode     quorum.Mode
	Step     string // name; empty before the first and after the last
	Title    string
	Why      string
	N, Of    int
	Started  time.Time
	Attended string
	Quorum   string // "2 of 3"
	Details  []Detail
	Probe    []provider.Verdict
	Fleet    *fleet.Table
	Progress *rewrap.Progress
	Waiting  string   // why a Look waits
	Log      []string // the last events, oldest first
	Ending   *Ending
}

// Ending is the last page.
type Ending struct {
	Bundle  string
	Digest  string // of final.txt
	Summary []string
	Signed  []string // who signed the end, with verdict
	Signer  string   // one of them, for the command line
	Space   string   // namespace of the finals
}
