package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "github.com/mattn/go-sqlite3"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/keyring"
)

// records are the notes as they are stored: an id and an envelope each.
type records interface {
	write(ctx context.Context, id string, e keyring.Envelope) error
	read(ctx context.Context, id string) (keyring.Envelope, error) // errNone
}

var errNone = errors.New("no such note")

// openRecords opens the database and makes the table, or the collection, if it is not there.
func openRecords(ctx context.Context, name string) (records, error) {
	if strings.HasPrefix(name, "mongodb") {
		return openMongo(ctx, name)
	}
	return openSQLite(ctx, name)
}

type inSQLite struct{ *sql.DB }

func openSQLite(ctx context.Context, path string) (records, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=10000&_journal_mode=WAL")
	if err != nil {
		return nil, err
	}
	names, _ := keyring.Envelope{}.Columns("body")
	_, err = db.ExecContext(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS notes "+
		"(id TEXT PRIMARY KEY, kek_version INTEGER, %s BLOB, %s BLOB, %s BLOB, %s INTEGER, %s TEXT)",
		names[0], names[1], names[2], names[3], names[4]))
	return inSQLite{db}, err
}

func (s inSQLite) write(ctx context.Context, id string, e keyring.Envelope) error {
	names, values := e.Columns("body")
	_, err := s.ExecContext(ctx, "INSERT OR REPLACE INTO notes (id, kek_version, "+strings.Join(names, ", ")+
		") VALUES (?, ?, ?, ?, ?, ?, ?)", append([]any{id, e.KEKVersion}, values...)...)
	return err
}

func (s inSQLite) read(ctx context.Context, id string) (e keyring.Envelope, err error) {
	names, into := e.Scan("body")
	query := "SELECT " + strings.Join(names, ", ") + " FROM notes WHERE id = ?"
	err = s.QueryRowContext(ctx, query, id).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNone
	}
	return e, err
}

type inMongo struct{ *mongo.Collection }

func openMongo(ctx context.Context, uri string) (records, error) {
	_, path, _ := strings.Cut(strings.TrimPrefix(uri, "mongodb://"), "/")
	database, _, _ := strings.Cut(path, "?")
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return nil, err
	}
	db := client.Database(database)
	names, err := db.ListCollectionNames(ctx, bson.D{{Key: "name", Value: "notes"}})
	if err == nil && len(names) == 0 {
		err = db.CreateCollection(ctx, "notes")
	}
	return inMongo{db.Collection("notes")}, err
}

func (m inMongo) write(ctx context.Context, id string, e keyring.Envelope) error {
	note := bson.D{{Key: "_id", Value: id}, {Key: "kek_version", Value: e.KEKVersion}, {Key: "body", Value: e}}
	_, err := m.ReplaceOne(ctx, bson.D{{Key: "_id", Value: id}}, note, options.Replace().SetUpsert(true))
	return err
}

func (m inMongo) read(ctx context.Context, id string) (keyring.Envelope, error) {
	var note struct{ Body keyring.Envelope }
	err := m.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&note)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = errNone
	}
	return note.Body, err
}
