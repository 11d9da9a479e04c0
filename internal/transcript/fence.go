package transcript

import "context"

// Fence is the store's copy of a log: an insert-only list of named entries. Its
// Append returns ErrFenced when the name is taken.
type Fence interface {
	Append(ctx context.Context, name string, data []byte) error
	Entries(ctx context.Context) ([]Entry, error)
}

// Entry is a line by its EntryName, or a final's file by its name.
type Entry struct {
	Name string
	Data []byte
}
