package engine

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestKeyIsNamedFirst: people read which key a page is about before they read its attributes.
func TestKeyIsNamedFirst(t *testing.T) {
	f := Facts{"key_always_sensitive": "true", "key_id": "0102", transcript.FactLabel: "kek-v1", "key_bytes": "32"}
	want := []string{transcript.FactLabel, "key_id", "key_always_sensitive", "key_bytes"}
	for i, d := range details(f) {
		if d.Name != want[i] || d.Value != f[d.Name] {
			t.Errorf("%d: %v, want %s", i, d, want[i])
		}
	}
}
