package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// fenceMark is in the text of each trigger of ours, and in what it says to a writer.
const fenceMark = "kekceremony fence: "

// fenced is a version in the text of a trigger of ours.
var fencedVersion = regexp.MustCompile(` WHEN (\d+) THEN `)

// errTried ends a transaction that only tries something.
var errTried = errors.New("only tried")

// CanFence implements store.Fence. It sets a fence and does not commit it.
func (s *Store) CanFence(ctx context.Context, cat envelope.Catalogue) error {
	err := s.fence(ctx, cat, []kek.Version{1}, errTried)
	var e sqlite3.Error
	switch {
	case errors.Is(err, errTried):
		return nil
	case errors.As(err, &e) && e.Code == sqlite3.ErrError:
		return fmt.Errorf("fence: %w: %s", store.ErrNoFence, printable.Text(e.Error()))
	}
	return fmt.Errorf("fence: %w", err)
}

// Fence implements store.Fence by two triggers for each place.
func (s *Store) Fence(ctx context.Context, cat envelope.Catalogue, refused []kek.Version) error {
	if err := s.fence(ctx, cat, refused, nil); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	return nil
}

// fence sets the triggers in one transaction, which ends with an error.
func (s *Store) fence(ctx context.Context, cat envelope.Catalogue, refused []kek.Version, end error) error {
	places, err := s.locate(ctx, cat)
	if err != nil {
		return err
	}
	want := map[string]string{}
	for _, l := range places {
		if len(refused) > 0 {
			maps.Copy(want, s.triggers(l, refused))
		}
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		have, err := s.ourTriggers(ctx, tx)
		if err != nil {
			return err
		}
		for name, text := range have {
			if want[name] == text {
				continue
			}
			if _, err := tx.ExecContext(ctx, "DROP TRIGGER "+quote(name)); err != nil {
				return err
			}
		}
		for name, text := range want {
			if have[name] == text {
				continue
			}
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		if len(refused) > 0 {
			if err := takesWrites(ctx, tx, places); err != nil {
				return err
			}
		}
		return end
	})
}

