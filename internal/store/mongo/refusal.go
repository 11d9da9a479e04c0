package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

type refusalDoc struct {
	Version int
	Process string
	Role    string
	Epoch   int
	Count   int
	Last    time.Time
}

// Refuse implements store.Fleet. Where an answer is lost, one may be counted twice.
func (s *Store) Refuse(ctx context.Context, process, role string, v kek.Version, epoch int) error {
	err := s.again(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(s.own(refusals)).UpdateOne(ctx, byID(v.String()+"/"+process), bson.D{
			{Key: "$set", Value: bson.D{{Key: "version", Value: int(v)}, {Key: "process", Value: process},
				{Key: "role", Value: role}}},
			{Key: "$max", Value: bson.D{{Key: "epoch", Value: epoch}}},
			{Key: "$inc", Value: bson.D{{Key: "count", Value: 1}}},
			{Key: "$currentDate", Value: bson.D{{Key: "last", Value: true}}},
		}, options.UpdateOne().SetUpsert(true))
		return err
	})
	if err != nil {
		return fmt.Errorf("record a refusal of version %d: %w", v, err)
	}
	return nil
}

// Refusals implements store.Fleet. They come in portions: after a failure the reading goes on with those that it does
// not have.
func (s *Store) Refusals(ctx context.Context, v kek.Version) (all []store.Refusal, err error) {
	newest := bson.D{{Key: "epoch", Value: -1}, {Key: "_id", Value: 1}}
	pace := s.pace(firstList, store.MaxRefusals, portionSize)
	had := bson.A{}
	for more := true; more && len(all) < store.MaxRefusals; {
		q := query{collection: s.own(refusals), filter: bson.D{{Key: "version", Value: int(v)},
			{Key: "_id", Value: bson.D{{Key: "$nin", Value: had}}}}}
		var p portion
		err := s.paced(ctx, &pace, func(ctx context.Context) (_ []bson.Raw, err error) {
			p, err = s.read(ctx, q, newest, &pace)
			return p.docs, err
		})
		for _, raw := range p.docs {
			var d refusalDoc
			if err == nil {
				err = s.safe(bson.Unmarshal(raw, &d))
			}
			had = append(had, raw.Lookup("_id"))
			all = append(all, store.Refusal{Version: v, Process: d.Process, Role: d.Role, Epoch: d.Epoch, Count: d.Count,
				Last: d.Last.UTC()})
		}
		if err != nil {
			return nil, fmt.Errorf("read kek_refusals: %w", err)
		}
		more = p.full
	}
	return all[:min(len(all), store.MaxRefusals)], nil
}
