// Package pkcs11 is the provider whose KEKs live in a PKCS#11 token and never
// leave it: AES-256 keys, sensitive and not extractable, used with CKM_AES_GCM.
package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"
	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Name is the provider's name in configuration, lock and envelopes.
const Name = "pkcs11"

// Config is encryption.pkcs11 of the configuration.
type Config struct {
	ModulePath  string // absolute
	TokenLabel  string
	TokenSerial string // tells tokens of one label apart; may be empty while there is one
	// IVFromHSM is what the operators expect of the IV. nil: no expectation.
	// The mode in use is always the one found by experiment.
	IVFromHSM *bool
	Sessions  int      // that re-wrap at once; 0: as many as are fastest
	Identity  Identity // empty: none
	// LoadByPath loads the module by its path, for those that look for their own files
	// beside it. Else it is loaded from the descriptor that it was hashed through.
	LoadByPath bool
	// Digest is the SHA-256 in hex that the module's file must have; empty: any.
	Digest string
	// InitArgs goes to the module in CK_C_INITIALIZE_ARGS.pReserved, which NSS
	// softokn wants; empty for any other.
	InitArgs string
}

// maxSessions bounds the sessions that re-wrap at once: a thread each.
const maxSessions = 64

// Provider is one module, loaded, and one token in it.
type Provider struct {
	cfg      Config
	ctx      *pkcs11.Ctx
	call     functions
	digest   string // SHA-256 of the module's file, hex
	slot     uint
	info     pkcs11.TokenInfo
	*session            // the first: logs in, finds, makes, probes
	workers  []*session // beside the first
	tune     *tuner
	entered  provider.Entered
	loggedIn bool
	iv       ivMode
	handles  map[kek.Version]pkcs11.ObjectHandle
	sources  map[kek.Version]source
	refs     map[kek.Version]reference // for good
	// sessionLost is set by a session that was lost: no handle is used any more.
	sessionLost atomic.Bool
	patience    sync.Mutex // of the sessions that try again
}

var _ provider.Provider = (*Provider)(nil)

// Open loads the module and finds the token. The module is hashed through the
// descriptor it is then loaded from, so that what was hashed is what runs.
func Open(cfg Config) (*Provider, error) {
	f, digest, err := openModule(cfg.ModulePath)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if cfg.Digest != "" && digest != cfg.Digest {
		return nil, fmt.Errorf("load module %s: it is not the file that was looked at before: %w", printable.Quote(cfg.ModulePath), provider.ErrUnguarded)
	}
	// This descriptor is never closed: the loader knows a library by its name,
	// and would take the next file of the same number for this one.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("load module %s: %w", printable.Quote(cfg.ModulePath), err)
	}
	from := fmt.Sprintf("/proc/self/fd/%d", fd)
	if cfg.LoadByPath {
		from = cfg.ModulePath
	}
	ctx := pkcs11.New(from)
	if ctx == nil {
		return nil, fmt.Errorf("load module %s: not a PKCS#11 module for this machine", printable.Quote(cfg.ModulePath))
	}
	if cfg.LoadByPath {
		if err := sameModule(cfg.ModulePath, digest); err != nil {
			return nil, err
		}
	}
	p := &Provider{cfg: cfg, ctx: ctx, digest: digest, handles: map[kek.Version]pkcs11.ObjectHandle{}, sources: map[kek.Version]source{}, refs: map[kek.Version]reference{}}
	if p.call = functionsOf(ctx); p.call.list == nil {
		return nil, fmt.Errorf("load module %s: it has no function list", printable.Quote(cfg.ModulePath))
	}
	if err := ctx.Initialize(initOptions(cfg.InitArgs)...); err != nil {
		return nil, fmt.Errorf("initialize module %s: %w", printable.Quote(cfg.ModulePath), named(err))
	}
	if err := p.findToken(); err != nil {
		p.Close()
		return nil, err
	}
	if p.session, err = p.openSession(); err != nil {
		p.Close()
		return nil, err
	}
	p.tune = newTuner(cfg.Sessions, p.mostSessions(), time.Now)
	return p, nil
}

