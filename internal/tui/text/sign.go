package text

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Next is the person who is asked after the one at who: first those whose key is here, then
// those who sign elsewhere. Before the first, who is -1; it stays where nobody is asked.
func Next(signers []engine.Signer, who int) int {
	n := len(signers)
	asked := func(s engine.Signer) bool { return s.Asked && !s.Signed && s.Offline == "" }
	for _, ok := range []func(engine.Signer) bool{
		func(s engine.Signer) bool { return asked(s) && (s.Key != "" || who >= 0) },
		asked,
	} {
		for i := 1; i <= n; i++ {
			if at := (who + i) % n; ok(signers[at]) {
				return at
			}
		}
	}
	return who
}

// Other is the person who is asked when somebody wants another than the one at who. People
// whose statement was written for signing offline are among them: they may sign here after all.
func Other(signers []engine.Signer, who int) int {
	for i := 1; i <= len(signers); i++ {
		if at := (max(who, 0) + i) % len(signers); signers[at].Asked && !signers[at].Signed {
			return at
		}
	}
	return who
}

// Same reports whether two requests are for the same signatures.
func Same(a, b engine.Request) bool { return a.Purpose == b.Purpose && a.Digest == b.Digest }

// Signed is how many have signed, of how many that must; more may.
func Signed(r engine.Request) string {
	if r.Have() > r.Need {
		return fmt.Sprintf("%d, needed %d", r.Have(), r.Need)
	}
	return fmt.Sprintf("%d of %d", r.Have(), r.Need)
}

// Standing says how many have signed and what is still needed, and why.
func Standing(r engine.Request) string {
	signed := fmt.Sprintf("Signed %d, needed %d", r.Have(), r.Need)
	switch {
	case r.Enough():
		return signed + unagreed(r) + "."
	case r.Have() >= r.Need:
		return signed + ". " + Undecided(r) + " must decide first: see above."
	}
	return fmt.Sprintf("%s (%s). %d more must sign.", signed, r.Rule, r.Need-r.Have())
}

// unagreed says that an end which enough have signed has too few who agree, and who may still sign it.
func unagreed(r engine.Request) string {
	agree, others := 0, []string(nil)
	for _, s := range r.Signers {
		if s.Signed && s.Counts && s.At != string(transcript.Disagree) {
			agree++
		}
		if s.Asked && s.Counts && !s.Signed {
			others = append(others, s.Name)
		}
	}
	if agree >= r.Agree {
		return ""
	}
	says := fmt.Sprintf(", and only %d of %d agree: ended so, the transcript stays incomplete", agree, r.Agree)
	if len(others) > 0 {
		says += ". " + strings.Join(others, " and ") + " can still sign"
	}
	return says
}

// Undecided are the people who signed several words of which one counts.
func Undecided(r engine.Request) string {
	var names []string
	for _, u := range r.Undecided {
		names = append(names, u.Name)
	}
	return strings.Join(names, " and ")
}

// Decide says what people do about each who is undecided. What is for a shell begins with two blanks.
func Decide(r engine.Request) (lines []string) {
	for _, u := range r.Undecided {
		words := slices.Clone(u.Words)
		for i, word := range words {
			words[i] = cmp.Or(word, u.Files[i])
		}
		lines = append(lines, fmt.Sprintf("%s signed %s, and one word counts. None is taken, and the end waits.", u.Name,
			strings.Join(words, " and ")),
			"Ask "+u.Name+" which one holds. Then delete the signature of every other, in a shell, in this directory:",
			"  "+r.Dir)
		for i, word := range words {
			others := slices.Delete(slices.Clone(u.Files), i, i+1)
			lines = append(lines, "  "+word+" holds: rm "+strings.Join(others, ".sig ")+".sig")
		}
		lines = append(lines, "This page then continues by itself. If "+u.Name+" cannot be asked, move these .sig files "+
			"away, and keep them: the end then has no word of "+u.Name+"'s.")
	}
	return lines
}

// Wanted says what a person is to do now. A face says how to sign offline, and how with a
// verdict, for which %s stands.
func Wanted(r engine.Request, s engine.Signer, offline, verdict string) string {
	word := s.Word()
	if _, err := strconv.Atoi(word); err == nil {
		word += ", the version,"
	}
	switch {
	case s.Key != "" && s.Offline != "":
		return fmt.Sprintf("%s: type %s to sign here after all", s.Name, word)
	case s.Key != "":
		return fmt.Sprintf("%s: type %s to sign", s.Name, word)
	case r.Purpose == engine.Final:
		return s.Name + ": no key on this console; " + fmt.Sprintf(verdict, s.Word())
	}
	return s.Name + ": no key on this console; " + offline
}

// verdicts say what each verdict means. A final is of the words alone, so their meanings stand in one place.
var verdicts = map[transcript.Verdict]string{
	transcript.Followed:   "yes, and this page is what I saw",
	transcript.Deviations: "yes, except for what I then describe",
	transcript.Disagree:   "no, or this page is not what I saw; I then say why",
}

