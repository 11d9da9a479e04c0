package keyring

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// room is locked memory for the data keys of calls under way, each wiped at the end of its call.
type room struct {
	memory *secret.Buffer
	slots  chan []byte
}

// slots is how many calls have a data key at once; more wait.
const slots = 64

func newRoom() (*room, error) {
	memory, err := secret.New(slots * kek.Size)
	if err != nil {
		return nil, err
	}
	r := &room{memory, make(chan []byte, slots)}
	for i := range slots {
		r.slots <- memory.Room()[i*kek.Size : (i+1)*kek.Size : (i+1)*kek.Size]
	}
	return r, nil
}

// take returns 32 bytes.
func (r *room) take(ctx context.Context) ([]byte, error) {
	select {
	case slot, open := <-r.slots:
		if !open {
			return nil, ErrClosed
		}
		return slot, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *room) free(slot []byte) {
	secret.Zero(slot)
	r.slots <- slot
}

// close waits for the calls under way, and refuses those that come after.
func (r *room) close() {
	for range slots {
		<-r.slots
	}
	close(r.slots)
	r.memory.Wipe()
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

type cacheKey struct {
	version kek.Version
	wrapped [sha256.Size]byte
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

func (c *cache) get(v kek.Version, wrapped, dek []byte) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.by[cacheKey{v, sha256.Sum256(wrapped)}]
	if ok {
		copy(dek, c.slot(i))
	}
	return ok
}

func (c *cache) put(v kek.Version, wrapped, dek []byte) {
	if c == nil {
		return
	}
	key := cacheKey{v, sha256.Sum256(wrapped)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.by[key]; ok {
		return
	}
	if c.order[c.next] != (cacheKey{}) {
		delete(c.by, c.order[c.next])
	}
	copy(c.slot(c.next), dek)
	c.by[key], c.order[c.next] = c.next, key
	c.next = (c.next + 1) % len(c.order)
}

func (c *cache) wipe() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.by)
	c.memory.Wipe()
}
