package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// CreateCollection makes an application's table for c. Ceremonies never call
// it: it is for rehearsals, tests and applications.
func (s *Store) CreateCollection(ctx context.Context, c envelope.Collection) error {
	cols := []string{"id NOT NULL PRIMARY KEY", "kek_version INTEGER"}
	for _, f := range c.Fields {
		cols = append(cols, f+"_wrapped_dek BLOB", f+"_nonce BLOB", f+"_ciphertext BLOB", f+"_kek_version INTEGER",
			f+"_provider TEXT")
	}
	_, err := s.db.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (%s)`, c.Name, strings.Join(cols, ", ")))
	if err != nil {
		return fmt.Errorf("create %s: %w", c.Name, err)
	}
	return nil
}

// Put writes whole envelopes, as an application does, in one transaction.
func (s *Store) Put(ctx context.Context, f envelope.Field, records map[string]envelope.Envelope) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, fmt.Sprintf(
			`INSERT INTO %[1]s (id, kek_version, %[2]s_wrapped_dek, %[2]s_nonce, %[2]s_ciphertext, `+
				`%[2]s_kek_version, %[2]s_provider)
			 VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?6)
			 ON CONFLICT (id) DO UPDATE SET kek_version = ?2, %[2]s_wrapped_dek = ?3, %[2]s_nonce = ?4, %[2]s_ciphertext = ?5,
			 %[2]s_kek_version = ?2, %[2]s_provider = ?6`, f.Collection, f.Name))
		if err != nil {
			return err
		}
		for id, e := range records {
			_, err := stmt.ExecContext(ctx, id, int(e.KEKVersion), e.WrappedDEK, e.Nonce, e.Ciphertext, e.Provider)
			if err != nil {
				return fmt.Errorf("put %s/%s: %w", f, id, err)
			}
		}
		return nil
	})
}

// Get reads one whole envelope, as an application does.
func (s *Store) Get(ctx context.Context, f envelope.Field, id string) (envelope.Envelope, error) {
	var e envelope.Envelope
	err := s.db.QueryRowContext(ctx, fmt.Sprintf(
		`SELECT %[2]s_wrapped_dek, %[2]s_nonce, %[2]s_ciphertext, %[2]s_kek_version, %[2]s_provider FROM %[1]s WHERE id = ?`,
		f.Collection, f.Name), id).Scan(&e.WrappedDEK, &e.Nonce, &e.Ciphertext, &e.KEKVersion, &e.Provider)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return e, fmt.Errorf("get %s/%s: %w", f, id, err)
	}
	return e, nil
}

// Census implements store.Envelopes.
func (s *Store) Census(ctx context.Context, cat envelope.Catalogue) ([]store.Count, error) {
	have, err := s.fields(ctx)
	if err != nil {
		return nil, err
	}
	var out []store.Count
	for _, f := range cat {
		if !have[f] {
			continue
		}
		counts, err := s.count(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", f, err)
		}
		out = append(out, counts...)
	}
	return out, nil
}

// version is what a column says of a version, also as a real number where that is the
// column's type: anything but a version is 0, so that
// nothing an application or an attacker wrote there hides an envelope from the census.
func version(column string) string {
	return fmt.Sprintf("iif(typeof(%[1]s) IN ('integer', 'real') AND %[1]s BETWEEN 1 AND %[2]d AND "+
		"%[1]s = CAST(%[1]s AS INTEGER), CAST(%[1]s AS INTEGER), 0)", column, kek.MaxVersion)
}

// count counts the envelopes of a field version by version, each in one reading:
// grouping them would sort them all, in memory that grows with the store.
func (s *Store) count(ctx context.Context, f envelope.Field) (counts []store.Count, err error) {
	query := fmt.Sprintf(`SELECT count(*) FILTER (WHERE v = ?1), min(v) FILTER (WHERE v > ?1) FROM (
		  SELECT %[3]s v FROM %[1]s WHERE %[2]s_wrapped_dek IS NOT NULL
		  UNION ALL
		  SELECT %[4]s FROM %[1]s WHERE %[2]s_wrapped_dek IS NOT NULL AND %[4]s <> %[3]s
		)`, f.Collection, f.Name, version(f.Name+"_kek_version"), version("kek_version"))
	for at := int64(-1); ; {
		var n int
		var next sql.NullInt64
		if err := s.db.QueryRowContext(ctx, query, at).Scan(&n, &next); err != nil {
			return nil, err
		}
		if n > 0 {
			counts = append(counts, store.Count{Field: f, Version: kek.Version(at), N: n})
		}
		if !next.Valid {
			return counts, nil
		}
		at = next.Int64
	}
}

// Strangers implements store.Envelopes.
func (s *Store) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Field, error) {
	have, err := s.fields(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range cat {
		delete(have, f)
	}
	var out envelope.Catalogue
	for f := range have {
		var found bool
		q := fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM "%s" WHERE "%s_wrapped_dek" IS NOT NULL)`, f.Collection, f.Name)
		if err := s.db.QueryRowContext(ctx, q).Scan(&found); err != nil {
			return nil, fmt.Errorf("look for envelopes in %s: %w", f, err)
		}
		if found {
			out = append(out, f)
		}
	}
	return out.With(), nil
}

