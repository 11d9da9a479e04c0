package keyring

import (
	"bytes"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// TestCache: the oldest data key makes room, and those of a version that was dropped are wiped.
func TestCache(t *testing.T) {
	c, err := newCache(2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.wipe()
	key := func(i byte) []byte { return bytes.Repeat([]byte{i}, kek.Size) }
	for i := range byte(3) {
		c.put(keyOf(kek.Version(i), []byte{i}, nil), key(i))
	}
	got := make([]byte, kek.Size)
	for i, want := range []bool{false, true, true} {
		if c.get(keyOf(kek.Version(i), []byte{byte(i)}, nil), got) != want || want && !bytes.Equal(got, key(byte(i))) {
			t.Errorf("key %d: %x", i, got)
		}
	}
	c.keep(map[kek.Version]bool{2: true})
	if c.get(keyOf(2, []byte{2}, []byte("another record")), got) {
		t.Error("a key is known for another record than it was found bound to")
	}
	if c.get(keyOf(1, []byte{1}, nil), got) || !c.get(keyOf(2, []byte{2}, nil), got) ||
		bytes.Contains(c.memory.Room(), key(1)) {
		t.Error("a dropped version's key is there")
	}
}
