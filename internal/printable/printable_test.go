package printable_test

import (
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/printable"
)

func TestText(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":            {"SoftHSM v2", "SoftHSM v2"},
		"escape sequence":  {"a\x1b[2Jb", `a\u{1b}[2Jb`},
		"c1 csi as a rune": {"a\u009bb", `a\u{9b}b`},
		"c1 csi as a byte": {"a\x9bb", `a\x{9b}b`},
		"open osc":         {"\x1b]0;title", `\u{1b}]0;title`},
		"backspace, cr":    {"a\b\r\nb", `a\u{8}\u{d}\u{a}b`},
		"bidi override":    {"\u202egnp.exe", `\u{202e}gnp.exe`},
		"zero width":       {"a\u200bb", `a\u{200b}b`},
		"forged escape":    {`\u{41}`, `\u{5c}u{41}`},
		"letters":          {"Zürich", `Z\u{fc}rich`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := printable.Text(c.in); got != c.want {
				t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestTextIsBounded(t *testing.T) {
	got := printable.Text(strings.Repeat("\u202e", 10_000))
	if strings.Count(got, `\u{202e}`) != printable.Limit-3 || !strings.HasSuffix(got, "}...") {
		t.Errorf("got %d bytes ending %q", len(got), got[len(got)-5:])
	}
	if s := strings.Repeat("x", printable.Limit); printable.Text(s) != s || printable.Text(s+"x") != s[3:]+"..." {
		t.Error("a text that fits was cut")
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b]8;;http://x\x07")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable.Text(s)
		if len(got) > printable.Limit*len(`\u{10ffff}`) {
			t.Fatalf("%d bytes", len(got))
		}
		for i := 0; i < len(got); i++ {
			if got[i] < ' ' || got[i] > '~' {
				t.Fatalf("byte %#x in %q", got[i], got)
			}
		}
	})
}

// TestLine: a path is shown whole, on one line.
func TestLine(t *testing.T) {
	long := "/a" + strings.Repeat("/directory", 100)
	for in, want := range map[string]string{long: long, "a\nb\x1b[2J\\": `a\u{a}b\u{1b}[2J\`} {
		if got := printable.Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAgain(t *testing.T) {
	for _, s := range []string{"", "plain", "a\x1b[31mb\\c", "\n\r\u202e", strings.Repeat("\\", 300)} {
		if once := printable.Text(s); printable.Again(once) != once {
			t.Errorf("%q: %q again is %q", s, once, printable.Again(once))
		}
		again := printable.Again(s)
		if len(again) > printable.Limit || strings.ContainsFunc(again, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q: %q", s, again)
		}
	}
}
