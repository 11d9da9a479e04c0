package keyring_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/keyring"
)

// TestDisabled: an application drops a disabled version, also the data keys that it keeps, and refuses what was
// restored from a backup. That it refused is in the store before the error is returned: kill -9 right after it
// loses none.
func TestDisabled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.open(keyring.Config{Cache: 8})
	old, err := r.Seal(t.Context(), place, "a", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.run(steps.Rotate(steps.Rotation{To: 2})); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(t.Context(), place, "a", old); err != nil { // its data key is kept from here on
		t.Fatal(err)
	}
	if err := h.run(steps.Disable(1)); err != nil {
		t.Fatal(err)
	}
	refused := func(processes, count int) {
		t.Helper()
		all, err := h.db.Refusals(t.Context(), 1)
		n := 0
		for _, f := range all {
			n += f.Count
		}
		if err != nil || len(all) != processes || n != count {
			t.Errorf("%d refusals of %d processes, %v: %v", n, len(all), err, all)
		}
	}
	refused(0, 0)
	for range 2 {
		if _, err := r.Open(t.Context(), place, "a", old); !errors.Is(err, keyring.ErrDisabled) ||
			!errors.Is(err, keyring.ErrNotHeld) {
			t.Fatalf("opened: %v", err)
		}
	}
	refused(1, 2)
	text, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "KEYRING_TEST_CONFIG="+h.parts.Config())
	cmd.Stdin = strings.NewReader("die " + string(text) + "\n")
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process ended with %v", err)
	}
	refused(2, 3)
	if err := h.run(steps.Enable(1)); err != nil {
		t.Fatal(err)
	}
	opened, err := r.Open(t.Context(), place, "a", old)
	for errors.Is(err, keyring.ErrDisabled) { // until the next heartbeat
		time.Sleep(20 * time.Millisecond)
		opened, err = r.Open(t.Context(), place, "a", old)
	}
	if err != nil || string(opened) != "secret" {
		t.Errorf("after it was enabled: %q, %v", opened, err)
	}
}
