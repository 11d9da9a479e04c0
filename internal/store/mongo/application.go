package mongo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Create makes a database that is not there yet and opens it.
func Create(ctx context.Context, uri string) (*Store, error) {
	s, err := Open(ctx, uri)
	if err == nil {
		return nil, errors.Join(fmt.Errorf("create store %s: it holds collections: %w", s.about, fs.ErrExist), s.Close())
	}
	if !errors.Is(err, store.ErrNoDatabase) {
		return nil, err
	}
	if s, err = connect(uri); err != nil {
		return nil, fmt.Errorf("create store: %w", err)
	}
	if err := s.create(ctx, s.own(heartbeats)); err != nil {
		return nil, errors.Join(fmt.Errorf("create store %s: %w", s.about, err), s.Close())
	}
	s.opening, s.bulks = false, s.bulksOf(ctx)
	return s, nil
}

// create makes a collection; one that is there stays.
func (s *Store) create(ctx context.Context, name string) error {
	// The driver has a name for an unmet write concern of a command that it does not know, and none of this one.
	command := bson.D{{Key: "create", Value: name}, durable}
	return s.again(ctx, func(ctx context.Context, _ bool) error {
		err := s.db.RunCommand(ctx, command).Err()
		if server := driver.ServerError(nil); errors.As(err, &server) && server.HasErrorCode(codeNamespaceExists) {
			return nil
		}
		return err
	})
}

// CreateCollection makes an application's collection; one that is there stays.
// Ceremonies never call it, Put or Get: they are for rehearsals and applications, and know the
// standard form alone.
func (s *Store) CreateCollection(ctx context.Context, c envelope.Collection) error {
	if err := s.create(ctx, c.Name); err != nil {
		return fmt.Errorf("create %s: %w", c.Name, err)
	}
	return nil
}

type envelopeDoc struct {
	WrappedDEK []byte `bson:"wrapped_dek"`
	Nonce      []byte `bson:"nonce"`
	Ciphertext []byte `bson:"ciphertext"`
	KEKVersion int    `bson:"kek_version"`
	Provider   string `bson:"provider"`
}

// Put writes whole envelopes, as an application does.
func (s *Store) Put(ctx context.Context, f envelope.Place, records map[string]envelope.Envelope) error {
	var models []driver.WriteModel
	for id, e := range records {
		fields := bson.D{{Key: f.Outer, Value: int(e.KEKVersion)}, {Key: f.Path, Value: envelopeDoc{
			WrappedDEK: e.WrappedDEK,
			Nonce:      e.Nonce,
			Ciphertext: e.Ciphertext,
			KEKVersion: int(e.KEKVersion),
			Provider:   e.Provider,
		}}}
		models = append(models, driver.NewUpdateOneModel().SetFilter(byID(id)).SetUpdate(set(fields)).SetUpsert(true))
	}
	err := s.again(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(f.Collection).BulkWrite(ctx, models)
		return err
	})
	if err != nil {
		return fmt.Errorf("put %d records of %s: %w", len(records), f, err)
	}
	return nil
}

// Get reads one whole envelope, as an application does.
func (s *Store) Get(ctx context.Context, f envelope.Place, id string) (envelope.Envelope, error) {
	var record bson.Raw
	var d envelopeDoc
	err := s.find(ctx, f.Collection, id, &record)
	if err == nil {
		err = s.safe(record.Lookup(f.Path).Unmarshal(&d))
	}
	if err != nil {
		return envelope.Envelope{}, fmt.Errorf("get %s/%s: %w", f, id, err)
	}
	return envelope.Envelope{WrappedDEK: d.WrappedDEK, Nonce: d.Nonce, Ciphertext: d.Ciphertext,
		KEKVersion: kek.Version(d.KEKVersion), Provider: d.Provider}, nil
}
