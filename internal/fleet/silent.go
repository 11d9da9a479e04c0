package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Limits of what is read of processes: anyone who can write heartbeats can write as many rows
// as he likes, with names as long as he likes.
const (
	maxName  = 200       // characters of a name
	maxRows  = 1_000_000 // that are read
	pageRows = 1_000
	shown    = 20 // silent processes in a table
)

// nameOf is a process's name as people and transcripts see it.
func nameOf(b store.Heartbeat) string {
	name := printable.Text(b.Process)
	if len(name) > maxName {
		return name[:maxName] + "..."
	}
	return name
}

// Silent names the processes that were seen last between two times of the store's clock, and
// never said that they stopped.
func Silent(ctx context.Context, s store.Fleet, from, to time.Time) (names printable.List, err error) {
	after := ""
	for rows := 0; rows < maxRows; rows += pageRows {
		page, err := s.Silent(ctx, to, after, pageRows)
		if err != nil {
			return nil, err
		}
		for _, b := range page {
			if !b.Seen.Before(from) {
				names = append(names, nameOf(b))
			}
		}
		if len(page) < pageRows {
			return names, nil
		}
		after = page[len(page)-1].Process
	}
	return nil, fmt.Errorf("read process_heartbeats: more than %d silent processes", maxRows)
}
