package pkcs11

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
)

// probe is one run of the capability probe, on a session key of its own.
type probe struct {
	*Provider
	key    pkcs11.ObjectHandle
	sample []byte // 32 random bytes of no value
	report func(provider.Verdict)
}

// Probe implements provider.Provider (design section 5).
func (p *Provider) Probe(ctx context.Context, report func(provider.Verdict)) error {
	if p.cfg.Process {
		return p.probeRights(ctx, report)
	}
	pr := &probe{Provider: p, sample: make([]byte, kek.Size), report: report}
	if _, err := rand.Read(pr.sample); err != nil {
		return err
	}
	defer pr.destroy()
	return provider.RunChecks(ctx, []provider.Check{
		{Line: "mechanism", Try: pr.mechanism},
		{Line: "key", Try: pr.makeKey},
		{Line: "IV", Try: pr.ivs},
		{Line: "round trip", Try: pr.roundTrip},
		{Line: "tamper", Try: pr.tamper},
		{Line: "identity", Try: pr.identity},
		{Line: "size query", Try: pr.sizeQuery},
		{Line: "key wrap", Try: pr.keyWrap},
		{Line: "messages", Try: pr.tryMessages},
		{Line: "throughput", Try: pr.throughput},
	}, report)
}

func (p *probe) destroy() {
	p.dropLanes() // they are of its key
	if p.key != 0 {
		_ = p.ctx.DestroyObject(p.h, p.key) // a session key: it goes with the session anyway
	}
}

func (p *probe) mechanism() (string, error) {
	info, err := p.ctx.GetMechanismInfo(p.slot, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, nil)})
	if err != nil {
		return "", fmt.Errorf("CKM_AES_GCM: %w%s", named(err), p.vendorGCM())
	}
	if want := uint(pkcs11.CKF_ENCRYPT | pkcs11.CKF_DECRYPT); info.Flags&want != want {
		return "", errors.New("CKM_AES_GCM cannot both encrypt and decrypt")
	}
	if info.MaxKeySize < kek.Size || info.MinKeySize > kek.Size {
		return "", fmt.Errorf("CKM_AES_GCM takes keys of %d to %d bytes, want %d", info.MinKeySize, info.MaxKeySize, kek.Size)
	}
	return fmt.Sprintf("CKM_AES_GCM, encrypt and decrypt, keys of %d to %d bytes", info.MinKeySize, info.MaxKeySize), nil
}

// cloudHSM is CKM_CLOUDHSM_AES_GCM of AWS, which puts an IV of its own before its
// answer; its modules take CKM_AES_GCM as well.
const cloudHSM = pkcs11.CKM_VENDOR_DEFINED | pkcs11.CKM_AES_GCM

// vendorGCM says what a token without CKM_AES_GCM has in its place.
func (p *probe) vendorGCM() string {
	_, err := p.ctx.GetMechanismInfo(p.slot, []*pkcs11.Mechanism{pkcs11.NewMechanism(cloudHSM, nil)})
	if err != nil {
		return ""
	}
	return "; it has CKM_CLOUDHSM_AES_GCM (0x80001087), which this version does not support"
}

func (p *probe) makeKey() (string, error) {
	h, err := p.generate(false, "kekceremony-probe", []byte("kekceremony-probe"))
	if err != nil {
		return "", err
	}
	p.key = h
	attributes, err := p.attributes(h)
	if err == nil {
		err = born("of the probe", attributes)
	}
	if err != nil {
		return "", err
	}
	return "AES-256 generated: sensitive, not extractable, local", nil
}

func (p *probe) roundTrip() (string, error) {
	for _, aad := range [][]byte{nil, []byte("kekceremony")} {
		b, err := p.wrap(p.key, p.sample, aad)
		if err != nil {
			return "", fmt.Errorf("wrap with %d bytes of AAD: %w", len(aad), named(err))
		}
		back, err := p.open(b, aad)
		if err != nil {
			return "", fmt.Errorf("unwrap with %d bytes of AAD: %w", len(aad), named(err))
		}
		if !bytes.Equal(back, p.sample) {
			return "", fmt.Errorf("with %d bytes of AAD another value came back", len(aad))
		}
	}
	return "with and without AAD", nil
}

