package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
	"github.com/goccy/go-yaml"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// scene is what stands in page.yaml: what the engine shows and asks at one moment, and
// what somebody then presses. Titles and questions are not repeated in it: they are those
// of the step that it names.
type scene struct {
	Ceremony string
	Made     bool // a rotation's target is there already
	Adopted  bool // the chain began with an adoption

	Compromised bool     // a version is
	Abort       bool     // it is being aborted
	Exclude     []string // a rotation's, by name
	Step        string   // empty: the end
	View        engine.View
	Fleet       *sceneFleet

	// At most one of them waits for a person, after Sign perhaps another.
	Ask    *sceneQuestion
	Sign   *engine.Request
	Choose *sceneFailure
	Leave  bool
	Hold   bool
	Lend   *string // what anyone who has the terminal writes

	Early []string // keys before the keyboard has rested; the page then stays new
	Keys  []string // keys after that
}

// sceneFleet is engine.Fleet with the ages, which its JSON leaves out.
type sceneFleet struct {
	Target    kek.Version
	Processes []struct {
		Name, Role, Trouble string
		Current             kek.Version
		Has, Writes, Silent bool
		Holds               bool
		Age                 time.Duration
	}
	Missing []engine.Shortage
	Wait    string // what the page waits for: lacking, behind, holding; empty: nothing, or as the view says
	Dropped kek.Version
}

// sceneQuestion is a field of the step, by name. In the refusal of its value ${check} stands
// for what the field's check says, and ${example} for its example.
// At the end, a person who signs a verdict is asked for words.
type sceneQuestion struct{ Name, Value, Refused, Verdict string }

// sceneFailure has an error's text, in which ${ErrUndone} stands for the text of that one, or
// a deviation.
type sceneFailure struct {
	Err, Refused string
	Hint         string
	Deviation    *struct{ What, Expected, Seen string }
	Lost, PIN    bool
}

// sceneTime is the time of every page.
var sceneTime = time.Date(2026, 11, 23, 14, 17, 30, 0, time.UTC)

func sceneOf(text []byte) (s scene, err error) {
	err = yaml.UnmarshalWithOptions(text, &s, yaml.Strict())
	return s, err
}

// ceremony is the steps of the scene's ceremony.
func (s scene) ceremony() ([]engine.Step, error) {
	c, ok := steps.Named(s.Ceremony)
	if !ok {
		return nil, fmt.Errorf("no ceremony %q", s.Ceremony)
	}
	opened := engine.Facts{transcript.FactGenerate: map[bool]string{true: "no", false: "yes"}[s.Made],
		transcript.FactRebuild: "2", transcript.FactFence: transcript.Fenced, transcript.FactOnToken: "no"}
	if s.Adopted {
		opened[transcript.FactPointer] = "none"
	}
	if s.Compromised {
		opened[transcript.FactRelisted] = "1"
	}
	all := c.Steps(opened)
	if s.Abort && c.Void != nil { // nobody attended, and nothing was begun
		return c.Void.Steps(transcript.State{}), nil
	}
	if s.Abort {
		attend := slices.IndexFunc(all, func(s engine.Step) bool { return s.Name == "attend" })
		all = all[: attend+1 : attend+1]
		if c.Keep != nil {
			all = append(all, c.Keep()...)
		}
	}
	return all, nil
}

