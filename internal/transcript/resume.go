package transcript

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
)

// Resume opens the bundle of an unfinished ceremony, or builds it from the
// fence where this console has none. A torn last line is cut off; its digest is
// returned. Lines that only the disk or only the fence has are copied over.
func Resume(
	ctx context.Context, dir, prev string, fence Fence, now func() time.Time,
) (w *Writer, torn string, err error) {
	if err := file.Mkdir(dir); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, "", fmt.Errorf("create bundle: %w", err)
	}
	f, err := file.OpenLog(filepath.Join(dir, logFile))
	if err != nil {
		return nil, "", fmt.Errorf("open bundle: %w", err)
	}
	if w, err = lock(&Writer{Dir: dir, log: f, fence: fence, now: now, prev: prev}); err != nil {
		return nil, "", err
	}
	if torn, err = w.recover(ctx); err != nil {
		w.Close()
		return nil, "", fmt.Errorf("bundle %s: %w", dir, err)
	}
	return w, torn, nil
}

// recover brings disk and fence to the same lines, and writes the files that
// the log embeds.
func (w *Writer) recover(ctx context.Context) (torn string, err error) {
	disk, torn, err := w.cutTorn()
	if err != nil {
		return "", err
	}
	entries, err := w.fence.Entries(ctx)
	if err != nil {
		return "", err
	}
	var stored []byte
	for _, e := range entries {
		if _, isLine := ParseEntryName(e.Name); isLine {
			stored = append(stored, e.Data...)
		}
	}
	switch {
	case bytes.HasPrefix(stored, disk):
		if err := w.copy(stored[len(disk):]); err != nil {
			return "", err
		}
		disk = stored
	case !bytes.HasPrefix(disk, stored):
		return "", ErrForked
	}
	if w.Copied, err = w.wasCopied(); err != nil {
		return "", err
	}
	if w.Events, err = ParseLog(disk); err != nil {
		return "", err
	}
	if w.State, err = StateOf(w.Events); err != nil {
		return "", err
	}
	for seq := bytes.Count(stored, []byte("\n")); seq < len(w.Events); seq++ {
		line, err := w.Events[seq].Line()
		if err == nil {
			err = w.fence.Append(ctx, EntryName(seq), line)
		}
		if err != nil {
			return "", err
		}
	}
	for _, e := range w.Events {
		w.prev = e.Head()
		if err := w.embedded(e); err != nil {
			return "", err
		}
	}
	if err := w.dropFinals(entries); err != nil {
		return "", err
	}
	for _, e := range entries {
		if _, isLine := ParseEntryName(e.Name); !isLine {
			if err := w.ensure(e.Name, e.Data); err != nil {
				return "", err
			}
		}
	}
	return torn, nil
}

// copy appends lines of the fence to the disk. That they were copied is on the disk
// before they are.
func (w *Writer) copy(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if err := file.Create(w.copied(), nil); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	_, err := file.Append(w.log, lines)
	return err
}

// wasCopied reports whether this run or an earlier one copied lines, also when the store
// has lost them since.
func (w *Writer) wasCopied() (bool, error) {
	_, err := os.Lstat(w.copied())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// copied is the path of the file that says so: beside the bundle, of which it is no part.
func (w *Writer) copied() string {
	return filepath.Join(filepath.Dir(w.Dir), "."+filepath.Base(w.Dir)+".copied")
}

// Believe ends the doubt about copied lines: what they say was looked at.
func (w *Writer) Believe() error {
	w.Copied = false
	if err := os.Remove(w.copied()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// dropFinals removes finals that a crash left on the disk alone, whole or torn: they
// are asked for again.
func (w *Writer) dropFinals(entries []Entry) error {
	list, err := os.ReadDir(w.Dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		fenced := slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == d.Name() })
		if strings.HasPrefix(d.Name(), "final.") && !fenced {
			if err := os.Remove(filepath.Join(w.Dir, d.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// cutTorn truncates what follows the last line feed.
func (w *Writer) cutTorn() (whole []byte, torn string, err error) {
	data, err := io.ReadAll(w.log)
	if err != nil {
		return nil, "", err
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == len(data) {
		return data, "", nil
	}
	return data[:end], Digest(data[end:]), file.Cut(w.log, int64(end))
}
