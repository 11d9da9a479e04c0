package steps

import (
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// whatUnproven is the deviation of processes that prove nothing.
const whatUnproven = "unproven"

// askUnproven has people name the processes of the application that the gate does not see. Those
// that have an agent beside them, or use the keyring, report; no program knows of the others.
func askUnproven() Step {
	return Step{
		Name: "unproven", Title: "Processes without a proof",
		Why: "A process without an agent beside it, and without the keyring, proves nothing. Each is a deviation.",
		Ask: &Form{Fields: []Field{{
			Name: whatUnproven, Question: "Processes of the application that have no agent beside them",
			Help:    "none, or: WHICH / DECIDED / BY WHOM",
			Example: "the report job on host 7 / it reads only version 2 / alice",
			Check:   checkUnproven, Propose: rehearsed(transcript.NothingDiffered),
		}}, Reports: func(f Facts) (Facts, bool) {
			d, err := unproven(f[whatUnproven])
			return d, err == nil
		}},
	}
}

func checkUnproven(_ *Site, answer string) (Facts, error) {
	if strings.EqualFold(answer, transcript.NothingDiffered) {
		return Facts{whatUnproven: transcript.NothingDiffered}, nil
	}
	if _, err := unproven(answer); err != nil {
		return nil, err
	}
	return Facts{whatUnproven: printable.Text(answer)}, nil
}

func unproven(answer string) (Facts, error) {
	parts := strings.Split(answer, " / ")
	if len(parts) != 3 {
		return nil, errors.New(`want "none", or WHICH / DECIDED / BY WHOM with " / " between`)
	}
	facts := Facts{transcript.FactWhat: whatUnproven, transcript.FactExpected: "an agent or the keyring for each process"}
	for i, name := range []string{transcript.FactSeen, transcript.FactDecided, transcript.FactBy} {
		if facts[name] = printable.Text(strings.TrimSpace(parts[i])); facts[name] == "" {
			return nil, fmt.Errorf("%s is empty", name)
		}
	}
	return facts, nil
}
