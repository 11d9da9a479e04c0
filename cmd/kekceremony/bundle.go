package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// verified reads a bundle and verifies it. What cannot be read, and what is no bundle, is an error of who named it,
// and says nothing of a transcript.
func verified(dir string) (report transcript.Report, verdict, err error) {
	if err := isBundle(dir); err != nil {
		return report, nil, err
	}
	report, verdict = transcript.Verify(dir)
	if report.Opened() == nil && !transcript.IsBroken(verdict) {
		return report, nil, &usageError{verdict}
	}
	return report, verdict, nil
}

// isBundle refuses a path at which there is none.
func isBundle(dir string) error {
	info, err := os.Stat(dir)
	var path *fs.PathError
	if errors.As(err, &path) {
		return &usageError{fmt.Errorf("read bundle %s: %w", printable.Text(dir), path.Err)}
	}
	if !info.IsDir() {
		return &usageError{fmt.Errorf("%s: not a bundle: a bundle is a directory", printable.Text(dir))}
	}
	if whole, err := filepath.Abs(dir); err == nil && looksLikeBundle(whole) {
		return nil
	}
	err = fmt.Errorf("%s: not a bundle: it has no %s", printable.Text(dir), logFile)
	if logs, _ := filepath.Glob(filepath.Join(dir, "*", logFile)); len(logs) > 0 {
		err = fmt.Errorf("%w; it is a directory of bundles: name one of them, or, to verify them all, --chain %s", err,
			printable.Text(dir))
	}
	return &usageError{err}
}

// logFile is what every bundle has.
const logFile = "events.jsonl"

// looksLikeBundle goes by the log. A directory with the name of a bundle that has no log is a bad bundle.
func looksLikeBundle(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, logFile))
	return err == nil || history.BundleName.MatchString(filepath.Base(dir))
}
