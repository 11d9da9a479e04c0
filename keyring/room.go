package keyring

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// room is locked memory for the data keys of calls under way, each wiped at the end of its call.
type room struct {
	memory *secret.Buffer
	slots  chan []byte
	ended  chan struct{} // closed: nobody takes any more
}

// slots is how many calls have a data key at once; more wait.
const slots = 64

func newRoom() (*room, error) {
	memory, err := secret.New(slots * kek.Size)
	if err != nil {
		return nil, err
	}
	r := &room{memory, make(chan []byte, slots), make(chan struct{})}
	for i := range slots {
		r.slots <- memory.Room()[i*kek.Size : (i+1)*kek.Size : (i+1)*kek.Size]
	}
	return r, nil
}

// take returns 32 bytes.
func (r *room) take(ctx context.Context) ([]byte, error) {
	if r.closed() {
		return nil, ErrClosed
	}
	if err := ctx.Err(); err != nil { // of what is ready, select takes any
		return nil, err
	}
	select {
	case slot := <-r.slots:
		return slot, nil
	case <-r.ended:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *room) free(slot []byte) {
	secret.Zero(slot)
	r.slots <- slot
}

func (r *room) closed() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// close refuses calls, and waits for those under way until ctx ends.
func (r *room) close(ctx context.Context) error {
	close(r.ended)
	for range slots {
		select {
		case <-r.slots:
		case <-ctx.Done():
			return fmt.Errorf("calls are under way: %w", ctx.Err())
		}
	}
	r.memory.Wipe()
	return nil
}

func newKey(dek []byte) error {
	_, err := rand.Read(dek)
	return err
}

// cache keeps the last data keys that were unwrapped, in locked memory; the oldest makes room.
// A nil cache keeps nothing.
type cache struct {
	mu     sync.Mutex
	memory *secret.Buffer
	by     map[cacheKey]int
	order  []cacheKey // by slot
	next   int
}

// cacheKey is a wrapped DEK, and what it was found bound to: it is not known as anything else's.
type cacheKey struct {
	version        kek.Version
	wrapped, bound [sha256.Size]byte
}

func keyOf(v kek.Version, wrapped, bound []byte) cacheKey {
	return cacheKey{v, sha256.Sum256(wrapped), sha256.Sum256(bound)}
}

func newCache(n int) (*cache, error) {
	if n <= 0 {
		return nil, nil
	}
	memory, err := secret.New(n * kek.Size)
	if err != nil {
		return nil, err
	}
	return &cache{memory: memory, by: make(map[cacheKey]int, n), order: make([]cacheKey, n)}, nil
}

func (c *cache) slot(i int) []byte { return c.memory.Room()[i*kek.Size : (i+1)*kek.Size] }

func (c *cache) get(key cacheKey, dek []byte) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.by[key]
	if ok {
		copy(dek, c.slot(i))
	}
	return ok
}

func (c *cache) put(key cacheKey, dek []byte) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.by[key]; ok || len(c.order) == 0 {
		return
	}
	if c.order[c.next] != (cacheKey{}) {
		delete(c.by, c.order[c.next])
	}
	copy(c.slot(c.next), dek)
	c.by[key], c.order[c.next] = c.next, key
	c.next = (c.next + 1) % len(c.order)
}

// keep forgets the data keys of other versions.
func (c *cache) keep(versions map[kek.Version]bool) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, i := range c.by {
		if !versions[key.version] {
			secret.Zero(c.slot(i))
			c.order[i] = cacheKey{}
			delete(c.by, key)
		}
	}
}

func (c *cache) wipe() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.by)
	c.order = nil
	c.memory.Wipe()
}
