package mongo

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// health is what the driver's monitor finds out about the servers. An operation that
// finds no server to write to knows only that it waited.
type health struct {
	mu       sync.Mutex
	writable bool  // some server can be written to
	failure  error // the last one of any server since then
}

// monitor keeps the health up to date. The driver's goroutines call it.
func (h *health) monitor() *event.ServerMonitor {
	return &event.ServerMonitor{
		TopologyDescriptionChanged: func(e *event.TopologyDescriptionChangedEvent) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.writable = slices.ContainsFunc(e.NewDescription.Servers, writable); h.writable {
				h.failure = nil
			}
		},
		ServerHeartbeatFailed: func(e *event.ServerHeartbeatFailedEvent) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if !errors.Is(e.Failure, context.Canceled) { // by the driver itself
				h.failure = e.Failure
			}
		},
	}
}

// writable reports a kind of server that takes writes, by its name in the driver's
// specification (server discovery and monitoring).
func writable(s event.ServerDescription) bool {
	return slices.Contains([]string{"Standalone", "RSPrimary", "Mongos", "LoadBalancer"}, s.Kind)
}

// cause is why an operation got no answer: its own error, or what is known of the
// servers if it waited for one that can be written to.
func (h *health) cause(err error) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.writable, !driver.IsTimeout(err):
		return err.Error()
	case h.failure != nil:
		return h.failure.Error()
	}
	return "no server that can be written to was found"
}
