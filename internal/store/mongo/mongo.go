// Package mongo is the store of a fleet: a MongoDB database, version 5.0 or
// newer, or what speaks its protocol. It needs no transaction and no index but
// the one of _id. Every write waits for a majority's journal, every read is of
// what a majority has; docs/mongodb.md lists what is relied on.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// The collections of a ceremony's own.
const (
	install    = "kek_install"
	versions   = "kek_versions"
	wraps      = "kek_wraps"
	ceremonies = "kek_ceremonies"
	events     = "kek_events"
	voids      = "kek_void"
	refusals   = "kek_refusals"
	heartbeats = "process_heartbeats"
)

// own is the name of a collection of a ceremony's own.
func (s *Store) own(name string) string {
	if s.prefix == "" {
		return name
	}
	return s.prefix + strings.TrimPrefix(name, "kek_")
}

// Under implements store.Store.
func (s *Store) Under(prefix string) { s.prefix = prefix }

const (
	minWire   = 13         // the wire version of MongoDB 5.0
	cosmosSet = "globaldb" // the replica set that Azure Cosmos DB with request units says it is
)

// Store is an open database.
type Store struct {
	client *driver.Client
	db     *driver.Database
	about  string
	prefix string // of own collections, in place of kek_
	asked  asked
	health *health

	opening bool
	sharded bool // behind it is a cluster of shards

	testOnlyPatience, testOnlyPause, testOnlyAttempt time.Duration
	testOnlyCount                                    int
}

var _ store.Store = (*Store)(nil)

// Open connects to the database that the URI names and looks at the server. It
// makes nothing: a database without a collection is store.ErrNoDatabase, a
// server that does not answer within some seconds store.ErrSilent. No error
// holds the URI, which may hold a password.
func Open(ctx context.Context, uri string) (*Store, error) {
	s, err := connect(uri)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := s.look(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", s.about, s.asked.serviceOf(err)), s.Close())
	}
	return s, nil
}

// connect makes the client, which connects when it is asked something.
func connect(uri string) (*Store, error) {
	o, database, err := target(uri)
	if err != nil {
		return nil, err
	}
	journaled := true
	majority := writeconcern.Majority()
	majority.Journal = &journaled
	s := &Store{about: printable.Text("mongodb:" + strings.Join(o.Hosts, ",") + "/" + database),
		asked: asks(o), health: &health{met: map[string]event.ServerDescription{}},
		opening: true, testOnlyPatience: patience, testOnlyPause: pause, testOnlyAttempt: attempt,
		testOnlyCount: countPortion}
	s.client, err = driver.Connect(o.SetAppName("kekceremony").
		SetReadConcern(readconcern.Majority()).SetWriteConcern(majority).SetReadPreference(readpref.Primary()).
		SetServerSelectionTimeout(selection).SetServerMonitor(s.health.monitor()).
		SetRetryReads(false).SetRetryWrites(false))
	if err != nil {
		return nil, errors.New(printable.Text(err.Error()))
	}
	s.db = s.client.Database(database)
	return s, nil
}

// look refuses a server that is too old and a database that is not there, and
// learns what kind of server it is.
func (s *Store) look(ctx context.Context) error {
	var hello hello
	err := s.again(ctx, attempt, func(ctx context.Context, _ bool) (err error) {
		hello, err = s.hello(ctx)
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case hello.SetName == cosmosSet:
		return store.ErrCosmos
	case hello.MaxWireVersion < minWire:
		return fmt.Errorf("it is older than MongoDB 5.0: %w", store.ErrServer)
	case hello.Secondary || hello.ArbiterOnly:
		return store.ErrSecondary
	}
	switch {
	case hello.Msg == "isdbgrid":
		s.about, s.sharded = s.about+", sharded", true
	case hello.SetName != "":
		s.about += ", replica set " + printable.Text(hello.SetName)
	default:
		s.about += ", standalone: it survives what this one server survives"
	}
	all, err := s.collections(ctx)
	if err == nil && len(all) == 0 {
		err = store.ErrNoDatabase
	}
	s.opening = err != nil
	return err
}

// collections are those of the database, views among them.
func (s *Store) collections(ctx context.Context) (all []driver.CollectionSpecification, err error) {
	err = s.again(ctx, attempt, func(ctx context.Context, _ bool) (err error) {
		all, err = s.db.ListCollectionSpecifications(ctx, bson.D{})
		return err
	})
	return all, err
}

type hello struct {
	SetName        string    `bson:"setName"`
	Msg            string    `bson:"msg"`
	MaxWireVersion int       `bson:"maxWireVersion"`
	Secondary      bool      `bson:"secondary"`
	ArbiterOnly    bool      `bson:"arbiterOnly"`
	LocalTime      time.Time `bson:"localTime"`
}

func (s *Store) hello(ctx context.Context) (h hello, err error) {
	err = s.db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&h)
	return h, err
}

// Describe names hosts, database and kind of server, without credentials.
func (s *Store) Describe() string { return s.about }

// Close ends all connections.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), selection)
	defer cancel()
	return s.client.Disconnect(ctx)
}

// byID is the filter of one document.
func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

// set is the update of some fields.
func set(fields bson.D) bson.D { return bson.D{{Key: "$set", Value: fields}} }

// exists is the condition that a field is there, or is not.
func exists(yes bool) bson.D { return bson.D{{Key: "$exists", Value: yes}} }
