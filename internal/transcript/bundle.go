package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Bundle is the files of one ceremony by name, each as it is.
type Bundle struct {
	Name  string // of the directory
	files map[string][]byte
}

const rosterFile = "roster"

// Limits of a bundle, so that a hostile one is refused early.
const (
	maxFiles  = 2_000
	maxBundle = 8 << 20 // bytes, of all files together
)

// ReadBundle reads a bundle directory. A link, a file with a second name, what is
// no regular file, one of another owner than the directory, and more than
// maxBundle bytes are refused.
func ReadBundle(dir string) (Bundle, error) {
	b := Bundle{filepath.Base(dir), map[string][]byte{}}
	about, err := os.Stat(dir)
	if err != nil {
		return b, err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return b, err
	}
	if len(list) > maxFiles {
		return b, &RuleError{RuleFiles, fmt.Errorf("%d files, more than %d", len(list), maxFiles)}
	}
	left := int64(maxBundle)
	for _, d := range list {
		data, err := file.Read(filepath.Join(dir, d.Name()), file.Rules{Max: left, Owners: owner(about), OneName: true})
		if err != nil {
			return b, &RuleError{RuleFiles, fmt.Errorf("%s: %s", printable.Text(d.Name()), refusal(err))}
		}
		left -= int64(len(data))
		b.files[d.Name()] = data
	}
	if _, ok := b.files[logFile]; !ok {
		return b, &RuleError{RuleFiles, fmt.Errorf("%s: %w", logFile, fs.ErrNotExist)}
	}
	return b, nil
}

// refusal says what a file of a bundle is refused for.
func refusal(err error) string {
	switch {
	case errors.Is(err, file.ErrOwner):
		return "it has another owner than the bundle"
	case errors.Is(err, file.ErrTooLarge):
		return fmt.Sprintf("a bundle of more than %d bytes", maxBundle)
	}
	return file.Cause(err).Error()
}

func owner(info fs.FileInfo) []int {
	stat, _ := info.Sys().(*syscall.Stat_t)
	return []int{int(stat.Uid)}
}

// Rebuild makes a bundle from the entries of a store alone.
func Rebuild(name string, entries []Entry) (Bundle, error) {
	b := Bundle{name, map[string][]byte{logFile: nil}}
	size := 0
	for _, e := range entries {
		if size += len(e.Data); size > maxBundle {
			return b, &RuleError{RuleFiles, fmt.Errorf("a bundle of more than %d bytes", maxBundle)}
		}
		_, isLine := ParseEntryName(e.Name)
		switch {
		case isLine:
			b.files[logFile] = append(b.files[logFile], e.Data...)
		case strings.HasPrefix(e.Name, "final."):
			b.files[e.Name] = e.Data
		default:
			return b, &RuleError{RuleFiles, fmt.Errorf("%s: neither a line nor a final", printable.Text(e.Name))}
		}
	}
	events, err := ParseLog(b.files[logFile])
	if err != nil {
		return b, &RuleError{RuleLog, err}
	}
	for _, e := range events {
		for name, data := range e.files() {
			b.files[name] = data
		}
	}
	if s, err := StateOf(events); err == nil && s.Void() {
		b.files[VoidFile] = s.VoidNote()
	}
	return b, nil
}

// Differs names the first file that two bundles do not have alike; empty: none.
func (b Bundle) Differs(other Bundle) string {
	for _, pair := range [][2]Bundle{{b, other}, {other, b}} {
		for _, name := range slices.Sorted(maps.Keys(pair[0].files)) {
			if data, ok := pair[1].files[name]; !ok || string(data) != string(pair[0].files[name]) {
				return name
			}
		}
	}
	return ""
}

// files are the bundle's files that e embeds, by name.
func (e Event) files() map[string][]byte {
	switch e.Kind {
	case Roster:
		return map[string][]byte{rosterFile: []byte(e.Facts[FactRoster])}
	case NextRoster: // a later one takes its place, so each has a name of its own
		return map[string][]byte{fmt.Sprintf("%04d-next-roster", e.Seq): []byte(e.Facts[FactNextRoster])}
	case Plan:
		return map[string][]byte{PlanFile(e.Seq): []byte(e.Facts[FactPlan])}
	case Signed:
		f := e.Facts[FactFile]
		return map[string][]byte{f: []byte(e.Facts[FactStatement]), f + ".sig": []byte(e.Facts[FactSignature])}
	}
	return nil
}
