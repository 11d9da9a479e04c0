package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// shares is the command that measures Seal and Open of the keyring.
const shares = "go test ./keyring/pkcs11 -run ^$ -bench Share -benchtime 301x -count 3"

// keyring reports what a call of Seal or Open costs beside the token's work.
func (l lab) keyring(ctx context.Context, w io.Writer) error {
	lines, err := benchmarks(ctx, shares)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
## Seal and Open of the keyring

An application's calls of Seal and Open, with provider pkcs11 and a payload of 200 bytes,
against what they cannot do without: the encryption of the same payload, and
C_EncryptInit and C_Encrypt (or C_DecryptInit and C_Decrypt) of its data key, through the
same module, in a session of the same type, with the same key. 50 calls of each take
turns. Rates and share are medians of 301 pairs, in each of three runs:

`+"```\n$ %s\n%s```\n"+`
The raw loop calls the module by miekg/pkcs11, which goes into C for the first half of an
operation and again for the second; the keyring goes once for both. Whether that explains
the rates of Open was not measured.
`, shares, lines)
	return err
}

// benchmarks are the lines of what a command of go test measures.
func benchmarks(ctx context.Context, command string) (string, error) {
	f := strings.Fields(command)
	out, err := exec.CommandContext(ctx, f[0], f[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	var lines strings.Builder
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") {
			lines.WriteString(line)
		}
	}
	return lines.String(), nil
}
