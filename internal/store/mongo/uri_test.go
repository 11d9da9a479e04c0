package mongo_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, uri, hosts, database string }{
		{"one host", "mongodb://a/db", "a", "db"},
		{"port", "mongodb://a:27018/db", "a:27018", "db"},
		{"several hosts", "mongodb://a:1,b:2,c/db", "a:1 b:2 c", "db"},
		{"options", "mongodb://a:1,b:2/db?replicaSet=rs&appName=x/y?z", "a:1 b:2", "db"},
		{"no option", "mongodb://a/db?", "a", "db"},
		{"user and password", "mongodb://user:hunter2@a:1,b:2/db", "a:1 b:2", "db"},
		{"escaped password", "mongodb://user:hunter%2F2%40@a/db", "a", "db"},
		{"question mark in the password", "mongodb://user:hunter?2@a/db", "a", "db"},
		{"escaped database", "mongodb://a/d%62%2D1", "a", "db-1"},
		{"database of another alphabet", "mongodb://a/%C3%BC", "a", "ü"},
		{"IPv6", "mongodb://[::1]:1,[fe80::1]/db", "[::1]:1 [fe80::1]", "db"},
		{"socket", "mongodb://%2Ftmp%2Fmongodb-27017.sock/db", "/tmp/mongodb-27017.sock", "db"},
		{"options that the store sets", "mongodb://a/db?w=1&readPreference=nearest&tlsInsecure=false", "a", "db"},
		{"values", "mongodb://a/db?compressors=zstd,snappy&readConcernLevel=local&w=Datacenters&w=2&wtimeoutMS=5" +
			"&uuidRepresentation=standard", "a", "db"},
		{"escaped mechanism", "mongodb://user:hunter2@a/db?authMechanism=SCRAM%2DSHA%2D256", "a", "db"},
		{"escaped option", "mongodb://a/db?%77=1", "a", "db"},
		{"users of another database", "mongodb://user:hunter2@a/db?authSource=admin", "a", "db"},
	} {
		hosts, database, err := mongo.Target(c.uri)
		if err != nil || !slices.Equal(hosts, strings.Fields(c.hosts)) || database != c.database {
			t.Errorf("%s: %q, %q, %v", c.name, hosts, database, err)
		}
	}
}

