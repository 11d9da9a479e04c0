package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestSlowLine: a serial line of 9600 baud brings 960 bytes a second. To a bare terminal of 80x24, the wizard writes no
// more than 900 while it shows a re-wrap, from the first envelopes that it counts to the last ones.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	needHostName(t)
	const envelopes, rate = 2400, 300
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.write("config.yaml", strings.Replace(s.config(), "live: 400ms", "live: 2s", 1)) // pages take their time
	s.emptyStore()
	s.run("install")
	if err := s.application().Write(t.Context(), envelopes); err != nil {
		t.Fatal(err)
	}
	s.agent()
	p := s.wizardOn("vt220", "rotate", "--to-version", "2", "--rate", strconv.Itoa(rate))
	written := filepath.Join(s.Dir, "written")
	p.tmux("pipe-pane", "-o", "cat > "+written)
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(written)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	done := regexp.MustCompile(`done +([\d,]+) +left`)
	counted := func() int {
		if m := done.FindStringSubmatch(p.screen()); m != nil {
			return numeral(m[1])
		}
		return 0
	}
	p.goOn(s.Parts, regexp.MustCompile(`done +[1-9]`))
	first, began, before := counted(), time.Now(), size()
	last := first
	if !await(func() bool { last = max(last, counted()); return last > first+1200 }) {
		t.Fatalf("%d envelopes after %d:\n%s", last, first, p.screen())
	}
	took, bytes := time.Since(began), size()-before
	if perSecond := float64(bytes) / took.Seconds(); bytes == 0 || perSecond > 900 {
		t.Errorf("%d bytes in %s: %.0f/s, at a limit of %d envelopes/s", bytes, took, perSecond, rate)
	}
	t.Logf("%d bytes in %s", bytes, took)
	p.goOn(s.Parts, regexp.MustCompile(`EXIT 0`))
}
