package quorum

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Stock has stock ssh-keygen verify a signature against the roster, at the time
// that is claimed for it. With a file of revoked keys, a list of public keys or a
// KRL (ssh-keygen(1)), a revoked key is refused, and so is a file that is not there.
// It asks for less than Check: for no touch, and for no one form of anything.
func (r Roster) Stock(ctx context.Context, namespace string, s Signed, revoked string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("signature of %s in %s: %w", printable.Text(s.Name), namespace, err)
		}
	}()
	dir, done, err := file.Scratch()
	if err != nil {
		return err
	}
	defer done()
	roster, sig := filepath.Join(dir, "roster"), filepath.Join(dir, "sig")
	for path, data := range map[string][]byte{roster: r.Text, sig: s.Signature} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	args := []string{"-Y", "verify", "-f", roster, "-I", s.Name, "-n", namespace, "-s", sig}
	if !s.At.IsZero() {
		args = append(args, "-O", "verify-time="+s.At.UTC().Format("20060102150405Z"))
	}
	if revoked != "" {
		args = append(args, "-r", revoked)
	}
	cmd := quiet(ctx, "ssh-keygen", args...)
	cmd.Stdin = bytes.NewReader(s.Statement)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && revoked != "" && r.Stock(ctx, namespace, s, "") == nil {
		return fmt.Errorf("its key is revoked, or %s cannot be read", printable.Text(revoked))
	}
	if err != nil {
		return fmt.Errorf("stock ssh-keygen refuses it: %s", printable.Text(strings.Join(strings.Fields(string(out)), " ")))
	}
	return nil
}
