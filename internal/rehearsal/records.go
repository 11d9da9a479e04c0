package rehearsal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Records is the application's own access to a store.
type Records interface {
	// CreateCollection makes room for records; what is there stays.
	CreateCollection(context.Context, envelope.Collection) error
	// Put writes whole envelopes by record id.
	Put(context.Context, envelope.Place, map[string]envelope.Envelope) error
	// Get reads one whole envelope, or returns store.ErrNotFound.
	Get(ctx context.Context, p envelope.Place, id string) (envelope.Envelope, error)
	Census(context.Context, envelope.Catalogue) ([]store.Count, error)
}

// KeepRecords notes how many records a rehearsal is to have.
func (p Parts) KeepRecords(n int) error {
	return file.Replace(p.recordsFile(), []byte(strconv.Itoa(n)+"\n"))
}

// Records is how many records the rehearsal is to have, if an earlier run noted it.
func (p Parts) Records() (n int, ok bool) {
	text, err := file.Read(p.recordsFile(), file.Rules{Max: 64})
	if err != nil {
		return 0, false
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil && n > 0
}

// Application stands for what owns the records: it encrypts and decrypts
// payloads as a real one does, with the KEK through a provider.
type Application struct {
	Records  Records
	Provider provider.Provider
	Chain    kek.Chain
	Active   kek.Version // it writes with
}

// Record i lives in one of the catalogue's places, in turn.
func Record(i int) (place envelope.Place, id string) {
	all := envelope.DefaultCatalogue()
	return all[i%len(all)], fmt.Sprintf("record-%06d", i)
}

// Payload is the secret of record i before encryption.
func Payload(i int) []byte { return fmt.Appendf(nil, "the secret of record %d", i) }

// Write encrypts records 0 to n-1 under the active version. Those that are there
// already stay: an earlier run may have ended while it wrote.
func (a Application) Write(ctx context.Context, n int) error {
	for _, c := range envelope.DefaultCatalogue().Collections() {
		if err := a.Records.CreateCollection(ctx, c); err != nil {
			return err
		}
	}
	missing, err := a.missing(ctx, n)
	if err != nil {
		return err
	}
	const batch = 500
	for some := range slices.Chunk(missing, batch) {
		if err := a.write(ctx, a.Active, some); err != nil {
			return fmt.Errorf("write records from %d: %w", some[0], err)
		}
	}
	return nil
}

// missing lists those of records 0 to n-1 that are not there. In a store without any
// record it looks for none of them.
func (a Application) missing(ctx context.Context, n int) (all []int, err error) {
	have, err := a.Records.Census(ctx, envelope.DefaultCatalogue())
	if err != nil {
		return nil, err
	}
	for i := range n {
		there := false
		if len(have) > 0 {
			if there, err = a.has(ctx, i); err != nil {
				return nil, err
			}
		}
		if !there {
			all = append(all, i)
		}
	}
	return all, nil
}

func (a Application) has(ctx context.Context, i int) (bool, error) {
	place, id := Record(i)
	_, err := a.Records.Get(ctx, place, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (a Application) write(ctx context.Context, v kek.Version, some []int) error {
	dek, err := secret.New(kek.Size)
	if err != nil {
		return err
	}
	defer dek.Wipe()
	dek.SetLen(kek.Size)
	about, err := a.Provider.Describe(ctx)
	if err != nil {
		return err
	}
	records := map[envelope.Place]map[string]envelope.Envelope{}
	for _, i := range some {
		if _, err := rand.Read(dek.Bytes()); err != nil {
			return err
		}
		e := envelope.Envelope{KEKVersion: v, Provider: about["provider"]}
		if e.Nonce, e.Ciphertext, err = envelope.Seal(dek.Bytes(), Payload(i), nil); err != nil {
			return err
		}
		if e.WrappedDEK, err = a.Provider.Wrap(ctx, kek.NameOf(a.Chain, v), dek.Bytes()); err != nil {
			return err
		}
		place, id := Record(i)
		if records[place] == nil {
			records[place] = map[string]envelope.Envelope{}
		}
		records[place][id] = e
	}
	for place, some := range records {
		if err := a.Records.Put(ctx, place, some); err != nil {
			return err
		}
	}
	return nil
}

// Read decrypts record i and compares it with what was written. It returns the
// version the record was under.
func (a Application) Read(ctx context.Context, i int) (kek.Version, error) {
	place, id := Record(i)
	e, err := a.Records.Get(ctx, place, id)
	if err != nil {
		return 0, err
	}
	dek, err := secret.New(kek.Size)
	if err != nil {
		return 0, err
	}
	defer dek.Wipe()
	dek.SetLen(kek.Size)
	if err := a.Provider.Unwrap(ctx, kek.NameOf(a.Chain, e.KEKVersion), e.WrappedDEK, dek.Bytes()); err != nil {
		return e.KEKVersion, fmt.Errorf("read %s/%s: %w", place, id, err)
	}
	payload, err := e.Open(dek.Bytes(), nil)
	if err == nil && string(payload) != string(Payload(i)) {
		err = fmt.Errorf("another payload than was written")
	}
	if err != nil {
		return e.KEKVersion, fmt.Errorf("read %s/%s: %w", place, id, err)
	}
	return e.KEKVersion, nil
}
