package mongo

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// health is what the driver's monitor finds out about the servers. An operation that
// finds no server to write to knows only that it waited.
type health struct {
	mu       sync.Mutex
	writable bool                               // some server can be written to
	failure  error                              // the last one of any server since then
	met      map[string]event.ServerDescription // the last answer of each server that gave one, by its address
	trusted  bool                               // a certificate of some server was taken
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
		ServerHeartbeatSucceeded: func(e *event.ServerHeartbeatSucceededEvent) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.met[e.Reply.Addr.String()] = e.Reply
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

// trusts has a configuration of TLS report that a server's certificate was taken.
func (h *health) trusts(c *tls.Config) {
	if c == nil {
		return
	}
	c.VerifyConnection = func(tls.ConnectionState) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.trusted = true
		return nil
	}
}

// takesWrites reports whether some server can be written to, as far as the monitor knows.
func (h *health) takesWrites() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writable
}

// writable reports a kind of server that takes writes, by its name in the driver's
// specification (server discovery and monitoring).
func writable(s event.ServerDescription) bool {
	return slices.Contains([]string{"Standalone", "RSPrimary", "Mongos", "LoadBalancer"}, s.Kind)
}

// cause is why an operation got no answer: its own error, or what is known of the
// servers if it waited for one that can be written to.
func (h *health) cause(a asked, err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.writable && driver.IsTimeout(err) {
		if h.failure == nil {
			if err := a.unfit(slices.Collect(maps.Values(h.met))); err != nil {
				return err
			}
			return fmt.Errorf("%w: no server that can be written to was found", store.ErrSilent)
		}
		err = h.failure
	}
	if answers(err) {
		return fmt.Errorf("%w: %s", store.ErrNotReady, printable.Text(err.Error()))
	}
	name := a.unreached(err, len(h.met) > 0, h.trusted)
	return fmt.Errorf("%w: %s", cmp.Or(name, store.ErrSilent), printable.Text(err.Error()))
}
