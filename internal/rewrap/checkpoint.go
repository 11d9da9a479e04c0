package rewrap

import (
	"encoding/json"
	"maps"
	"os"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Checkpoint is a file that says how far the first pass came in each collection:
// every record up to the id was written, or was found not to need it. It saves
// time after an interruption, and nothing depends on it: the last pass reads
// everything. A nil Checkpoint keeps none.
type Checkpoint struct {
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

// checkpointFile is the file's form. One for another target is worth nothing.
type checkpointFile struct {
	To      kek.Version        `json:"to"`
	Reached map[string]reached `json:"reached"`
}

// maxCheckpoint bounds the file in bytes.
const maxCheckpoint = 1 << 20

// OpenCheckpoint reads a checkpoint that an earlier run to the same version left; what
// cannot be read is none.
func OpenCheckpoint(path string, to kek.Version) *Checkpoint {
	c := &Checkpoint{path: path, to: to, reached: map[string]reached{}}
	var f checkpointFile
	data, err := file.Read(path, file.Rules{Max: maxCheckpoint})
	if err == nil && json.Unmarshal(data, &f) == nil && f.To == to && f.Reached != nil {
		c.reached = f.Reached
	}
	return c
}

// take returns what was reached, for the first pass; later passes have none.
func (c *Checkpoint) take() map[string]reached {
	if c == nil || c.over {
		return nil
	}
	c.over = true
	return maps.Clone(c.reached)
}

// reach writes the checkpoint, at most once a second. An error is none: the checkpoint only
// saves time.
func (c *Checkpoint) reach(ids store.Envelopes, collection string, last any, records int) {
	if c == nil {
		return
	}
	id, err := ids.EncodeID(last)
	if err != nil {
		return
	}
	c.reached[collection] = reached{id, c.reached[collection].Records + records}
	if time.Since(c.written) > time.Second {
		c.write()
	}
}

func (c *Checkpoint) write() {
	if c == nil || len(c.reached) == 0 {
		return
	}
	c.written = time.Now()
	data, err := json.Marshal(checkpointFile{c.to, c.reached})
	if err == nil {
		_ = file.Replace(c.path, data)
	}
}

// remove ends the checkpoint.
func (c *Checkpoint) remove() {
	if c != nil {
		clear(c.reached)
		_ = os.Remove(c.path)
	}
}
