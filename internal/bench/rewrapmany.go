//go:build cse

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/mongocrypt"

	"github.com/certautopilot/kekceremony/internal/store/mongo"
)

// rewrapMany measures the driver's RewrapManyDataKey, which re-wraps the data keys of client-side field level
// encryption, on the server that the tests use, between rotations there.
func (l lab) rewrapMany(ctx context.Context, w io.Writer) error {
	server := os.Getenv("KEKCEREMONY_TEST_MONGO_URI")
	if server == "" {
		_, err := fmt.Fprint(w, "\n## RewrapManyDataKey\n\nKEKCEREMONY_TEST_MONGO_URI named no server here.\n")
		return err
	}
	c, err := driver.Connect(options.Client().ApplyURI(server))
	if err != nil {
		return err
	}
	defer c.Disconnect(context.WithoutCancel(ctx))
	name := "kekceremony_bench_" + strings.ToLower(rand.Text())
	db := c.Database(name)
	defer db.Drop(context.WithoutCancel(ctx))
	vault, err := keyVault(ctx, c, name, *mongoKeys)
	if err != nil {
		return err
	}
	defer vault.Close(context.WithoutCancel(ctx))
	r, err := l.rotatingOn(ctx, named(server, name), *mongoKeys)
	if err != nil {
		return err
	}
	defer r.stop()
	v, err := r.beside(ctx, func() (float64, error) { return rewrapsMany(ctx, vault, *mongoKeys) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
## RewrapManyDataKey

%s, with libmongocrypt %s: the driver's RewrapManyDataKey over %d data keys of a key vault, with
the KMS provider local, which has its key in memory. Beside it, in turn, the re-wrap step of a
rotation with the provider env over as many envelopes in records of the same database. Both read
from the server and write to it; RewrapManyDataKey does not open what it wrote and does not compare.
%d pairs; medians: %.0f keys/s, and the rotation %.0f envelopes/s, %.2f times as many. Target: 2,
%s.
`, about(ctx, db), mongocrypt.Version(), *mongoKeys, pairs, v.peer, v.ours, v.ratio, met(v.ratio >= 2))
	return err
}

// keyVault is one with n data keys, in a collection of the database.
func keyVault(ctx context.Context, c *driver.Client, name string, n int) (*driver.ClientEncryption, error) {
	master := make([]byte, 96) // what the provider local takes
	rand.Read(master)
	vault, err := driver.NewClientEncryption(c, options.ClientEncryption().SetKeyVaultNamespace(name+".vault").
		SetKmsProviders(map[string]map[string]any{"local": {"key": master}}))
	if err != nil {
		return nil, err
	}
	for range n {
		if _, err := vault.CreateDataKey(ctx, "local"); err != nil {
			return nil, errors.Join(err, vault.Close(ctx))
		}
	}
	return vault, nil
}

func rewrapsMany(ctx context.Context, vault *driver.ClientEncryption, n int) (float64, error) {
	began := time.Now()
	r, err := vault.RewrapManyDataKey(ctx, bson.D{}, options.RewrapManyDataKey().SetProvider("local"))
	if err != nil {
		return 0, err
	}
	if r.BulkWriteResult == nil || int(r.ModifiedCount) != n {
		return 0, fmt.Errorf("RewrapManyDataKey: %+v, not %d keys", r, n)
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// rotatingOn is rotating on a database that the keys' vault has made.
func (l lab) rotatingOn(ctx context.Context, uri string, n int) (*rotating, error) {
	parts, err := l.installedOn(ctx, "env", "mongo", uri, func(context.Context) error { return nil })
	if err != nil {
		return nil, err
	}
	db, err := mongo.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := writeTo(ctx, db, parts, "env", n); err != nil {
		return nil, err
	}
	stop, err := l.agent(ctx, parts)
	return &rotating{lab: l, parts: parts, n: n, to: 1, stop: stop}, err
}

// named is a server's URI with the name of a database.
func named(server, name string) string {
	base, query, _ := strings.Cut(server, "?")
	return strings.TrimSuffix(base, "/") + "/" + name + "?" + query
}

// about is what the server calls itself.
func about(ctx context.Context, db *driver.Database) string {
	var info struct {
		Version  string
		FerretDB struct{ Version string }
	}
	err := db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info)
	switch {
	case err != nil:
		return "A server that does not say its version"
	case info.FerretDB.Version != "":
		return "FerretDB " + info.FerretDB.Version
	default:
		return "MongoDB " + info.Version
	}
}
