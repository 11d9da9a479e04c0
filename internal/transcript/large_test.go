package transcript_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// large is a good bundle of nearly n bytes: half of it notes, half signatures.
func large(tb testing.TB, n int) *draft {
	d := transcripttest.Rotation(tb)
	at := d.Find(transcript.Gathered, "attend", "")
	for size := 0; size < n; { // attendance is asked again and again
		nonces := transcript.Facts{"last_final": transcript.NoDigest, "nonce.alice": fmt.Sprint(size)}
		for _, m := range []string{"bob", "dora", "wendy"} {
			nonces["nonce."+m] = "x"
		}
		d.Insert(at, transcript.Asked, "attend", nonces)
		for i, name := range []string{"alice", "bob", "dora", "wendy"} {
			d.Insert(at+1+i, transcript.Signed, "attend", transcript.Facts{"signer": name})
		}
		d.Insert(at+5, transcript.Noted, "probe", transcript.Facts{"detail": strings.Repeat("x", 32_000)})
		at += 6
		size += 40_000
	}
	return d.Build()
}

// BenchmarkVerify: a bundle as large as may be, against what its signatures alone
// take. Issue: within a second.
func BenchmarkVerify(b *testing.B) {
	d := large(b, 8_000_000)
	dir := d.Write(b.TempDir())
	r, err := transcript.Verify(dir)
	if err != nil {
		b.Fatal(err)
	}
	n := size(d)
	b.ReportMetric(float64(n)/1e6, "MB")
	b.ReportMetric(float64(len(r.Signatures())), "signatures")
	for b.Loop() {
		if _, err := transcript.Verify(dir); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTooLarge (C14): what is larger than the limit is refused before it is read whole.
func TestTooLarge(t *testing.T) {
	d := large(t, 8_400_000)
	if n := size(d); n < 8<<20 {
		t.Fatalf("only %d bytes", n)
	}
	if _, err := transcript.Verify(d.Write(t.TempDir())); err == nil ||
		!strings.Contains(err.Error(), "a bundle of more than 8388608 bytes") {
		t.Errorf("got %.200v", err)
	}
}
