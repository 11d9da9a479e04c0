package mongo

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// target is what a URI says: how to connect, and the database. No error holds a part
// of the URI that may be the password.
func target(uri string) (*options.ClientOptions, string, error) {
	o := options.Client().ApplyURI(uri)
	err := o.Validate()
	var lookup *net.DNSError // of the hosts behind mongodb+srv
	if len(o.Hosts) == 0 && !errors.As(err, &lookup) {
		return nil, "", fmt.Errorf("not a MongoDB URI, mongodb://HOST/DATABASE: %w", store.ErrName)
	}
	database := databaseOf(uri)
	if database == "" {
		return nil, "", fmt.Errorf("the MongoDB URI names no database, want mongodb://HOST/DATABASE: %w", store.ErrName)
	}
	// A password that is not escaped reads as hosts and a database: neither is shown.
	if strings.ContainsAny(database, "/\\. \"$*<>:|?@") {
		return nil, "", fmt.Errorf("the MongoDB URI names a database that none can be named; escape the password: %w",
			store.ErrName)
	}
	switch {
	case lookup != nil:
		return nil, "", fmt.Errorf("%w: %s", store.ErrSilent, printable.Text(lookup.Error()))
	case err != nil: // the URI was read; an option does not fit, or its file cannot be used
		return nil, "", errors.New(printable.Text(err.Error()))
	}
	return o, database, nil
}

// databaseOf is the database that a URI names, if the driver can read the URI. net/url
// does not read several hosts with ports. No slash stands before the one that ends the
// hosts: the driver refuses it in the user's name and password.
func databaseOf(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	name, err := url.QueryUnescape(path) // as the driver does, for which a plus is a space
	if err != nil {
		return ""
	}
	return name
}
