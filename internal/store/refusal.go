package store

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Refusal is one document of kek_refusals: that a process refused envelopes of a disabled version.
type Refusal struct {
	Version kek.Version
	Process string
	Role    string
	Epoch   int // of the pointer that the process followed when it refused last
	Count   int // at least
	Last    time.Time
}

// MaxRefusals is how many are read: anyone who can write them can write as many as he likes.
const MaxRefusals = 1000
