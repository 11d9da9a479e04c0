package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// position says how far the last ceremony of a snapshot has come.
type position struct {
	at     string   // kind and step of the last line on the disk, or the last final
	world  string   // what there is beside log and finals
	ahead  bool     // the disk has a line or a final that the store lacks
	bare   bool     // a file is missing that the log embeds
	ended  bool     // M finals are in the store: the ceremony is not interrupted any more
	closed []string // bundles of the ceremonies before
}

// locate reads the position from a snapshot, and has its agents stop.
func (n snapshot) locate() (p position) {
	n.t.Helper()
	db, err := sqlite.Open(n.t.Context(), filepath.Join(n.dir, "store.db"))
	if err != nil {
		n.t.Fatal(err)
	}
	defer db.Close() // it takes the write-ahead log into the file
	n.stopAgents(db)
	all, err := db.Ceremonies(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	if len(all) == 0 {
		return position{at: "nothing"}
	}
	last := all[len(all)-1]
	entries, err := db.Entries(n.t.Context(), last.Seq)
	if err != nil {
		n.t.Fatal(err)
	}
	p = n.log(filepath.Join(n.dir, "transcripts", last.Bundle), entries)
	for _, c := range all[:len(all)-1] {
		p.closed = append(p.closed, c.Bundle)
	}
	p.world = n.changed(db) + ", outcome " + last.Outcome
	return p
}

func (n snapshot) stopAgents(db store.Fleet) {
	n.t.Helper()
	heartbeats, err := db.Heartbeats(n.t.Context(), time.Time{})
	for _, b := range heartbeats {
		b.Stopped, b.Proofs = true, nil
		err = errors.Join(err, db.Heartbeat(n.t.Context(), b))
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// log compares the bundle with the entries of the store.
func (n snapshot) log(bundle string, entries []store.Entry) (p position) {
	n.t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return position{at: "number"}
	}
	events, parseErr := transcript.ParseLog(data)
	if err = errors.Join(err, parseErr); err != nil {
		n.t.Fatal(err)
	}
	if len(events) == 0 {
		return position{at: "number-log"}
	}
	last := events[len(events)-1]
	p.at = strings.TrimSuffix(string(last.Kind)+"-"+last.Step, "-")
	_, err = transcript.Verify(bundle)
	p.bare = err != nil && lacksFile.MatchString(err.Error())
	stored := map[string]bool{}
	for _, e := range entries {
		stored[e.Name] = true
	}
	p.ahead = !stored[transcript.EntryName(last.Seq)]
	n.finals(&p, bundle, stored)
	return p
}

// lacksFile matches what the verifier says when a file is missing or torn that a line embeds.
var lacksFile = regexp.MustCompile(`line \d+: \S+ (is missing|differs from what the log embeds)`)

// finals puts the position behind the last final's file that the bundle has.
func (n snapshot) finals(p *position, bundle string, stored map[string]bool) {
	names, signed := []string{transcript.CoreFile}, 0
	for _, who := range n.from.people {
		file := transcript.FinalFile(who.Name)
		names = append(names, file, file+".sig")
		if stored[file+".sig"] && slices.Contains(who.Spaces, quorum.Approve) {
			signed++
		}
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(bundle, name)); err == nil {
			p.at, p.ahead = strings.ReplaceAll(name, ".txt", ""), !stored[name]
		}
	}
	p.ended = signed >= 2
}

// changed says what acts have changed: versions, pointer, lock, records and keys.
func (n snapshot) changed(db *sqlite.Store) string {
	n.t.Helper()
	ctx := n.t.Context()
	keks, err := db.KEKs(ctx)
	active, activeErr := db.Active(ctx)
	_, lockErr := db.Lock(ctx)
	counts, countErr := db.Census(ctx, envelope.DefaultCatalogue())
	for _, err := range []error{err, activeErr, lockErr, countErr} {
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			n.t.Fatal(err)
		}
	}
	text := fmt.Sprintf("active %d, locked %t", active.Version, lockErr == nil)
	for _, k := range keks {
		text += fmt.Sprintf(", version %d %s", k.Version, k.State)
	}
	var at []string
	for _, c := range counts {
		at = append(at, "records at "+c.Version.String())
	}
	slices.Sort(at)
	files, err := filepath.Glob(filepath.Join(n.dir, "secrets.env*"))
	if err != nil {
		n.t.Fatal(err)
	}
	keys, err := os.ReadFile(filepath.Join(n.dir, "secrets.env"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.t.Fatal(err)
	}
	text += ", " + strings.Join(slices.Compact(at), ", ")
	return text + fmt.Sprintf(", %d files of %d keys", len(files), bytes.Count(keys, []byte("\n")))
}
