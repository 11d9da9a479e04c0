package main_test

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestAbortAfterCrash: a ceremony that ended in its probe and was aborted pins nothing:
// the next one needs no deviation.
func TestAbortAfterCrash(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts, a := swiftWith(t, t.TempDir(), fault.Module, 12)
	fault.Set("EncryptInit=5:segv")
	if code, _, errs := run(t, rotateTo(parts, 2)...); code != 75 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	fault.Set()
	must(t, unattended(parts, "abort")...)
	must(t, rotateTo(parts, 2)...)
	whole(t, parts, a, 12)
}
