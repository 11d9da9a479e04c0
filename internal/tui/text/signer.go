package text

import (
	"cmp"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Fingerprint is the key of a person for a page that may have no room for all of it: whole where people compare it,
// at attendance.
func Fingerprint(r engine.Request, s engine.Signer) string {
	key := s.Fingerprint
	if short := len("SHA256:") + 16; !Compares(r) && len(key) > short {
		key = key[:short] + "..."
	}
	return key
}

// Compares reports whether people compare their keys with paper before they sign.
func Compares(r engine.Request) bool { return r.Purpose == engine.Attend || r.Purpose == engine.Join }

// Signer is a person of a request, after the mark: with the whole key, for which a line has room.
func Signer(r engine.Request, s engine.Signer) string {
	line := fmt.Sprintf("%-8s %s", s.Name, s.Fingerprint)
	switch {
	case s.At != "":
		line += " " + s.At
	case !s.Asked:
		line += "  " + NotAsked(r, s)
	case s.Offline != "":
		line += "  offline"
	case s.Key == engine.InAgent:
		line += "  " + s.Key
	}
	return line
}

// did is what people did who signed in a step.
var did = map[string]string{
	"attend": "attended", "prove": "proved the key", "approve": "approved the plan",
	"approve-key": "approved the key", "approve-pin": "approved a PIN's final try",
}

// Did is what a person did who signed in a step.
func Did(step string) string { return cmp.Or(did[step], step) }

// NotAsked is why a person of a request does not sign it.
func NotAsked(r engine.Request, s engine.Signer) string {
	switch {
	case r.Purpose == engine.Join:
		return "not new"
	case s.Witness:
		return "witness"
	}
	return "not here"
}

// Mark is where a person of a request stands; now: their word is awaited.
func Mark(r engine.Request, s engine.Signer, now bool) string {
	switch {
	case s.Signed:
		return "[signed]"
	case !s.Asked:
		return "[   -  ]"
	case s.Offline != "":
		return "[>>    ]"
	case now && r.Enough():
		return "[may   ]"
	case now:
		return "[needed]"
	case s.Key == "":
		return "[no key]"
	}
	return "[      ]"
}