func (p *probe) open(b, aad []byte) ([]byte, error) {
	w, err := gcm.Split(b)
	if err != nil {
		return nil, err
	}
	back := make([]byte, kek.Size)
	return back, p.unwrap(p.key, w, aad, back)
}

// tamper flips one bit at a time; each must be refused.
func (p *probe) tamper() (string, error) {
	aad := []byte("kekceremony")
	b, err := p.wrap(p.key, p.sample, aad)
	if err != nil {
		return "", named(err)
	}
	for _, c := range alterations(p.iv, len(b)) {
		bad, badAAD := c.alter(b, aad)
		if _, err := p.open(bad, badAAD); err == nil {
			return "", fmt.Errorf("an altered %s was accepted", c.name)
		} else if isGone(err) || isLost(err) {
			return "", named(err)
		}
	}
	if _, err := p.open(b, aad); err != nil { // it is not that nothing opens any more
		return "", fmt.Errorf("after all of them, the unaltered one: %w", named(err))
	}
	return "altered tag, IV, ciphertext and AAD: each refused", nil
}

// alteration is one bit of a wrapped DEK, or of its AAD.
type alteration struct {
	name string
	at   int // of the byte in IV || ciphertext || tag; -1: the AAD
}

func alterations(mode ivMode, size int) []alteration {
	return []alteration{
		{"tag", size - 1}, {"first byte of the tag", size - gcm.TagSize}, {"IV", 0},
		{"ciphertext", mode.size()}, {"AAD", -1},
	}
}

func (a alteration) alter(b, aad []byte) (bad, badAAD []byte) {
	bad, badAAD = bytes.Clone(b), bytes.Clone(aad)
	if a.at >= 0 {
		bad[a.at] ^= 1
	} else {
		badAAD[0] ^= 1
	}
	return bad, badAAD
}

func (p *probe) ivs() (string, error) {
	if err := p.discoverIV(p.key, p.sample); err != nil {
		return "", err
	}
	if want := p.cfg.IVFromHSM; want != nil && *want != (p.iv != ivHost) {
		return "", fmt.Errorf("found mode %s, but use_gcm_iv_from_hsm is %t", p.iv, *want)
	}
	// Whether a token takes the IV that it is given shows at once. One that makes its own
	// may repeat itself later: it is asked for as many as there is time for.
	most, began := 1000, time.Now()
	if p.iv != ivHost {
		most = 100_000
	}
	seen := map[string]bool{}
	size, wraps := p.iv.size(), 0
	reported := began
	for i := range most {
		if i >= 1000 && time.Since(began) > ivTime {
			break
		}
		wraps = i + 1
		if now := time.Now(); now.Sub(reported) > time.Second { // a slow token: people, and deadlines, wait
			p.report(provider.Verdict{Line: "IV", Outcome: provider.Trying, Detail: fmt.Sprintf("%d of %d wraps", i, most)})
			reported = now
		}
		b, err := p.wrap(p.key, p.sample, nil)
		if err != nil {
			return "", named(err)
		}
		// A token that ignores the IV it is given answers the same twice.
		for _, part := range []string{string(b[:size]), string(b[size:])} {
			if seen[part] {
				return "", fmt.Errorf("an IV was used twice in %d wraps", wraps)
			}
			seen[part] = true
		}
	}
	by := map[ivMode]string{
		ivHost:     "made by the host",
		ivWritten:  "made by the token, written over the one it is given",
		ivAppended: "made by the token, appended to its answer",
	}[p.iv]
	return fmt.Sprintf("%s, %d bytes, none repeated in %d wraps", by, size, wraps), nil
}

// ivTime bounds the search for a repeated IV of a token that makes its own.
const ivTime = 5 * time.Second

