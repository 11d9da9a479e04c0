package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/file"
)

// Entries are the lines and finals of a bundle as a fence has them: Rebuild makes the same
// bundle of them. A torn line is none of them.
func (b Bundle) Entries() (all []Entry) {
	for i, line := range whole(b.files[logFile]) {
		all = append(all, Entry{EntryName(i), line})
	}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if strings.HasPrefix(name, "final.") {
			all = append(all, Entry{name, b.files[name]})
		}
	}
	return all
}

// whole are the lines that end with a line feed.
func whole(data []byte) (lines [][]byte) {
	for line := range bytes.Lines(data) {
		if bytes.HasSuffix(line, []byte("\n")) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Accepted are the entries of an unfinished bundle, in its directory, without a line that the
// fence may never have accepted.
func Accepted(dir string, b Bundle) ([]Entry, error) {
	all, lines := b.Entries(), whole(b.files[logFile])
	n := max(len(lines)-1, 0) // without a record, each line but the last
	data, err := file.Read(answeredPath(dir), file.Rules{Max: maxBundle})
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		a := &answered{heads: headsOf(data)}
		n = min(len(a.heads), len(lines))
		if err := a.check(lines); err != nil {
			return nil, fmt.Errorf("bundle %s: %w", dir, ErrForked)
		}
	}
	return slices.DeleteFunc(all, func(e Entry) bool {
		i, isLine := ParseEntryName(e.Name)
		return isLine && i >= n
	}), nil
}
