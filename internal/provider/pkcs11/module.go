// Package pkcs11 is the provider whose KEKs live in a PKCS#11 token and never
// leave it: AES-256 keys, sensitive and not extractable, used with CKM_AES_GCM.
package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

var _ provider.Provider = (*Provider)(nil)

// Open loads the module and finds the token. The module is hashed through the
// descriptor it is then loaded from, so that what was hashed is what runs.
func Open(cfg Config) (*Provider, error) {
	if err := CheckBuild(); err != nil {
		return nil, fmt.Errorf("load module %s: %w", printable.Quote(cfg.ModulePath), err)
	}
	f, digest, err := openModule(cfg.ModulePath)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if cfg.Digest != "" && digest != cfg.Digest {
		return nil, fmt.Errorf("load module %s: it is not the file that was looked at before: %w",
			printable.Quote(cfg.ModulePath), provider.ErrUnguarded)
	}
	fd, err := descriptor(f, digest)
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
	p := &Provider{
		cfg:     cfg,
		ctx:     ctx,
		digest:  digest,
		fd:      fd,
		handles: map[kek.Version]pkcs11.ObjectHandle{},
		sources: map[kek.Version]source{},
		refs:    map[kek.Version]reference{},
	}
	if p.call = functionsOf(ctx); p.call.list == nil {
		return nil, fmt.Errorf("load module %s: it has no function list", printable.Quote(cfg.ModulePath))
	}
	if err := ctx.Initialize(initOptions(cfg.InitArgs)...); err != nil {
		return nil, fmt.Errorf("initialize module %s: %w", printable.Quote(cfg.ModulePath), named(err))
	}
	if err := p.findToken(); err != nil {
		if p.Close() == nil && errors.Is(err, provider.ErrNoToken) {
			p.release()
		}
		return nil, err
	}
	if p.session, err = p.openSession(); err != nil {
		p.Close()
		return nil, err
	}
	p.tune = newTuner(cfg.Sessions, p.mostSessions(), time.Now)
	return p, nil
}

// free are the descriptors of modules that were loaded and had no such token, by digest. A
// descriptor is never closed: the loader knows a library by its name, and would take the next file
// of the same number for this one. A token that is looked for again takes no other.
var free = struct {
	sync.Mutex
	by map[string][]int
}{by: map[string][]int{}}

func descriptor(f *os.File, digest string) (int, error) {
	free.Lock()
	defer free.Unlock()
	if n := len(free.by[digest]); n > 0 {
		fd := free.by[digest][n-1]
		free.by[digest] = free.by[digest][:n-1]
		return fd, nil
	}
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// release lets the next one that is opened take the module's descriptor.
func (p *Provider) release() {
	free.Lock()
	defer free.Unlock()
	free.by[p.digest] = append(free.by[p.digest], p.fd)
}

// mostSessions is what the token takes (CK_TOKEN_INFO.ulMaxRwSessionCount; 0 is
// no limit, all bits set is unknown), less the first.
func (p *Provider) mostSessions() int {
	if n := p.info.MaxRwSessionCount; bounded(n) && n > 1 && n <= maxSessions {
		return int(n) - 1
	}
	return maxSessions
}

// bounded reports whether a token says how many sessions it takes.
func bounded(sessions uint) bool { return sessions != 0 && sessions != ^uint(0) }

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
	if !p.cfg.Process {
		about[tokenUser] = p.cfg.users()
	}
	about["identity_sha256"] = "none" // also when there was one at the last ceremony
	if p.cfg.Identity.Label != "" {
		_, digest, err := p.cfg.Identity.public()
		if err != nil {
			return nil, fmt.Errorf("read the token's identity: %w", err)
		}
		about["identity_sha256"] = digest
	}
	if keys := p.cfg.adopted(); keys != "" {
		about[keysOutside] = keys
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
	p.dropLanes()
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
