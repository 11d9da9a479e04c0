package transcript

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
)

// Errors of a log that somebody else writes too.
var (
	ErrFenced = errors.New("another console continued this ceremony")
	ErrLocked = errors.New("another console on this machine is running this ceremony")
	ErrForked = errors.New("the bundle and the store differ")
	ErrClosed = errors.New("the log is closed")
	// ErrFull: with this line there would be no room for people to end the ceremony.
	ErrFull = errors.New("too large for a transcript")
)

// Writer appends to one bundle and its fence. It is the only writer: it holds
// an exclusive lock on events.jsonl.
type Writer struct {
	Dir    string
	Events Events
	State  State // that the events come to
	// Copied says that lines were in the fence and not on this console's disk: another
	// console wrote them, or anyone who can write to the store. It stays so over runs
	// until Finish. Doubtful says that nobody looked at what they say since: until Believe.
	Copied, Doubtful bool
	// Restored says that the fence lost lines of this log and has them from this console's
	// disk, and that none was copied from it.
	Restored bool

	log      *os.File
	answered *answered // what the fence accepted
	fence    Fence
	now      func() time.Time
	prev     string
	files    int   // that the events take beside the log, and
	size     int   // bytes of all
	ended    error // after a failed Append nobody knows what the fence holds
}

// Create makes a new bundle directory, which must not exist. prev is the digest
// of the previous ceremony's final.txt, or NoDigest.
func Create(dir, prev string, fence Fence, now func() time.Time) (*Writer, error) {
	if err := file.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("create bundle: %w", err)
	}
	f, err := file.CreateLog(filepath.Join(dir, logFile))
	if err != nil {
		return nil, fmt.Errorf("create bundle: %w", err)
	}
	w, err := lock(&Writer{Dir: dir, log: f, fence: fence, now: now, prev: prev})
	if err != nil {
		return nil, err
	}
	if w.answered, _, err = openAnswered(dir); err != nil {
		w.Close()
		return nil, fmt.Errorf("create bundle: %w", err)
	}
	return w, nil
}

// lock takes the exclusive lock, which ends with the process.
func lock(w *Writer) (*Writer, error) {
	err := file.TryLock(w.log)
	if errors.Is(err, file.ErrLocked) {
		err = ErrLocked
	}
	if err != nil {
		w.log.Close()
		return nil, fmt.Errorf("bundle %s: %w", w.Dir, err)
	}
	return w, nil
}

// Append writes the next event: to disk, synced, then to the fence (promise 5). A line
// that a verifier would refuse is not written (promise 8): the *RuleError says why. When
// the fence refuses, the line is taken off the disk again.
func (w *Writer) Append(ctx context.Context, kind Kind, step string, facts Facts) (Event, error) {
	if w.ended != nil {
		return Event{}, w.ended
	}
	if w.State.Outcome != "" {
		return Event{}, fmt.Errorf("write event %d: %w", len(w.Events), ErrClosed)
	}
	e := Event{
		Prev:  w.prev,
		Seq:   len(w.Events),
		Time:  w.now().UTC().Format(time.RFC3339),
		Kind:  kind,
		Step:  step,
		Facts: facts,
	}
	line, err := e.Line()
	if err != nil {
		return e, err
	}
	state, err := w.State.Advance(e)
	if err == nil {
		err = w.room(e, line)
	}
	if err != nil {
		return e, fmt.Errorf("write event %d: %w", e.Seq, err)
	}
	if w.ended = w.append(ctx, e, line); w.ended == nil {
		w.Events, w.State, w.prev = append(w.Events, e), state, Digest(line)
		w.use(e, line)
		w.ended = w.embedded(e)
	}
	return e, w.ended
}

// The room that is kept free in a bundle for the lines and files with which people end or
// abort a ceremony, however it went.
const (
	endBytes = 1 << 20
	endFiles = 400
)

// room refuses a line that would leave too little of a bundle for its end: a transcript that
// a verifier would refuse for its size is never written (promise 8).
func (w *Writer) room(e Event, line []byte) error {
	bytes, files := maxBundle-endBytes, maxFiles-endFiles
	switch {
	case slices.Contains([]Kind{Asked, Signed, Gathered, Waiting, Resumed, Closed}, e.Kind),
		e.Kind == Answered && e.Step == StepVoid:
		bytes, files = maxBundle, maxFiles
	}
	n, size := w.with(e, line)
	if size > bytes || n > files {
		return fmt.Errorf("a %s line of %d bytes: %w", e.Kind, len(line), ErrFull)
	}
	return nil
}

// use counts what a line and its files take.
func (w *Writer) use(e Event, line []byte) { w.files, w.size = w.with(e, line) }

func (w *Writer) with(e Event, line []byte) (files, size int) {
	files, size = w.files, w.size+len(line)
	for _, data := range e.files() {
		files, size = files+1, size+len(data)
	}
	return files, size
}

// append puts a line on the disk and into the fence, and on the disk that it is there.
func (w *Writer) append(ctx context.Context, e Event, line []byte) error {
	at, err := file.Append(w.log, line)
	if err != nil {
		return fmt.Errorf("write event %d: %w", e.Seq, err)
	}
	if err := w.fence.Append(ctx, EntryName(e.Seq), line); err != nil {
		if errors.Is(err, ErrFenced) {
			err = errors.Join(err, file.Cut(w.log, at))
		}
		return fmt.Errorf("write event %d: %w", e.Seq, err)
	}
	return w.answered.add(line)
}

// embedded writes the files that an event carries, unless they are there.
func (w *Writer) embedded(e Event) error {
	files := e.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.ensure(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// Final writes a final's file: to disk, synced, then to the fence. A file that
// a crash left on the disk alone is written again; one in the fence stays.
func (w *Writer) Final(ctx context.Context, name string, data []byte) error {
	entries, err := w.fence.Entries(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == name }) {
		return w.ensure(name, data)
	}
	if err := os.Remove(filepath.Join(w.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := w.ensure(name, data); err != nil {
		return err
	}
	return w.fence.Append(ctx, name, data)
}

// ensure makes a file of the bundle exclusively and syncs it; one that is there
// already must hold the same bytes.
func (w *Writer) ensure(name string, data []byte) error {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") || name == logFile {
		return fmt.Errorf("write %q: not a name for a file of a bundle", name)
	}
	path := filepath.Join(w.Dir, name)
	err := file.Create(path, data)
	if errors.Is(err, os.ErrExist) {
		err = sameFile(path, data)
	}
	return err
}

// sameFile accepts the very bytes; a beginning of them, left by a crash, is written again.
// It is taken away first: a new file beside it would be one that the log does not know.
func sameFile(path string, data []byte) error {
	have, err := file.Read(path, file.Rules{Max: maxBundle})
	if err != nil || bytes.Equal(have, data) {
		return err
	}
	if !bytes.HasPrefix(data, have) {
		return fmt.Errorf("%s: %w", path, ErrForked)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return file.Create(path, data)
}

// Head is the digest of the last line.
func (w *Writer) Head() string { return w.prev }

// Finish takes away what only an unfinished ceremony needs: its end is signed.
func (w *Writer) Finish() error {
	for _, path := range []string{answeredPath(w.Dir), w.copied(), w.restored()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close releases the lock.
func (w *Writer) Close() error {
	if w.answered != nil {
		_ = w.answered.log.Close() // each line was synced
	}
	return file.Unlock(w.log)
}
