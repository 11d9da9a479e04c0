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

// sharing is a keeper's part in that people type a PIN once. The keeper that reads it keeps it after the
// token took it, until it gave it to those that re-wrap beside it: to each over a socket of its own, when that
// one is ready to log in.
type sharing struct {
	sockets []*os.File       // of the first keeper: to each other one; of another one: to the first
	pin     provider.Entered // of the first keeper; empty, unless it has sockets
}

// open takes the sockets that this process was started with.
func (s *sharing) open(n int) {
	for fd := fdOthers; fd < fdOthers+n; fd++ {
		unix.CloseOnExec(fd)
		s.sockets = append(s.sockets, os.NewFile(uintptr(fd), "keeper"))
	}
}

// copied is a source of which a copy is kept, if there is anybody to give it to.
func (s *sharing) copied(from provider.Source) provider.Source {
	if len(s.sockets) == 0 {
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

// took keeps the PIN only if the token compared it just now, and took it.
func (s *sharing) took(p provider.PINLogin, err error) {
	if c, ok := p.(provider.Compared); err != nil || !ok || !c.Compared() {
		s.pin.Wipe()
	}
}

// give gives the PIN to another keeper: its length in a byte, and it.
func (s *sharing) give(other int) error {
	pin := s.pin.Bytes()
	if other < 0 || other >= len(s.sockets) || len(pin) == 0 {
		return fmt.Errorf("there is no PIN to give: %w", provider.ErrUntried)
	}
	f := s.sockets[other]
	defer f.Close()
	// A module may have a child of its own, which has this socket, too: the other end must see its end.
	defer unix.Shutdown(int(f.Fd()), unix.SHUT_WR)
	if _, err := f.Write([]byte{byte(len(pin))}); err != nil {
		return err
	}
	_, err := f.Write(pin)
	return err
}

// forget wipes the PIN, and closes what was not used.
func (s *sharing) forget() {
	s.pin.Wipe()
	closeAll(s.sockets)
	s.sockets = nil
}

// Read implements provider.Source: what the first keeper gave.
func (s *sharing) Read(context.Context) (*secret.Buffer, error) {
	if len(s.sockets) != 1 {
		return nil, errors.New("there is no other keeper")
	}
	pin, err := secret.Read(s.sockets[0], 1+provider.MaxPIN)
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