// shown is the view as the engine fills it at this step.
func (s scene) shown() (engine.View, error) {
	v := s.View
	if s.Ceremony == "" {
		return v, nil
	}
	all, err := s.ceremony()
	if err != nil {
		return v, err
	}
	at := len(all)
	if s.Step != "" {
		at = slices.IndexFunc(all, func(step engine.Step) bool { return step.Name == s.Step })
		if at < 0 {
			return v, fmt.Errorf("%s has no step %q", s.Ceremony, s.Step)
		}
		v.Step, v.Title, v.Why = all[at].Name, all[at].Title, all[at].Why
	}
	if s.Sign != nil && s.Sign.Purpose == engine.Final || s.Ask != nil && s.Ask.Verdict != "" {
		v.Finals(s.Abort)
	}
	v.Kind, v.N, v.Of, v.Started = s.Ceremony, at+1, len(all)+1, sceneTime.Add(-754*time.Second)
	v.Steps = engine.Stages(all, nil, s.Abort)
	switch s.Ceremony {
	case transcript.KindRotate:
		v.From, v.To = 1, 2
	case transcript.KindGenerate:
		v.To = 2
	case transcript.KindInstall, transcript.KindDisable, transcript.KindEnable, transcript.KindDestroy,
		transcript.KindCompromise:
		v.To = 1
	}
	if v.Ending != nil {
		end := *v.Ending // the page's: it is drawn at several sizes
		end.Next = append(slices.Clip(end.Next), engine.CheckOf(end.Bundle))
		v.Ending = &end
	}
	v.Aborts = s.Abort
	c, _ := steps.Named(s.Ceremony)
	v.Command = c.Command(engine.Facts{transcript.FactTo: "2", transcript.FactVersion: "1"})
	v.Everybody = slices.ContainsFunc(all, func(s engine.Step) bool { return s.Gather != nil && s.Gather.All })
	if at > 0 { // the first step is the roster, the second attendance
		v.Quorum = cmp.Or(v.Quorum, "2 of 3")
	}
	if at > 1 {
		v.Attended = cmp.Or(v.Attended, "alice, bob")
	}
	for i := range min(at, len(v.Steps)) {
		v.Steps[i].At = v.Started.Add(time.Duration(i) * 47 * time.Second).Format("15:04:05")
	}
	if v.People == nil && at > 0 {
		v.People = scenePeople(at > 1)
	}
	s.Fleet.fills(&v)
	if v.Waiting != "" && !v.Replay {
		v.Since = "14:16:26 UTC"
	}
	return v, nil
}

// fills puts a fleet into a view, and what the page waits for.
func (f *sceneFleet) fills(v *engine.View) {
	if f == nil {
		return
	}
	t := engine.Fleet{Target: f.Target, Missing: f.Missing, Dropped: f.Dropped, Now: sceneTime}
	for _, p := range f.Processes {
		t.Processes = append(t.Processes, engine.Process{Name: p.Name, Role: p.Role, Current: p.Current, Has: p.Has,
			Writes: p.Writes, Silent: p.Silent, Holds: p.Holds, Age: p.Age, Trouble: p.Trouble})
	}
	v.Fleet = &t
	waits := map[string]func(engine.Fleet) engine.Wait{"lacking": engine.Fleet.Lacking, "behind": engine.Fleet.Behind,
		"holding": engine.Fleet.Holding}
	if f.Wait != "" {
		w := waits[f.Wait](t)
		v.Waiting, v.Remedy = w.Why, w.Remedy+v.Remedy
	}
}

// scenePeople are the people of a scene that names none; they attend, or nobody does yet.
func scenePeople(attended bool) (all []engine.Person) {
	for _, name := range []string{"alice", "bob", "carol"} {
		p := engine.Person{Name: name, Approves: true, Here: attended && name != "carol"}
		if p.Here {
			p.Signed = []engine.Signature{{Step: "attend", At: "14:05:12"}}
		}
		all = append(all, p)
	}
	return append(all, engine.Person{Name: "wendy"})
}

func (s scene) field() (engine.Field, error) {
	if s.Ask.Verdict != "" {
		return engine.FinalWords(s.Ask.Name, transcript.Verdict(s.Ask.Verdict)), nil
	}
	all, err := s.ceremony()
	if err != nil {
		return engine.Field{}, err
	}
	for _, step := range all {
		if step.Name == s.Step && step.Ask != nil {
			for _, f := range step.Ask.Fields {
				if f.Name == s.Ask.Name {
					return f, nil
				}
			}
		}
	}
	return engine.Field{}, fmt.Errorf("step %q of %s does not ask %q", s.Step, s.Ceremony, s.Ask.Name)
}

