package transcripttest

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"slices"
)

func pemOf(b *pem.Block) []byte { return pem.EncodeToMemory(b) }

// Armor writes a signature as ssh-keygen does: lines of 70 characters.
func Armor(blob []byte) []byte {
	var b bytes.Buffer
	b.WriteString("-----BEGIN SSH SIGNATURE-----\n")
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(blob)), 70) {
		b.Write(append(line, '\n'))
	}
	b.WriteString("-----END SSH SIGNATURE-----\n")
	return b.Bytes()
}