// takesWrites compiles a write to each table, with its triggers: one that names a column which is not there would fail
// every write of an application.
func takesWrites(ctx context.Context, tx *sql.Tx, places []located) error {
	for _, l := range places {
		for _, write := range []string{"INSERT INTO %s DEFAULT VALUES", "UPDATE %s SET id = id"} {
			statement, err := tx.PrepareContext(ctx, fmt.Sprintf(write, quote(l.Collection)))
			if err != nil {
				return fmt.Errorf("place %s: %w", l, err)
			}
			if err := statement.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Fenced implements store.Fence.
func (s *Store) Fenced(ctx context.Context, cat envelope.Catalogue) (all []store.Fenced, err error) {
	places, err := s.locate(ctx, cat)
	if err != nil {
		return nil, fmt.Errorf("read fence: %w", err)
	}
	have, err := s.ourTriggers(ctx, s.db.DB)
	if err != nil {
		return nil, fmt.Errorf("read fence: %w", err)
	}
	for _, l := range places {
		refused := s.refused(l, have)
		i := slices.IndexFunc(all, func(f store.Fenced) bool { return f.Collection == l.Collection })
		if i < 0 {
			all = append(all, store.Fenced{Collection: l.Collection, Refused: refused})
			continue
		}
		all[i].Refused = slices.DeleteFunc(all[i].Refused, func(v kek.Version) bool { return !slices.Contains(refused, v) })
	}
	return all, nil
}

// refused are the versions that the triggers of a place refuse, if their text is the one that we
// write.
func (s *Store) refused(l located, have map[string]string) (versions []kek.Version) {
	for _, m := range fencedVersion.FindAllStringSubmatch(have[s.triggerName(l, "insert")], -1) {
		if v, err := kek.ParseVersion(m[1]); err == nil {
			versions = append(versions, v)
		}
	}
	for name, text := range s.triggers(l, versions) {
		if have[name] != text {
			return nil
		}
	}
	return versions
}

// ourTriggers are the texts of those of ours that there are, by name.
func (s *Store) ourTriggers(ctx context.Context, db querier) (map[string]string, error) {
	type trigger struct{ name, text string }
	found, err := collect(ctx, db, func(r *sql.Rows) (t trigger, err error) {
		err = r.Scan(&t.name, &t.text)
		return t, err
	}, `SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, length(?1)) = ?1
		AND instr(sql, ?2) > 0`, s.db.name("kek_fence_"), fenceMark)
	all := map[string]string{}
	for _, t := range found {
		all[t.name] = t.text
	}
	return all, err
}

// triggerName ends with a digest of the place: SQLite takes names that differ in case alone for one.
func (s *Store) triggerName(l located, on string) string {
	digest := sha256.Sum256([]byte(l.Place.String()))
	return s.db.name(fmt.Sprintf("kek_fence_%s %s %x", on, l, digest[:4]))
}

// triggers are the texts of a place's triggers, by name. They come after a write, when the record is
// as it will stay: an INSERT that turns into an update is judged as one.
func (s *Store) triggers(l located, refused []kek.Version) map[string]string {
	refused = slices.Compact(slices.Sorted(slices.Values(refused)))
	cases := fmt.Sprintf(" WHEN 0 THEN RAISE(ABORT, '%sno writes with a version that is no number in table %s')",
		fenceMark, l.Collection)
	for _, v := range refused {
		cases += fmt.Sprintf(" WHEN %d THEN RAISE(ABORT, '%sno writes with version %d in table %s')", v, fenceMark, v,
			l.Collection)
	}
	all := map[string]string{}
	for on, event := range map[string]string{"insert": "INSERT", "update": "UPDATE"} {
		brought := l.brought(refused, on == "update")
		name := s.triggerName(l, on)
		all[name] = fmt.Sprintf("CREATE TRIGGER %s AFTER %s ON %s BEGIN SELECT CASE (%s)%s END; END", quote(name), event,
			quote(l.Collection), brought, cases)
	}
	return all
}

// brought is the query of a refused version that a write brings: of an update, one of an envelope
// that was not there before. It is 0 of a wrapped DEK whose version cannot be read, which may be of any.
func (l located) brought(refused []kek.Version, update bool) string {
	now, old := l.envelopesOf("NEW"), l.envelopesOf("OLD")
	of := version(now.version)
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s AND (%s OR %[1]s = 0 AND %[5]s IS NOT NULL)",
		of, now.from, now.there, among(of, refused), now.wrapped[0])
	if update {
		same := fmt.Sprintf("%s AND %s IS %s", old.there, old.version, now.version)
		for i := range now.wrapped {
			same += fmt.Sprintf(" AND %s COLLATE BINARY IS %s", old.wrapped[i], now.wrapped[i])
		}
		query += fmt.Sprintf(" AND NOT EXISTS (SELECT 1 FROM %s WHERE %s)", old.from, same)
	}
	return query + " LIMIT 1"
}

// among is the condition that a number is one of some versions, which are sorted. For a list of more than two, IN makes
// a table in memory, each time that the trigger runs, which takes longer than the write does.
func among(number string, versions []kek.Version) string {
	var ranges []string
	for i := 0; i < len(versions); {
		first := versions[i]
		for i++; i < len(versions) && versions[i] == versions[i-1]+1; i++ {
		}
		ranges = append(ranges, fmt.Sprintf("%s BETWEEN %d AND %d", number, first, versions[i-1]))
	}
	return strings.Join(ranges, " OR ")
}

// envelopes is how a trigger reads those of a row at a place.
type envelopes struct {
	from    string // one row for each
	there   string // condition
	version string
	wrapped []string
}

// envelopesOf are those of the row that a trigger calls NEW or OLD.
func (l located) envelopesOf(row string) envelopes {
	if l.json != "" {
		return l.envelopesInJSON(row)
	}
	e := envelopes{from: "(SELECT 1)", there: row + "." + l.there(),
		version: row + "." + l.column(l.Parts.KEKVersion)}
	for _, c := range l.read() {
		e.wrapped = append(e.wrapped, row+"."+c)
	}
	return e
}

// envelopesInJSON goes along the place's path, through every element of an array. What is no JSON has
// none: it must not make the application's own write an error.
func (l located) envelopesInJSON(row string) envelopes {
	text := fmt.Sprintf("CAST(%s.%s AS TEXT)", row, quote(l.json))
	object := fmt.Sprintf("CASE WHEN json_valid(%s) THEN %[1]s END", text)
	e := envelopes{from: "(SELECT 1)", there: "1"}
	steps := strings.Split(strings.TrimPrefix(l.Path, l.json), "[]")
	for i, step := range steps[:len(steps)-1] {
		each := fmt.Sprintf("%s%d", row, i)
		e.from += fmt.Sprintf(", json_each(%s, '$%s') AS %s", object, step, each)
		e.there += fmt.Sprintf(" AND typeof(%s.key) = 'integer'", each) // an element of an array
		object = fmt.Sprintf("CASE WHEN %s.type IN ('object', 'array') THEN %[1]s.value END", each)
	}
	part := func(name string) string {
		return fmt.Sprintf("json_extract(%s, '$%s.%s')", object, steps[len(steps)-1], name)
	}
	e.version = part(l.Parts.KEKVersion)
	for _, name := range l.Wrapped() {
		e.wrapped = append(e.wrapped, part(name))
	}
	return e
}
