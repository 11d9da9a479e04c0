package fleet

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/nearest"
	"github.com/certautopilot/kekceremony/internal/printable"
)

var roleForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// CheckRole refuses what is no role of a process.
func CheckRole(role string) error {
	if !roleForm.MatchString(role) {
		return fmt.Errorf("role %s: want lower-case letters, digits and -", printable.Quote(role))
	}
	return nil
}

// WarnUnexpected reports a role of which no process is expected, unless no role is.
func WarnUnexpected(role string, expect map[string]int, report func(line string)) {
	roles := slices.Sorted(maps.Keys(expect))
	if len(roles) == 0 || slices.Contains(roles, role) {
		return
	}
	line := fmt.Sprintf("warning: this process counts for none that is expected: its role is %s, and fleet.expect has %s",
		role, strings.Join(roles, ", "))
	report(printable.Text(line + nearest.Question(nearest.To(role, roles))))
}
