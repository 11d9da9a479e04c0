package pkcs11

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// maxModule bounds the file in bytes.
const maxModule = 1 << 30

// openModule opens the module's file and hashes it. Anyone who could change it, or put
// another in its place, could have the PIN: its owner, and that of every directory
// above it, must be root or this user, and nobody else may write there.
func openModule(path string) (*os.File, string, error) {
	if !filepath.IsAbs(path) {
		return nil, "", fmt.Errorf("load module %s: the path must be absolute", printable.Quote(path))
	}
	f, err := file.Open(path, file.Rules{Max: maxModule, Follow: true})
	if err != nil {
		return nil, "", fmt.Errorf("load module: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = guarded(info)
	}
	if err == nil {
		err = guardedPath(path)
	}
	if err == nil {
		err = wholeELF(f, info.Size())
	}
	h := sha256.New()
	if err == nil {
		_, err = io.Copy(h, f)
	}
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("load module %s: %w", printable.Quote(path), err)
	}
	return f, hex.EncodeToString(h.Sum(nil)), nil
}

// Digest is the SHA-256 of a module's file, in hex. Nothing of it runs.
func Digest(path string) (string, error) {
	f, digest, err := openModule(path)
	if err == nil {
		f.Close()
	}
	return digest, err
}

// sameModule hashes the file once more, after it was loaded by its path.
func sameModule(path, digest string) error {
	f, again, err := openModule(path)
	if err != nil {
		return err
	}
	f.Close()
	if again != digest {
		return fmt.Errorf("load module %s: it changed while it was loaded", printable.Quote(path))
	}
	return nil
}

// wholeELF refuses a file that is cut short: the loader maps it, and the process dies
// at the first byte that is not there.
func wholeELF(f io.ReaderAt, size int64) error {
	magic := make([]byte, len(elf.ELFMAG))
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != elf.ELFMAG {
		return nil // the loader says that it is none
	}
	lib, err := elf.NewFile(f)
	if err != nil {
		return errors.New("the file is cut short, or damaged")
	}
	for _, p := range lib.Progs {
		if p.Type == elf.PT_LOAD && p.Off+p.Filesz > uint64(size) {
			return errors.New("the file is cut short, or damaged")
		}
	}
	return nil
}

// guardedPath looks at every directory on the way to a file, as it is and through links.
func guardedPath(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, p := range []string{path, real} {
		for dir := filepath.Dir(p); ; dir = filepath.Dir(dir) {
			info, err := os.Stat(dir)
			if err == nil {
				err = guarded(info)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", printable.Text(dir), err)
			}
			if dir == "/" {
				break
			}
		}
	}
	return nil
}

// unguarded says how others could change a module.
type unguarded string

func (u unguarded) Error() string        { return string(u) }
func (u unguarded) Is(target error) bool { return target == provider.ErrUnguarded }

// guarded refuses what others may change. In a directory with the sticky bit they
// cannot take away what is not theirs.
func guarded(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case mode.Perm()&0o022 != 0 && !(info.IsDir() && mode&fs.ModeSticky != 0):
		return unguarded(fmt.Sprintf("mode %04o lets others change it", mode.Perm()))
	case !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return unguarded("its owner is neither root nor this user")
	}
	return nil
}
