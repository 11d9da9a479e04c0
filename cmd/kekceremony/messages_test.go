package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestMessages: a rotation by the messages of PKCS#11 3.0, two of which fail. The log says what the
// probe found and what the re-wrap ended with, and everybody else opens the result by two calls.
func TestMessages(t *testing.T) {
	t.Parallel()
	const n = 100
	fault := pkcs11test.NewFault(t, "messages")
	parts, a := swiftWith(t, t.TempDir(), fault.Module, n)
	fault.Set("messages", "after-key", "EncryptMessage=40:30", "DecryptMessage=300:6")
	must(t, rotateTo(parts, 2)...)
	zeroAt(t, parts, 2)
	whole(t, parts, a, n)
	log, err := os.ReadFile(filepath.Join(bundlesOf(t, parts)[1], "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{
		`"detail":"PKCS#11 3.0: one call for each operation, not two; IV made by the host"`, `; by messages`,
	} {
		if !strings.Contains(string(log), says) {
			t.Errorf("the log does not say %s:\n%s", says, log)
		}
	}
}
