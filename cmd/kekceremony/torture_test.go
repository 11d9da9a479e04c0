package main_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestTorture rotates again and again, and each rotation is killed with -9 at a
// random instant up to five times, while a reader decrypts random payloads and a
// writer encrypts random records again under the active version. At no instant is
// a record unreadable, and no write is lost.
func TestTorture(t *testing.T) {
	t.Parallel()
	const records = 600
	parts, a := swift(t, records)
	torture(t, parts, a, records, 3, 0)
}

// TestTortureMongo is TestTorture on MongoDB.
func TestTortureMongo(t *testing.T) {
	t.Parallel()
	const records = 150
	parts, a := swiftOn(t, mongotest.Start(t), records)
	torture(t, parts, a, records, 1, 0)
}

// torture rotates so often. After every so many rotations old versions are disabled, enabled and destroyed; 0: none.
func torture(t *testing.T, parts rehearsal.Parts, a rehearsal.Application, records, rotations, ends int) {
	t.Helper()
	u := newUsers(t, parts, a, records)
	v := newVersions(t, parts, a.Chain)
	began := time.Now()
	for i := range rotations {
		to := v.next(i)
		v.throughKills("rotate", rotateTo(parts, to))
		zeroAt(t, parts, to)
		bundles := bundlesOf(t, parts)
		addUp(t, bundles[len(bundles)-1])
		if ends > 0 && i%ends == ends-1 {
			v.end()
		}
		if t.Failed() {
			break
		}
	}
	u.stop()
	must(t, append([]string{"transcript", "verify"}, bundlesOf(t, parts)...)...)
	u.all(t)
	v.listed()
	t.Logf("%d envelopes in %s: %s, %d reads, %d writes", records, time.Since(began).Round(time.Second), v.told(),
		u.reads.Load(), u.writes.Load())
}

// throughKills kills a ceremony up to five times, each time at a random
// instant, and lets the last run end.
func throughKills(t *testing.T, args []string) (kills, runs int) {
	t.Helper()
	for range rand.IntN(6) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Millisecond)
		cmd := exec.CommandContext(ctx, binary, args...) // the end of ctx kills it
		cmd.Env = pkcs11test.Environ(t)
		err := cmd.Run()
		killed := ctx.Err() != nil
		cancel()
		runs++
		if killed {
			kills++
		} else if err == nil {
			return kills, runs
		}
	}
	for failures := 0; failures < 5; {
		code, _, errs := run(t, args...)
		runs++
		if code == 0 {
			return kills, runs
		}
		if strings.Contains(errs, "the waiting period") {
			continue
		}
		failures++
		t.Logf("%v: exit %d\n%s", args, code, errs)
	}
	t.Errorf("%v never ends", args)
	return kills, runs
}

// addUp demands that the counts of the last run add up.
func addUp(t *testing.T, bundle string) {
	t.Helper()
	facts := event(t, bundle, "done", "re-wrap")
	n := map[string]int{}
	for _, name := range []string{"scanned", "rewrapped", "current", "conflicts", "poison", "excluded"} {
		n[name], _ = strconv.Atoi(facts[name]) // one that is missing is 0
	}
	if n["scanned"] != n["rewrapped"]+n["current"]+n["conflicts"]+n["poison"]+n["excluded"] || n["poison"] != 0 {
		t.Errorf("%s: the counts do not add up: %v", filepath.Base(bundle), facts)
	}
}

// pace is how often something is read; something is written half as often. With make
// torture it is a millisecond.
var pace = 4 * time.Millisecond

// users are the applications: they read and write while the ceremonies continue.
type users struct {
	t       *testing.T
	db      database
	chain   kek.Chain
	cancel  context.CancelFunc
	running sync.WaitGroup

	token    sync.Mutex // one session: one call at a time
	provider provider.Provider

	mu      sync.Mutex
	written map[int]int // number of the last write that was acknowledged, by record
	trying  map[int]int // and of the one that is under way

	reads, writes atomic.Int64
}

