package mongo_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// listed is the answer of a server that has one collection, of a kind.
func listed(name, kind string, options bson.D) bson.D {
	return answers(bson.D{{Key: "name", Value: name}, {Key: "type", Value: kind}, {Key: "options", Value: options}})
}

// series has a collection named as a time series that goes by a field.
func series(server *mongotest.Server, name, field string) {
	options := bson.D{{Key: "timeseries", Value: bson.D{{Key: "timeField", Value: field}}}}
	server.Instead("listCollections", always, listed(name, "timeseries", options))
}

// TestTimeSeries: a scan reads a time series by its time, in portions, as primaries step down at every third
// command: it goes on where it was, and each record comes once, though many are of one moment.
func TestTimeSeries(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const (
		n      = 300
		moment = 100 // records of one, more than a portion has at first
	)
	var records []any
	for i := range n {
		at := i * 7 % n // not in the order of time
		record := append(sealed(fmt.Sprint(i), "old"),
			bson.E{Key: "at", Value: bson.DateTime(1_700_000_000_000 + max(moment, at))})
		records = append(records, record)
	}
	server.Insert(t, uri, "meter", records)
	series(server, "meter", "at")
	s.Hasten(5 * time.Second)
	server.Elect(mongotest.Every(3))
	once(t, scanned(t, s, "meter", func() {}), n)
	server.Elect(nil)
	places, err := s.Strangers(t.Context(), flat)
	if err != nil || len(places) != 1 || places[0].String() != "meter.f" {
		t.Errorf("%v, %v", places, err)
	}
}

// TestTimeSeriesWithoutTime: a time series whose field of the time is not known is read by nobody, and that is an
// error: what was not looked at is not free of envelopes.
func TestTimeSeriesWithoutTime(t *testing.T) {
	t.Parallel()
	server, _, s := faulty(t)
	server.Instead("listCollections", always, listed("meter", "timeseries", nil))
	if _, err := s.Strangers(t.Context(), nil); !errors.Is(err, store.ErrServer) {
		t.Error(err)
	}
}

// TestTimeSeriesPatience: each portion is lost once, for most of what the store has patience for. It begins
// again with each portion.
func TestTimeSeriesPatience(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	const patience = time.Second
	var records []any
	for i := range 400 {
		records = append(records, bson.D{{Key: "_id", Value: i}, {Key: "at", Value: bson.DateTime(i)}})
	}
	server.Insert(t, uri, "meter", records)
	series(server, "meter", "at")
	s.Hasten(patience)
	lost := 0
	lose := func() {
		server.Before("find", func() {
			time.Sleep(patience * 2 / 3)
			server.Cut("find", 1)
			lost++
		})
	}
	lose()
	i := 0
	once(t, scanned(t, s, "meter", func() {
		if i++; i%100 == 1 {
			lose()
		}
	}), 400)
	if lost < 3 {
		t.Errorf("%d portions were lost", lost)
	}
}

// TestTimeSeriesTwins: records of one moment may have one _id, or none. A portion ends between two, and both come.
func TestTimeSeriesTwins(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	var records []any
	for i := range 40 {
		records = append(records, bson.D{{Key: "_id", Value: i}, {Key: "at", Value: bson.DateTime(1)}})
	}
	server.Insert(t, uri, "meter", records)
	series(server, "meter", "at")
	twin, none := bson.D{{Key: "_id", Value: 31}}, bson.D{{Key: "at", Value: bson.DateTime(1)}}
	// The queries of a portion, of a portion of its moment, of the twins, of what is left, of odd ids.
	given := map[int]bson.D{3: answers(twin, twin), 5: answers(none)}
	var at func(nth int)
	at = func(nth int) {
		server.Before("find", func() {
			if answer, ok := given[nth]; ok {
				server.Answer("find", 1, answer)
			}
			at(nth + 1)
		})
	}
	at(1)
	seen := scanned(t, s, "meter", func() {})
	doubled := 0
	for id, times := range seen {
		if times == 2 {
			doubled++
			seen[id] = 1
		}
	}
	once(t, seen, 40+1)
	if doubled != 1 {
		t.Errorf("%d ids came twice", doubled)
	}
}
