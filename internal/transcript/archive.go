package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
)

// Void gives the bundle of a log that is closed as void its note, takes away what only an
// unfinished ceremony needs, and then gives the bundle the name of a void one. It returns its
// path.
func (w *Writer) Void() (dir string, err error) {
	if !w.State.Void() {
		return "", fmt.Errorf("void %s: its log is not closed as void", w.Dir)
	}
	if err := w.ensure(VoidFile, w.State.VoidNote()); err != nil {
		return "", err
	}
	if err := w.Finish(); err != nil {
		return "", err
	}
	dir = VoidName(w.Dir)
	if err := file.Rename(w.Dir, dir); err != nil {
		return "", fmt.Errorf("void bundle: %w", err)
	}
	w.Dir = dir
	return dir, nil
}

// Gone reports whether the bundle at dir has the name of a void one instead.
func Gone(dir string) bool {
	_, err := os.Lstat(dir)
	return errors.Is(err, fs.ErrNotExist) && taken(VoidName(dir))
}

// Free is the first name of a bundle, by its opening time at or after t, that neither a bundle nor
// a void one of dir has: two installs may begin within a second.
func Free(dir string, t time.Time, seq int, kind string) string {
	for ; ; t = t.Add(time.Second) {
		name := filepath.Join(dir, fmt.Sprintf("%s-%04d-%s", t.UTC().Format("2006-01-02T150405Z"), seq, kind))
		if !taken(name) && !taken(VoidName(name)) {
			return name
		}
	}
}

func taken(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
