//go:build torture

package main_test

import (
	"regexp"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// stopWriters stops while the writers are waited for: they are held up, for by themselves
// they may be there before the page is.
func stopWriters(p *pane, parts rehearsal.Parts) {
	applications := "kekceremony application .*" + parts.Dir
	pkcs11test.Run(p.t, "pkill", "-STOP", "-f", applications)
	p.goOn(parts, regexp.MustCompile(`of \d+  acknowledge`))
	p.tmux("send-keys", "C-c")
	p.until("Stop here?")
	pkcs11test.Run(p.t, "pkill", "-CONT", "-f", applications)
	p.tmux("send-keys", "y")
}

// TestStopOnEveryPageOfRotation stops a rehearsal on each page after its install.
func TestStopOnEveryPageOfRotation(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts := rehearsalWith(t, t.TempDir())
	configure(t, parts, pkcs11test.Module(t), fault.Module)
	must(t, unattended(parts, "install")...)
	stopOn(t, parts, fault, []stopPage{
		{"roster's rotation", `of \d+  attend(?s:.*)type alice`, stop},
		{"approval of the key", `approve-key(?s:.*)bob: type 2`, stop},
		{"second copies", `Where else`, stop},
		{"fleet", `of \d+  fleet`, stop},
		{"approval of the rotation", `of \d+  approve[ \n](?s:.*)bob: type 2`, stop},
		{"writers", `of \d+  approve[ \n](?s:.*)alice: type 2`, stopWriters},
		{"re-wrap, SIGHUP", `state      running`, hangUp},
		{"re-wrap", `state      running`, stop},
		{"census", `count 1`, stop},
		{"finals of the rotation", `of \d+  finals(?s:.*)bob: type`, stop},
	})
}
