package keeper

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/term"
)

// known are the errors that keep their identity on the way from the child; a place
// in this list is what is sent.
var known = []error{
	provider.ErrNoKey, provider.ErrAmbiguous, provider.ErrGone, provider.ErrBusy, provider.ErrKeeper,
	provider.ErrPINRefused, provider.ErrPINLocked, provider.ErrUntried,
	provider.ErrFinalTry, provider.ErrNoToken, provider.ErrTokens, provider.ErrUnguarded, provider.ErrNoFile,
	provider.ErrKept,
	term.ErrInterrupted, term.ErrNone, file.ErrMode, file.ErrOwner, file.ErrLink, file.ErrNotRegular,
	fs.ErrNotExist, context.Canceled, context.DeadlineExceeded,
}

// Fault is an error on its way: what it says, and which of known it is.
type Fault struct {
	Text  string
	Is    []int
	Probe *provider.Verdict // of a *provider.ProbeError
}

func faultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	f := &Fault{Text: err.Error()}
	for i, k := range known {
		if errors.Is(err, k) {
			f.Is = append(f.Is, i)
		}
	}
	var probe *provider.ProbeError
	if errors.As(err, &probe) {
		f.Probe = &probe.Verdict
	}
	return f
}

// err is the error that a fault was made of.
func (f *Fault) err() error {
	if f == nil {
		return nil
	}
	if f.Probe != nil {
		return &provider.ProbeError{Verdict: *f.Probe, Cause: fault{f}}
	}
	return fault{f}
}

type fault struct{ *Fault }

func (f fault) Error() string { return f.Text }

func (f fault) Is(target error) bool {
	i := slices.Index(known, target)
	return i >= 0 && slices.Contains(f.Fault.Is, i)
}

// What is asked of the child, and answered. Each request has a number, so that it
// can be called off.
type (
	// Opening opens the provider, in a child that has the terminal or has none.
	Opening struct {
		Settings provider.Settings
		Terminal bool
	}
	// Request asks; what of it is set depends on the method.
	Request struct {
		Call   uint64
		Name   kek.Name
		Bytes  []byte // a DEK to wrap, or a wrapped one: of canaries alone
		File   string // a PIN's
		Prompt string // on the terminal, for a PIN
		Final  bool
	}
	// Answer is all that most methods answer.
	Answer struct {
		Fault    *Fault
		About    map[string]string
		PIN      bool // the provider has one
		Tries    provider.Tries
		Verdict  *provider.Verdict
		Names    []string
		Key      Key
		Searched []provider.Searched
		Bytes    []byte
	}
	// Key is a provider.Key, whose doubt is an error.
	Key struct {
		Attributes map[string]string
		Doubt      *Fault
	}
	// Batch is many items: their bytes one after the other, and for each its length
	// and the place of its key among Keys.
	Batch struct {
		Call    uint64
		To      kek.Name
		Keys    []kek.Name
		Of      []int
		Lengths []int
		Bytes   []byte
	}
	// Rewrapped answers a Batch: for each item its old bytes and its new ones. Those
	// that failed have none, and a fault.
	Rewrapped struct {
		Fault    *Fault
		Lengths  []int // two to an item
		Bytes    []byte
		Failures map[int]*Fault
		Workers  string
	}
)

func pack(call uint64, items []provider.Item, to kek.Name) Batch {
	b := Batch{
		Call:    call,
		To:      to,
		Of:      make([]int, len(items)),
		Lengths: make([]int, len(items)),
		Bytes:   make([]byte, 0, 64*len(items)),
	}
	for i, it := range items {
		k := slices.IndexFunc(b.Keys, func(n kek.Name) bool { return n.Version == it.From.Version })
		if k < 0 {
			k, b.Keys = len(b.Keys), append(b.Keys, it.From)
		}
		b.Of[i], b.Lengths[i] = k, len(it.Wrapped)
		b.Bytes = append(b.Bytes, it.Wrapped...)
	}
	return b
}

var errMalformed = errors.New("malformed message")

func (b Batch) items() ([]provider.Item, error) {
	if len(b.Of) != len(b.Lengths) {
		return nil, errMalformed
	}
	items, rest := make([]provider.Item, len(b.Of)), b.Bytes
	for i, n := range b.Lengths {
		if n < 0 || n > len(rest) || b.Of[i] < 0 || b.Of[i] >= len(b.Keys) {
			return nil, errMalformed
		}
		items[i], rest = provider.Item{From: b.Keys[b.Of[i]], Wrapped: rest[:n:n]}, rest[n:]
	}
	return items, nil
}

// answer fills in what became of a batch.
func (r *Rewrapped) answer(all []provider.Rewrapped) {
	r.Lengths, r.Bytes = make([]int, 0, 2*len(all)), make([]byte, 0, 128*len(all))
	for i, a := range all {
		r.Lengths = append(r.Lengths, len(a.Old), len(a.New))
		r.Bytes = append(append(r.Bytes, a.Old...), a.New...)
		if a.Err != nil {
			if r.Failures == nil {
				r.Failures = map[int]*Fault{}
			}
			r.Failures[i] = faultOf(a.Err)
		}
	}
}

func (r *Rewrapped) unpack() ([]provider.Rewrapped, error) {
	if len(r.Lengths)%2 != 0 {
		return nil, errMalformed
	}
	all, rest := make([]provider.Rewrapped, len(r.Lengths)/2), r.Bytes
	cut := func(n int) []byte {
		if n < 0 || n > len(rest) {
			return nil
		}
		var head []byte
		head, rest = rest[:n:n], rest[n:]
		return head
	}
	for i := range all {
		a := &all[i]
		a.Old, a.New = cut(r.Lengths[2*i]), cut(r.Lengths[2*i+1])
		if a.Err = r.Failures[i].err(); a.Err != nil {
			a.New = nil
		} else if len(a.Old) == 0 || len(a.New) == 0 {
			return nil, errMalformed
		}
	}
	return all, nil
}
