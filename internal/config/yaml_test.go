package config_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/config"
)

// TestBillionLaughs: a file that somebody brought would cost the parser gigabytes. It is
// refused before, for a few megabytes.
func TestBillionLaughs(t *testing.T) {
	laughs := "a0: &a0 [lol, lol]\n"
	for i := range 10 {
		n := string(rune('0' + i))
		laughs += "a" + n + "x: &a" + n + "x [" + strings.TrimSuffix(strings.Repeat("*a0, ", 10), ", ") + "]\n"
	}
	var stairs strings.Builder
	for i := range 200 {
		stairs.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, c := range map[string]struct{ text, want string }{
		"aliases":        {laughs, "line 1: anchors and aliases are not read"},
		"a merge":        {"a:\n  <<: b\n", "line 2: anchors and aliases are not read"},
		"brackets":       {"place: " + strings.Repeat("[", 60000), "line 1: nested too deep"},
		"200,000 of it":  {strings.Repeat("[", 200000), "more than 65536 bytes"},
		"braces":         {"place: " + strings.Repeat("{a: ", 9), "line 1: nested too deep"},
		"entries":        {strings.Repeat("- ", 30000), "line 1: nested too deep"},
		"complex keys":   {strings.Repeat("? ", 30000), "line 1: nested too deep"},
		"stairs":         {stairs.String(), "nested too deep"},
		"text with them": {"place: \"[[[[[[[[[[ &a *b\"\n", ""},
		"a directive":    {"%FOO ]]]]]]]]]]\n---\n[[[[[[[[[[", "line 1: "},
		"an aside":       {"place: x # says\n" + strings.Repeat(" ", 60) + "# who\n", ""},
		"good":           {"place: Vault 3, Smith & Sons *new*\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			into := map[string]string{}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := config.Decode([]byte(c.text), &into)
			runtime.ReadMemStats(&after)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("%d bytes were taken", used)
			}
		})
	}
}
