package line

import (
	"strings"
	"testing"
)

// TestHangs: a value that is broken goes on below itself, and a path has a row of its own.
func TestHangs(t *testing.T) {
	for _, c := range []struct{ name, head, value, want string }{
		{"words", "roster  ", "303440b3 4dae8932 74775f20 b010504a",
			"  roster  303440b3 4dae8932\n          74775f20 b010504a\n"},
		{"path", "bundle  ", "/srv/kek/2026-11-26T053543Z",
			"  bundle\n  /srv/kek/2026-11-26T053543Z\n"},
		{"short", "chain   ", "28f8dad7", "  chain   28f8dad7\n"},
		{"no room", "the name of it is long ", "a b c d e f", "  the name of it is long a\n  b c d e f\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			p := printer{out: &b, width: 29}
			p.say(item(c.head, c.value))
			if got := b.String(); got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}
