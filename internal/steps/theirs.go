package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// In an adopted database the application has a pointer of its own, which its writers follow. A
// rotation moves ours, then theirs; anyone else who moves it stops every ceremony.

// Refusals about what the application has.
var (
	ErrTwoLocks     = errors.New("this database has a lock of ours under another name")
	ErrNoPointer    = errors.New("nobody described where the application has the version that its writers use")
	ErrTheirPointer = errors.New("the application's pointer was moved by no ceremony")
	ErrOtherPointer = errors.New("the configuration describes another pointer than the chain began with")
)

// adopted reports whether the chain began with an adoption.
func adopted(s *Site) bool { return len(s.History.Versions().Outside) > 0 }

// pointerOf is the application's pointer, described as this ceremony has it since it began, and as
// the chain has it.
func pointerOf(s *Site, f Facts) (store.Pointer, error) {
	if s.Pointer == nil {
		return store.Pointer{}, ErrNoPointer
	}
	was, began := f[transcript.FactPointer]
	if !began {
		was = s.History.Approved()[transcript.FactPointer]
	}
	if is := describe(s.Pointer); was != is && (began || was != noPointer) {
		return store.Pointer{}, fmt.Errorf("was %s, is %s: %w", printable.Text(was), is, ErrOtherPointer)
	}
	return *s.Pointer, nil
}

// checkTheirs demands, in an adopted database, that the pointer is described as before, that the
// application's names the version that ours does, or another that it may be at, and that there is
// one lock.
func checkTheirs(ctx context.Context, s *Site, f Facts, also ...kek.Version) error {
	if !adopted(s) {
		return nil
	}
	if err := onlyLock(ctx, s); err != nil {
		return err
	}
	p, err := pointerOf(s, f)
	if err != nil {
		return err
	}
	ours, err := s.Store.Active(ctx)
	if err != nil {
		return err
	}
	return namesOneOf(ctx, s, p, append(also, ours.Version)...)
}

// namesOneOf demands of the application's pointer that it names one of some versions.
func namesOneOf(ctx context.Context, s *Site, p store.Pointer, may ...kek.Version) error {
	theirs, err := s.Store.TheirActive(ctx, p)
	if err == nil && !slices.Contains(may, theirs) {
		err = fmt.Errorf("%s: it names version %d, and version %d is active: %w", p, theirs, may[len(may)-1], ErrTheirPointer)
	}
	return err
}

// leftAt are the versions that rotations left the application's pointer at, which were aborted after
// they had moved ours.
func leftAt(s *Site) (all []kek.Version) {
	for _, log := range slices.Backward(s.History.Logs) {
		if log.Done(transcript.ActSwitch) {
			break
		}
		if log.Aborted() && log.Begun(transcript.ActSwitch) {
			all = append(all, log.Opened().Version(transcript.FactFrom))
		}
	}
	return all
}

// theyFollow reports whether the application's pointer names the target; where there is none, it does.
func theyFollow(ctx context.Context, s *Site, f Facts) (bool, error) {
	if !adopted(s) {
		return true, nil
	}
	p, err := pointerOf(s, f)
	if err != nil {
		return false, err
	}
	theirs, err := s.Store.TheirActive(ctx, p)
	return theirs == f.Version(transcript.FactTo), err
}

// moveTheirs moves the application's pointer from where this rotation found it.
func moveTheirs(ctx context.Context, s *Site, f Facts) error {
	follow, err := theyFollow(ctx, s, f)
	if err != nil || follow {
		return err
	}
	theirs, err := s.Store.TheirActive(ctx, *s.Pointer)
	if err != nil {
		return err
	}
	from := f.Version(transcript.FactFrom)
	if slices.Contains(leftAt(s), theirs) {
		from = theirs
	}
	err = s.Store.MoveTheirActive(ctx, *s.Pointer, from, f.Version(transcript.FactTo))
	if errors.Is(err, store.ErrConflict) {
		err = fmt.Errorf("%w: %w", ErrTheirPointer, err)
	}
	return err
}

// onlyLock refuses a database with two locks: one of them would be no longer obeyed.
func onlyLock(ctx context.Context, s *Site) error {
	other, name, err := s.Store.OtherLock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("chain %s, %s: %w", printable.Text(string(other.Chain)), printable.Text(name), ErrTwoLocks)
	}
	return err
}

// noPointer stands for one that nobody described.
const noPointer = "none"

// describe is a pointer as transcripts have it.
func describe(p *store.Pointer) string {
	if p == nil {
		return noPointer
	}
	return p.String()
}
