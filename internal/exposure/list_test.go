package exposure

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

// TestListParts: a list of more envelopes than one file may have was written, and never read again: status would
// not know what is left. It is in several files.
func TestListParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var l List
	for i := range 5 {
		l = append(l, digestOf([]byte{byte(i)}, nil))
	}
	l.sort()
	for most, want := range map[int]int{2 * size: 3, 5*size + 1: 1, maxFile: 1} {
		sums, err := l.write(dir, "b", most)
		if err != nil || len(sums) != want {
			t.Fatalf("%d bytes: %d files, want %d, %v", most, len(sums), want, err)
		}
		again, err := Read(dir, "b", sums)
		if err != nil || len(again) != 5 || len(again.Without(l)) > 0 {
			t.Errorf("%d bytes: %d read, %v", most, len(again), err)
		}
	}
	sums, err := List(nil).Write(dir, "empty")
	if err != nil || len(sums) != 1 {
		t.Fatalf("empty: %q, %v", sums, err)
	}
	if again, err := Read(dir, "empty", sums); err != nil || len(again) != 0 {
		t.Errorf("empty: %d read, %v", len(again), err)
	}
	if sums, err = l.Write(dir, "b"); err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{bytes.Repeat([]byte{1}, size), nil, l.bytes()[:size]} {
		if err := os.WriteFile(pathOf(dir, "b", sums[0]), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir, "b", sums); !errors.Is(err, ErrOther) {
			t.Errorf("a file of %d other bytes: %v", len(content), err)
		}
	}
	if _, err := l.Write(dir, "b"); err != nil { // a run that was killed left a part of the file
		t.Fatal(err)
	}
	if again, err := Read(dir, "b", sums); err != nil || len(again) != 5 {
		t.Errorf("%d read, %v", len(again), err)
	}
}

// TestListsTogether: what two ceremonies listed counts once.
func TestListsTogether(t *testing.T) {
	t.Parallel()
	a, b, c := digestOf(nil, []byte("a")), digestOf(nil, []byte("b")), digestOf(nil, []byte("c"))
	one, two := List{a, b, b}, List{b, c}
	one.sort()
	two.sort()
	if n := len(one.Or(two)); n != 4 {
		t.Errorf("%d together, want 4: two envelopes of the first have one payload", n)
	}
	if fresh := two.Without(one); len(fresh) != 1 || fresh[0] != c {
		t.Errorf("%x are new", fresh)
	}
}
