package transcript_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

func init() { attacks = append(attacks, wordAttacks...) }

// saying has bob sign a verdict and words.
func saying(v transcript.Verdict, words string) func(*draft) {
	return func(d *draft) {
		d.Verdicts["bob"] = v
		d.Words = map[string]string{"bob": words}
	}
}

// wordAttacks are finals with words that nobody may sign.
var wordAttacks = []attack{
	{name: "words beside followed", want: transcript.Bad, rule: transcript.RuleFinals, says: "not the final of bob",
		before: saying(transcript.Followed, "but the clock was wrong")},
	{name: "no words after their name", want: transcript.Bad, rule: transcript.RuleFinals, says: "not the final of bob",
		before: saying(transcript.Deviations, " ")},
	{name: "words on two lines", want: transcript.Bad, rule: transcript.RuleFinals, says: "not the final of bob",
		before: saying(transcript.Deviations, "the clock\nverdict: followed")},
	{name: "words with an escape sequence", want: transcript.Bad, rule: transcript.RuleFinals,
		says: "not the final of bob", before: saying(transcript.Deviations, "the clock\x1b[2K")},
	{name: "words with a backslash of their own", want: transcript.Bad, rule: transcript.RuleFinals,
		says: "not the final of bob", before: saying(transcript.Deviations, `the clock \u{}`)},
	{name: "words that are too long", want: transcript.Bad, rule: transcript.RuleFinals,
		says: "not the final of bob", before: saying(transcript.Disagree, strings.Repeat(`\u{3c9}`, 241))},
	{name: "those who disagree say why", want: transcript.Incomplete, rule: transcript.RuleFinals,
		says: "1 of 2 agree", before: func(d *draft) {
			saying(transcript.Disagree, "I saw another page")(d)
			d.Verdicts["alice"], d.Words["alice"] = transcript.Disagree, "verdict: followed"
		}},
}

// inOwnWords is a good ceremony of which one says what deviated, and one disagrees and says why.
func inOwnWords(t testing.TB) *draft {
	d := transcripttest.Newest(t)
	d.Verdicts = map[string]transcript.Verdict{"bob": transcript.Deviations, "dora": transcript.Disagree}
	d.Words = map[string]string{"bob": `the wall clock stood still (\u{3c1}\u{3bf}\u{3bb}\u{3cc}\u{3b9})`,
		"dora": strings.Repeat(`\u{3c9}`, 240)}
	return d.Build()
}

// TestFinalWords: what people say is read as they signed it, and nothing else is.
func TestFinalWords(t *testing.T) {
	d := inOwnWords(t)
	r, err := transcript.Verify(d.Write(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Finals["bob"].Shown(); got != "deviations: the wall clock stood still (ρολόι)" {
		t.Errorf("bob says %q", got)
	}
	if got := r.Finals["alice"].Shown(); got != "followed" {
		t.Errorf("alice says %q", got)
	}
	if got := r.Finals["dora"].Words; got != d.Words["dora"] {
		t.Errorf("dora says %q", got)
	}
}

// attendedBefore is a good ceremony of two runs: bob and wendy attended the first alone.
func attendedBefore(t testing.TB) *draft {
	d := transcripttest.Newest(t)
	end := d.Find(transcript.Plan, "approve", "")
	rest := slices.Clone(d.Events[end:])
	d.Events = d.Events[:end]
	d.Add(transcript.Resumed, "", nil)
	d.Add(transcript.Asked, "attend",
		transcript.Facts{"last_final": transcript.NoDigest, "nonce.alice": "a2", "nonce.bob": "b2", "nonce.dora": "d2",
			"nonce.wendy": "e2"})
	d.Signed("attend", "alice", "dora")
	d.Add(transcript.Gathered, "attend", transcript.Facts{"attended": "alice, dora"})
	d.Events = append(d.Events, rest...)
	return d.Build()
}

// TestWithoutFinal: who attended an earlier run alone was not asked for the end, and is not missed
// there. Who attended the last run is.
func TestWithoutFinal(t *testing.T) {
	d := attendedBefore(t)
	r, err := transcript.Verify(d.Write(t.TempDir()))
	if got := r.WithoutFinal(); err != nil || len(got) != 0 {
		t.Errorf("missed: %v, %v", got, err)
	}
	for _, file := range []string{"final.dora.txt", "final.dora.txt.sig"} {
		delete(d.Files, file)
	}
	r, _ = transcript.Verify(d.Write(t.TempDir()))
	if got := r.WithoutFinal(); !slices.Equal(got, []string{"dora"}) {
		t.Errorf("without the final of dora, missed: %v", got)
	}
}

func TestWordsOf(t *testing.T) {
	long := strings.Repeat("ω", 240)
	for typed, want := range map[string]string{
		"  the clock stood still ": "the clock stood still",
		"Zürich\x1b[2J\\":          `Z\u{fc}rich\u{1b}[2J\u{5c}`,
		"a\nb\xff":                 `a\u{a}b\x{ff}`,
		long:                       strings.Repeat(`\u{3c9}`, 240),
	} {
		if got, err := transcript.WordsOf(typed); err != nil || got != want {
			t.Errorf("WordsOf(%q) = %q, %v; want %q", typed, got, err, want)
		}
	}
	for typed, want := range map[string]string{
		"": "an answer is needed", " \u00a0\n": "an answer is needed",
		long + "ω": "want at most 240 characters, these are 241",
	} {
		if got, err := transcript.WordsOf(typed); err == nil || err.Error() != want {
			t.Errorf("WordsOf(%q) = %q, %v; want the error %q", typed, got, err, want)
		}
	}
}
