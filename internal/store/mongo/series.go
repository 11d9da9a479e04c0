package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/certautopilot/kekceremony/internal/store"
)

// series reads the records of a time series. Their _id has no index, need not be unique and may be missing. What
// each has is the time, a date, by which the server stores them: it takes none without. So a reading goes by
// time, and among the records of one moment by _id.
func (s *Store) series(ctx context.Context, c driver.CollectionSpecification, visit func(bson.Raw) error) error {
	field, ok := c.Options.Lookup("timeseries", "timeField").StringValueOK()
	if !ok {
		return fmt.Errorf("a time series of which the server does not name the field of the time: %w", store.ErrServer)
	}
	q := query{collection: c.Name, twins: true}
	at, pace := ofKind(bson.TypeDateTime), s.pace(firstPortion, maxPortion, portionSize)
	at.by, pace.timed = field, true
	for more := true; more; {
		p, err := s.portion(ctx, q, &at, &pace)
		if err == nil {
			err = s.moments(ctx, q, p, field, visit)
		}
		if err != nil {
			return err
		}
		more = p.more
	}
	return nil
}

// moments visits the records of a portion, and of its last moment all that there are.
func (s *Store) moments(ctx context.Context, q query, p portion, field string, visit func(bson.Raw) error) error {
	docs, last := p.docs, bson.RawValue{}
	if p.full {
		docs, last = withoutLast(docs, field)
	}
	for _, raw := range docs {
		if err := visit(raw); err != nil {
			return err
		}
	}
	if !p.full {
		return nil
	}
	return s.walk(ctx, q.narrowed(was(field, last)), visit)
}
