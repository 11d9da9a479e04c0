package signing

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// scriptOf is the file beside a statement that signs it: a line that is too long to be typed from
// one screen to another machine.
func scriptOf(statement string) string { return strings.TrimSuffix(statement, ".txt") + ".sh" }

// ErrOtherScript is returned where a file lies that people would run, and that is not ours.
var ErrOtherScript = errors.New("another file is there, which people would run: look who put it there, and remove it")

// writeScript writes the file that signs a statement, for people to read and run. It never takes
// the place of another.
func (c *Collector) writeScript(statement string) error {
	name := filepath.Base(statement)
	line := strings.NewReplacer("-f KEY", `-f "$1"`, name, `"$(dirname "$0")/`+name+`"`).
		Replace(quorum.SignLine(c.namespace(), name))
	text := fmt.Appendf(nil, "# Signs %s, which you have read. On the machine with your key, run:\n"+
		"#   sh %s KEY\nexec %s\n", name, filepath.Base(scriptOf(statement)), line)
	path := scriptOf(statement)
	err := file.Create(path, text)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := readFile(path)
	if err == nil && !bytes.Equal(there, text) {
		err = fmt.Errorf("%s: %w", printable.Line(path), ErrOtherScript)
	}
	return err
}