// sizeQuery asks for the output's size, which some tokens get wrong (NSS says
// 32 for 48). We never rely on it, so a wrong answer is only noted.
func (p *probe) sizeQuery() (string, error) {
	iv := make([]byte, p.iv.size())
	want := len(p.sample) + gcm.TagSize
	switch p.iv {
	case ivHost:
		if _, err := rand.Read(iv); err != nil {
			return "", err
		}
	case ivAppended:
		want += gcm.LongIVSize
	}
	size, n, err := p.call.size(p.h, p.key, iv, p.sample, make([]byte, roomy))
	if err != nil {
		return "", fmt.Errorf("encrypt after a size query: %w", named(err))
	}
	if n != want {
		return "", fmt.Errorf("encrypt after a size query answered %d bytes, want %d", n, want)
	}
	if size != want {
		return fmt.Sprintf("note: it reports %d bytes where %d come; not relied on", size, want), nil
	}
	return fmt.Sprintf("%d bytes, right", size), nil
}

// keyWrap says whether C_WrapKey and C_UnwrapKey take CKM_AES_GCM. We use neither, as
// many tokens have no such thing; it is for anyone who compares tokens.
func (p *probe) keyWrap() (string, error) {
	info, err := p.ctx.GetMechanismInfo(p.slot, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, nil)})
	if err != nil {
		return "", named(err)
	}
	if want := uint(pkcs11.CKF_WRAP | pkcs11.CKF_UNWRAP); info.Flags&want == want {
		return "C_WrapKey and C_UnwrapKey take CKM_AES_GCM; not used", nil
	}
	return provider.NotNeeded + "C_WrapKey and C_UnwrapKey do not take CKM_AES_GCM", nil
}

// tryMessages says whether the re-wrap uses messages (PKCS#11 3.0), one call for each operation. Without
// them it makes two.
func (p *probe) tryMessages() (string, error) {
	why, err := p.findMessages(p.key, p.sample)
	switch {
	case err != nil:
		return "", err
	case why == nil && p.iv == ivHost:
		return "PKCS#11 3.0: one call for each operation, not two; IV made by the host", nil
	case why == nil:
		return "PKCS#11 3.0: one call for each operation, not two; IV made by the token", nil
	case errors.Is(why, errTwoCalls):
		return provider.NotNeeded + "the module has no C_GetInterface (PKCS#11 3.0)", nil
	}
	return "note: not used: " + printable.Text(why.Error()), nil
}

// throughput times re-wraps with 1, 2, 4 ... sessions, as long as that pays. The best
// is what a re-wrap begins with.
func (p *probe) throughput() (string, error) {
	const each, trial = 32, 100 * time.Millisecond
	const worth = 1.3 // of a doubling: less may be the machine's own; the re-wrap finds out more exactly
	version := kek.Name{Label: "of the probe"}
	of := source{name: version, key: p.key}
	keys := keyring{of, map[kek.Version]source{version.Version: of}, func() bool { return false }}
	one, err := p.wrap(p.key, p.sample, nil)
	if err != nil {
		return "", named(err)
	}
	items := slices.Repeat([]provider.Item{{From: version, Wrapped: one}}, each)
	best, rate := 0, 0.0
	for n := 1; n <= p.mostSessions(); n *= 2 {
		var done atomic.Int64
		var failed atomic.Pointer[error]
		began := time.Now()
		if n > 1 {
			p.report(provider.Verdict{Line: "throughput", Outcome: provider.Trying, Detail: fmt.Sprintf("with %d sessions", n)})
		}
		if p.workersFor(n) < n {
			break
		}
		p.share(n, func(s *session) {
			mine := keys.clone()
			out := make([]provider.Rewrapped, each)
			for failed.Load() == nil && time.Since(began) < trial {
				err := s.rewrap(items, &mine, out)
				for _, a := range out {
					err = cmp.Or(err, a.Err)
				}
				if err != nil {
					failed.Store(&err)
				}
				done.Add(each)
			}
		})
		if err := failed.Load(); err != nil && n == 1 {
			return "", named(*err)
		} else if err != nil {
			break // it wants no more at once, or sees a key of one session in that session only
		}
		now := float64(done.Load()) / time.Since(began).Seconds()
		if now <= worth*rate {
			break
		}
		best, rate = n, now
	}
	p.tune.begin(best)
	return fmt.Sprintf("about %s re-wraps/s, best with %d of at most %d sessions", printable.Count(int(rate)), best,
		p.mostSessions()), nil
}
