package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/certautopilot/kekceremony/internal/file"
)

// ErrWentBack: the store has not what it once accepted. Somebody put an older copy in its
// place, or wrote into it.
var ErrWentBack = errors.New("the store went back to an older copy, or somebody edited it")

// answered is a file beside the bundle, of which it is no part: the digest of each line that
// the fence accepted, a line each, on the disk before anything follows from that line. By it
// a store that went back is told from a line that never arrived.
type answered struct {
	log   *os.File
	heads []string // of the lines, from the first
}

// answeredPath is its path.
func answeredPath(dir string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+answeredEnd)
}

const answeredEnd = ".answered"

// BesideBundle is the name of the bundle that a file of this name stands beside, of which it is no part.
func BesideBundle(name string) (bundle string, ok bool) {
	bundle, ok = strings.CutSuffix(name, answeredEnd)
	if ok {
		bundle, ok = strings.CutPrefix(bundle, ".")
	}
	return bundle, ok
}

// openAnswered reads the file, or begins it. known says whether it was there: a bundle of an
// older program has none. What a crash cut is cut off.
func openAnswered(dir string) (a *answered, known bool, err error) {
	f, err := file.OpenLog(answeredPath(dir))
	if err != nil {
		return nil, false, err
	}
	data, err := io.ReadAll(f)
	if end := bytes.LastIndexByte(data, '\n') + 1; err == nil && end < len(data) {
		err = file.Cut(f, int64(end))
	}
	if err != nil {
		f.Close()
		return nil, false, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	a = &answered{log: f, heads: headsOf(data)}
	return a, len(a.heads) > 0, nil
}

// headsOf reads the digests of the file's whole lines.
func headsOf(data []byte) (heads []string) {
	for _, line := range whole(data) {
		heads = append(heads, string(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return heads
}

// add writes that the fence accepted a line.
func (a *answered) add(line []byte) error {
	head := Digest(line)
	if _, err := file.Append(a.log, []byte(head+"\n")); err != nil {
		return fmt.Errorf("write %s: %w", a.log.Name(), err)
	}
	a.heads = append(a.heads, head)
	return nil
}

// addAll writes it of the lines that follow those that it has.
func (a *answered) addAll(lines [][]byte) error {
	for _, line := range lines[min(len(a.heads), len(lines)):] {
		if err := a.add(line); err != nil {
			return err
		}
	}
	return nil
}

// forget begins again, for a bundle that does.
func (a *answered) forget() error {
	a.heads = nil
	return file.Cut(a.log, 0)
}

// check demands of a fence's lines that they are what it accepted.
func (a *answered) check(stored [][]byte) error {
	for i, head := range a.heads {
		switch {
		case i >= len(stored):
			return fmt.Errorf("the store has %d lines, and accepted %d: %w", len(stored), len(a.heads), ErrWentBack)
		case Digest(stored[i]) != head:
			return fmt.Errorf("line %d in the store is not the one that it accepted: %w", i, ErrWentBack)
		}
	}
	return nil
}
