package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// newcomer is somebody in an 80x24 terminal who makes every mistake twice.
type newcomer struct{ *pane }

// question is answered wrong twice before it is answered right.
type question struct{ name, asks, right string }

// answer gives each question two wrong answers, then the right one.
func (n newcomer) answer(questions ...question) {
	n.t.Helper()
	for _, q := range questions {
		n.until(q.asks)
		n.tmux("send-keys", "C-u")
		n.enter(q.asks, "")
		n.enter("refused: an answer is needed; example: ", rehearsal.PIN) // the PIN, too early
		refused := n.until("refused: this may be a PIN, and was discarded")
		if strings.Contains(refused, rehearsal.PIN) {
			n.t.Errorf("the PIN is still on the screen:\n%s", refused)
		}
		n.enter("> "+q.right, "") // what is proposed stands in the field again
	}
}

// accept takes what is proposed with Enter.
func (n newcomer) accept(questions ...question) {
	n.t.Helper()
	for _, q := range questions {
		if s := n.enter(q.asks, ""); !strings.Contains(s, "> "+q.right) {
			n.t.Errorf("%s is not what is proposed:\n%s", q.right, s)
		}
	}
}

// all three sign; one of them types the PIN first, and one her word once more when the
// page has ended.
func (n newcomer) all(word func(name string) string) {
	n.t.Helper()
	var w string
	for i, name := range rehearsal.Operators {
		w = word(name)
		if i == 1 {
			n.enter(name+": type "+w, rehearsal.PIN)
			if s := n.until("refused: not the word; " + name + " types: " + w); strings.Contains(s, rehearsal.PIN) {
				n.t.Errorf("the refusal repeats what was typed:\n%s", s)
			}
		}
		n.enter(name+": type "+w, w)
	}
	n.until("Signed 3, needed ")
	n.tmux("send-keys", "Enter", w, "Enter")
}

func (n newcomer) attend() { n.t.Helper(); n.all(func(name string) string { return name }) }

func (n newcomer) sign(word string) { n.t.Helper(); n.all(func(string) string { return word }) }

// pin types the PIN that the page shows.
func (n newcomer) pin() {
	n.t.Helper()
	shown := regexp.MustCompile(`rehearsal: (\d+)`).FindStringSubmatch(n.until("PIN of token"))
	if shown == nil {
		n.t.Fatalf("the page does not show the PIN:\n%s", n.screen())
	}
	n.tmux("send-keys", "Enter") // alone: it asks again, and the log has no failure
	n.enter("Nothing was typed", shown[1])
}

const notSeen = "n/a: a rehearsal"

var (
	placeQuestions = []question{
		{"place", "Where does this", notSeen}, {"authorised", "Who authorized", notSeen}, {"people", "Who is who", notSeen},
		{"clock", "Time on the wall clock", notSeen},
		{"bags", "bags opened", notSeen}, {"evidence", "Independent witness", notSeen},
	}
	copiesQuestions  = []question{{"copies", "Where else", "none"}, {"planned_end", "Planned end", notSeen}}
	leavingQuestions = []question{
		{"bags_out", "bags closed", notSeen}, {"clock_out", "Time on the wall clock now", notSeen},
		{"differed", "Deviations from the steps", "none"},
	}
	lockQuestion = question{"provider", "Provider to lock", "pkcs11"}
)

// TestNewcomer types a whole rehearsal as somebody does who sees it for the first time.
// Every question gets two wrong answers, one of them the PIN, before the right one; the
// last page Enter alone. All three sign on every page. The transcripts hold what was meant,
// and no more.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	pkcs11test.Module(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	n := newcomer{newPane(t, fmt.Sprintf("%s rehearse --only install,rotate --dir %s --provider pkcs11 --records 12; "+
		"echo EXIT $?; cat",
		binary, parts.Dir))}

	n.until(filepath.Base(parts.Dir) + "/roster")
	n.answer(question{"roster", "Path of the roster", parts.Roster()})
	n.attend()
	n.answer(placeQuestions...)
	n.answer(lockQuestion)
	n.pin()
	n.read()
	n.sign("1")
	n.read()
	n.read("canary 1 sha256")
	n.answer(copiesQuestions...)
	n.read("store locked to")
	n.answer(leavingQuestions...)
	n.sign("followed")
	n.enter("enter next ceremony", "")

	n.attend()
	n.answer(placeQuestions...)
	n.pin()
	n.read()
	n.sign("2")
	n.read()
	n.read("canary 2 sha256")
	n.answer(copiesQuestions...)
	n.read()
	n.sign("2")
	n.read("active version  2")
	n.accept(leavingQuestions...)
	n.sign("followed")
	n.enter("enter close", "")
	n.until("EXIT 0")

	bundles := bundlesOf(t, parts)
	must(t, append([]string{"transcript", "verify"}, bundles...)...)
	meant(t, bundles[0], []string{"attend", "approve"},
		slices.Concat(placeQuestions, []question{lockQuestion}, copiesQuestions, leavingQuestions))
	meant(t, bundles[1], []string{"attend", "approve-key", "approve"},
		slices.Concat(placeQuestions, copiesQuestions, leavingQuestions))
	for _, b := range bundles {
		free(t, b, rehearsal.PIN)
	}
}

// meant demands that a log's answers are the right ones and no others, and that everybody
// has signed each page once.
func meant(t *testing.T, bundle string, pages []string, questions []question) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	for _, q := range questions {
		want[q.name] = strings.Replace(q.right, "n/a: ", "not applicable: ", 1)
	}
	signed := map[string][]string{}
	data, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Kind, Step string
			Facts      map[string]string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		switch e.Kind {
		case "answered":
			maps.Copy(got, e.Facts)
		case "signed":
			signed[e.Step] = append(signed[e.Step], e.Facts["signer"])
		case "failed", "deviation", "waiting", "resumed":
			t.Errorf("%s: a line of kind %s: %v", bundle, e.Kind, e.Facts)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: answers %v, want %v", bundle, got, want)
	}
	for _, page := range pages {
		if !slices.Equal(signed[page], rehearsal.Operators) {
			t.Errorf("%s: %s was signed by %v", bundle, page, signed[page])
		}
	}
}

// free demands that no file of a bundle holds a text, apart from digests and signatures,
// where it may stand by chance.
func free(t *testing.T, bundle, text string) {
	t.Helper()
	const digest = 32
	run := regexp.MustCompile(`[0-9A-Za-z+/=]*` + text + `[0-9A-Za-z+/=]*`)
	files, err := os.ReadDir(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(bundle, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range run.FindAllIndex(data, -1) {
			if at[1]-at[0] < digest {
				t.Errorf("%s holds %s: %q", f.Name(), text, data[max(0, at[0]-60):min(len(data), at[1]+60)])
			}
		}
	}
}
