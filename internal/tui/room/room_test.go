package room

import (
	"context"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// TestPanic: a panic of the engine's side becomes an error, and the face is told that nothing more comes:
// it gives the terminal back before anybody reads the error.
func TestPanic(t *testing.T) {
	r := New()
	err := r.Run(t.Context(), func(context.Context, engine.Room) error { panic("a fault") })
	if err == nil || !strings.Contains(err.Error(), "internal error: a fault") {
		t.Errorf("%v", err)
	}
	<-r.Ring()
	if !r.Mail().Ended {
		t.Error("the face waits for more")
	}
	if err := <-r.Remark(engine.Report{}); err != engine.ErrLate {
		t.Errorf("a remark after the end: %v", err)
	}
}
