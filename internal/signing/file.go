package signing

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/certautopilot/kekceremony/internal/file"
)

// writeFile writes a file for people to carry away, over any that lies there.
func writeFile(path string, text []byte) error {
	if err := file.Mkdir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return file.Replace(path, text)
}

// maxBrought bounds what people bring, in bytes.
const maxBrought = 64 << 10

// readFile reads a file that people brought, on a stick perhaps. It is nil when there is
// none.
func readFile(path string) ([]byte, error) {
	data, err := file.Read(path, file.Rules{Max: maxBrought})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
