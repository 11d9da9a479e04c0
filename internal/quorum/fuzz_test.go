package quorum_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// known is a signature of which every other is a forgery.
type known struct {
	roster quorum.Roster
	signed quorum.Signed
}

func knownSignature(f *testing.F) known {
	f.Helper()
	dora := transcripttest.Touching(f, "alice")
	r, err := quorum.ParseRoster([]byte(transcripttest.RosterOf(1, quorum.Production, dora)), quorum.Production)
	if err != nil {
		f.Fatal(err)
	}
	statement := []byte("kekceremony statement v1\n")
	return known{r, quorum.Signed{Name: "alice", Statement: statement, Signature: dora.Sign(f, approveSpace, statement)}}
}

// FuzzArmor: no other text of a signature is accepted.
func FuzzArmor(f *testing.F) {
	k := knownSignature(f)
	f.Add(k.signed.Signature)
	f.Add(slices.Repeat(k.signed.Signature, 2))
	f.Fuzz(func(t *testing.T, armor []byte) {
		s := k.signed
		s.Signature = armor
		if _, err := k.roster.Check(approveSpace, s); err == nil && !bytes.Equal(armor, k.signed.Signature) {
			t.Errorf("accepted %q", armor)
		}
	})
}

// FuzzBlob: no other bytes within a good armor are accepted.
func FuzzBlob(f *testing.F) {
	k := knownSignature(f)
	text := strings.Join(strings.Split(string(k.signed.Signature), "\n")[1:], "")
	good, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, "-----END SSH SIGNATURE-----"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, blob []byte) {
		s := k.signed
		s.Signature = transcripttest.Armor(blob)
		if _, err := k.roster.Check(approveSpace, s); err == nil && !bytes.Equal(blob, good) {
			t.Errorf("accepted %x", blob)
		}
	})
}

// FuzzRoster: what is accepted has M people at least, each with a name and a key of
// the own.
func FuzzRoster(f *testing.F) {
	k := knownSignature(f)
	f.Add(k.roster.Text)
	f.Add([]byte("# quorum: 1\n# user-verification: required\n" + string(k.roster.Text[12:])))
	f.Add([]byte(strings.Replace(string(k.roster.Text), `" sk`,
		`",valid-after="20200101000000Z",valid-before="20300101000000Z" sk`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := quorum.ParseRoster(text, quorum.Production)
		if err != nil {
			return
		}
		names, keys := map[string]bool{}, map[string]bool{}
		for _, m := range r.Members {
			names[m.Name], keys[string(m.Key.Marshal())] = true, true
		}
		if r.M < 1 || len(names) < r.M || len(names) != len(keys) || len(names) != len(r.Members) {
			t.Errorf("quorum %d of %v", r.M, names)
		}
	})
}
