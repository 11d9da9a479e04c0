package steps_test

import (
	"context"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/memorytest"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// staying is a provider whose keys outlive a ceremony: they are in this process.
type staying struct{ provider.Provider }

func (staying) Close() error { return nil }

// TestThirdProvider: a provider that no package but its own knows is installed and rotated.
// It has no PIN, re-wraps one by one, and wraps DEKs in a form of its own.
func TestThirdProvider(t *testing.T) {
	t.Parallel()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	memory, err := memorytest.Settings{Zone: "a"}.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	s.Kind = memorytest.Settings{}
	s.OpenProvider = func(context.Context, func(map[string]string) error) (provider.Provider, error) {
		return staying{memory}, nil
	}
	s.Fleet = engine.FleetConfig{Heartbeat: 20 * time.Millisecond, Live: time.Second}
	room := nobody(parts)
	room.Answers["provider"] = memorytest.Name
	if err := engine.Run(t.Context(), *s, room, steps.Install()); err != nil {
		t.Fatal(err)
	}

	lock, err := s.Store.Lock(t.Context())
	if err != nil || lock.Provider != memorytest.Name {
		t.Fatalf("lock %+v, %v", lock, err)
	}
	const n = 40
	a := rehearsal.Application{Records: s.Store.(rehearsal.Records), Provider: memory, Chain: lock.Chain, Active: 1}
	if err := a.Write(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	agent := fleet.Member{
		Store: s.Store, Provider: staying{memory}, Chain: lock.Chain, Role: "app", Every: s.Fleet.Heartbeat,
		Report: func(string) {},
	}
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if err := engine.Run(t.Context(), *s, room, steps.Rotate(steps.Rotation{To: 2})); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if v, err := a.Read(t.Context(), i); err != nil || v != 2 {
			t.Errorf("record %d: version %d, %v", i, v, err)
		}
	}
	for _, kind := range []string{transcript.KindInstall, transcript.KindRotate} {
		for _, dir := range bundles(t, parts, kind) {
			if _, err := transcript.Verify(dir); err != nil {
				t.Error(err)
			}
		}
	}
}
