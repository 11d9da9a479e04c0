package fleet_test

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/fleet"
)

// TestWarnUnexpected: a process whose role is mistyped is told so, and which roles there are.
func TestWarnUnexpected(t *testing.T) {
	const says = "warning: this process counts for none that is expected: its role is "
	for _, c := range []struct {
		role   string
		expect map[string]int
		want   string
	}{
		{"app", map[string]int{"app": 3}, ""},
		{"app", nil, ""}, // a process's configuration may leave it out
		{"wroker", map[string]int{"worker": 1, "app": 3},
			says + "wroker, and fleet.expect has app, worker; did you mean worker?"},
		{"batch", map[string]int{"app": 3}, says + "batch, and fleet.expect has app"},
	} {
		got := ""
		fleet.WarnUnexpected(c.role, c.expect, func(line string) { got += line })
		if got != c.want {
			t.Errorf("%s: %s", c.role, got)
		}
	}
}
