package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/secret"
)

func TestBufferNeverPrints(t *testing.T) {
	b, err := secret.New(16)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Wipe()
	b.SetLen(copy(b.Room(), "marker-4711"))
	asJSON, err := json.Marshal(map[string]any{"pin": b})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(b), fmt.Sprintf("%v %+v %#v %s", b, b, b, b), string(asJSON)} {
		if strings.Contains(s, "marker") || !strings.Contains(s, "[secret]") {
			t.Errorf("printed as %q", s)
		}
	}
}

func TestWipeTwice(t *testing.T) {
	b, err := secret.New(1)
	if err != nil {
		t.Fatal(err)
	}
	b.Wipe()
	b.Wipe()
	if b.Len() != 0 {
		t.Error("a wiped buffer has a length")
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("1234\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", 0o600)
	b, err := secret.ReadFile(good, 16)
	if err != nil || string(b.Bytes()) != "1234\n" {
		t.Fatalf("got %v, %v", b, err)
	}
	b.Wipe()
	if _, err := secret.ReadFile(write("open", 0o640), 16); !errors.Is(err, file.ErrMode) {
		t.Errorf("mode 0640: %v", err)
	}
	if _, err := secret.ReadFile(dir, 16); !errors.Is(err, file.ErrNotRegular) {
		t.Errorf("directory: %v", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.ReadFile(link, 16); err == nil {
		t.Error("a symlink was followed")
	}
	if _, err := secret.ReadFile(good, 4); err == nil {
		t.Error("a file over the limit was read")
	}
	theirs := write("theirs", 0o600)
	if err := os.Chown(theirs, 1, -1); errors.Is(err, os.ErrPermission) {
		pkcs11test.Missing(t, "root, to give a file away; the right to")
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.ReadFile(theirs, 16); !errors.Is(err, file.ErrOwner) {
		t.Errorf("somebody else's: %v", err)
	}
}
