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

// Resume opens the bundle of an unfinished ceremony, or builds it from the fence where this
// console has none. What follows the last line feed is cut off. So is a last line that never
// arrived, when another console took its number; when the number is free the line is written
// there now. Lines that only the fence has are copied, behind those that both have. The facts
// that are returned are the digests of what was cut off. A fence that has not what it once
// accepted is refused: ErrWentBack.
func Resume(
	ctx context.Context, dir, prev string, fence Fence, now func() time.Time,
) (w *Writer, cut Facts, err error) {
	if err := file.Mkdir(dir); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, nil, fmt.Errorf("create bundle: %w", err)
	}
	f, err := file.OpenLog(filepath.Join(dir, logFile))
	if err != nil {
		return nil, nil, fmt.Errorf("open bundle: %w", err)
	}
	if w, err = lock(&Writer{Dir: dir, log: f, fence: fence, now: now, prev: prev}); err != nil {
		return nil, nil, err
	}
	if cut, err = w.recover(ctx); err != nil {
		w.Close()
		return nil, nil, fmt.Errorf("bundle %s: %w", dir, err)
	}
	return w, cut, nil
}

// recover brings disk and fence to the same lines, and writes the files that
// the log embeds.
func (w *Writer) recover(ctx context.Context) (cut Facts, err error) {
	cut = Facts{}
	disk, err := w.cutTorn(cut)
	if err != nil {
		return nil, err
	}
	entries, err := w.fence.Entries(ctx)
	if err != nil {
		return nil, err
	}
	if disk, err = w.agree(ctx, disk, linesOf(entries), cut); err != nil {
		return nil, err
	}
	if err := w.wasCopied(); err != nil {
		return nil, err
	}
	if w.Events, err = ParseLog(bytes.Join(disk, nil)); err != nil {
		return nil, err
	}
	if w.State, err = StateOf(w.Events); err != nil {
		return nil, err
	}
	for _, e := range w.Events {
		w.prev = e.Head()
		if line, err := e.Line(); err == nil {
			w.use(e, line)
		}
		if err := w.embedded(e); err != nil {
			return nil, err
		}
	}
	if err := w.finals(ctx, entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, isLine := ParseEntryName(e.Name); !isLine {
			if err := w.ensure(e.Name, e.Data); err != nil {
				return nil, err
			}
		}
	}
	return cut, nil
}

// linesOf are the lines among a fence's entries.
func linesOf(entries []Entry) (lines [][]byte) {
	for _, e := range entries {
		if _, isLine := ParseEntryName(e.Name); isLine {
			lines = append(lines, e.Data)
		}
	}
	return lines
}

// agree brings the disk and the fence to the same lines, which it returns.
func (w *Writer) agree(ctx context.Context, disk, stored [][]byte, cut Facts) ([][]byte, error) {
	a, known, err := openAnswered(w.Dir)
	if err != nil {
		return nil, err
	}
	w.answered = a
	if known && len(disk) == 0 { // somebody moved the bundle away, to begin from what the store has
		if err := a.forget(); err != nil {
			return nil, err
		}
	}
	if !known && len(disk) > 0 { // an older program's: each line but the last was accepted before the next was written
		if err := a.addAll(disk[:len(disk)-1]); err != nil {
			return nil, err
		}
	}
	if err := a.check(stored); err != nil {
		return nil, err
	}
	same := 0
	for same < min(len(disk), len(stored)) && bytes.Equal(disk[same], stored[same]) {
		same++
	}
	switch own := disk[same:]; {
	case len(own) > 1 || len(own) == 1 && same < len(a.heads):
		return nil, ErrForked // of what the fence accepted the disk has something else
	case len(own) == 1 && same < len(stored): // another console took its number
		cut[FactAside] = Digest(own[0])
		if err := file.Cut(w.log, int64(len(bytes.Join(disk[:same], nil)))); err != nil {
			return nil, err
		}
		disk = disk[:same]
	case len(own) == 1:
		if err := w.fence.Append(ctx, EntryName(same), own[0]); err != nil {
			return nil, err
		}
		stored = disk
	}
	if err := w.copy(bytes.Join(stored[len(disk):], nil)); err != nil {
		return nil, err
	}
	return stored, a.addAll(stored)
}

