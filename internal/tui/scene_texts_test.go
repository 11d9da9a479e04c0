package tui

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// sceneErrors are the errors that a scene names, as ${ErrUndone}: their texts stand in the
// code alone.
var sceneErrors = map[string]error{
	"ErrFinalTry":      provider.ErrFinalTry,
	"ErrGone":          provider.ErrGone,
	"ErrPINLocked":     provider.ErrPINLocked,
	"ErrPINRefused":    provider.ErrPINRefused,
	"ErrStrangers":     steps.ErrStrangers,
	"ErrUndecryptable": rewrap.ErrUndecryptable,
	"ErrNeeded":        steps.ErrNeeded,
	"ErrUndone":        engine.ErrUndone,
	"ErrUntried":       provider.ErrUntried,
	"PIN":              engine.CheckText("246810"),
}

// worded puts errors in the place of their names.
func worded(text string) string {
	return os.Expand(text, func(name string) string {
		if err, ok := sceneErrors[name]; ok {
			return err.Error()
		}
		return fmt.Sprintf("no error %q", name)
	})
}

// wordedOf does so for the refusal of an answer, which also has what the field's check says
// of it, ${check}, and the field's ${example}.
func (q sceneQuestion) wordedOf(f engine.Field) string {
	return os.Expand(q.Refused, func(name string) string {
		switch name {
		case "example":
			return f.Example
		case "check":
			_, err := f.Check(&engine.Site{}, q.Value)
			return fmt.Sprint(err)
		}
		return worded("${" + name + "}")
	})
}

// signing is the request of the scene, with the words of a final and the plan of the step's
// acts where it has none of its own.
func (s scene) signing() (engine.Request, error) {
	r := *s.Sign
	r.Signers = slices.Clone(r.Signers)
	for i := range r.Signers {
		if r.Purpose == engine.Final && r.Signers[i].Words == nil {
			for _, v := range transcript.Verdicts {
				r.Signers[i].Words = append(r.Signers[i].Words, string(v))
			}
		}
	}
	if r.Purpose != engine.Approve || r.Plan != nil {
		return r, nil
	}
	all, err := s.ceremony()
	if err != nil {
		return r, err
	}
	view, err := s.shown()
	if err != nil {
		return r, err
	}
	site := &engine.Site{Chain: "69c62078", Reached: map[string]string{"token": "kek-production", "serial": "6fddd1f3"},
		Parts: engine.Parts{Kind: pkcs11.Config{},
			Catalogue: envelope.DefaultCatalogue()}}
	facts := engine.Facts{transcript.FactTo: view.To.String(), "due": "60000",
		transcript.FactExclude:  strings.Join(s.Exclude, "\n"),
		transcript.FactGenerate: "yes", transcript.FactFence: transcript.Fenced}
	step := func(name string) engine.Step {
		return all[slices.IndexFunc(all, func(step engine.Step) bool { return step.Name == name })]
	}
	for _, act := range step(s.Step).Gather.Acts {
		r.Plan = append(r.Plan, step(act).Act.Plan(site, facts)...)
	}
	return r, nil
}
