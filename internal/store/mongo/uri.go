package mongo

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
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
		if err := unread(uri); err != nil {
			return nil, "", err
		}
		return nil, "", fmt.Errorf("not a MongoDB URI, mongodb://HOST/DATABASE%s: %w", escaping(uri), store.ErrName)
	}
	database := databaseOf(uri)
	if database == "" {
		return nil, "", fmt.Errorf("the MongoDB URI names no database, want mongodb://HOST/DATABASE: %w", store.ErrName)
	}
	// A password that is not escaped reads as hosts and a database: neither is shown.
	if hint := escaping(uri); strings.ContainsAny(database, "/\\. \"$*<>:|?@") {
		return nil, "", fmt.Errorf("the MongoDB URI names a database that cannot have this name%s: %w", hint, store.ErrName)
	}
	for _, option := range optionsOf(uri) {
		if err := option.check(); err != nil {
			return nil, "", err
		}
	}
	switch {
	case lookup != nil && lookup.IsNotFound:
		return nil, "", fmt.Errorf("%w: %s", store.ErrNoHost, printable.Text(lookup.Error()))
	case lookup != nil:
		return nil, "", fmt.Errorf("%w: %s", store.ErrSilent, printable.Text(lookup.Error()))
	case err != nil:
		return nil, "", unusable(err)
	}
	if o.Auth != nil {
		o.Auth.AuthMechanism = strings.ToUpper(o.Auth.AuthMechanism) // the driver takes it in any case, and then does not
	}
	return o, database, serverOf(o.Hosts)
}

// escaping is what may be wrong with a URI that has a password and cannot be read.
func escaping(uri string) string {
	if !strings.Contains(uri, "@") {
		return ""
	}
	return " (in a user's name or password, write % and any of : / ? # [ ] @ escaped: %40 for @)"
}

// ofFiles are words of the driver, and of what reads certificates and keys for it, about what is in a file.
var ofFiles = []string{"CA file", "find CERTIFICATE", "find PRIVATE KEY", "rivate key", "tls: ", "x509", "asn1",
	"pkcs8"}

// unusable names what is wrong with the options of a URI that was read: a file, or that they do not fit
// together.
func unusable(err error) error {
	kind := store.ErrOption
	says := func(words string) bool { return strings.Contains(err.Error(), words) }
	if path := (*fs.PathError)(nil); errors.As(err, &path) || slices.ContainsFunc(ofFiles, says) {
		kind = store.ErrFile
	}
	return fmt.Errorf("%w: %s", kind, printable.Text(err.Error()))
}

// serverOf refuses hosts of a service that speaks MongoDB's protocol, and is known to lack what a ceremony
// relies on.
func serverOf(hosts []string) error {
	if namedAs(hosts, ".mongo.cosmos.azure.com", ".documents.azure.com") {
		return store.ErrCosmos
	}
	return nil
}

// namedAs reports whether a host is named as those of a service.
func namedAs(hosts []string, suffixes ...string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		name, _, err := net.SplitHostPort(h)
		if err != nil {
			name = h
		}
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(name), s) })
	})
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
