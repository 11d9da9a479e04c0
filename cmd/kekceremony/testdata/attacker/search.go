package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// search counts a text in what the held process may write to.
func (a *attack) search(text []byte) (n int) {
	if a.held != 0 && a.trace {
		a.expose()
	}
	if a.mem == nil || a.maps == nil {
		return 0
	}
	maps, _ := io.ReadAll(a.maps) // of a process that has ended there is nothing
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var rights string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); err != nil || !strings.HasPrefix(rights, "rw") {
			continue
		}
		const window = 1 << 20
		part := make([]byte, window)
		for at := from; at < to; at += window {
			k, _ := a.mem.ReadAt(part[:min(window, to-at)], at) // some maps cannot be read
			n += bytes.Count(part[:k], text)
		}
	}
	return n
}
