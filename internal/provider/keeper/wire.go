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
	provider.ErrSplit,
	provider.ErrPINRefused, provider.ErrPINLocked, provider.ErrUntried,
	provider.ErrFinalTry, provider.ErrNoToken, provider.ErrTokens, provider.ErrUnguarded, provider.ErrNoFile,
	provider.ErrKept,
	term.ErrInterrupted, term.ErrNone, file.ErrMode, file.ErrOwner, file.ErrLink, file.ErrNotRegular,
	fs.ErrNotExist, context.Canceled, context.DeadlineExceeded, provider.ErrPayload, kek.ErrBinding,
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
	// Opening opens the provider, in a child that has the terminal or has none, and so many sockets
	// to other keepers.
	Opening struct {
		Settings provider.Settings
		Terminal bool
		Sockets  int
	}
	// Request asks; what of it is set depends on the method.
	Request struct {
		Call   uint64
		Name   kek.Name
		Bytes  []byte // a DEK to wrap, or a wrapped one: of canaries alone
		File   string // a PIN's
		Prompt string // on the terminal, for a PIN
		Given  bool   // the PIN is, by another keeper
		Other  int    // the socket to the keeper that gets it
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
	// and the place of its key among Keys. More are the lengths of what follows an item's bytes:
	// its binding, and nonce and ciphertext of its payload. No item has them: More is empty. Steady: no other
	// number of sessions is to be tried.
	Batch struct {
		Call    uint64
		Steady  bool
		To      kek.Name
		Keys    []kek.Name
		Of      []int
		Lengths []int
		More    []More
		Bytes   []byte
	}
	// More of an item. A payload may be empty: then it is there, and does not open.
	More struct {
		Binding           int
		Payload           bool
		Nonce, Ciphertext int
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
		b.add(i, it)
	}
	return b
}

// add adds what else item i has.
func (b *Batch) add(i int, it provider.Item) {
	if it.Binding == nil && it.Payload == nil {
		return
	}
	if b.More == nil {
		b.More = make([]More, len(b.Of))
	}
	b.More[i].Binding = len(it.Binding)
	b.Bytes = append(b.Bytes, it.Binding...)
	if p := it.Payload; p != nil {
		b.More[i].Payload, b.More[i].Nonce, b.More[i].Ciphertext = true, len(p.Nonce), len(p.Ciphertext)
		b.Bytes = append(append(b.Bytes, p.Nonce...), p.Ciphertext...)
	}
}

var errMalformed = errors.New("malformed message")

func (b Batch) items() ([]provider.Item, error) {
	if len(b.Of) != len(b.Lengths) || len(b.More) > 0 && len(b.More) != len(b.Of) {
		return nil, errMalformed
	}
	rest := cutter(b.Bytes)
	items := make([]provider.Item, len(b.Of))
	for i, n := range b.Lengths {
		if b.Of[i] < 0 || b.Of[i] >= len(b.Keys) {
			return nil, errMalformed
		}
		it := provider.Item{From: b.Keys[b.Of[i]]}
		ok := rest.cut(n, &it.Wrapped)
		if ok && len(b.More) > 0 {
			ok = rest.more(b.More[i], &it)
		}
		if !ok {
			return nil, errMalformed
		}
		items[i] = it
	}
	return items, nil
}

// cutter is what is left of the bytes of a message.
type cutter []byte

// cut takes the next n bytes; false: there are not so many.
func (c *cutter) cut(n int, into *[]byte) bool {
	if n < 0 || n > len(*c) {
		return false
	}
	*into, *c = (*c)[:n:n], (*c)[n:]
	return true
}

func (c *cutter) more(m More, it *provider.Item) bool {
	if !c.cut(m.Binding, &it.Binding) {
		return false
	}
	if !m.Payload {
		return m.Nonce == 0 && m.Ciphertext == 0
	}
	it.Payload = &provider.Payload{}
	return c.cut(m.Nonce, &it.Payload.Nonce) && c.cut(m.Ciphertext, &it.Payload.Ciphertext)
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
	all, rest := make([]provider.Rewrapped, len(r.Lengths)/2), cutter(r.Bytes)
	for i := range all {
		a := &all[i]
		rest.cut(r.Lengths[2*i], &a.Old)
		rest.cut(r.Lengths[2*i+1], &a.New)
		if a.Err = r.Failures[i].err(); a.Err != nil {
			a.New = nil
		} else if len(a.Old) == 0 || len(a.New) == 0 {
			return nil, errMalformed
		}
	}
	return all, nil
}
