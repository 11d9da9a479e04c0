// Package secret keeps PINs, KEKs and DEKs in memory that is locked, left out
// of core files and wiped, and hardens the process that holds them. A secret is
// never a Go string: strings cannot be wiped (promise 4).
package secret

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Buffer is a fixed piece of memory outside the Go heap: mapped, locked, not
// dumped. The zero Buffer is not usable.
type Buffer struct {
	page []byte
	n    int
}

// New maps room for size bytes. The memory is zero and Len is 0.
func New(size int) (*Buffer, error) {
	page := unix.Getpagesize()
	mapped := (size + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, mapped, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of secret memory: %w", mapped, err)
	}
	if err := unix.Mlock(b); err != nil {
		_ = unix.Munmap(b)
		return nil, fmt.Errorf("lock %d bytes of secret memory: %w", mapped, err)
	}
	if err := unix.Madvise(b, unix.MADV_DONTDUMP); err != nil {
		_ = unix.Munmap(b)
		return nil, fmt.Errorf("keep secret memory out of core files: %w", err)
	}
	return &Buffer{page: b}, nil
}

// Bytes is the secret itself. The slice is valid until Wipe.
func (b *Buffer) Bytes() []byte { return b.page[:b.n:b.n] }

// Room is all memory of the buffer, for a reader to fill before SetLen.
func (b *Buffer) Room() []byte { return b.page }

// SetLen says how many bytes of Room are the secret.
func (b *Buffer) SetLen(n int) { b.n = n }

// Len is the secret's length in bytes.
func (b *Buffer) Len() int { return b.n }

// Wipe zeroes the memory and gives it back. It may be called twice.
func (b *Buffer) Wipe() {
	if b == nil || b.page == nil {
		return
	}
	Zero(b.page)
	_ = unix.Munmap(b.page)
	b.page, b.n = nil, 0
}

// Zero overwrites b.
//
//go:noinline
func Zero(b []byte) {
	clear(b)
	runtime.KeepAlive(b)
}

const redacted = "[secret]"

func (b *Buffer) String() string               { return redacted }
func (b *Buffer) GoString() string             { return redacted }
func (b *Buffer) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (b *Buffer) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Harden makes the process leave no core file and refuse tracers and readers of its
// memory that run under the same user, and returns ErrTraced if there is a tracer
// already. A descriptor of the memory that was opened before stays good. Call it before
// anything secret is read, and do not exec over the process afterwards: exec undoes the
// second half.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid tracing: %w", err)
	}
	return Untraced()
}

// Swap says whether this host may write memory to a disk: "off", or how many areas it
// has. Our own pages are locked; what a token library keeps is not.
func Swap() string {
	data, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return "unknown"
	}
	areas := bytes.Count(bytes.TrimSpace(data), []byte("\n")) // one line is the head
	if areas == 0 {
		return "off"
	}
	return fmt.Sprintf("on, areas: %d", areas)
}