func refusal(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// draw is the screen of so many columns and rows on which the scene is seen.
func (s scene) draw(t *testing.T, g glyphs, width, height int) string {
	t.Helper()
	p := s.opens(t, g, width, height)
	if s.Lend == nil || s.Early != nil {
		return p.View()
	}
	return p.lentTo(*s.Lend)
}

// opens is the page of the scene after all keys were pressed.
func (s scene) opens(t *testing.T, g glyphs, width, height int) page {
	t.Helper()
	p := newPage(t)
	p.glyphs = g
	p.room.Remarks(func(engine.Remark) error { return nil })
	p.now = func() time.Time { return sceneTime }
	p.width, p.height = width, height
	v, err := s.shown()
	if err != nil {
		t.Fatal(err)
	}
	p.room.Show(v)
	p.mailed()
	p.rest()
	s.puts(p)
	if s.Lend == nil || s.Sign != nil {
		s.types(p)
	}
	if s.Lend == nil {
		return p
	}
	asking(p, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.room.Lend(ctx, nil) })
	if s.Early != nil {
		s.types(p)
		return p
	}
	p.rest()
	return p
}

// types has somebody press the keys.
func (s scene) types(p page) {
	if p.press(s.Early...); s.Early != nil {
		return
	}
	p.rest()
	for _, key := range s.Keys {
		p.View()                       // scrolling goes by what was drawn last
		if p.press(key); p.gate.shut { // it opened another page
			p.rest()
		}
	}
}

// puts has the engine's side ask.
func (s scene) puts(p page) {
	p.t.Helper()
	switch {
	case s.Ask != nil:
		f, err := s.field()
		if err != nil {
			p.t.Fatal(err)
		}
		p.asked(engine.Question{Field: f, Value: s.Ask.Value, Refused: refusal(s.Ask.wordedOf(f))})
	case s.Sign != nil:
		r, err := s.signing()
		if err != nil {
			p.t.Fatal(err)
		}
		p.consents(r)
	case s.Choose != nil:
		f := engine.Failure{Step: s.Step, Err: errors.New(worded(s.Choose.Err)), Lost: s.Choose.Lost,
			PIN: s.Choose.PIN, Hint: s.Choose.Hint, Refused: refusal(worded(s.Choose.Refused))}
		if d := s.Choose.Deviation; d != nil {
			rule := steps.ErrPins
			if f.Changed = d.What == "roster"; f.Changed {
				rule = steps.ErrChanged
			}
			f.Deviation = &engine.DeviationError{What: d.What, Expected: d.Expected, Seen: d.Seen, Err: rule}
			f.Err = f.Deviation
		}
		asking(p, func(ctx context.Context) (engine.Choice, error) { return p.room.Choose(ctx, f) })
	case s.Hold:
		asking(p, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.room.Hold(ctx) })
	case s.Leave:
		asking(p, func(ctx context.Context) (struct{}, error) { p.room.Leave(ctx); return struct{}{}, nil })
	}
}

// lentTo is what a terminal shows that was lent to somebody who writes a text.
func (p page) lentTo(text string) string {
	p.t.Helper()
	keyboard, tty, err := pty.Open()
	if err != nil {
		p.t.Fatal(err)
	}
	defer keyboard.Close()
	terminal, err := term.Of(tty, tty)
	if err != nil {
		p.t.Fatal(err)
	}
	output := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(keyboard) // it ends with an error when the terminal is closed
		output <- all
	}()
	l := lent{page: p.drawn(p.height-lentRows, false), terminal: terminal, use: func(t *term.Terminal) error {
		_, err := io.WriteString(t.Out, text)
		return err
	}}
	if err := errors.Join(l.Run(), tty.Close()); err != nil {
		p.t.Fatal(err)
	}
	_, seen, _ := strings.Cut(string(<-output), "\x1b[H")
	seen, _, _ = strings.Cut(seen, "\x1b[2J")
	return strings.ReplaceAll(seen, "\r", "")
}

// screen is what a terminal shows of a page: plain, without blanks at the ends of lines.
func screen(page string) string {
	lines := strings.Split(ansi.Strip(page), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}
