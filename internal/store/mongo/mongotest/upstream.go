package mongotest

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// upstream is the server behind a proxy. TLS ends in the proxy, as it would see nothing of what passes.
type upstream struct {
	address string
	tls     *tls.Config // nil: the server speaks none
}

func (u upstream) dial() (net.Conn, error) {
	if u.tls == nil {
		return net.Dial("tcp", u.address)
	}
	return tls.Dial("tcp", u.address, u.tls)
}

// reached is the server of a URI that takes writes, and a URI by which a client asks that one alone, without TLS.
// A proxy cannot stand before hosts that DNS names.
func reached(t testing.TB, uri string) (server upstream, direct string, ok bool) {
	t.Helper()
	o := options.Client().ApplyURI(uri)
	base, query, _ := strings.Cut(uri, "?")
	hosts, found := strings.CutPrefix(base, "mongodb://")
	if !found || len(o.Hosts) == 0 {
		return server, "", false
	}
	server = upstream{o.Hosts[0], o.TLSConfig}
	if o.Direct == nil || !*o.Direct {
		server.address = primary(t, o)
	}
	hosts, path, _ := strings.Cut(hosts, "/")
	user := hosts[:strings.LastIndex(hosts, "@")+1]
	return server, "mongodb://" + user + server.address + "/" + path + "?" + withoutTLS(query), true
}

// primary is the address of the server that takes writes.
func primary(t testing.TB, o *options.ClientOptions) string {
	t.Helper()
	client, err := driver.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	hello := struct{ Me string }{Me: o.Hosts[0]} // what is in no replica set does not say it
	err = client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello.Me
}

// withoutTLS are the options of a URI without those of TLS, for one server alone.
func withoutTLS(query string) string {
	all := slices.DeleteFunc(strings.Split(query, "&"), func(o string) bool {
		o = strings.ToLower(o)
		return o == "" || strings.HasPrefix(o, "tls") || strings.HasPrefix(o, "ssl") ||
			strings.HasPrefix(o, "directconnection=")
	})
	return strings.Join(append(all, "directConnection=true"), "&")
}
