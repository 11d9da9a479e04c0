package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/creack/pty"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// drawn is how often a rotation with the wizard and one without take turns.
const drawn = 9

// frame is the command that measures how long a page takes to draw.
const frame = "go test ./internal/tui -run ^$ -bench Frame"

// drawing reports what it costs a rotation that the wizard draws it.
func (l lab) drawing(ctx context.Context, w io.Writer) error {
	const n = 200_000
	r, err := l.rotating(ctx, "env", "drawing", n)
	if err != nil {
		return err
	}
	defer r.stop()
	var shares []float64
	peak := 0
	for i := range drawn {
		var took [2]time.Duration // without the wizard, with it
		for turn := range took {
			with := (turn + i) % 2 // each begins as often
			rotate := l.rotate
			if with == 1 {
				rotate = l.rotateDrawn
			}
			var one rotated
			if took[with], err = r.once(ctx, rotate, &one); err != nil {
				return err
			}
			if with == 1 {
				peak = max(peak, one.peak)
			}
		}
		fmt.Fprintf(os.Stderr, "drawing: without %s, with %s\n", took[0], took[1])
		shares = append(shares, took[0].Seconds()/took[1].Seconds())
	}
	share := median(shares)
	frames, err := benchmarks(ctx, frame)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
## What drawing costs

A rotation of %s envelopes with provider env, unattended and with the wizard on a terminal of
80x24, in turn, %d times. With the wizard the re-wrap reaches %.2f of the rate without it (median;
the pairs reach from %.2f to %.2f). Target: at least 0.95, %s.
The process has at most %.1f MiB of memory with the wizard. A frame of the page of the re-wrap takes, at two sizes
(target: under 16 ms):

`+"```\n$ %s\n%s```\n", printable.Count(n), drawn, share, shares[0], shares[len(shares)-1], met(share >= 0.95),
		float64(peak)/1024, frame, frames)
	return err
}

// rotateDrawn is rotate with the wizard.
func (l lab) rotateDrawn(ctx context.Context, parts rehearsal.Parts, r *rotated, to int) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, l.binary, "rotate", "--to-version", strconv.Itoa(to), "--ui", "tui",
		"--config", parts.Config())
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1", "LC_ALL=C.UTF-8")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		return 0, err
	}
	defer tty.Close()
	r.usage = watch(cmd.Process.Pid)
	s := &watched{tty: tty, news: make(chan struct{}, 1)}
	go s.read()
	for _, page := range asked(to) {
		if err := s.answer(ctx, page[0], page[1]); err != nil {
			_ = cmd.Process.Kill()
			err = errors.Join(err, cmd.Wait())
			r.usage.end()
			return 0, err
		}
	}
	err = cmd.Wait()
	r.usage.end()
	if err != nil {
		return 0, fmt.Errorf("rotate %d with the wizard: %w", to, err)
	}
	return rewrapped(parts, r)
}

// read is what a page waits for that people have read, or signed.
const read = "Press Enter to continue"

// asked is what a rotation asks, each with what is typed: two people sign.
func asked(to int) (all [][2]string) {
	sign := func(words ...string) {
		for i, word := range words {
			all = append(all, [2]string{rehearsal.Operators[i] + ": type ", word})
		}
		all = append(all, [2]string{read, ""})
	}
	accept := func(questions ...string) {
		for _, q := range questions {
			all = append(all, [2]string{q, ""})
		}
	}
	version := strconv.Itoa(to)
	sign(rehearsal.Operators[0], rehearsal.Operators[1])
	accept("Where does this", "Who authorized", "Who is who", "Time on the wall", "bags opened", "Independent witness",
		read)
	sign(version, version)
	accept(read, read, "Where else", "Planned end", read)
	sign(version, version)
	accept(read, "bags closed", "Time on the wall", "Deviations from the steps")
	sign("followed", "followed")
	accept("enter close")
	return all
}

// watched is the terminal of a wizard.
type watched struct {
	tty  *os.File
	news chan struct{}

	mu    sync.Mutex
	said  []byte
	ended error
}

func (s *watched) read() {
	part := make([]byte, 1<<14)
	for {
		n, err := s.tty.Read(part)
		s.mu.Lock()
		s.said, s.ended = append(s.said, part[:n]...), err
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// answer waits until the wizard has written a text, and types a line.
func (s *watched) answer(ctx context.Context, asks, line string) error {
	for {
		s.mu.Lock()
		at := bytes.Index(s.said, []byte(asks))
		if at >= 0 {
			s.said = s.said[at+len(asks):]
		}
		said, ended := s.said, s.ended
		s.mu.Unlock()
		if at >= 0 {
			_, err := io.WriteString(s.tty, line+"\r")
			return err
		}
		if ended != nil {
			return fmt.Errorf("the wizard never asked %q: %w\n%q", asks, ended, said)
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
