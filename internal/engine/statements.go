package engine

import (
	"os"
	"path/filepath"
)

// signingDir is where statements lie until they are signed: in the directory
// named for the exchange, else beside the bundle, which holds only what the log
// holds.
func (e *engine) signingDir() string {
	if e.site.Exchange == "" {
		return e.log.Dir + ".signing"
	}
	return filepath.Join(e.site.Exchange, filepath.Base(e.log.Dir)+".signing")
}

// clearSigning takes away what was written for signing. A stick that was pulled out takes
// its copies along.
func (e *engine) clearSigning() error { return os.RemoveAll(e.signingDir()) }
