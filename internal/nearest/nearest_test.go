package nearest

import "testing"

// TestTo: a few letters may differ, of the whole name or of its beginning, and never all.
func TestTo(t *testing.T) {
	flags := []string{"config", "from-version", "to-version", "ui", "json", "md"}
	for typed, want := range map[string]string{
		"to-versoin": "to-version", "too": "to-version", "to": "to-version", "UI": "ui", "u": "", "x": "", "xy": "",
		"frm-ver": "from-version", "frobnicate": "", "": "", "json-lines": "",
		"pdf": "",
	} {
		if got := To(typed, flags); got != want {
			t.Errorf("To(%q) is %q, want %q", typed, got, want)
		}
	}
}