func newUsers(t *testing.T, parts rehearsal.Parts, a rehearsal.Application, records int) *users {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	u := &users{
		t:        t,
		db:       openStore(t, parts),
		chain:    a.Chain,
		provider: a.Provider,
		cancel:   cancel,
		written:  map[int]int{},
		trying:   map[int]int{},
	}
	u.running.Go(func() { u.often(ctx, pace, func(int) { u.read(rand.IntN(records)) }) })
	u.running.Go(func() { u.often(ctx, 2*pace, func(n int) { u.write(rand.IntN(records), n) }) })
	t.Cleanup(u.stop)
	return u
}

// often does something again and again, and numbers it, until it is stopped.
func (u *users) often(ctx context.Context, every time.Duration, do func(n int)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ctx.Err() == nil && !u.t.Failed(); n++ {
		do(n)
		<-tick.C
	}
}

func (u *users) stop() {
	u.cancel()
	u.running.Wait()
}

// payload is what the nth write puts into record i; 0 is what was there first.
func payload(i, n int) string {
	if n == 0 {
		return string(rehearsal.Payload(i))
	}
	return fmt.Sprintf("record %d, write %d", i, n)
}

// read decrypts record i. It holds the last write that was acknowledged before,
// or a later one that was tried by then.
func (u *users) read(i int) {
	u.mu.Lock()
	least := u.written[i]
	u.mu.Unlock()
	got, err := u.payload(i)
	u.mu.Lock()
	defer u.mu.Unlock()
	var allowed []string
	for n := least; n <= u.trying[i]; n++ {
		allowed = append(allowed, payload(i, n))
	}
	if err != nil {
		u.t.Errorf("record %d is unreadable: %v", i, err)
	} else if !slices.Contains(allowed, got) {
		u.t.Errorf("record %d holds %q, not one of %q", i, got, allowed)
	}
	u.reads.Add(1)
}

func (u *users) payload(i int) (string, error) {
	ctx := context.Background()
	field, id := rehearsal.Record(i)
	e, err := u.db.Get(ctx, field, id)
	if err != nil {
		return "", err
	}
	dek := make([]byte, kek.Size)
	u.token.Lock()
	err = u.provider.Unwrap(ctx, kek.NameOf(u.chain, e.KEKVersion), e.WrappedDEK, dek)
	u.token.Unlock()
	if err != nil {
		return "", err
	}
	text, err := e.Open(dek, nil)
	secret.Zero(dek)
	return string(text), err
}

// write encrypts record i again, with a new DEK, under the active version. One
// that the store refuses was not acknowledged.
func (u *users) write(i, n int) {
	ctx := context.Background()
	active, err := u.db.Active(ctx)
	if err != nil {
		return
	}
	dek := make([]byte, kek.Size)
	for b := range dek {
		dek[b] = byte(rand.IntN(256))
	}
	e := envelope.Envelope{KEKVersion: active.Version, Provider: "pkcs11"}
	if e.Nonce, e.Ciphertext, err = envelope.Seal(dek, []byte(payload(i, n)), nil); err != nil {
		u.t.Error(err)
		return
	}
	u.token.Lock()
	e.WrappedDEK, err = u.provider.Wrap(ctx, kek.NameOf(u.chain, active.Version), dek)
	u.token.Unlock()
	if err != nil {
		u.t.Errorf("wrap with version %d: %v", active.Version, err)
		return
	}
	u.mu.Lock()
	u.trying[i] = n
	u.mu.Unlock()
	field, id := rehearsal.Record(i)
	if err := u.db.Put(ctx, field, map[string]envelope.Envelope{id: e}); err != nil {
		u.t.Logf("write %d: %v", n, err)
		return
	}
	u.mu.Lock()
	u.written[i] = n
	u.mu.Unlock()
	u.writes.Add(1)
}

// all demands that each record holds the last write to it.
func (u *users) all(t *testing.T) {
	t.Helper()
	for _, i := range slices.Sorted(maps.Keys(u.written)) {
		if got, err := u.payload(i); err != nil || got != payload(i, u.written[i]) {
			t.Errorf("record %d holds %q, %v; the last write was %d", i, got, err, u.written[i])
		}
	}
}
