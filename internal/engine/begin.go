package engine

import (
	"context"
	"maps"
	"path/filepath"
	"strconv"
	"time"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// begin opens the next ceremony: first its number in the store, so that two
// consoles cannot both have it, then the bundle.
func (e *engine) begin(ctx context.Context, seq int, lock store.Lock) error {
	facts, err := e.prepare(ctx, lock)
	if err != nil {
		return err
	}
	e.site.Seq = seq
	dir := transcript.Free(e.site.Bundles, time.Now(), seq, e.Kind)
	err = e.site.Store.OpenCeremony(ctx, store.Ceremony{Seq: seq, Kind: e.Kind, Mode: string(e.site.Mode),
		Bundle: filepath.Base(dir)})
	if err != nil {
		return err
	}
	e.log, err = transcript.Create(dir, e.site.History.Final, history.Fence{Log: e.site.Store, Seq: seq}, time.Now)
	if err != nil {
		return err
	}
	return e.firstLine(ctx, facts)
}

// prepare decides on what the first line records: a new ceremony's facts, and its chain.
func (e *engine) prepare(ctx context.Context, lock store.Lock) (Facts, error) {
	facts, err := e.Open(ctx, e.site, lock)
	if err == nil {
		err = e.checkCovered(facts)
	}
	if err == nil {
		err = e.expect(facts)
	}
	if e.site.Chain == "" {
		e.site.Chain = lock.Chain
	}
	if e.site.Chain == "" {
		e.site.Chain = kek.NewChain()
	}
	return facts, err
}

// expect says to the room what will be asked.
func (e *engine) expect(opened Facts) error {
	if e.voids() {
		return e.room.Expect("abort", Ceremony{Steps: func(Facts) []Step { return e.Void.Steps(e.log.State) }}.Questions(nil))
	}
	return e.room.Expect(e.Kind, e.Questions(opened))
}

func (e *engine) firstLine(ctx context.Context, facts Facts) error {
	facts[transcript.FactFormat] = transcript.Format
	facts[transcript.FactChain] = string(e.site.Chain)
	facts[transcript.FactCeremony] = strconv.Itoa(e.site.Seq)
	facts[transcript.FactKind] = e.Kind
	facts[transcript.FactMode] = string(e.site.Mode)
	maps.Copy(facts, e.site.Tool.facts())
	facts[transcript.FactScriptSum] = e.scriptSum(e.site.Tool.Version, facts)
	facts[transcript.FactStore] = printable.Text(e.site.Store.Describe())
	for name, sum := range e.site.History.Files {
		facts[transcript.FactPrevious+name] = sum
	}
	e.site.opened(facts)
	_, err := e.append(ctx, transcript.Opened, "", facts)
	return err
}
