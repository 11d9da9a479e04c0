package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// errNoDigest: this user may not read the program, and nobody trustworthy tells its digest.
var errNoDigest = errors.New("this user may not read the program, and its digest file cannot be used")

// thisTool is the program with its digest. One that its user may not read has the digest
// in a file beside it, which the owner of the program must have written.
func thisTool() (engine.Tool, error) {
	t := engine.Tool{Version: version()}
	f, err := os.Open("/proc/self/exe")
	if errors.Is(err, os.ErrPermission) {
		t.From = "file"
		t.SHA256, err = digestBeside()
		return t, err
	}
	if err != nil {
		return t, fmt.Errorf("digest this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	t.SHA256 = hex.EncodeToString(h.Sum(nil))
	return t, err
}

// digestBeside is the digest in PROGRAM.sha256.
func digestBeside() (string, error) {
	running, err := os.Stat("/proc/self/exe")
	if err != nil {
		return "", err
	}
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return "", err
	}
	named, err := os.Lstat(path)
	if err != nil || !os.SameFile(running, named) { // by an update, perhaps: the file is the new one's
		return "", fmt.Errorf("%s: the program was replaced while it runs: %w", printable.Text(path), errNoDigest)
	}
	sum, err := readDigest(path, running.Sys().(*syscall.Stat_t).Uid)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoDigest, err)
	}
	return sum, nil
}

// sumLine is what sha256sum writes of one file.
var sumLine = regexp.MustCompile(`\A([0-9a-f]{64}) [ *]([^\n\\]+)\n\z`)

// readDigest reads the digest file of a program that owner owns. Others can no more change
// it than they can the program.
func readDigest(program string, owner uint32) (string, error) {
	const most = 4096 + 67 // a path, and what is around it
	path := program + ".sha256"
	f, err := file.Open(path, file.Rules{Max: most, Owners: []int{0, int(owner)}})
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return "", fmt.Errorf("read %s: mode %04o: others could change it", printable.Text(path), mode)
	}
	text, err := file.All(f, most)
	if err != nil {
		return "", err
	}
	line := sumLine.FindSubmatch(text)
	if line == nil || filepath.Base(string(line[2])) != filepath.Base(program) {
		return "", fmt.Errorf("read %s: want one line of sha256sum, of %s",
			printable.Text(path), printable.Text(filepath.Base(program)))
	}
	return string(line[1]), nil
}