// Verdicts are the words of a final, each with what it means; none where people sign something else.
func Verdicts(r engine.Request) (lines [][2]string) {
	if r.Purpose != engine.Final {
		return nil
	}
	for _, v := range transcript.Verdicts {
		lines = append(lines, [2]string{fmt.Sprintf("%-11s ", v), verdicts[v]})
	}
	return lines
}

// Later asks whether people end the run now, and says what then happens and how they go on.
func Later(v engine.View, r engine.Request) (question string, lines []string) {
	if r.Have() >= r.Need {
		who := Undecided(r)
		return "End the ceremony without a word of " + who + "'s?", []string{
			"Enough have signed: the ceremony ends now. A word of " + who + "'s cannot be added later. What " + who +
				" signed stays in this directory:", "  " + r.Dir}
	}
	question = "End this run, and sign later?"
	lines = []string{
		fmt.Sprintf("Nothing that was signed is lost: %d of the %d signatures needed are kept. The ceremony stays open.",
			r.Have(), r.Need),
		"As the run ends, it writes the missing statements, and prints for each person the line that signs one offline.",
	}
	if v.Command == "" || v.Rehearsal {
		return question, append(lines, "To go on, run the command that began this run once more.")
	}
	return question, append(lines, "To go on, run this again, with the flags of this run:", "  "+v.Command)
}

// Digest is what people compare before they sign, and what it is; empty: nothing.
func Digest(r engine.Request) (label, digest string) {
	label = map[engine.Purpose]string{engine.Attend: "Last", engine.Approve: "Plan", engine.Final: "Final"}[r.Purpose]
	if r.Compared() == "" {
		return "", ""
	}
	return label, r.Compared()
}

// Earlier stands above what the people of an earlier run answered.
const Earlier = "Answered in an earlier run. Sign only if these are your answers:"

// Offline says how to sign the statements that were written for it: a line before them, and
// for each its person and its command.
func Offline(r engine.Request) (before string, commands [][2]string) {
	for _, s := range r.Signers {
		switch {
		case r.Undecides(s.Name): // Decide
		case s.Script != "":
			commands = append(commands, [2]string{s.Name, "sh " + s.Script + " KEY"})
		case s.Offline != "":
			commands = append(commands, [2]string{s.Name, s.Offline})
		}
	}
	return "Sign offline with the files in this directory; bring the .sig back to it:", commands
}

// Detail is a name and a value, for lists.
func Detail(name, value string) (head, text string) {
	return fmt.Sprintf("%-14s ", transcript.Label(name)), transcript.Said(name, value)
}

// DetailOf is one of some details, whose values stand below each other.
func DetailOf(all []engine.Detail, d engine.Detail) (head, text string) {
	head, text = Detail(d.Name, d.Value)
	for _, other := range all {
		if long := len(transcript.Label(other.Name)) + 2; long > len(head) {
			head += strings.Repeat(" ", long-len(head))
		}
	}
	return head, text
}

// Refused says why an answer was not taken. The question stands beside it, and is not named again.
func Refused(q engine.Question) string {
	return strings.TrimPrefix(q.Refused.Error(), q.Field.Name+": ")
}

// NothingBefore is said to somebody who goes back from the first question.
const NothingBefore = "There is no question before this one."

// Command breaks a line for a shell between words, so that all of it can be copied.
func Command(command string, width int) (lines []string) {
	const more = ` \`
	words := shellWords(command, width)
	line := words[0]
	for i, word := range words[1:] {
		whole := len(line) + len(strings.Join(words[i:], " ")) - len(words[i])
		if whole > width && len(line)+1+len(word)+len(more) > width {
			lines, line = append(lines, line+more), "  "+word
			continue
		}
		line += " " + word
	}
	return append(lines, line)
}

// shellWords splits a line for a shell at the spaces outside of quotes. What may be a flag's value stays
// with it, where both have room in a line.
func shellWords(command string, width int) (words []string) {
	for _, word := range shellSplit(command) {
		if n := len(words) - 1; n >= 0 && (strings.HasPrefix(words[n], "-") && !strings.HasPrefix(word, "-") ||
			words[n] == "<") && !strings.ContainsAny(words[n], " =") && len(words[n])+len(word) < width-5 {
			words[n] += " " + word
			continue
		}
		words = append(words, word)
	}
	return words
}

func shellSplit(command string) (words []string) {
	quoted, from := false, 0
	for i, c := range command {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == ' ' && !quoted:
			words, from = append(words, command[from:i]), i+1
		}
	}
	return append(words, command[from:])
}

// estimated is what is shown beside an effect, and not signed: a number is about right.
func estimated(says string) string {
	if counted := printable.Counted(says); counted != says || len(says) < 4 {
		return ", about " + counted
	}
	return ", " + says
}
