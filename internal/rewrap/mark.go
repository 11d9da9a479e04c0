package rewrap

import (
	"encoding/json"
	"os"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Mark is a file that says how far the first pass came in each collection:
// every record up to the id was written, or was found not to need it. It saves
// time after an interruption, and nothing depends on it: the last pass reads
// everything. A nil Mark keeps none.
type Mark struct {
	path    string
	to      kek.Version
	reached map[string]reached
	written time.Time
	over    bool // the first pass is done
}

// reached is how far one collection is done.
type reached struct {
	ID      string `json:"id"`      // as Store.EncodeID writes it
	Records int    `json:"records"` // written so far
}

// markFile is the file's form. One for another target is worth nothing.
type markFile struct {
	To      kek.Version        `json:"to"`
	Reached map[string]reached `json:"reached"`
}

// maxMark bounds the file in bytes.
const maxMark = 1 << 20

// OpenMark reads a mark that an earlier run to the same version left; what
// cannot be read is none.
func OpenMark(path string, to kek.Version) *Mark {
	m := &Mark{path: path, to: to, reached: map[string]reached{}}
	var f markFile
	data, err := file.Read(path, file.Rules{Max: maxMark})
	if err == nil && json.Unmarshal(data, &f) == nil && f.To == to && f.Reached != nil {
		m.reached = f.Reached
	}
	return m
}

// take returns the marks for the first pass; later passes have none.
func (m *Mark) take() map[string]reached {
	if m == nil || m.over {
		return nil
	}
	m.over = true
	marks := map[string]reached{}
	for name, r := range m.reached {
		marks[name] = r
	}
	return marks
}

// reach writes the mark, at most once a second. An error is none: the mark only
// saves time.
func (m *Mark) reach(ids store.Envelopes, collection string, last any, records int) {
	if m == nil {
		return
	}
	id, err := ids.EncodeID(last)
	if err != nil {
		return
	}
	m.reached[collection] = reached{id, m.reached[collection].Records + records}
	if time.Since(m.written) > time.Second {
		m.write()
	}
}

func (m *Mark) write() {
	if m == nil || len(m.reached) == 0 {
		return
	}
	m.written = time.Now()
	data, err := json.Marshal(markFile{m.to, m.reached})
	if err == nil {
		_ = file.Replace(m.path, data)
	}
}

// remove ends the mark.
func (m *Mark) remove() {
	if m != nil {
		clear(m.reached)
		_ = os.Remove(m.path)
	}
}
