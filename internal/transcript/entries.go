package transcript

import (
	"bytes"
	"errors"
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

// Unfinished reads the log of a bundle whose end M have not signed: its state, and the lines that
// the fence has accepted. What a crash left beside the log is not read. A directory without a line
// has no log: the zero State. Of a log whose only line may not have been accepted, the state is
// returned and no line. finished reports a log that is closed and has no record of what was
// accepted: M have signed it, and nothing repairs it any more.
func Unfinished(dir string) (s State, lines []Entry, finished bool, err error) {
	b, err := ReadBundle(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil, false, nil
	}
	if err != nil {
		return s, nil, false, err
	}
	all := whole(b.files[logFile])
	n := max(len(all)-1, 0) // without a record, each line but the last
	data, err := file.Read(answeredPath(dir), file.Rules{Max: maxBundle})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		events, _ := ParseLog(bytes.Join(all, nil))
		finished = len(events) > 0 && events[len(events)-1].Kind == Closed
	case err != nil:
		return s, nil, false, err
	default:
		a := &answered{heads: headsOf(data)}
		n = min(len(a.heads), len(all))
		if err := a.check(all[:n]); err != nil {
			return s, nil, false, ErrForked
		}
	}
	if s, err = stateOf(all[:min(max(n, 1), len(all))]); err != nil {
		return s, nil, false, err
	}
	for i, line := range all[:n] {
		lines = append(lines, Entry{EntryName(i), line})
	}
	return s, lines, finished, nil
}

func stateOf(lines [][]byte) (State, error) {
	events, err := ParseLog(bytes.Join(lines, nil))
	if err != nil || len(events) == 0 {
		return State{}, err
	}
	return StateOf(events)
}

// HasLine reports whether a directory holds a log with a line: else a ceremony ended between its
// number and its first line.
func HasLine(dir string) bool {
	b, err := ReadBundle(dir)
	return err != nil && !errors.Is(err, fs.ErrNotExist) || len(whole(b.files[logFile])) > 0
}
