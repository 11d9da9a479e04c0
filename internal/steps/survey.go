package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Refusals of a survey.
var (
	ErrNothingThere = errors.New("no envelope is there to adopt")
	ErrNoVersion    = errors.New("envelopes at no version")
	ErrKeyMissing   = errors.New("envelopes are at it, or the pointer, and its key is not there")
	ErrMadeOutside  = errors.New("the key was not made on the token, or may have been outside it")
	ErrSample       = errors.New("not every envelope was opened")
)

// Facts of the survey.
const (
	factFound  = "versions"  // that envelopes are at, or the pointer, parted by spaces
	factOpened = "unwrapped" // how many envelopes
	factUnused = "unused"    // versions that no envelope is at, so that nothing shows which key is theirs
)

// factFoundKey is id and label of the key of a version that was found.
func factFoundKey(v kek.Version) string { return whatKey + v.String() }

// The names of deviations. A version's number follows the second.
const (
	whatSample = "sample"
	whatKey    = "key_of_"
)

// found are the versions that the survey found.
func found(f Facts) (all []kek.Version) {
	for text := range strings.FieldsSeq(f[factFound]) {
		if v, err := kek.ParseVersion(text); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// idAndLabel are those of a key as the survey found it.
func idAndLabel(key string) (id, label string) {
	id, label, _ = strings.Cut(key, " ")
	return id, label
}

// survey looks at everything that is to be adopted: the places, the versions, their keys, and
// whether each key opens its envelopes. It changes nothing.
func survey(sample int) Step {
	return Step{
		Name: "survey", Title: "Survey of the database", EveryRun: true,
		Why: "Every envelope is opened with the key of its version. Nothing is changed.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			if len(f.Adopted()) > 0 { // what the application did since is not of this ceremony
				return nil, nil
			}
			if err := noStrangers(ctx, s); err != nil {
				return nil, err
			}
			facts, versions, err := versionsThere(ctx, s, f)
			if err != nil {
				return nil, err
			}
			for _, v := range versions {
				if facts[factFoundKey(v)], err = keyThere(ctx, s, v); err != nil {
					return nil, err
				}
			}
			d.Show(func(v *View) { v.Details = surveyed(facts) })
			if sample > 0 {
				sampled := &engine.DeviationError{What: whatSample, Expected: "every envelope is opened",
					Seen: fmt.Sprintf("%d of each place and version", sample), Err: ErrSample}
				if !s.Decided(sampled) {
					return nil, sampled
				}
			}
			shown := time.Now()
			n, err := rewrap.OpenAll(ctx, s.Store, s.Provider, s.Catalogue, s.Name, sample, func(n int) {
				if time.Since(shown) >= time.Second {
					shown = time.Now()
					d.Show(func(v *View) { v.Waiting = fmt.Sprintf("%d envelopes opened so far", n) })
				}
			})
			facts[factOpened] = strconv.Itoa(n)
			return facts, err
		},
	}
}

// untested is how people are told of keys that no envelope shows to be those of their versions.
const untested = "untested key"

// surveyed is what was found, for people.
func surveyed(f Facts) []Detail {
	details := []Detail{{Name: "places", Value: f["places"]}, {Name: "active", Value: f[transcript.FactActive]}}
	for _, v := range found(f) {
		details = append(details, Detail{Name: "version " + v.String(), Value: "key " + f[factFoundKey(v)]})
	}
	if unused := f[factUnused]; unused != "" {
		details = append(details, Detail{Name: untested, Value: "of version " + unused + ": no envelope is at it"})
	}
	return details
}

// versionsThere are the versions that envelopes are at, that the application's pointer names, and
// that an earlier run of this adoption has entered.
func versionsThere(ctx context.Context, s *Site, f Facts) (Facts, []kek.Version, error) {
	counts, err := s.Store.Census(ctx, s.Catalogue)
	if err != nil {
		return nil, nil, err
	}
	seen := map[kek.Version]bool{}
	var places printable.List
	for _, c := range counts {
		if c.Version == 0 {
			return nil, nil, fmt.Errorf("%d in %s: %w", c.N, c.Place, ErrNoVersion)
		}
		seen[c.Version] = true
		places = append(places, fmt.Sprintf("%s v%d %d", c.Place, c.Version, c.N))
	}
	if len(seen) == 0 {
		return nil, nil, ErrNothingThere
	}
	active := slices.Max(slices.Collect(maps.Keys(seen)))
	if s.Pointer != nil || f[transcript.FactPointer] != noPointer {
		p, err := pointerOf(s, f)
		if err != nil {
			return nil, nil, err
		}
		if active, err = s.Store.TheirActive(ctx, p); err != nil {
			return nil, nil, err
		}
		seen[active] = true
	}
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range keks {
		seen[k.Version] = true
	}
	versions := slices.Sorted(maps.Keys(seen))
	facts := Facts{"places": places.Text(), transcript.FactActive: active.String(), factFound: listed(versions),
		factUnused: listed(slices.DeleteFunc(slices.Clone(versions), func(v kek.Version) bool {
			return slices.ContainsFunc(counts, func(c store.Count) bool { return c.Version == v })
		}))}
	return facts, versions, nil
}

func listed(versions []kek.Version) (text string) {
	for i, v := range versions {
		if i > 0 {
			text += " "
		}
		text += v.String()
	}
	return text
}

// keyThere finds the key of a version, and returns its id and label. One that was not made on its
// token, or that may have been outside it, is a deviation.
func keyThere(ctx context.Context, s *Site, v kek.Version) (string, error) {
	n := s.Name(v)
	key, err := s.Provider.Find(ctx, n)
	if errors.Is(err, provider.ErrNoKey) {
		return "", fmt.Errorf("version %d: %w: %w", v, ErrKeyMissing, err)
	}
	if err != nil {
		return "", err
	}
	id, label := n.HexID(), n.Label
	if own, ok := key.Attributes[provider.KeyLabel]; ok {
		id, label = key.Attributes[provider.KeyID], own
	}
	if key.Doubt != nil {
		d := &engine.DeviationError{What: whatKey + v.String(), Expected: "made on the token, and never outside it",
			Seen: attributesOf(key), Err: ErrMadeOutside}
		if !s.Decided(d) {
			return "", d
		}
	}
	return id + " " + label, nil
}

// attributesOf are what a provider says of a key, in one order.
func attributesOf(k provider.Key) (text string) {
	for _, name := range slices.Sorted(maps.Keys(k.Attributes)) {
		text += name + " " + k.Attributes[name] + "; "
	}
	return printable.Text(text)
}