// fields finds every field by its columns' names.
func (s *Store) fields(ctx context.Context) (map[envelope.Field]bool, error) {
	const suffix = "_wrapped_dek"
	found, err := collect(ctx, s.db, func(r *sql.Rows) (f envelope.Field, err error) {
		err = r.Scan(&f.Collection, &f.Name)
		f.Name = strings.TrimSuffix(f.Name, suffix)
		return f, err
	}, `SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
	    WHERE m.type = 'table' AND c.name LIKE '%\_wrapped\_dek' ESCAPE '\'`)
	if err != nil {
		return nil, fmt.Errorf("list envelope fields: %w", err)
	}
	have := make(map[envelope.Field]bool, len(found))
	for _, f := range found {
		if strings.ContainsRune(f.Collection+f.Name, '"') {
			return nil, fmt.Errorf("list envelope fields: a table or column name holds a double quote")
		}
		have[f] = true
	}
	return have, nil
}

// Page implements store.Envelopes.
func (s *Store) Page(
	ctx context.Context, c envelope.Collection, to kek.Version, after any, limit int,
) ([]store.Document, error) {
	have, err := s.fields(ctx)
	if err != nil {
		return nil, err
	}
	var cols, old []string
	var fields []string
	for _, f := range c.Fields {
		if !have[envelope.Field{Collection: c.Name, Name: f}] {
			continue
		}
		fields = append(fields, f)
		cols = append(cols, fmt.Sprintf("CAST(%[1]s_wrapped_dek AS BLOB), %[1]s_wrapped_dek IS NOT NULL, %[2]s",
			f, version(f+"_kek_version")))
		old = append(old,
			fmt.Sprintf("(%s_wrapped_dek IS NOT NULL AND (%s <> ?1 OR %s <> ?1))", f, version(f+"_kek_version"),
				version("kek_version")))
	}
	if len(fields) == 0 {
		return nil, nil
	}
	from, args := "", []any{int(to), limit}
	if after != nil { // not "?3 IS NULL OR ...": that would read the index from its start
		from, args = "id > ?3 AND", append(args, after)
	}
	docs, err := collect(ctx, s.db, func(r *sql.Rows) (store.Document, error) { return scanDocument(r, fields) },
		// +id has no declared type, which the driver would convert the id to. A NULL
		// id is in no page: nothing can be swapped by it, and the census counts it.
		fmt.Sprintf(`SELECT +id, %s, %s FROM %s WHERE %s (%s) AND id IS NOT NULL ORDER BY id LIMIT ?2`,
			version("kek_version"), strings.Join(cols, ", "), c.Name, from, strings.Join(old, " OR ")), args...)
	if err != nil {
		return nil, fmt.Errorf("read a page of %s: %w", c.Name, err)
	}
	return docs, nil
}

func scanDocument(r *sql.Rows, fields []string) (store.Document, error) {
	var d store.Document
	held, there := make([]store.Held, len(fields)), make([]bool, len(fields))
	into := []any{&d.ID, &d.Version}
	for i, f := range fields {
		held[i].Field = f
		into = append(into, &held[i].WrappedDEK, &there[i], &held[i].Version)
	}
	if err := r.Scan(into...); err != nil {
		return d, err
	}
	for i, h := range held {
		if there[i] { // an empty one is none that a key opens, but it is there
			d.Envelopes = append(d.Envelopes, h)
		}
	}
	return d, nil
}

// Swap implements store.Envelopes.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	have, err := s.fields(ctx)
	if err != nil {
		return nil, err
	}
	c.Fields = slices.DeleteFunc(slices.Clone(c.Fields), func(f string) bool {
		return !have[envelope.Field{Collection: c.Name, Name: f}] // no column: absent in every record
	})
	done := make([]bool, len(swaps))
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		prepared := map[string]*sql.Stmt{}
		for i, sw := range swaps {
			query, args := swapQuery(c, sw)
			stmt, ok := prepared[query]
			if !ok {
				if stmt, err = tx.PrepareContext(ctx, query); err != nil {
					return err
				}
				defer stmt.Close()
				prepared[query] = stmt
			}
			res, err := stmt.ExecContext(ctx, args...)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			done[i] = n == 1
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("swap envelopes of %s: %w", c.Name, err)
	}
	return done, nil
}

// swapQuery spells the compare-and-swap of design section 4.
func swapQuery(c envelope.Collection, sw store.Swap) (string, []any) {
	set, where := []string{"kek_version = ?"}, []string{"id = ?", version("kek_version") + " = ?"}
	args := []any{int(sw.To)}
	for _, n := range sw.New {
		set = append(set, n.Field+"_wrapped_dek = ?", n.Field+"_kek_version = ?")
		args = append(args, n.WrappedDEK, int(n.Version))
	}
	args = append(args, sw.Old.ID, int(sw.Old.Version))
	seen := map[string]bool{}
	for _, h := range sw.Old.Envelopes {
		seen[h.Field] = true
		where = append(where, version(h.Field+"_kek_version")+" = ?", "CAST("+h.Field+"_wrapped_dek AS BLOB) = ?")
		args = append(args, int(h.Version), h.WrappedDEK)
	}
	for _, f := range c.Fields {
		if !seen[f] {
			where = append(where, f+"_wrapped_dek IS NULL")
		}
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s", c.Name, strings.Join(set, ", "), strings.Join(where, " AND ")), args
}

func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