// mostSessions is what the token takes (CK_TOKEN_INFO.ulMaxRwSessionCount; 0 is
// no limit, all bits set is unknown), less the first.
func (p *Provider) mostSessions() int {
	const unknown = ^uint(0)
	if n := p.info.MaxRwSessionCount; n > 1 && n != unknown && n <= maxSessions {
		return int(n) - 1
	}
	return maxSessions
}

// findToken looks for the one initialized token of the label and, if given, the serial.
func (p *Provider) findToken() error {
	slots, err := p.ctx.GetSlotList(true)
	if err != nil {
		return fmt.Errorf("list slots: %w", named(err))
	}
	var serials []string
	for _, slot := range slots {
		info, err := p.ctx.GetTokenInfo(slot)
		if err != nil {
			return fmt.Errorf("read token in slot %d: %w", slot, named(err))
		}
		if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 || info.Label != p.cfg.TokenLabel {
			continue
		}
		if p.cfg.TokenSerial != "" && info.SerialNumber != p.cfg.TokenSerial {
			continue
		}
		p.slot, p.info = slot, info
		serials = append(serials, printable.Text(info.SerialNumber))
	}
	label := printable.Quote(p.cfg.TokenLabel)
	switch {
	case len(serials) == 0 && p.cfg.TokenSerial != "":
		return fmt.Errorf("find token %s of serial %s: %w", label, printable.Quote(p.cfg.TokenSerial), provider.ErrNoToken)
	case len(serials) == 0:
		return fmt.Errorf("find token %s: %w", label, provider.ErrNoToken)
	case len(serials) > 1:
		return fmt.Errorf("find token %s: %w: serials %s", label, provider.ErrTokens, strings.Join(serials, ", "))
	}
	return nil
}

// Describe implements provider.Provider.
func (p *Provider) Describe(context.Context) (map[string]string, error) {
	loaded := "from the descriptor it was hashed through"
	if p.cfg.LoadByPath {
		loaded = "by its path, and hashed before and after"
	}
	about := map[string]string{
		"provider":      Name,
		"module_loaded": loaded,
		"module":        printable.Text(p.cfg.ModulePath),
		"module_sha256": p.digest,
		"token":         printable.Text(p.info.Label),
		"serial":        printable.Text(p.info.SerialNumber),
		"manufacturer":  printable.Text(p.info.ManufacturerID),
		"model":         printable.Text(p.info.Model),
		"firmware":      fmt.Sprintf("%d.%d", p.info.FirmwareVersion.Major, p.info.FirmwareVersion.Minor),
	}
	about["identity_sha256"] = "none" // also when there was one at the last ceremony
	if p.cfg.Identity.Label != "" {
		_, digest, err := p.cfg.Identity.public()
		if err != nil {
			return nil, fmt.Errorf("read the token's identity: %w", err)
		}
		about["identity_sha256"] = digest
	}
	if p.iv != "" { // else it was not probed yet
		about["iv"] = string(p.iv)
	}
	return about, nil
}

// Close ends the sessions and the module. It does not unload the module:
// threads it started may still run.
func (p *Provider) Close() error {
	p.entered.Wipe()
	for _, s := range p.workers {
		close(s.jobs)
		s.scratch.Wipe()
	}
	if p.session != nil {
		p.scratch.Wipe()
	}
	if err := p.ctx.Finalize(); err != nil {
		return fmt.Errorf("finalize module: %w", named(err))
	}
	return nil
}

// named gives a PKCS#11 error by its name alone: "CKR_PIN_LOCKED".
func named(err error) error {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return err
	}
	if name := strings.TrimPrefix(e.Error(), fmt.Sprintf("pkcs11: 0x%X: ", uint(e))); name != "" {
		return &Error{uint(e), name}
	}
	return &Error{uint(e), fmt.Sprintf("CKR 0x%08X", uint(e))}
}

// Error is a return value of the module.
type Error struct {
	Code uint
	Name string // as in the standard
}

func (e *Error) Error() string { return e.Name }

// Is makes every answer of a token that is not there provider.ErrGone, and of one that
// is busy provider.ErrBusy.
func (e *Error) Is(target error) bool {
	return target == provider.ErrGone && (isGone(e) || isLost(e)) || target == provider.ErrBusy && isBusy(e)
}
