package main_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// unpack extracts a .tar.gz into a directory. Its files and directories are the owner's alone.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = extract(r, h, dir)
		}
		if err != nil {
			t.Fatalf("%s: %v", archive, err)
		}
	}
}

func extract(r io.Reader, h *tar.Header, dir string) error {
	if !filepath.IsLocal(h.Name) {
		return fs.ErrInvalid
	}
	path := filepath.Join(dir, h.Name)
	if h.FileInfo().IsDir() {
		return os.Mkdir(path, 0o700)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
