package pkcs11

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// Name is the provider's name in configuration, lock and envelopes.
const Name = "pkcs11"

// Config is encryption.pkcs11 of the configuration.
type Config struct {
	ModulePath  string `yaml:"module_path"` // absolute
	TokenLabel  string `yaml:"token_label"`
	TokenSerial string `yaml:"token_serial"` // tells tokens of one label apart; may be empty while there is one
	User        string `yaml:"user"`         // whom processes of the fleet log in as; empty: as people do
	// IVFromHSM is what the operators expect of the IV. nil: no expectation.
	// The mode in use is always the one found by experiment.
	IVFromHSM *bool `yaml:"use_gcm_iv_from_hsm"`
	// UseMessages is nil where the messages of PKCS#11 3.0 are used if they work, and false where
	// they never are: for a module that crashes or hangs on them.
	UseMessages *bool    `yaml:"use_messages"`
	Sessions    int      `yaml:"sessions"`  // that re-wrap at once; 0: as many as are fastest
	Keepers     int      `yaml:"processes"` // that re-wrap at once; 0: one or several, as is fastest
	Identity    Identity `yaml:",inline"`   // empty: none
	// LoadByPath loads the module by its path, for those that look for their own files
	// beside it. Else it is loaded from the descriptor that it was hashed through.
	LoadByPath bool `yaml:"load_by_path"`
	// Process is set for a process of the fleet, which logs in as User.
	Process bool `yaml:"-"`
	// Digest is the SHA-256 in hex that the module's file must have; empty: any.
	Digest string `yaml:"-"`
	// InitArgs goes to the module in CK_C_INITIALIZE_ARGS.pReserved, which NSS
	// softokn wants; empty for any other.
	InitArgs string `yaml:"init_args"`
	// Environment names the variables that the module's process gets. It gets no other.
	Environment []string `yaml:"environment"`
	// Adopted are the keys that were made outside a ceremony, by version.
	Adopted  map[string]AdoptedKey `yaml:"adopted_keys"`
	Deadline time.Duration         `yaml:"deadline"` // of a call into the module; 0: a minute
}

// maxSessions bounds the sessions that re-wrap at once: a thread each.
const maxSessions = 64

// Provider is one module, loaded, and one token in it.
type Provider struct {
	cfg      Config
	ctx      *pkcs11.Ctx
	call     functions
	digest   string // SHA-256 of the module's file, hex
	fd       int    // that it was loaded from
	slot     uint
	info     pkcs11.TokenInfo
	*session            // the first: logs in, finds, makes, probes
	workers  []*session // beside the first
	tune     *tuner
	messages *messages // nil: not looked for yet
	entered  provider.Entered
	loggedIn bool
	compared bool // the last login had the token compare the PIN
	iv       ivMode
	handles  map[kek.Version]pkcs11.ObjectHandle
	sources  map[kek.Version]source
	refs     map[kek.Version]reference // for good
	// sessionLost is set by a session that was lost: no handle is used any more.
	sessionLost atomic.Bool
	patience    sync.Mutex // of the sessions that try again
}

// session is one session on the token, with locked memory of its own. One
// goroutine uses it at a time: a session holds one operation (PKCS#11 v2.40,
// 5.6.1). The login is of the whole application (2.4).
type session struct {
	p       *Provider
	h       pkcs11.SessionHandle
	scratch *secret.Buffer
	lanes   *lanes                       // nil: none are open
	proven  map[pkcs11.ObjectHandle]bool // keys with which the lanes were tried
	lost    bool                         // and its keys were not found again yet
	jobs    chan func(*session)          // nil for the provider's first session
}

// scratchSize is the memory of a session in bytes: room for an answer, and a DEK.
const scratchSize = roomy + kek.Size
