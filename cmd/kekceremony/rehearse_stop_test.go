package main_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// toGoOn is the command that a stop names.
var toGoOn = regexp.MustCompile(`(?m)kekceremony: to go on: (.*?)\r?$`)

// TestRehearsalStops: who stops a rehearsal made no error. In a ceremony and on its last page, which says what comes
// next, a stop names once the whole command that continues, with the directory that rehearse chose. It continues.
func TestRehearsalStops(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	line := binary + " rehearse --only install,rotate --provider env --records 12 --ui line"
	for at, says := range []struct{ stopsAt, says string }{
		{"Where does this", "kekceremony: stopped at step place; nothing is lost\r\n"},
		{"Next in this rehearsal: rotate.", "kekceremony: stopped; nothing is lost\r\n"},
		{"", "12 of 12 payloads decrypt"},
	} {
		cmd := exec.Command("sh", "-c", line)
		cmd.Env = append(pkcs11test.Environ(t), "TMPDIR="+tmp)
		tty, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		said := string(reply(tty, func(asked string) string {
			m := regexp.MustCompile(`\w+: type (\w+).* to sign`).FindStringSubmatch(asked)
			switch {
			case says.stopsAt != "" && strings.Contains(asked, says.stopsAt):
				return "\x04" // the end of input stops
			case m != nil:
				return m[1]
			}
			return ""
		}))
		tty.Close()
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 75*min(1, len(says.stopsAt)) || !strings.Contains(said, says.says) ||
			strings.Contains(said, "error") {
			t.Fatalf("run %d: exit %d\n%s", at, code, said)
		}
		commands := toGoOn.FindAllStringSubmatch(said, -1)
		if says.stopsAt == "" {
			continue
		}
		dirs, _ := filepath.Glob(filepath.Join(tmp, "kekceremony-rehearsal-*"))
		if len(commands) != 1 || len(dirs) != 1 || !strings.HasPrefix(commands[0][1], binary+" rehearse ") ||
			strings.Count(commands[0][1], " --dir "+dirs[0]) != 1 {
			t.Fatalf("run %d: to go on: %q in %q\n%s", at, commands, dirs, said)
		}
		line = commands[0][1]
		if n := len(bundlesOf(t, rehearsal.Parts{Dir: dirs[0]})); n != 1 {
			t.Fatalf("run %d: %d bundles\n%s", at, n, said)
		}
	}
}
