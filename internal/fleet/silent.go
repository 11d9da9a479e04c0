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

// Silence is who was silent when that was last read. Nothing is decided by it, and a table shows it: who looks at the
// fleet for each page of records reads it once a second. The zero value has read nothing. It is of one goroutine.
type Silence struct {
	rows []store.Heartbeat
	at   time.Time
}

// in reads the first silent processes, one more than a table shows. A nil Silence reads them each time.
func (q *Silence) in(ctx context.Context, s store.Fleet, since time.Time) ([]store.Heartbeat, error) {
	if q != nil && time.Since(q.at) < time.Second {
		return q.rows, nil
	}
	rows, err := s.Silent(ctx, since, "", shown+1)
	if q != nil && err == nil {
		q.rows, q.at = rows, time.Now()
	}
	return rows, err
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
