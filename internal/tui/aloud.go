package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// aloud is a digest that people read aloud and compare. It covers the page until each has said
// whether it matches.
type aloud struct {
	digest, label string
	people        []string
	at            int             // whose word is awaited
	said          map[string]bool // whether it matches, by person
	refused       string
}

// aloudOf is what the page shows that people compare; nil: nothing.
func aloudOf(v engine.View, ask prompt) *aloud {
	a := &aloud{said: map[string]bool{}}
	if s, ok := ask.(*signPrompt); ok {
		a.label, a.digest = text.Digest(s.q.Q)
		for _, one := range s.q.Q.Signers {
			if one.Asked {
				a.people = append(a.people, one.Name)
			}
		}
	} else if v.Ending != nil {
		a.label, a.digest = "Final", v.Ending.Digest
		for _, p := range v.People {
			if p.Here {
				a.people = append(a.people, p.Name)
			}
		}
	}
	if a.digest == "" || len(a.people) == 0 {
		return nil
	}
	return a
}

// disputing are those who say that it does not match.
func (a *aloud) disputing() (names []string) {
	for _, name := range a.people {
		if matches, said := a.said[name]; said && !matches {
			names = append(names, name)
		}
	}
	return names
}

// open reports whether somebody has not said yet that it matches.
func (a *aloud) open() bool {
	return slices.ContainsFunc(a.people, func(name string) bool { return !a.said[name] })
}

// next goes to the next person who has not said that it matches.
func (a *aloud) next() {
	for range a.people {
		if a.at = (a.at + 1) % len(a.people); !a.said[a.people[a.at]] {
			return
		}
	}
}

// took takes what a person said, once the engine has it.
func (a *aloud) took(c engine.Comparison, err error) {
	if err != nil {
		a.refused = err.Error()
		return
	}
	a.refused, a.said[c.By] = "", c.Matches
	if c.Matches {
		a.next()
	}
}

func (a *aloud) body(b box) []string {
	lines := []string{" " + strong.Render("Read aloud: the "+strings.ToLower(a.label)+" digest")}
	lines = append(append(lines, para(past, " ", text.ReadAloud, b.page()-1)...), "")
	perLine := 4
	if b.page() < 66 {
		perLine = 2
	}
	for i, line := range text.Aloud(a.digest, perLine) {
		if i > 0 && i%4 == 0 {
			lines = append(lines, "")
		}
		lines = append(lines, fmt.Sprintf("  %2d  %s   %s", i+1, strong.Render(line[0]), line[1]))
	}
	return append(lines, "", a.standings(b))
}

// standings says who compared, and what they said.
func (a *aloud) standings(b box) string {
	var all []string
	for i, name := range a.people {
		k, style, state := markTodo, past, ""
		matches, said := a.said[name]
		switch {
		case matches:
			k, style, state = markDone, good, "matches"
		case said:
			k, style, state = markBad, alarm, "does not match"
		case i == a.at:
			k, style, state = markNow, accent, "compares"
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", b.of(k), name, style.Render(state))))
	}
	return " " + strings.Join(all, "   ")
}

func (a *aloud) act(b box) (lines []string) {
	if a.refused != "" {
		lines = append(lines, alarm.Render(" refused: "+a.refused))
	}
	if names := a.disputing(); len(names) > 0 {
		lines = append(lines, para(alarm, " ", text.Disputed(names), b.page()-1)...)
	}
	if !a.open() {
		return append(lines, good.Render(" It matches for everybody.")+" Press Enter to continue.")
	}
	return append(lines, " "+b.of(markNow)+accent.Render(" "+a.due()))
}

func (a *aloud) due() string {
	if !a.open() {
		return "it matches for everybody: press Enter"
	}
	return a.people[a.at] + ": does all of it match? y yes, n no"
}

func (a *aloud) keys() []key {
	if !a.open() {
		return []key{{"enter", "continue", "close the page: everybody says that it matches"}}
	}
	return []key{{"y", "matches", "say that the digest matches"}, {"n", "does not match", "say that it does not match"},
		{"tab", "next person", "ask the next person"}, {"esc", "do not compare", "close the page; what was said stays"}}
}

// compared lists on the page below for whom the digest matches.
func (a *aloud) compared() string {
	var names []string
	style := map[bool]lipgloss.Style{true: good, false: alarm}
	for _, name := range a.people {
		if matches, said := a.said[name]; said {
			word := map[bool]string{true: "matches", false: "does not match"}[matches]
			names = append(names, name+": "+style[matches].Render(word))
		}
	}
	return strings.Join(names, ", ")
}
