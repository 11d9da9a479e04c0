package engine

import (
	"context"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Parts are what a ceremony runs with: real parts or a rehearsal's, never both. Nothing
// changes them while it runs.
type Parts struct {
	Mode        quorum.Mode
	Tool        Tool
	Store       store.Store
	Bundles     string        // directory of all bundles
	Restored    bool          // the store lost lines of the ceremony that is continued
	PinnedChain kek.Chain     // by the configuration; install draws one
	Kind        provider.Kind // of the configured provider
	// OpenedProvider is one whose keys are configuration: every plan binds it. nil: the step
	// PIN opens it.
	OpenedProvider provider.Provider
	// OpenProvider opens it once known, if it is given, has nothing against what can be
	// told of it before a module of it runs.
	OpenProvider func(ctx context.Context, known func(about map[string]string) error) (provider.Provider, error)
	PIN          login.PIN
	Keys         []quorum.Key // files; an agent's are looked up when they are needed
	RosterPath   string       // of a rehearsal's own roster, which install proposes
	Founding     string       // pinned by the configuration: digest of the first final.txt
	Revoked      string       // file of revoked keys; empty: none
	Exchange     string       // directory of what is signed offline; empty: beside the bundle
	Catalogue    envelope.Catalogue
	Bind         bool // the command asks that the version which is made be bound to records
	// Records is the prefix of our own records in a database that an application made before there
	// were ceremonies; empty: it is ours. Pointer is where that application has the version that its
	// writers use; nil: nobody described it.
	Records string
	Pointer *store.Pointer
	Fleet   FleetConfig
	Policy  Policy
	// Reread reads the configuration again before a step is tried again. It returns the parts as they
	// are then, and whether the provider is configured otherwise. nil: there is nothing to read.
	Reread func(Parts) (parts Parts, reopen bool, err error)
	// ReadExpect reads from the configuration how many processes of each role are expected, for a step that waits
	// for them. nil: there is nothing to read.
	ReadExpect func() (map[string]int, error)
	// Typed is a command of this program as people type it to act on the same parts. nil: as it is.
	Typed func(command string) string
	// Following says what a rehearsal does after this ceremony; empty: nothing.
	Following string
	Control   *rewrap.Control
}

// Tool is the running program. From says where its digest is from; empty: it was computed.
type Tool struct{ Version, SHA256, From string }

func (t Tool) facts() Facts {
	sum := transcript.FactTool + "_sha256"
	facts := Facts{transcript.FactTool: t.Version, sum: t.SHA256}
	if t.From != "" {
		facts[sum+"_from"] = t.From
	}
	return facts
}

// FleetConfig says how often processes report and who must be there.
type FleetConfig struct {
	Heartbeat, Live time.Duration
	Expect          map[string]int // live processes by role
	Uncounted       []string       // roles of which no process reports
	Unfenced        bool           // the server shall not refuse writes with retired versions
}

// Policy says how long a version stays disabled before it may be destroyed.
type Policy struct {
	BackupRetention time.Duration // how long backups are kept; 0: nobody said
	DestroyWait     time.Duration // 0: as long as the rule says
}
