package steps

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Drill is a temporary ceremony, added as any other: this file is all that the engine, the
// readers and the verifier need of it. In the product it would be three lines more: one in
// All, one in transcript's table of acts, and its command.
func Drill(covered ...string) Ceremony {
	return Ceremony{
		Kind: "drill", Binds: bind,
		Open: func(_ context.Context, _ *Site, lock store.Lock) (Facts, error) {
			if lock.Chain == "" {
				return nil, ErrNotInstalled
			}
			return Facts{"alarm": "fire"}, nil
		},
		Steps: func(Facts) []Step {
			return []Step{chainRoster(), attend(false), askExit(), approve("approve", covered...), ring(), leaving()}
		},
		Command: func(Facts) string { return "kekceremony drill" },
		Summary: func(f Facts, _ transcript.Events) []string { return []string{"The alarm rang at " + f["exit"] + "."} },
	}
}

func askExit() Step {
	return Step{Name: "exit", Title: "Exit", Ask: &Form{Fields: []Field{{
		Name: "exit", Question: "Which exit?", Example: "north",
		Check: func(_ *Site, answer string) (Facts, error) {
			if answer != "north" {
				return nil, errors.New("locked")
			}
			return Facts{"exit": answer}, nil
		},
	}}}}
}

func ring() Step {
	return Step{Name: "ring", Title: "Ring", Act: &Act{
		Plan: func(_ *Site, f Facts) []Effect {
			return []Effect{{Verb: "ring", Object: "the bell at " + f["exit"], Undo: "stop it"}}
		},
		State: func(_ context.Context, _ *Site, f Facts) (State, Facts, error) {
			if f["rang"] == "" {
				return NotBegun, nil, nil
			}
			return Done, Facts{"rang": f["rang"]}, nil
		},
		Do: func(context.Context, *Site, Facts, Desk) (Facts, error) { return Facts{"rang": "yes"}, nil },
	}}
}

// opened are the first lines on which the steps of a kind depend.
func opened(kind string) []Facts {
	fence := ""
	if kind == transcript.KindRotate || kind == transcript.KindDisable {
		fence = transcript.Fenced
	}
	return []Facts{
		{transcript.FactKind: kind, transcript.FactGenerate: "yes", transcript.FactFence: fence},
		{transcript.FactKind: kind, transcript.FactGenerate: "no"},
		{transcript.FactKind: kind, transcript.FactGenerate: "yes"},
		{transcript.FactKind: kind, transcript.FactGenerate: "no", transcript.FactRebuild: "2"},
	}
}

// ActsOf are, by first line, the acts that a ceremony's steps do.
func ActsOf(c Ceremony) (all []Facts, acts [][]string) {
	for _, f := range opened(c.Kind) {
		var names []string
		for _, s := range c.Steps(f) {
			if s.Act != nil {
				names = append(names, s.Name)
			}
		}
		all, acts = append(all, f), append(acts, names)
	}
	return all, acts
}
