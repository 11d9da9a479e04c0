package steps

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// In an adopted database the application has a pointer of its own, which its writers follow. A
// rotation moves ours, then theirs; anyone else who moves it stops every ceremony.

// Refusals about what the application has.
var (
	ErrTwoLocks     = errors.New("this database has a lock of ours under the plain name")
	ErrNoPointer    = errors.New("nobody described where the application has the version that its writers use")
	ErrTheirPointer = errors.New("the application's pointer was moved by no ceremony")
	ErrOtherPointer = errors.New("the configuration describes another pointer than the chain began with")
)

// adopted reports whether the chain began with an adoption.
func adopted(s *Site) bool { return len(s.History.Versions().Outside) > 0 }

// checkTheirs demands, in an adopted database, that the pointer is described as when the chain
// began, that the application's names the version that ours does, and that there is one lock.
func checkTheirs(ctx context.Context, s *Site) error {
	if !adopted(s) {
		return nil
	}
	if err := onlyLock(ctx, s); err != nil {
		return err
	}
	was := s.History.Logs[0].Opened()[transcript.FactPointer]
	switch is := describe(s.Pointer); {
	case s.Pointer == nil:
		return ErrNoPointer
	case was != "none" && was != is:
		return fmt.Errorf("was %s, is %s: %w", was, is, ErrOtherPointer)
	}
	ours, err := s.Store.Active(ctx)
	if err != nil {
		return err
	}
	theirs, err := s.Store.TheirActive(ctx, *s.Pointer)
	if err == nil && theirs != ours.Version {
		err = fmt.Errorf("%s: it names version %d, and version %d is active: %w", s.Pointer, theirs, ours.Version,
			ErrTheirPointer)
	}
	return err
}

// theyFollow reports whether the application's pointer names a version; where there is none, it does.
func theyFollow(ctx context.Context, s *Site, to kek.Version) (bool, error) {
	if !adopted(s) {
		return true, nil
	}
	theirs, err := s.Store.TheirActive(ctx, *s.Pointer)
	return theirs == to, err
}

// moveTheirs moves the application's pointer from where this rotation found it.
func moveTheirs(ctx context.Context, s *Site, from, to kek.Version) error {
	follow, err := theyFollow(ctx, s, to)
	if err != nil || follow {
		return err
	}
	err = s.Store.MoveTheirActive(ctx, *s.Pointer, from, to)
	if errors.Is(err, store.ErrConflict) {
		err = fmt.Errorf("%w: %w", ErrTheirPointer, err)
	}
	return err
}

// onlyLock refuses a database with two locks: one of them would be no longer obeyed.
func onlyLock(ctx context.Context, s *Site) error {
	plain, err := s.Store.PlainLock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("chain %s: %w", printable.Text(string(plain.Chain)), ErrTwoLocks)
	}
	return err
}

// describe is a pointer as transcripts have it.
func describe(p *store.Pointer) string {
	if p == nil {
		return "none"
	}
	return p.String()
}