// TestTargetRefuses: what is wrong is told, and no part of what may be the password.
func TestTargetRefuses(t *testing.T) {
	t.Parallel()
	certificate, _ := mongotest.Certificate(t, time.Now().Add(time.Hour))
	const (
		plainURI = "not a MongoDB URI, mongodb://HOST/DATABASE: not the name of a store"
		escape   = " (in a user's name or password, write % and any of : / ? # [ ] @ escaped: %40 for @)"
		notURI   = "not a MongoDB URI, mongodb://HOST/DATABASE" + escape + ": not the name of a store"
		noName   = "the MongoDB URI names no database, want mongodb://HOST/DATABASE: not the name of a store"
		badName  = "the MongoDB URI names a database that cannot have this name" + escape + ": not the name of a store"
		noHost   = "no such host: lookup "
		noFile   = "a file that the store's URI names cannot be used: "
		noWay    = "the store's server and this program share no way to log in: "
		ways     = "MONGODB-AWS, MONGODB-OIDC, MONGODB-X509, PLAIN, SCRAM-SHA-1, SCRAM-SHA-256"
		noOption = "the store's URI has an option that is not valid: "
	)
	for _, c := range []struct{ name, uri, want string }{
		{"empty", "", plainURI},
		{"another scheme", "http://user:hunter2@a/db", notURI},
		{"no host", "mongodb://user:hunter2@/db", notURI},
		{"no slash before the options", "mongodb://user:hunter2@a?tls=true", notURI},
		{"port", "mongodb://user:hunter2@a:b/db", notURI},
		{"escape in the password", "mongodb://user:hunter2%zz@a/db", notURI},
		{"escape in an option", "mongodb://user:hunter2@a/db?appName=hunter2%zz",
			noOption + "appName: this is not a value for it"},
		{"slash in the password", "mongodb://user:hunter2/2@a/db", notURI},
		{"two passwords", "mongodb://user:hunter2@hunter2@a/db", notURI},
		{"at sign and slash in the password", "mongodb://user:hunter2@hunter2/hunter2@a/db", badName},
		{"no database", "mongodb://user:hunter2@a", noName},
		{"no database but a slash", "mongodb://user:hunter2@a:1,b:2/", noName},
		{"no database but options", "mongodb://user:hunter2@a/?authSource=admin", noName},
		{"database with a slash", "mongodb://user:hunter2@a/db/more", badName},
		{"database with a space", "mongodb://user:hunter2@a/d+b", badName},
		{"authority that is not there", "mongodb://user:hunter2@a/db?tls=true&tlsCAFile=/nowhere/ca.pem",
			noFile + "open /nowhere/ca.pem: no such file or directory"},
		{"authority that is none", "mongodb://user:hunter2@a/db?tls=true&tlsCAFile=/dev/null",
			noFile + "the specified CA file does not contain any valid certificates"},
		{"misspelled option", "mongodb://user:hunter2@a/db?replicaSe=rs",
			noOption + "replicaSe: there is no such option; did you mean replicaSet?"},
		{"unknown option", "mongodb://user:hunter2@a/db?proxyHost=b",
			noOption + "proxyHost: there is no such option"},
		{"value of an option", "mongodb://user:hunter2@a/db?tls=maybe", noOption + "tls: this is not a value for it"},
		{"options that do not fit", "mongodb://user:hunter2@a,b/db?directConnection=true",
			noOption + "the options do not go together"},
		{"password that reads as an option",
			"mongodb://user:1/db?hunter2=1@a/db", notURI},
		{"unknown mechanism", "mongodb://user:hunter2@a/db?authMechanism=SCRAM-SHA-512",
			noWay + "SCRAM-SHA-512 is none of " + ways},
		{"mechanism that is not built in", "mongodb://user:hunter2@a/db?authMechanism=GSSAPI&authSource=$external",
			noWay + "GSSAPI is none of " + ways},
		{"compressor", "mongodb://user:hunter2@a/db?compressors=zstd,gzip",
			noOption + "compressors: this is not a value for it, want snappy, zlib, zstd"},
		{"write concern", "mongodb://user:hunter2@a/db?w=majorty",
			noOption + "w: this is not a value for it, did you mean majority?"},
		{"read concern", "mongodb://user:hunter2@a/db?readConcernLevel=majorty",
			noOption + "readConcernLevel: this is not a value for it, want available, linearizable, local, majority, snapshot"},
		{"UUIDs", "mongodb://user:hunter2@a/db?uuidRepresentation=foo",
			noOption + "uuidRepresentation: this is not a value for it, want csharpLegacy, javaLegacy, pythonLegacy, " +
				"standard, unspecified"},
		{"number of another driver", "mongodb://user:hunter2@a/db?waitQueueTimeoutMS=1s",
			noOption + "waitQueueTimeoutMS: this is not a value for it, want a whole number"},
		{"certificate without a key", "mongodb://user:hunter2@a/db?tls=true&tlsCertificateKeyFile=" + certificate,
			noFile + "failed to find PRIVATE KEY"},
		{"key that is none", "mongodb://user:hunter2@a/db?tls=true&tlsCertificateFile=" + certificate +
			"&tlsPrivateKeyFile=/dev/null", noFile + "failed to find PRIVATE KEY"},
		{"options of revocation", "mongodb://user:hunter2@a/db?tls=true&tlsDisableOCSPEndpointCheck=true" +
			"&tlsDisableCertificateRevocationCheck=true", noOption + "the options do not go together"},
		{"any certificate", "mongodb://user:hunter2@a/db?tls=true&tlsInsecure=true",
			"the store's URI asks for a connection that anyone can listen to: tlsInsecure"},
		{"any name in a certificate", "mongodb://user:hunter2@a/db?tls=true&tlsAllowInvalidHostnames=true",
			"the store's URI asks for a connection that anyone can listen to: tlsAllowInvalidHostnames"},
		{"Cosmos DB", "mongodb://user:hunter2@x.mongo.cosmos.azure.com:10255/db?ssl=true&retrywrites=false",
			store.ErrCosmos.Error()},
		{"unknown service", "mongodb+srv://user:hunter2@nowhere.invalid/db", noHost},
		{"unknown service, no database", "mongodb+srv://user:hunter2@nowhere.invalid", noName},
		{"unknown service, port", "mongodb+srv://user:hunter2@nowhere.invalid:1/db", notURI},
	} {
		_, _, err := mongo.Target(c.uri)
		switch {
		case err == nil:
			t.Errorf("%s: taken", c.name)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: it tells the password: %v", c.name, err)
		case err.Error() != c.want && (c.want != noHost || !strings.HasPrefix(err.Error(), noHost)):
			t.Errorf("%s: got %v\nwant %s", c.name, err, c.want)
		case c.want == noHost && !errors.Is(err, store.ErrNoHost):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
