package printable

import "testing"

// TestCounted: thousands stand apart, and what is no number stays as it is.
func TestCounted(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "999": "999", "1000": "1,000", "-1000": "-1,000", "-100": "-100", "4294967296": "4,294,967,296",
		"": "", "none": "none", "12 or more": "12 or more",
	} {
		if got := Counted(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
