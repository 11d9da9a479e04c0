// Package mongo is the store of a fleet: a MongoDB database, version 5.0 or
// newer, or what speaks its protocol. It needs no transaction and no index but
// the one of _id. Every write waits for a majority's journal, every read is of
// what a majority has; docs/mongodb.md lists what is relied on.
package mongo

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

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
	bulks   bulks
	fewer   atomic.Int64 // updates of a bulk, after silence; 0: as many as may be

	paces   paces
	noTypes atomic.Bool // the server does not know every type of BSON

	testOnlyPatience, testOnlyPause, testOnlyAttempt, testOnlyLongest time.Duration
	testOnlyReach, testOnlyPageSize                                   int
}

var _ store.Store = (*Store)(nil)

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
