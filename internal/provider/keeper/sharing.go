package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// sharing is a keeper's part in that people type a PIN once: the keeper that reads it gives it to those
// that re-wrap beside it, after the token took it, over sockets that nobody else has. Each logs in by itself.
type sharing struct {
	others []*os.File       // their sockets; of a keeper that is given a PIN, that of the one that gives it
	pin    provider.Entered // a copy, until the login
}

// open takes the sockets that this process was started with.
func (s *sharing) open(n int) {
	for fd := fdOthers; fd < fdOthers+n; fd++ {
		unix.CloseOnExec(fd)
		s.others = append(s.others, os.NewFile(uintptr(fd), "keeper"))
	}
}

// copied is a source of which a copy is kept, if there is anybody to give it to.
func (s *sharing) copied(from provider.Source) provider.Source {
	if len(s.others) == 0 {
		return from
	}
	return copying{from, &s.pin}
}

type copying struct {
	provider.Source
	into *provider.Entered
}

func (c copying) Read(ctx context.Context) (*secret.Buffer, error) {
	pin, err := c.Source.Read(ctx)
	if err != nil {
		c.into.Wipe()
		return nil, err
	}
	if err := c.into.Take(pin); err != nil {
		pin.Wipe()
		return nil, err
	}
	return pin, nil
}

// give gives the PIN to the others: its length in a byte, and it. Who gets less has none.
func (s *sharing) give() {
	pin := s.pin.Bytes()
	for _, f := range s.others {
		if _, err := f.Write([]byte{byte(len(pin))}); err == nil {
			_, _ = f.Write(pin)
		}
		f.Close()
	}
	s.others = nil
}

// Read implements provider.Source: what another keeper gives.
func (s *sharing) Read(context.Context) (*secret.Buffer, error) {
	if len(s.others) != 1 {
		return nil, errors.New("there is no other keeper")
	}
	defer s.others[0].Close()
	pin, err := secret.Read(s.others[0], 1+provider.MaxPIN)
	if err != nil {
		return nil, fmt.Errorf("read the PIN from the other keeper: %w", err)
	}
	if got := pin.Bytes(); len(got) < 2 || len(got) != 1+int(got[0]) {
		pin.Wipe()
		return nil, fmt.Errorf("the other keeper gave no PIN: %w", provider.ErrUntried)
	}
	pin.SetLen(copy(pin.Room(), pin.Bytes()[1:]))
	return pin, nil
}

// sockets are pairs, of which the keepers at the two ends are given one each.
func sockets(n int) (ours, theirs []*os.File, err error) {
	for range n {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			closeAll(append(ours, theirs...))
			return nil, nil, err
		}
		ours = append(ours, os.NewFile(uintptr(pair[0]), "keeper"))
		theirs = append(theirs, os.NewFile(uintptr(pair[1]), "keeper"))
	}
	return ours, theirs, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
