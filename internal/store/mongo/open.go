package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

const (
	minWire   = 13         // the wire version of MongoDB 5.0
	cosmosSet = "globaldb" // the replica set that Azure Cosmos DB with request units says it is
)

// durable is the write concern of all writes, for commands to which the driver adds none.
var durable = bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}}

// Open connects to the database that the URI names and looks at the server. It
// makes nothing: a database without a collection is store.ErrNoDatabase, a
// server that does not answer within some seconds store.ErrSilent. No error
// holds the URI, which may hold a password.
func Open(ctx context.Context, uri string) (*Store, error) {
	s, err := connect(uri)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s.opened(ctx)
}

// opened has looked at the server.
func (s *Store) opened(ctx context.Context) (*Store, error) {
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
		asked: asks(o), health: &health{met: map[string]event.ServerDescription{}}, opening: true,
		paces:            paces{last: map[string]pace{}},
		testOnlyPatience: patience, testOnlyPause: pause, testOnlyAttempt: attempt, testOnlyLongest: longest,
		testOnlyReach: reach, testOnlyPageSize: pageSize}
	s.health.trusts(o.TLSConfig)
	s.client, err = driver.Connect(o.SetAppName("kekceremony").
		SetReadConcern(readconcern.Majority()).SetWriteConcern(majority).SetReadPreference(readpref.Primary()).
		SetServerSelectionTimeout(selection).SetServerMonitor(s.health.monitor()).
		SetRetryReads(false).SetRetryWrites(false))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", store.ErrOption, printable.Text(err.Error()))
	}
	s.db = s.client.Database(database)
	return s, nil
}

// look refuses a server that is too old and a database that is not there, and
// learns what kind of server it is.
func (s *Store) look(ctx context.Context) error {
	var hello hello
	err := s.again(ctx, func(ctx context.Context, _ bool) (err error) {
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
	s.bulks = s.bulksOf(ctx)
	all, err := s.collections(ctx)
	if err == nil && len(all) == 0 {
		err = store.ErrNoDatabase
	}
	s.opening = err != nil
	return err
}
