package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestRead: what may lie at a path, and what the rules make of it.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string, mode os.FileMode) string {
		t.Helper()
		must(t, os.WriteFile(at(name), []byte(text), 0o600))
		must(t, os.Chmod(at(name), mode))
		return at(name)
	}
	good, open := put("good", "text", 0o600), put("open", "text", 0o640)
	must(t, os.Symlink(good, at("link")))
	must(t, os.Symlink(at("nothing"), at("dangling")))
	must(t, os.Symlink(at("fifo"), at("link to fifo")))
	must(t, unix.Mkfifo(at("fifo"), 0o600))
	must(t, os.Mkdir(at("dir"), 0o700))
	put("twice", "text", 0o600)
	must(t, os.Link(at("twice"), at("second")))
	me := os.Geteuid()
	const irregular = ": not a regular file"
	for name, c := range map[string]struct {
		path  string
		rules file.Rules
		want  error
		says  string
	}{
		"a file": {good, file.Rules{Max: 4, Owners: []int{me}, Private: true, OneName: true},
			nil, ""},
		"one byte too large": {good, file.Rules{Max: 3}, file.ErrTooLarge,
			"read " + good + ": too large: more than 3 bytes"},
		"no limit is given": {good, file.Rules{}, file.ErrTooLarge,
			"read " + good + ": too large: more than 0 bytes"},
		"no file": {at("none"), file.Rules{Max: 9}, os.ErrNotExist,
			"open " + at("none") + ": no such file or directory"},
		"a link": {at("link"), file.Rules{Max: 9}, file.ErrLink, "open " + at("link") + ": a link"},
		"a link that leads nowhere": {at("dangling"), file.Rules{Max: 9}, file.ErrLink,
			"open " + at("dangling") + ": a link"},
		"a link that is allowed": {at("link"), file.Rules{Max: 9, Follow: true}, nil, ""},
		"a FIFO":                 {at("fifo"), file.Rules{Max: 9}, file.ErrNotRegular, "read " + at("fifo") + irregular},
		"a FIFO behind a link": {at("link to fifo"), file.Rules{Max: 9, Follow: true}, file.ErrNotRegular,
			"read " + at("link to fifo") + irregular},
		"a directory": {at("dir"), file.Rules{Max: 9}, file.ErrNotRegular, "read " + at("dir") + irregular},
		"a device":    {"/dev/zero", file.Rules{Max: 9}, file.ErrNotRegular, "read /dev/zero" + irregular},
		"no end, by its size of 0": {"/proc/self/smaps", file.Rules{Max: 9}, file.ErrTooLarge,
			"read /proc/self/smaps: too large: more than 9 bytes"},
		"others may read it": {open, file.Rules{Max: 9, Private: true}, file.ErrMode,
			"read " + open + ": mode 0640: want a regular file of mode 0600 or stricter"},
		"others may, and that is fine": {open, file.Rules{Max: 9}, nil, ""},
		"a second name": {at("twice"), file.Rules{Max: 9, OneName: true}, file.ErrSecondName,
			"read " + at("twice") + ": it has a second hard link"},
		"another owner than wanted": {good, file.Rules{Max: 9, Owners: []int{me + 1}}, file.ErrOwner,
			"read " + good + ": it has another owner"},
		"one of two owners": {good, file.Rules{Max: 9, Owners: []int{me + 1, me}}, nil, ""},
	} {
		data, err := file.Read(c.path, c.rules)
		switch {
		case c.want == nil && (err != nil || string(data) != "text"):
			t.Errorf("%s: %q, %v", name, data, err)
		case c.want != nil && (!errors.Is(err, c.want) || err.Error() != c.says || data != nil):
			t.Errorf("%s: %q, %v, want %s", name, data, err, c.says)
		}
	}
}

// TestReadTheirs: a file that somebody else gave away is not this user's.
func TestReadTheirs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "theirs")
	must(t, os.WriteFile(path, []byte("text"), 0o600))
	if err := os.Chown(path, 65534, -1); errors.Is(err, os.ErrPermission) {
		pkcs11test.Missing(t, "root, to give a file away; the right to")
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Read(path, file.Rules{Max: 9, Owners: []int{os.Geteuid()}}); !errors.Is(err, file.ErrOwner) {
		t.Errorf("got %v", err)
	}
	if _, err := file.Read(path, file.Rules{Max: 9, Owners: []int{0, 65534}}); err != nil {
		t.Error(err)
	}
}

// TestNames: an error shows no control characters of a name, and Cause shows no name.
func TestNames(t *testing.T) {
	_, err := file.Read(filepath.Join(t.TempDir(), "x\x1b[2J"), file.Rules{Max: 9})
	if err == nil || !errors.Is(err, os.ErrNotExist) || file.Cause(err).Error() != "no such file or directory" {
		t.Fatalf("got %v", err)
	}
	for _, b := range []byte(err.Error()) {
		if b < ' ' {
			t.Fatalf("got %q", err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPrivate: a file of root's may be read by this user through an access list, whose mask is
// in the place of the rights of root's group.
func TestPrivate(t *testing.T) {
	for _, c := range []struct {
		mode         fs.FileMode
		owner, group uint32
		user         int
		want         bool
	}{
		{0o600, 1000, 1000, 1000, true},
		{0o400, 0, 0, 1000, true},
		{0o440, 0, 0, 1000, true}, // as a credential of systemd's
		{0o440, 0, 0, 0, false},   // root needs no list
		{0o440, 1000, 0, 1000, false},
		{0o440, 0, 1000, 1000, false},
		{0o460, 0, 0, 1000, false},
		{0o444, 0, 0, 1000, false},
	} {
		if got := file.Private(c.mode, c.owner, c.group, c.user); got != c.want {
			t.Errorf("%04o of %d:%d for %d: %v", c.mode, c.owner, c.group, c.user, got)
		}
	}
}
