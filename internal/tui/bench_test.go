package tui

import (
	"fmt"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// BenchmarkFrame draws the page of a re-wrap in progress. One frame must take less than 16 ms, a screen's own
// time.
func BenchmarkFrame(b *testing.B) {
	file, err := txtar.ParseFile(pathOf("rewrap-running"))
	if err != nil {
		b.Fatal(err)
	}
	s, err := sceneOf(file.Files[0].Data)
	if err != nil {
		b.Fatal(err)
	}
	view, err := s.shown()
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range [][2]int{{80, 24}, {160, 50}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			m := &model{room: room.New(), control: rewrap.NewControl(0), cancel: func(error) {}, glyphs: unicodeGlyphs,
				now: func() time.Time { return sceneTime }}
			m.width, m.height = size[0], size[1]
			m.take(room.Mail{Views: []engine.View{view}})
			for b.Loop() {
				m.View()
			}
		})
	}
}
