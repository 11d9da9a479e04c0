package sqlite

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// update is a statement in the making. One serves all records of a collection, whose names are spelled
// once, and its room is filled again for each.
type update struct {
	table               string
	outer, outerVersion string // empty where there is no outer version

	query []byte
	args  []driver.NamedValue // in the order of the query, for SQLite's driver itself

	set, where       []byte
	setTo, whereArgs []any
	json             map[string]*change // by column
}

// change is what is set in a column of JSON, which stays text or bytes.
type change struct {
	isText bool
	sets   string
	values []any
}

func updateOf(c envelope.Collection) update {
	u := update{table: "UPDATE " + quote(c.Name) + " SET ", json: map[string]*change{}}
	if c.Outer != "" {
		u.outer, u.outerVersion = quote(c.Outer), outer(c.Outer)
	}
	return u
}

func (u *update) assign(column, to string, values ...any) {
	u.set, u.setTo = also(u.set, ", ", column, to), append(u.setTo, values...)
}

func (u *update) demand(what, is string, values ...any) {
	u.where, u.whereArgs = also(u.where, " AND ", what, is), append(u.whereArgs, values...)
}

// assignVersion and demandVersion spell the version itself: records of a collection have few different ones,
// and each value that is bound costs a call of SQLite.
func (u *update) assignVersion(column string, v kek.Version) {
	u.set = strconv.AppendInt(also(u.set, ", ", column, " = "), int64(v), 10)
}

func (u *update) demandVersion(what string, v kek.Version) {
	u.where = strconv.AppendInt(also(u.where, " AND ", what, " = "), int64(v), 10)
}

// also adds a clause to those that a list has.
func also(list []byte, by string, clause ...string) []byte {
	if len(list) > 0 {
		list = append(list, by...)
	}
	for _, s := range clause {
		list = append(list, s...)
	}
	return list
}

// spell makes query and args the compare-and-swap of design section 4. Every column that was read must
// still be what it was; a column of JSON as a whole.
func (u *update) spell(sw *store.Swap) error {
	u.set, u.where, u.setTo, u.whereArgs = u.set[:0], u.where[:0], u.setTo[:0], u.whereArgs[:0]
	clear(u.json)
	u.demand("id", " = ?", sw.Old.ID)
	if u.outer != "" {
		u.assignVersion(u.outer, sw.To)
		u.demandVersion(u.outerVersion, sw.Old.Version)
	}
	parts := sw.Old.Read.([]part)
	for i := range parts {
		p := &parts[i]
		if err := p.same(&sw.Old); err != nil {
			return fmt.Errorf("record %v: %w", sw.Old.ID, err)
		}
		p.unchanged(u)
		for _, n := range sw.New {
			if envelope.PlaceOf(n.Path) != p.Path {
				continue
			}
			if err := p.renew(u, n); err != nil {
				return fmt.Errorf("record %v: %s: %w", sw.Old.ID, n.Path, err)
			}
		}
	}
	u.assignJSON()
	u.query = append(append(u.query[:0], u.table...), u.set...)
	u.query = append(append(u.query, " WHERE "...), u.where...)
	u.args = named(named(u.args[:0], u.setTo), u.whereArgs)
	return nil
}

// assignJSON sets each column of JSON once, with all that changes in it.
func (u *update) assignJSON() {
	if len(u.json) == 0 {
		return
	}
	for _, column := range slices.Sorted(maps.Keys(u.json)) {
		c := u.json[column]
		to := "json_set(" + quote(column) + c.sets + ")"
		if !c.isText {
			to = "CAST(json_set(CAST(" + quote(column) + " AS TEXT)" + c.sets + ") AS BLOB)"
		}
		u.assign(quote(column), " = "+to, c.values...)
	}
}

// unchanged demands what was read at a place.
func (p *part) unchanged(u *update) {
	for i, column := range p.names.read {
		u.demand(column, " COLLATE BINARY IS ?", p.read[i])
	}
	if p.json == "" && p.read[0] != nil {
		u.demandVersion(p.names.version, p.version)
	}
}

// renew sets what is new of an envelope at a place.
func (p *part) renew(u *update, n store.Held) error {
	values, err := p.Write(n.WrappedDEK)
	if err != nil {
		return err
	}
	if p.json == "" {
		for i, v := range values {
			if p.Bytes != envelope.Binary { // text that was kept as bytes stays so
				_, wasBytes := p.read[i].([]byte)
				v = as(wasBytes, v)
			}
			u.assign(p.names.read[i], " = ?", v)
		}
		u.assignVersion(p.names.kekVersion, n.Version)
		return nil
	}
	c := u.json[p.json]
	if c == nil {
		_, isText := p.read[0].(string)
		c = &change{isText: isText}
		u.json[p.json] = c
	}
	names := append(p.Wrapped(), p.Parts.KEKVersion)
	for i, v := range append(values, int64(n.Version)) {
		c.sets += ", '$" + strings.TrimPrefix(n.Path, p.json) + "." + names[i] + "', ?"
		c.values = append(c.values, v)
	}
	return nil
}