// copy appends lines of the fence to the disk. That they were copied is on the disk
// before they are.
func (w *Writer) copy(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if err := file.Replace(w.copied(), nil); err != nil { // also over one that says they were looked at
		return err
	}
	if err := os.Remove(w.restored()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_, err := file.Append(w.log, lines)
	return err
}

// Restore says, before Resume, that the fence lost lines of the log of a bundle, and is about to
// get them back from the disk: nobody else vouches for them, so they are in doubt like lines that
// were copied. It says nothing of a log with copied lines at which nobody looked: what the fence
// alone had may be anybody's.
func Restore(dir string) error {
	w := &Writer{Dir: dir}
	if err := w.wasCopied(); err != nil || w.Doubtful {
		return err
	}
	for _, path := range []string{w.restored(), w.copied()} { // the first says nothing without the second
		if err := file.Replace(path, nil); err != nil {
			return err
		}
	}
	return nil
}

// restored is the path of the file that says so.
func (w *Writer) restored() string {
	return filepath.Join(filepath.Dir(w.Dir), "."+filepath.Base(w.Dir)+".restored")
}

// wasCopied reads whether this run or an earlier one copied lines, also when the store has
// lost them since, and whether what they say was looked at.
func (w *Writer) wasCopied() error {
	data, err := file.Read(w.copied(), file.Rules{Max: int64(len(looked))})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	w.Copied, w.Doubtful = true, string(data) != looked
	if _, err := os.Lstat(w.restored()); err == nil {
		w.Restored = true
	}
	return err
}

// looked is what the file says once the acts were looked at.
const looked = "looked at\n"

// copied is the path of the file that says so: beside the bundle, of which it is no part.
func (w *Writer) copied() string {
	return filepath.Join(filepath.Dir(w.Dir), "."+filepath.Base(w.Dir)+".copied")
}

// Believe ends the doubt about copied lines: what they say was looked at. That they were
// copied stays known until Finish.
func (w *Writer) Believe() error {
	if !w.Doubtful {
		return nil
	}
	w.Doubtful = false
	return file.Replace(w.copied(), []byte(looked))
}

// finals looks at the finals that are on the disk alone. One that is signed goes back to the
// fence: the store lost it, and nobody may be there who could sign it again. What a crash left,
// whole or torn, is removed: it is asked for again.
func (w *Writer) finals(ctx context.Context, entries []Entry) error {
	list, err := os.ReadDir(w.Dir)
	if err != nil {
		return err
	}
	alone := map[string][]byte{}
	for _, d := range list {
		fenced := slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == d.Name() })
		if !strings.HasPrefix(d.Name(), "final.") || fenced {
			continue
		}
		data, err := file.Read(filepath.Join(w.Dir, d.Name()), file.Rules{Max: maxBundle, OneName: true})
		if err != nil {
			data = nil // no final
		}
		alone[d.Name()] = data
	}
	for name := range alone {
		if back, err := w.lost(ctx, name, alone); err != nil || back {
			if err != nil {
				return err
			}
			continue
		}
		if err := os.Remove(filepath.Join(w.Dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// lost gives a file back to the fence that is the core of this log, or belongs to a signed
// final of it.
func (w *Writer) lost(ctx context.Context, name string, alone map[string][]byte) (bool, error) {
	core, err := w.State.Core()
	if err != nil {
		return false, nil // the log is not closed
	}
	if name == CoreFile && !bytes.Equal(alone[name], core) || name != CoreFile && !w.signs(name, alone) {
		return false, nil
	}
	err = w.fence.Append(ctx, name, alone[name])
	if errors.Is(err, ErrFenced) { // another console gave it back
		return true, nil
	}
	return err == nil, err
}

// signs reports whether a file belongs to a signed final.
func (w *Writer) signs(name string, alone map[string][]byte) bool {
	final := strings.TrimSuffix(name, ".sig")
	pair := map[string][]byte{final: alone[final], final + ".sig": alone[final+".sig"]}
	if pair[final] == nil || pair[final+".sig"] == nil {
		return false
	}
	finals, err := w.State.Finals(pair)
	return err == nil && len(finals) == 1
}

// cutTorn reads the lines of the disk, and truncates what follows the last line feed.
func (w *Writer) cutTorn(cut Facts) (lines [][]byte, err error) {
	data, err := io.ReadAll(w.log)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		if bytes.HasSuffix(line, []byte("\n")) {
			lines = append(lines, line)
			continue
		}
		cut[FactTorn] = Digest(line)
		err = file.Cut(w.log, int64(len(data)-len(line)))
	}
	return lines, err
}
