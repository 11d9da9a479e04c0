package mongo_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestConcerns: whatever the URI says, each write of each operation waits for the journals of the majority, and each
// read is of what the majority has. A server that is alone shows no difference: the commands do.
func TestConcerns(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.s = open(t, mongotest.With(r.uri, "w=1&journal=false&readConcernLevel=local"))
	var mu sync.Mutex
	var asked []string
	r.server.Hear(func(name string, command bson.Raw) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, name)
		if wrong := concern(name, command); wrong != "" {
			t.Errorf("%s: %s: %v", name, wrong, command)
		}
	})
	defer r.server.Hear(nil)
	for _, o := range operations {
		r.n++
		if err := o.do(r); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	// FerretDB 1 refuses the question that comes before it, and this command too.
	if err := r.s.Fence(r.ctx, flat, []kek.Version{1}); err != nil && !errors.Is(err, store.ErrNoFence) {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range slices.Concat(writes, []string{"find", "aggregate", "count"}) {
		if !slices.Contains(asked, name) {
			t.Errorf("no %s was sent", name)
		}
	}
}

// concern is what is wrong with the concern of a command.
func concern(name string, command bson.Raw) string {
	changes := slices.Contains(writes, name)
	if name == "collMod" { // one that changes nothing asks whether it may
		validator, _ := command.Lookup("validator").DocumentOK()
		elements, _ := validator.Elements()
		changes = len(elements) > 0
	}
	w, _ := command.Lookup("writeConcern", "w").StringValueOK()
	j, _ := command.Lookup("writeConcern", "j").BooleanOK()
	level, _ := command.Lookup("readConcern", "level").StringValueOK()
	switch {
	case changes && (w != "majority" || !j):
		return "it does not wait for the journals of the majority"
	case slices.Contains([]string{"find", "aggregate", "count"}, name) && level != "majority":
		return "it may read what is rolled back"
	}
	return ""
}
