package printable_test

import (
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// TestShown: what is harmless is decoded, once; what is not stays as it is on the wire.
func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"Zürich, Haus №7 – 3 €": "Zürich, Haus №7 – 3 €",
		"Zoë Müller":            "Zoë Müller",
		"Ивановъ 7":             "Ивановъ 7",
		"東京":                    "東京",
		"аdmin":                 `\u{430}dmin`, // a Cyrillic letter among Latin ones
		"admin аб ü":            `admin \u{430}\u{431} ü`,
		"ａdmin":                 `\u{ff41}dmin`,
		"a\x1b[2Jb":             `a\u{1b}[2Jb`,
		"\u202egnp.exe":         `\u{202e}gnp.exe`,
		"a\u200bb":              `a\u{200b}b`,
		"a\u00a0b\u00adc":       `a\u{a0}b\u{ad}c`,
		"e\u0301":               `e\u{301}`,
		`\u{41}`:                `\u{5c}u{41}`,
		"a\x9bb":                `a\x{9b}b`,
		"\u2028x":               `\u{2028}x`,
		"\u05d0\u05d1 1":        `\u{5d0}\u{5d1} 1`,
		"\u3164\u1160\uffa0":    `\u{3164}\u{1160}\u{ffa0}`,
		"ad\u0131m\u0261":       `adım\u{261}`, // Turkish, and a letter of the phonetic alphabet
		"Αθήνα, Vault 3":        "Αθήνα, Vault 3",
		"Οδός Ερμού 5":          "Οδός Ερμού 5",
		"admin Α":               `admin \u{391}`, // a Greek letter that looks like a Latin one
		"αdmin":                 `\u{3b1}dmin`,
		"İstanbul, kasa ığüşöç": "İstanbul, kasa ığüşöç",
		"東京タワー、金庫の中":            "東京タワー、金庫の中",
		"Aビル 3階":                "Aビル 3階",
		"서울 金庫":                 "서울 金庫",
		"カ한":                    `\u{30ab}\u{d55c}`, // no language mixes these
		"Αб":                    `\u{391}\u{431}`,
	} {
		if got := printable.Shown(printable.Text(in)); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	if got := printable.Shown("raw \x1b[2J ü"); got != `raw \u{1b}[2J ü` && got != `raw \u{1b}[2J \u{fc}` {
		t.Errorf("what never was escaped: %q", got)
	}
}

// TestWidth: what takes two columns is counted so, and nothing is cut within a letter.
func TestWidth(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "Zürich": 6, "東京": 4, "タワー、": 8, "서울 3": 6} {
		if got := printable.Width(text); got != want {
			t.Errorf("%s takes %d columns, want %d", text, got, want)
		}
	}
	for width, want := range map[int]string{1: "東", 2: "東", 3: "東", 4: "東京", 9: "東京a"} {
		if got := "東京a"[:printable.Fit("東京a", width)]; got != want {
			t.Errorf("%d columns fit %s, want %s", width, got, want)
		}
	}
}

// TestProposal: a place that was typed in any script is offered again as it was typed; one that would
// be written down otherwise is not.
func TestProposal(t *testing.T) {
	for _, typed := range []string{"Vault 3", "Tresorraum Zürich", "Αίθουσα, Αθήνα", "Işıl, İstanbul", "第三金庫、東京"} {
		if got := printable.Proposal(printable.Text(typed)); got != typed || printable.Typed(typed) != typed {
			t.Errorf("%s: proposed %q, shown %q", typed, got, printable.Typed(typed))
		}
	}
	for _, hostile := range []string{"a\u202eb", `a\b`, "a\u200bb", "a\x1b[2J"} {
		if got := printable.Proposal(printable.Text(hostile)); got != "" {
			t.Errorf("%q: proposed %q", hostile, got)
		}
		if got := printable.Typed(hostile); strings.ContainsAny(got, "\u202e\u200b\x1b") {
			t.Errorf("%q is shown as it is", hostile)
		}
	}
}
