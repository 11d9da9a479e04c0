package transcript

import (
	"fmt"
	"os"

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
	_, err := os.Lstat(VoidName(dir))
	return err == nil
}
